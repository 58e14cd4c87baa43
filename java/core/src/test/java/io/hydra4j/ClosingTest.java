package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.BatchOptions;
import io.hydra4j.decode.BatchSession;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.BackendKind;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Streams and models that are closed while something is going on. */
class ClosingTest {
    private static final OpenOptions OPTIONS = OpenOptions.DEFAULT
            .withHeads(Original.heads("hydra-plus-plus"))
            .withBackend(BackendKind.CPU)
            .withThreads(1);
    private static final GenerationOptions LONG =
            GenerationOptions.DEFAULT.withMaxTokens(900).withIgnoreEnd(true);
    private static final String PROMPT = "public class Example {";
    /** At the latest after so many is closed what another thread closes: a generation must not end by itself before. */
    private static final int CHUNKS_BEFORE_CLOSING = 50;

    @TempDir
    private static Path folder;

    private static Path path;

    @BeforeAll
    static void make() {
        path = Original.withTokenizer(Original.variant(folder, List.of(257), 1024));
    }

    private static HydraModel open() {
        return HydraModel.open(path, OPTIONS);
    }

    private static void assertClosed(String what, Executable call) {
        IllegalStateException refused = assertThrows(IllegalStateException.class, call);
        assertEquals("the " + what + " is closed", refused.getMessage());
    }

    @Test
    void aClosedStreamHasNoNextChunkAndItsResultStays() {
        try (HydraModel model = open()) {
            TokenStream stream = model.stream(PROMPT, LONG);
            String text = stream.next().text() + stream.next().text();
            stream.close();
            stream.close();
            assertFalse(stream.hasNext());
            GenerationResult result = stream.result();
            assertEquals(Optional.of(FinishReason.CANCELLED), result.finishReason());
            assertTrue(result.text().startsWith(text));
            assertEquals(result, stream.result());
            assertEquals(0, stream.next().ids().length, "what a close in another thread may leave to a loop");
            assertThrows(NoSuchElementException.class, stream::next);
        }
    }

