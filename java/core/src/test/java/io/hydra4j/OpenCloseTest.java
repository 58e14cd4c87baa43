package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.hydra4j.decode.Tree;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.BackendKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A server that opens and closes models all day must not grow. */
class OpenCloseTest {
    private static final int TIMES = 100;
    private static final long MOST_GROWTH = 4 << 20;
    private static final int PAGE = 4096;

    @Test
    void openingAndClosingTwoHundredTimesLeavesMemoryAndThreadsWhereTheyWere(@TempDir Path folder) throws Exception {
        assumeTrue(Files.exists(Path.of("/proc/self/statm")), "no /proc: resident memory is unknown");
        Path model = Original.withTokenizer(Original.variant(folder, List.of(257), 1024));
        openAndClose(model, BackendKind.CPU, TIMES);
        System.gc();
        long before = resident();
        long threads = threads();
        long files = files();
        openAndClose(model, BackendKind.CPU, TIMES);
        System.gc();
        long growth = resident() - before;
        assertTrue(growth < MOST_GROWTH, "resident memory grew by " + growth + " bytes");
        assertTrue(threads() <= threads, "threads: " + threads() + " after " + threads);
        assertTrue(files() <= files, "open files: " + files() + " after " + files);
    }

    static void openAndClose(Path model, BackendKind backend, int times) {
        OpenOptions options = OpenOptions.DEFAULT
                .withHeads(Original.heads("hydra-plus-plus"))
                .withBackend(backend)
                .withThreads(2);
        GenerationOptions limits =
                GenerationOptions.DEFAULT.withTree(Tree.DEFAULT).withMaxTokens(8);
        for (int i = 0; i < times; i++) {
            try (HydraModel opened = HydraModel.open(model, options);
                    TokenStream stream = opened.stream("public class Example {", limits)) {
                int tokens = 0;
                while (stream.hasNext()) {
                    tokens += stream.next().ids().length;
                }
                assertEquals(8, tokens);
            }
        }
    }

    private static long resident() throws IOException {
        return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * PAGE;
    }

    private static long threads() throws IOException {
        return count("/proc/self/task");
    }

    private static long files() throws IOException {
        return count("/proc/self/fd");
    }

    private static long count(String folder) throws IOException {
        try (Stream<Path> entries = Files.list(Path.of(folder))) {
            return entries.count();
        }
    }
}
