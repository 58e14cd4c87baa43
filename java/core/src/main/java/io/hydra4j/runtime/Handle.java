package io.hydra4j.runtime;

import java.lang.ref.Cleaner;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.ToIntFunction;
import org.bytedeco.javacpp.Pointer;

/**
 * Owns one native object. It is destroyed when it has been closed and nobody uses it any more: a call in progress, a child,
 * or a program that recorded it. One that is lost without being closed is reported and destroyed likewise. Thread-safe.
 *
 * @param <P> the native type
 */
final class Handle<P extends Pointer> implements AutoCloseable {
    static final Cleaner CLEANER = Cleaner.create();

    private final P pointer;
    // Belongs to the native object and not to this owner of it, which may be lost while children and programs use the
    // object.
    private final UseCount uses;
    private final Loss loss;
    private final Cleaner.Cleanable cleanable;

    /**
     * Creates the native object; it keeps its parents in use.
     *
     * @param what names the object in messages, such as "buffer of 64 bytes"
     * @param empty a null pointer, which the creation fills
     * @param create fills its argument and returns a status
     * @throws IllegalStateException if a parent is closed
     * @throws NativeException if the creation fails
     */
    static <P extends Pointer> Handle<P> create(
            String what, P empty, ToIntFunction<P> create, Consumer<P> destroy, List<Handle<?>> parents) {
        List<UseCount> used =
                parents.stream().<UseCount>map(parent -> parent.uses).toList();
        int acquired = 0;
        boolean created = false;
        try {
            for (UseCount parent : used) {
                parent.acquire();
                acquired++;
            }
            NativeException.check(create.applyAsInt(empty));
            created = true;
        } finally {
            if (!created) {
                used.subList(0, acquired).forEach(UseCount::release);
            }
        }
        return new Handle<>(what, empty, () -> {
            destroy.accept(empty);
            empty.setNull();
            used.forEach(UseCount::release);
        });
    }

    private Handle(String what, P pointer, Runnable destroy) {
        this.pointer = pointer;
        this.uses = new UseCount(what, destroy);
        this.loss = new Loss(uses);
        this.cleanable = CLEANER.register(this, loss);
    }

    /**
     * Puts the object in use until {@link #release()}.
     *
     * @throws IllegalStateException if it is closed
     */
    P acquire() {
        uses.acquire();
        return pointer;
    }

    /** The native object; valid only between {@link #acquire()} and {@link #release()}. */
    P pointer() {
        return pointer;
    }

    void release() {
        uses.release();
    }

    /** Who uses the native object; using it by way of this needs no handle. */
    UseCount uses() {
        return uses;
    }

    /** Calls with the object in use, and throws what a failed status means. */
    void check(ToIntFunction<P> call) {
        P used = acquire();
        try {
            // Before the object is released: that may destroy it, or let a virtual thread go on elsewhere, and the
            // message is kept for the thread that made the call.
            NativeException.check(call.applyAsInt(used));
        } finally {
            release();
        }
    }

    /** Calls with the object in use. */
    <R> R get(Function<P, R> call) {
        P used = acquire();
        try {
            return call.apply(used);
        } finally {
            release();
        }
    }

    boolean isClosed() {
        return uses.isClosed();
    }

    /** Leaves it to a group that owns this object to report the loss of both. */
    void reportedByOwner() {
        loss.silent = true;
    }

    @Override
    public void close() {
        if (uses.close()) {
            cleanable.clean();
        }
    }

    /** Runs when the owner is closed or lost. */
    private static final class Loss implements Runnable {
        private final UseCount uses;
        private volatile boolean silent;

        Loss(UseCount uses) {
            this.uses = uses;
        }

        @Override
        public void run() {
            if (uses.isClosed()) {
                return;
            }
            if (!silent) {
                System.getLogger(Handle.class.getPackageName())
                        .log(
                                System.Logger.Level.WARNING,
                                "a " + uses.what() + " was lost without close(): its memory was kept until now");
            }
            uses.close();
        }
    }
}
