package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.hydra4j.decode.Tree;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.ForkedJvm;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A server that opens and closes models all day must not grow. */
class OpenCloseTest {
    private static final int TIMES = 100;
    private static final long MOST_GROWTH = 4 << 20;

    @Test
    void openingAndClosingTwoHundredTimesLeavesMemoryAndThreadsWhereTheyWere(@TempDir Path folder) throws Exception {
        Path model = model(folder);
        openAndClose(model, BackendKind.CPU, TIMES);
        Footprint before = Footprint.take();
        openAndClose(model, BackendKind.CPU, TIMES);
        Footprint.take().requireNoMoreThan(before, MOST_GROWTH);
    }

    /** JNI is checked, and the heap is small and resident from the beginning, so that what grows is not the heap. */
    @ParameterizedTest
    @ValueSource(ints = 50)
    void aJvmThatChecksJniAndHasLittleHeapStaysAsItIs(int times, @TempDir Path folder) throws Exception {
        String output = new ForkedJvm(OpenCloseMain.class)
                .options("-Xcheck:jni", "-Xms256m", "-Xmx256m", "-XX:+AlwaysPreTouch")
                .arguments(model(folder), times)
                .run();
        assertEquals("as it was", output.lines().reduce("", (before, line) -> line), output);
        assertFalse(output.contains("WARNING"), output);
    }

    @Tag("long")
    @Test
    void twoThousandTimes(@TempDir Path folder) throws Exception {
        aJvmThatChecksJniAndHasLittleHeapStaysAsItIs(2000, folder);
    }

    private static Path model(Path folder) {
        assumeTrue(Files.exists(Path.of("/proc/self/statm")), "no /proc: resident memory is unknown");
        return Original.withTokenizer(Original.variant(folder, List.of(257), 1024));
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
}
