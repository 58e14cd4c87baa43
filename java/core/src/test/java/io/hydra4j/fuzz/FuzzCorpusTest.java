package io.hydra4j.fuzz;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Files that once ended the process, took its time or memory, or failed with the wrong exception: fuzz/TARGET/NAME. */
class FuzzCorpusTest {
    static Stream<Path> cases() throws IOException, URISyntaxException {
        Path corpus = Path.of(FuzzCorpusTest.class.getResource("/fuzz").toURI());
        try (Stream<Path> folders = Files.walk(corpus, 2)) {
            return folders.filter(folder -> corpus.relativize(folder).getNameCount() == 2).sorted().toList().stream();
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void aFileOfTheCorpusIsReadOrRefused(Path folder) {
        FuzzTarget target = FuzzTarget.of(folder.getParent().getFileName().toString());
        assertEquals("", FuzzWorker.fault(target, folder));
    }
}
