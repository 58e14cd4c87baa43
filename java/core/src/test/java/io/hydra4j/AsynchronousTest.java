package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Tree;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.BackendKind;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Flow;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Futures and publishers. */
@Timeout(120)
class AsynchronousTest {
    private static final GenerationOptions OPTIONS =
            GenerationOptions.DEFAULT.withTree(Tree.DEFAULT).withMaxTokens(60).withIgnoreEnd(true);
    private static final String PROMPT = "public class Example {";

    @TempDir
    private static Path folder;

    private static HydraModel model;
    private static ExecutorService threads;
    private static ExecutorService oneThread;

    @BeforeAll
    static void open() {
        Path path = Original.withTokenizer(Original.variant(folder, List.of(257), 1024));
        model = HydraModel.open(
                path,
                OpenOptions.DEFAULT
                        .withHeads(Original.heads("hydra-plus-plus"))
                        .withBackend(BackendKind.CPU)
                        .withThreads(1));
        threads = Executors.newFixedThreadPool(2);
        oneThread = Executors.newSingleThreadExecutor();
    }

    @AfterAll
    static void close() {
        threads.shutdownNow();
        oneThread.shutdownNow();
        model.close();
    }

    /** Waits until {@link #oneThread} has done all that it was given, in however many tasks. */
    private static void awaitOneThread() throws InterruptedException, ExecutionException {
        oneThread.submit(() -> {}).get();
    }

    @Test
    void aFutureHasTheResult() {
        GenerationResult expected = model.generate(PROMPT, OPTIONS);
        GenerationResult result = model.generateAsync(PROMPT, OPTIONS, threads).join();
        assertArrayEquals(expected.ids(), result.ids());
        assertEquals(expected.text(), result.text());
    }

    @Test
    void cancellingAFutureEndsTheGeneration() throws InterruptedException, ExecutionException {
        CountDownLatch begun = new CountDownLatch(1);
        CompletableFuture<Void> cancelled = new CompletableFuture<>();
        AtomicInteger asked = new AtomicInteger();
        GenerationOptions watched = OPTIONS.withCancelled(() -> {
            asked.incrementAndGet();
            begun.countDown();
            cancelled.join();
            return false;
        });
        CompletableFuture<GenerationResult> future = model.generateAsync(PROMPT, watched, oneThread);
        begun.await();
        assertTrue(future.cancel(false));
        cancelled.complete(null);
        awaitOneThread();
        assertEquals(1, asked.get(), "it goes on after it was cancelled");
    }

    @Test
    void failuresCompleteAFuture() {
        CompletionException failed =
                assertThrows(CompletionException.class, () -> model.generateAsync(new int[0], OPTIONS, threads)
                        .join());
        assertInstanceOf(IllegalArgumentException.class, failed.getCause());
        assertThrows(NullPointerException.class, () -> model.generateAsync(PROMPT, OPTIONS, null));
    }

    /** Notes all signals, and that they never overlap. */
    private static class Recorder implements Flow.Subscriber<Chunk> {
        private final List<Chunk> chunks = new ArrayList<>();
        private final CountDownLatch ended = new CountDownLatch(1);
        private final AtomicInteger inside = new AtomicInteger();
        private final long each;
        private Flow.Subscription subscription;
        private Throwable failure;
        private boolean isComplete;
        private boolean overlapped;

        /** @param each requested with each chunk; 0 to leave that to the test */
        Recorder(long each) {
            this.each = each;
        }

        @Override
        public void onSubscribe(Flow.Subscription subscription) {
            this.subscription = subscription;
            if (each > 0) {
                subscription.request(each);
            }
        }

        @Override
        public synchronized void onNext(Chunk chunk) {
            overlapped |= inside.getAndIncrement() > 0 || ended.getCount() == 0;
            chunks.add(chunk);
            notifyAll();
            if (each > 0) {
                subscription.request(each);
            }
            inside.decrementAndGet();
        }

        @Override
        public void onError(Throwable failure) {
            overlapped |= inside.get() > 0 || ended.getCount() == 0;
            this.failure = failure;
            ended.countDown();
        }

        @Override
        public void onComplete() {
            overlapped |= inside.get() > 0 || ended.getCount() == 0;
            isComplete = true;
            ended.countDown();
        }

        synchronized void await(int count) throws InterruptedException {
            while (chunks.size() < count) {
                wait();
            }
        }

        synchronized int count() {
            return chunks.size();
        }
    }

