package io.hydra4j.runtime;

import java.lang.ref.Cleaner;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.ToIntFunction;
import org.bytedeco.javacpp.Pointer;

/**
 * Owns one native object. It is destroyed when it has been closed and nobody uses it any more: a call in progress, a child,
 * or a program that recorded it. Thread-safe.
 *
 * @param <P> the native type
 */
final class Handle<P extends Pointer> implements AutoCloseable {
    private static final Cleaner CLEANER = Cleaner.create();

    private final P pointer;
    private final Consumer<P> destroy;
    private final List<Handle<?>> parents;
    private final Leak leak;
    private final Cleaner.Cleanable cleanable;
    private volatile boolean closed;
    private int users;

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
        int acquired = 0;
        boolean created = false;
        try {
            for (Handle<?> parent : parents) {
                parent.acquire();
                acquired++;
            }
            NativeException.check(create.applyAsInt(empty));
            created = true;
        } finally {
            if (!created) {
                parents.subList(0, acquired).forEach(Handle::release);
            }
        }
        return new Handle<>(what, empty, destroy, parents);
    }

    private Handle(String what, P pointer, Consumer<P> destroy, List<Handle<?>> parents) {
        this.pointer = pointer;
        this.destroy = destroy;
        this.parents = parents;
        this.leak = new Leak(what);
        this.cleanable = CLEANER.register(this, leak);
    }

    /**
     * Puts the object in use until {@link #release()}.
     *
     * @throws IllegalStateException if it is closed
     */
    P acquire() {
        synchronized (this) {
            requireOpen();
            users++;
        }
        return pointer;
    }

    /** The native object; valid only between {@link #acquire()} and {@link #release()}. */
    P pointer() {
        return pointer;
    }

    void release() {
        boolean last;
        synchronized (this) {
            last = --users == 0 && closed;
        }
        if (last) {
            destroy();
        }
    }

    /** @throws IllegalStateException if it is closed */
    void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the " + leak.what + " is closed");
        }
    }

    /** Calls with the object in use, and throws what a failed status means. */
    void check(ToIntFunction<P> call) {
        NativeException.check(get(call::applyAsInt));
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
        return closed;
    }

    @Override
    public void close() {
        boolean last;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            last = users == 0;
        }
        leak.reported = true;
        cleanable.clean();
        if (last) {
            destroy();
        }
    }

    private void destroy() {
        destroy.accept(pointer);
        pointer.setNull();
        parents.forEach(Handle::release);
    }

    /** Reports an object that was lost before it was closed; it does not free it, as others may still use its memory. */
    private static final class Leak implements Runnable {
        private final String what;
        private volatile boolean reported;

        Leak(String what) {
            this.what = what;
        }

        @Override
        public void run() {
            if (!reported) {
                System.getLogger(Handle.class.getPackageName())
                        .log(System.Logger.Level.WARNING, "a " + what + " was lost without close(): its memory leaks");
            }
        }
    }
}
