package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.draft.Drafter;
import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Guesses of the host reach the device. */
@ExtendWith(Cuda.class)
class DrafterCudaTest {
    private static final int TOKENS = 12;

    @Test
    void lookingUpEmitsWhatPlainDecodingDoesInFewerSteps() {
        byte[] text = "int a = 0; int a = 0; int a".getBytes(StandardCharsets.US_ASCII);
        int[] prompt = IntStream.range(0, text.length).map(i -> text[i]).toArray();
        try (Loaded loaded = Cuda.open(Original.base(), null, null);
                Session plain = Sessions.session(loaded.base(), null, SessionOptions.of(Tree.ROOT));
                Session session = Sessions.session(loaded.base(), Drafter.lookup(4), SessionOptions.of(Tree.chain(4)));
                BatchSession batch =
                        Sessions.batch(loaded.base(), Drafter.lookup(4), BatchOptions.of(2, Tree.chain(4)))) {
            plain.prefill(prompt);
            while (plain.length() < prompt.length + TOKENS) {
                plain.step();
            }
            int[] expected = plain.tokens();
            session.prefill(prompt);
            batch.prefill(1, prompt);
            while (session.length() < expected.length) {
                session.step();
            }
            while (batch.length(1) < expected.length) {
                batch.step();
            }
            assertArrayEquals(expected, Arrays.copyOf(session.tokens(), expected.length));
            assertArrayEquals(expected, Arrays.copyOf(batch.tokens(1), expected.length));
            assertTrue(
                    session.statistics().steps() < TOKENS, session.statistics().steps() + " steps");
        }
    }
}