    @Test
    void aSubscriberGetsTheWholeOutputAndThenTheEnd() throws InterruptedException {
        GenerationResult expected = model.generate(PROMPT, OPTIONS);
        Flow.Publisher<Chunk> publisher = model.publish(PROMPT, OPTIONS, threads);
        for (long each : new long[] {1, 3, Long.MAX_VALUE}) {
            Recorder recorder = new Recorder(each);
            publisher.subscribe(recorder);
            recorder.ended.await();
            assertTrue(recorder.isComplete);
            assertFalse(recorder.overlapped);
            StringBuilder text = new StringBuilder();
            recorder.chunks.forEach(chunk -> text.append(chunk.text()));
            assertEquals(expected.text(), text.toString());
            Chunk last = recorder.chunks.get(recorder.chunks.size() - 1);
            assertEquals(FinishReason.LENGTH, last.finishReason().orElseThrow());
        }
    }

    @Test
    void noMoreIsComputedThanIsRequested() throws InterruptedException, ExecutionException {
        AtomicInteger steps = new AtomicInteger();
        GenerationOptions counting = OPTIONS.withSpeculation(Speculation.OFF).withCancelled(() -> {
            steps.incrementAndGet();
            return false;
        });
        Recorder recorder = new Recorder(0);
        model.publish(PROMPT, counting, oneThread).subscribe(recorder);
        awaitOneThread();
        assertEquals(0, steps.get(), "nothing is asked for");
        recorder.subscription.request(2);
        recorder.await(2);
        recorder.subscription.request(3); // the task that gave two may still run, and then gives these as well
        awaitOneThread();
        assertEquals(5, recorder.count());
        assertEquals(6, steps.get(), "asked once before the prompt and once before each step");
        recorder.subscription.cancel();
    }

    @Test
    void nothingComesAfterCancelAndTheSessionIsReleased() throws InterruptedException, ExecutionException {
        for (int i = 0; i < 40; i++) { // more than there are pages for
            Recorder recorder = new Recorder(0);
            model.publish(PROMPT, OPTIONS.withMaxTokens(900), oneThread).subscribe(recorder);
            recorder.subscription.request(1);
            awaitOneThread();
            recorder.subscription.cancel();
            recorder.subscription.request(5);
            recorder.subscription.cancel();
            awaitOneThread();
            assertEquals(1, recorder.count());
            assertEquals(1, recorder.ended.getCount(), "neither an error nor the end");
        }
    }

    @Test
    void requestsForNothingAreAnError() throws InterruptedException {
        for (long wrong : new long[] {0, -1}) {
            Recorder recorder = new Recorder(0);
            model.publish(PROMPT, OPTIONS, threads).subscribe(recorder);
            recorder.subscription.request(wrong);
            recorder.ended.await();
            assertInstanceOf(IllegalArgumentException.class, recorder.failure);
            recorder.subscription.request(1);
        }
        assertThrows(NullPointerException.class, () -> model.publish(PROMPT, OPTIONS, threads)
                .subscribe(null));
    }

    @Test
    void failuresGoToTheSubscriber() throws InterruptedException {
        Recorder recorder = new Recorder(1);
        model.publish(new int[0], OPTIONS, threads).subscribe(recorder);
        recorder.ended.await();
        assertInstanceOf(IllegalArgumentException.class, recorder.failure);

        Recorder rejected = new Recorder(1);
        model.publish(PROMPT, OPTIONS, task -> {
                    throw new RejectedExecutionException("full");
                })
                .subscribe(rejected);
        assertInstanceOf(RejectedExecutionException.class, rejected.failure);
        assertFalse(rejected.overlapped);
    }

    /** By the rules it must not, but then no page may stay taken. */
    @Test
    void aSubscriberThatThrowsFromOnErrorLeavesNothingOpen() {
        for (int i = 0; i < 40; i++) { // more than there are pages for
            AtomicInteger failures = new AtomicInteger();
            Recorder throwing = new Recorder(0) {
                @Override
                public synchronized void onNext(Chunk chunk) {
                    throw new IllegalStateException("no");
                }

                @Override
                public void onError(Throwable failure) {
                    super.onError(failure);
                    throw new IllegalStateException(failure);
                }
            };
            model.publish(PROMPT, OPTIONS.withMaxTokens(900), task -> {
                        try {
                            task.run();
                        } catch (IllegalStateException e) {
                            failures.incrementAndGet();
                        }
                    })
                    .subscribe(throwing);
            throwing.subscription.request(1);
            assertEquals("no", throwing.failure.getMessage());
            throwing.subscription.cancel();
            assertEquals(1, failures.get());
        }
    }
}
