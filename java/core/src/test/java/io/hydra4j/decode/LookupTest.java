package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.draft.Drafter;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import io.hydra4j.runtime.InstructionSet;
import io.hydra4j.text.Tokenizer;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Looking the continuation up in the text so far, without heads. */
class LookupTest {
    /** @param least tokens a step, for guesses must be accepted for this test to mean anything */
    private static void check(Loaded loaded, List<int[]> prompts, int tokens, double least) {
        Tree chain = Tree.chain(8);
        try (Session plain = loaded.session(Tree.ROOT);
                Session session = Sessions.session(
                        loaded.base(),
                        Drafter.lookup(8),
                        SessionOptions.of(chain).withLogits());
                BatchSession batch = Sessions.batch(loaded.base(), Drafter.lookup(8), BatchOptions.of(2, chain))) {
            for (int[] prompt : prompts) {
                PlainDecoding expected = PlainDecoding.of(plain, prompt, tokens);
                expected.assertSame(session, chain);
                batch.clear(0);
                batch.prefill(0, prompt);
                while (batch.length(0) < prompt.length + tokens) {
                    batch.step();
                }
                assertArrayEquals(
                        expected.tokens(), Arrays.copyOfRange(batch.tokens(0), prompt.length, prompt.length + tokens));
            }
            double accepted = (double) session.statistics().tokens()
                    / session.statistics().steps();
            assertTrue(accepted > least, accepted + " tokens a step");
        }
    }

    @Test
    void theTinyModelEmitsWhatPlainDecodingDoes() {
        try (Loaded loaded = Loaded.open(Original.base(), null, null)) {
            check(loaded, BitIdentity.bytePrompts().subList(0, 6), 80, 1.1);
        }
    }

    @Test
    void theJavaModelEmitsWhatPlainDecodingDoes() {
        try (Loaded loaded = Loaded.open(
                        TestData.shared("models/javalm-19m/javalm-19m-q8_0.gguf"), null, null, 1, InstructionSet.AUTO);
                Tokenizer tokenizer = Tokenizer.fromJson(TestData.shared("models/javalm-19m/tokenizer.json"))) {
            List<int[]> prompts = TestData.heldOutPrompts().stream()
                    .limit(3)
                    .map(tokenizer::encode)
                    .toList();
            check(loaded, prompts, 128, 1.5);
        }
    }
}
