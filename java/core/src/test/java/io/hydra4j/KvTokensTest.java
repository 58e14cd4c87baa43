package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.BatchOptions;
import io.hydra4j.decode.BatchSession;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.BackendKind;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Who is admitted has all the room that it may need; who is not is told at once. */
class KvTokensTest {
    private static final int STREAMS = 3;
    private static final int TOKENS = 60;
    private static final int[] PROMPT = {1, 2, 3, 4};
    private static final GenerationOptions LIMITS =
            GenerationOptions.DEFAULT.withMaxTokens(TOKENS).withIgnoreEnd(true);
    /** 4 tokens of a prompt, 60 of its continuation and 64 of a tree: 4 pages each. */
    private static final long ROOM = STREAMS * 128L;

    private static HydraModel model;

    @BeforeAll
    static void open() {
        model = HydraModel.open(
                Original.base(),
                OpenOptions.DEFAULT
                        .withBackend(BackendKind.CPU)
                        .withThreads(1)
                        .withHeads(Original.heads("hydra-plus-plus"))
                        .withKvTokens(ROOM));
    }

    @AfterAll
    static void close() {
        model.close();
    }

    @Test
    void streamsThatHaveBeenOpenedRunToTheirEndAndOneTooManyIsRefusedAtOnce() {
        List<TokenStream> streams = new ArrayList<>();
        for (int i = 0; i < STREAMS; i++) {
            streams.add(model.stream(PROMPT, LIMITS));
        }
        KvPagesExhaustedException refused =
                assertThrows(KvPagesExhaustedException.class, () -> model.stream(PROMPT, LIMITS));
        assertTrue(refused.getMessage().contains("kvTokens"), refused.getMessage());
        for (TokenStream stream : streams) {
            stream.forEachRemaining(chunk -> {});
            assertEquals(TOKENS, stream.result().ids().length);
            stream.close();
        }
        assertEquals(TOKENS, model.generate(PROMPT, LIMITS).ids().length);
    }

    @Test
    void aSessionWithALimitHasRoomForItFromTheBeginning() {
        SessionOptions options = SessionOptions.of(Tree.DEFAULT).withMaxPositions(64 * 4);
        try (var first = model.session(options)) {
            assertThrows(KvPagesExhaustedException.class, () -> model.session(options));
            first.prefill(PROMPT);
            while (first.remainingContext() > 0) {
                first.step();
            }
        }
        model.session(options).close();
    }

    @Test
    void aSequenceOfABatchWithALimitHasRoomForItFromItsFirstPromptOn() {
        BatchOptions options = BatchOptions.of(4, Tree.chain(3)).withMaxPositions(100);
        try (BatchSession batch = model.batch(options)) {
            batch.prefill(0, PROMPT);
            batch.prefill(1, PROMPT);
            batch.prefill(2, PROMPT);
            assertThrows(KvPagesExhaustedException.class, () -> batch.prefill(3, PROMPT));
            assertThrows(KvPagesExhaustedException.class, () -> batch.enqueuePrompt(3, PROMPT));
            assertEquals(0, batch.length(3));
            while (batch.remainingContext(0) > 0 && batch.remainingContext(1) > 0 && batch.remainingContext(2) > 0) {
                batch.step();
            }
            batch.clear(1);
            batch.prefill(3, PROMPT);
        }
    }

    @Test
    void whatIsNoNumberOfTokensIsRefused() {
        for (long tokens : new long[] {-1, OpenOptions.MAX_KV_TOKENS + 1}) {
            assertThrows(IllegalArgumentException.class, () -> OpenOptions.DEFAULT.withKvTokens(tokens));
        }
        assertEquals(0, OpenOptions.DEFAULT.kvTokens());
    }
}
