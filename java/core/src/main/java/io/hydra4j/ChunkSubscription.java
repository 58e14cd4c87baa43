package io.hydra4j;

import java.util.concurrent.Executor;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/**
 * A subscription to a generation, by the rules of Reactive Streams: signals come one after the other, no more chunks than are
 * requested, and none after the end. All signals but {@code onSubscribe} come from the executor's threads; where it takes
 * no more tasks, {@code onError} comes from the thread that has requested chunks. Thread-safe.
 */
final class ChunkSubscription implements Flow.Subscription {
    private final Supplier<TokenStream> open;
    private final Executor executor;
    private final Flow.Subscriber<? super Chunk> subscriber;
    private final AtomicLong demand = new AtomicLong();
    /** How often {@link #drain} was asked for since it last found nothing to do; one thread at a time drains. */
    private final AtomicInteger asked = new AtomicInteger();

    private volatile boolean isEnded;
    private volatile IllegalArgumentException badRequest;
    /** Used by the draining thread alone, but for {@link TokenStream#cancel}. */
    private volatile TokenStream stream;

    private ChunkSubscription(
            Supplier<TokenStream> open, Executor executor, Flow.Subscriber<? super Chunk> subscriber) {
        this.open = open;
        this.executor = executor;
        this.subscriber = subscriber;
    }

    /**
     * Subscribes.
     *
     * @param open opens the generation, at the first request
     * @throws NullPointerException if there is no subscriber
     */
    static void start(Supplier<TokenStream> open, Executor executor, Flow.Subscriber<? super Chunk> subscriber) {
        if (subscriber == null) {
            throw new NullPointerException("subscriber is null: give one");
        }
        subscriber.onSubscribe(new ChunkSubscription(open, executor, subscriber));
    }

    @Override
    public void request(long count) {
        if (count <= 0) {
            badRequest = new IllegalArgumentException(count + " chunks were requested: request 1 or more");
        } else {
            demand.accumulateAndGet(count, (have, more) -> have + more < 0 ? Long.MAX_VALUE : have + more);
        }
        schedule();
    }

    @Override
    public void cancel() {
        isEnded = true;
        TokenStream running = stream;
        if (running != null) {
            running.cancel();
        }
        schedule();
    }

    private void schedule() {
        if (asked.getAndIncrement() == 0) {
            try {
                executor.execute(this::drain);
            } catch (RuntimeException e) {
                // Nobody drains: the executor takes no more.
                try {
                    end(() -> subscriber.onError(e));
                } finally {
                    close();
                    asked.set(0);
                }
            }
        }
    }

    private void close() {
        if (stream != null) {
            stream.close();
        }
    }

    private void drain() {
        int seen = asked.get();
        do {
            try {
                signal();
            } catch (RuntimeException | Error e) {
                asked.set(0); // it has ended, and whoever asks again finds that out
                throw e;
            }
            seen = asked.addAndGet(-seen);
        } while (seen != 0);
    }

    /** Gives the subscriber what it has requested and what has come to its end. */
    private void signal() {
        try {
            if (badRequest != null) {
                throw badRequest;
            }
            while (!isEnded && demand.get() > 0) {
                if (stream == null) {
                    stream = open.get();
                    continue; // a cancel may have come too soon to reach the stream
                }
                Chunk chunk = stream.next();
                demand.decrementAndGet();
                if (!isEnded) {
                    subscriber.onNext(chunk);
                }
                if (chunk.finishReason().isPresent()) {
                    end(subscriber::onComplete);
                }
            }
        } catch (RuntimeException | Error e) {
            end(() -> subscriber.onError(e));
        } finally {
            if (isEnded) {
                close();
            }
        }
    }

    private void end(Runnable last) {
        if (!isEnded) {
            isEnded = true;
            last.run();
        }
    }
}
