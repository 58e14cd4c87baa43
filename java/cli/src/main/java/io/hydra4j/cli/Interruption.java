package io.hydra4j.cli;

import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * Lets a command come to an orderly end on Ctrl-C (or SIGTERM): while one is open, the virtual machine waits for it to be
 * closed, for a moment, before it ends with the exit code of the signal.
 */
final class Interruption implements AutoCloseable, BooleanSupplier {
    /** Exit code of a command that Ctrl-C ended, as shells have it. */
    static final int EXIT_CODE = 130;

    private static final long PATIENCE_MILLIS = 2000;

    private final CountDownLatch closed = new CountDownLatch(1);
    private final Thread hook = new Thread(this::await, "interruption");
    private final Runnable last;
    private final long patienceMillis;
    private volatile boolean requested;

    Interruption() {
        this(() -> {});
    }

    /** @param last what is to be done before the end, even if the command does it too */
    Interruption(Runnable last) {
        this(last, PATIENCE_MILLIS);
    }

    /** @param patienceMillis how long the virtual machine waits for the command */
    Interruption(Runnable last, long patienceMillis) {
        this.last = last;
        this.patienceMillis = patienceMillis;
        Runtime.getRuntime().addShutdownHook(hook);
    }

    private void await() {
        requested = true;
        try {
            closed.await(patienceMillis, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        last.run();
    }

    /** Whether the command has been asked to end. */
    @Override
    public boolean getAsBoolean() {
        return requested;
    }

    /** @throws CancellationException if the command has been asked to end */
    void check() {
        if (requested) {
            throw new CancellationException("interrupted");
        }
    }

    @Override
    public void close() {
        closed.countDown();
        if (!requested) {
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException e) {
                // the signal has come just now
            }
        }
    }
}