    @Test
    void aStreamThatHasEndedHoldsNoPages() {
        try (HydraModel model = open()) {
            GenerationOptions few = GenerationOptions.DEFAULT.withMaxTokens(1000);
            List<TokenStream> ended = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                TokenStream stream = model.stream(PROMPT, few.withStop(List.of("" + (char) 0)));
                stream.next();
                stream.cancel();
                stream.next();
                ended.add(stream);
            }
            ended.forEach(stream -> assertEquals(
                    Optional.of(FinishReason.CANCELLED), stream.result().finishReason()));
        }
    }

    /** Admission: a stream that was opened does not fail later for lack of pages. */
    @Test
    void tooManyStreamsAreRefusedWhenTheyAreOpenedAndTheOthersGoOn() {
        try (HydraModel model = open()) {
            List<TokenStream> open = new ArrayList<>();
            ResourceExhaustedException refused = assertThrows(ResourceExhaustedException.class, () -> {
                while (open.size() < 1000) {
                    open.add(model.stream(PROMPT, LONG));
                }
            });
            assertTrue(refused instanceof KvPagesExhaustedException, refused.toString());
            assertTrue(open.size() >= 16, open.size() + " streams");
            for (TokenStream stream : open) {
                for (int i = 0; i < 100; i++) {
                    stream.next();
                }
            }
            open.remove(0).close();
            open.add(model.stream(PROMPT, LONG));
            open.forEach(TokenStream::close);
        }
    }

    @Test
    void closingTheModelEndsItsStreamsAndTheirResultsStay() {
        HydraModel model = open();
        TokenStream begun = model.stream(PROMPT, LONG);
        TokenStream fresh = model.stream(PROMPT, LONG);
        begun.next();
        int tokens = begun.result().completionTokens();
        model.close();
        assertFalse(begun.hasNext());
        assertFalse(fresh.hasNext());
        assertEquals(Optional.of(FinishReason.CANCELLED), begun.result().finishReason());
        assertEquals(tokens, begun.result().completionTokens());
        assertEquals(0, fresh.result().completionTokens());
        begun.close();
        fresh.close();
        assertClosed("model", () -> model.stream(PROMPT, LONG));
        assertClosed("model", () -> model.generate(new int[] {1}, LONG));
        assertClosed("model", () -> model.encode("x"));
        assertClosed("model", () -> model.session(SessionOptions.of(Tree.ROOT)));
        assertClosed("model", () -> model.batch(BatchOptions.of(2, Tree.ROOT)));
    }

    @Test
    void sessionsThatOutliveTheirModelRefuseToWorkAndCloseCleanly() {
        HydraModel model = open();
        Session session = model.session(SessionOptions.of(Tree.chain(2)));
        BatchSession batch = model.batch(BatchOptions.of(2, Tree.chain(2)));
        session.prefill(1, 2, 3);
        batch.prefill(0, 1, 2, 3);
        model.close();
        model.close();
        assertClosed("model", session::step);
        assertClosed("model", () -> session.prefill(1));
        assertClosed("model", batch::step);
        session.close();
        batch.close();
        assertClosed("session", session::step);
        assertClosed("session", batch::step);
    }

    /** The listener closes the model in the middle of a generation. */
    @ParameterizedTest
    @EnumSource(Speculation.class)
    void aGenerationDuringWhichTheModelIsClosedEndsWithinAStep(Speculation speculation) {
        HydraModel model = open();
        List<Chunk> chunks = new ArrayList<>();
        GenerationResult result = model.generate(PROMPT, LONG.withSpeculation(speculation), chunk -> {
            chunks.add(chunk);
            if (chunks.size() == 5) {
                model.close();
            }
        });
        assertEquals(Optional.of(FinishReason.CANCELLED), result.finishReason());
        assertEquals(5, chunks.size());
        assertEquals(5, result.tokensPerStep().length);
    }

    /** The question itself closes the model: what follows it is a chunk of the prompt, or a step. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5})
    void aGenerationThatWasToldToGoOnBeforeTheModelWasClosedEndsAsCancelled(int question) {
        HydraModel model = open();
        AtomicInteger asked = new AtomicInteger();
        GenerationResult result = model.generate(new int[300], LONG.withCancelled(() -> {
            if (asked.incrementAndGet() == question) {
                model.close();
            }
            return false;
        }));
        assertEquals(Optional.of(FinishReason.CANCELLED), result.finishReason());
        assertEquals(question, asked.get());
    }

    /** Whenever it happens: while the prompt is taken in, within a step, between two, or before the generation begins. */
    @RepeatedTest(20)
    void closingTheModelInAnotherThreadNeitherFailsNorHangs() throws Exception {
        HydraModel model = open();
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try {
            CountDownLatch begun = new CountDownLatch(2);
            CompletableFuture<Void> closed = new CompletableFuture<>();
            List<Future<GenerationResult>> results = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                results.add(threads.submit(() -> {
                    StringBuilder text = new StringBuilder();
                    TokenStream stream;
                    try {
                        stream = model.stream(PROMPT.repeat(30), LONG);
                    } catch (IllegalStateException e) {
                        assertEquals("the model is closed", e.getMessage());
                        return null;
                    }
                    AtomicInteger chunks = new AtomicInteger();
                    stream.forEachRemaining(chunk -> {
                        text.append(chunk.text());
                        begun.countDown();
                        if (chunks.incrementAndGet() == CHUNKS_BEFORE_CLOSING) {
                            closed.join();
                        }
                    });
                    assertTrue(stream.result().text().startsWith(text.toString()));
                    return stream.result();
                }));
            }
            begun.await();
            model.close();
            closed.complete(null);
            int cancelled = 0;
            for (Future<GenerationResult> future : results) {
                GenerationResult result = future.get();
                if (result != null) {
                    assertEquals(Optional.of(FinishReason.CANCELLED), result.finishReason());
                    cancelled++;
                }
            }
            assertTrue(cancelled >= 1, "one at least had begun");
        } finally {
            threads.shutdownNow();
        }
    }

    @RepeatedTest(20)
    void closingAStreamInAnotherThreadEndsItsLoop() throws Exception {
        try (HydraModel model = open()) {
            TokenStream stream = model.stream(PROMPT, LONG);
            CompletableFuture<Void> begun = new CompletableFuture<>();
            Thread other = new Thread(() -> {
                begun.join();
                stream.close();
            });
            other.start();
            StringBuilder text = new StringBuilder();
            int chunks = 0;
            for (Chunk chunk : stream) {
                text.append(chunk.text());
                begun.complete(null);
                if (++chunks == CHUNKS_BEFORE_CLOSING) {
                    other.join();
                }
            }
            other.join();
            assertTrue(stream.result().text().startsWith(text.toString()));
            assertEquals(Optional.of(FinishReason.CANCELLED), stream.result().finishReason());
        }
    }

    @Test
    void aPromptIsTakenInByTheFirstNextAndCanBeCancelledBetweenItsChunks() {
        try (HydraModel model = open()) {
            int[] prompt = new int[1000];
            TokenStream[] stream = new TokenStream[1];
            stream[0] = model.stream(prompt, LONG.withMaxTokens(5));
            assertEquals(0, stream[0].result().statistics().promptTokens(), "nothing is computed yet");
            assertEquals(0, stream[0].result().prefillNanos());
            stream[0].cancel();
            Chunk last = stream[0].next();
            assertEquals(0, last.ids().length);
            assertEquals(FinishReason.CANCELLED, last.finishReason().orElseThrow());
            assertEquals(0, stream[0].result().statistics().promptTokens(), "nor now");
        }
    }

    @Test
    void theResultOfAStreamThatGoesOnHasNoReason() {
        try (HydraModel model = open();
                TokenStream stream = model.stream(PROMPT, LONG)) {
            assertEquals(Optional.empty(), stream.result().finishReason());
            stream.next();
            assertEquals(Optional.empty(), stream.result().finishReason());
        }
    }
}
