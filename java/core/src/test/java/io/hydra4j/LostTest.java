package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.Warnings;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Models and streams that nobody closes. */
class LostTest {
    private static final int STREAMS = 6;
    private static final OpenOptions OPTIONS = OpenOptions.DEFAULT
            .withBackend(BackendKind.CPU)
            .withThreads(3)
            .withHeads(Original.heads("hydra-plus-plus"));

    @Test
    @Timeout(120)
    void eachIsReportedInOneLineWithThePlaceWhereItWasMadeAndIsFreed() throws Exception {
        try (Warnings warnings = new Warnings()) {
            Footprint before = Footprint.take();
            lose(Original.base());
            warnings.await("a model made at io.hydra4j.LostTest.lose(");
            warnings.await("a session made at io.hydra4j.LostTest.lose(");
            while (warnings.count("LostTest.lose(") <= STREAMS
                    || Footprint.take().threads() > before.threads()) {
                Thread.sleep(10);
            }
            assertEquals(STREAMS + 1, warnings.count("LostTest.lose("), warnings.toString());
            assertEquals(0, warnings.count("CPU backend"), warnings.toString());
        }
    }

    private static void lose(Path path) {
        HydraModel model = HydraModel.open(path, OPTIONS);
        for (int i = 0; i < STREAMS; i++) {
            model.stream(new int[] {1, 2, 3}, GenerationOptions.DEFAULT.withMaxTokens(8))
                    .next();
        }
    }

    @Test
    @Timeout(120)
    void aModelKnowsItsLostStreamsNoMore() throws Exception {
        try (Warnings warnings = new Warnings();
                HydraModel model = HydraModel.open(TestData.odd(), OPTIONS.withHeads(null))) {
            loseStream(model);
            warnings.await("a session made at io.hydra4j.LostTest.loseStream(");
            assertTrue(model.generate("x", GenerationOptions.DEFAULT.withMaxTokens(2))
                            .ids()
                            .length
                    > 0);
        }
    }

    private static void loseStream(HydraModel model) {
        model.stream("x", GenerationOptions.DEFAULT.withMaxTokens(8)).next();
    }
}
