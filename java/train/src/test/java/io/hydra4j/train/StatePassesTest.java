package io.hydra4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.train.device.TrainBuffer;
import io.hydra4j.train.device.TrainDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** States of texts that share passes are those of each text by itself, to the bit. */
class StatePassesTest {
    private static final int LONGEST = 150;

    @TempDir
    Path folder;

    private static List<TokenText> texts() {
        Random random = new Random(3);
        List<TokenText> texts = new ArrayList<>();
        // Some of more rows than a pass has, and more of few rows than there are in a pass at most.
        for (int i = 0; i < 3 * StatePasses.TEXTS; i++) {
            int length = i % 10 == 7 ? LONGEST : 3 + random.nextInt(i < 20 ? 40 : 3);
            texts.add(TokenText.from(random.ints(length, 0, 256).toArray(), 0));
        }
        return texts;
    }

    private static float[] alone(OpenBase base, HeadBatch batch) {
        int hidden = base.config().hidden();
        float[] all = new float[batch.positions() * hidden];
        try (Session session = Sessions.session(base.model(), null, SessionOptions.of(Tree.ROOT))) {
            for (int i = 0; i < batch.sequences(); i++) {
                int row = (int) batch.starts()[i];
                session.rewind(0);
                session.prefill(batch.sequence(i), (first, count) -> session.hidden()
                        .read(0, all, (row + first) * hidden, count * hidden));
            }
        }
        return all;
    }

    @Test
    void textsThatSharePassesHaveTheStatesThatTheyHaveAlone() throws IOException {
        HeadBatch batch = HeadBatch.of(texts(), 2);
        Path model = TinyBase.model(Files.createDirectory(folder.resolve("base")));
        try (OpenBase base = new OpenBase(model, BackendKind.CPU, 1);
                StatePasses passes = new StatePasses(base.model(), LONGEST, batch.positions());
                TrainDevice device = TrainDevice.openCpu(1, false)) {
            float[] expected = alone(base, batch);
            float[] found = new float[expected.length];
            TrainBuffer target = device.floats(expected.length);

            // Twice: what a pass has left must not be seen.
            for (int i = 0; i < 2; i++) {
                passes.write(batch, target);
                target.download(0, found);
                assertArrayEquals(expected, found);
            }
        }
    }
}
