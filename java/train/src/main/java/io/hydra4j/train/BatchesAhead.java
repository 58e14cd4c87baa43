package io.hydra4j.train;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * Batches that a thread of its own takes ahead, as text is read and becomes tokens no faster than a GPU learns from them. They are the same,
 * and what is wrong with the text is told when the batch that it would be in is asked for. Not thread-safe.
 */
final class BatchesAhead implements AutoCloseable {
    private static final int AHEAD = 4;

    private final Batches batches;
    private final ExecutorService reader = Executors.newSingleThreadExecutor(task -> {
        Thread thread = new Thread(task, "hydra4j-training-text");
        thread.setDaemon(true);
        return thread;
    });
    private final Deque<CompletableFuture<Taken>> ahead = new ArrayDeque<>();
    private SequenceStream.Position position;

    private record Taken(List<TokenText> batch, SequenceStream.Position end) {}

    /** @param batches this one's alone until it is closed */
    BatchesAhead(Batches batches) {
        this.batches = batches;
        position = batches.position();
    }

    /** Where a stream has to go on after the batches that {@link #next} has returned. */
    SequenceStream.Position position() {
        return position;
    }

    /** The next batch; throws as {@link SequenceStream#next}. */
    List<TokenText> next() {
        while (ahead.size() < AHEAD) {
            ahead.add(CompletableFuture.supplyAsync(() -> new Taken(batches.next(), batches.position()), reader));
        }
        try {
            Taken taken = ahead.remove().join();
            position = taken.end();
            return taken.batch();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RuntimeException failure) {
                throw failure;
            }
            throw e;
        }
    }

    /** Waits for the batch that is being taken; the stream can be closed then. */
    @Override
    public void close() {
        reader.shutdownNow();
        boolean interrupted = false;
        while (!reader.isTerminated()) {
            try {
                reader.awaitTermination(1, TimeUnit.MINUTES);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
