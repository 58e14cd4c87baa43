package io.hydra4j.runtime;

import java.lang.ref.Cleaner;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;

/**
 * Owns what was opened and closes all of it in reverse order, also where closing some of it fails. One that has a name and is lost
 * without being closed is reported once, in the place of all that it owns, with the place in the user's code where it was made,
 * and closed. What is owned must not refer to this. Idempotent. Thread-safe.
 */
public final class Resources implements AutoCloseable {
    private final Owned owned;
    private final Cleaner.Cleanable cleanable;

    /** A part of something that reports its own loss. */
    public Resources() {
        owned = new Owned("");
        cleanable = () -> {};
    }

    /** @param name of what consists of the resources, such as "session" */
    public Resources(String name) {
        owned = new Owned(name + " made " + site());
        cleanable = Handle.CLEANER.register(this, owned::lost);
    }

    /** The innermost caller outside the library; a search of a few frames. */
    private static String site() {
        var library = Resources.class.getProtectionDomain().getCodeSource();
        Optional<StackWalker.StackFrame> caller = StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE)
                .walk(frames -> frames.filter(frame ->
                                frame.getDeclaringClass().getProtectionDomain().getCodeSource() != library)
                        .findFirst());
        return caller.map(frame -> "at " + frame).orElse("somewhere");
    }

    /**
     * Closes a resource together with the others, before those that are owned already.
     *
     * @param <T> its type
     * @param resource what is to be closed
     * @return the resource
     */
    public <T extends AutoCloseable> T own(T resource) {
        if (resource instanceof NativeObject object) {
            object.handle().reportedByOwner();
        }
        owned.push(resource);
        return resource;
    }

    /**
     * Closes a resource together with the others, after those that are owned already.
     *
     * @param resource what is to be closed
     */
    public void ownLast(AutoCloseable resource) {
        owned.append(resource);
    }

    /**
     * Closes something after a failure, which keeps what closing it throws as a suppressed exception.
     *
     * @param failure to be thrown afterwards
     * @param resource what to close
     */
    public static void closeAfter(Throwable failure, AutoCloseable resource) {
        try {
            resource.close();
        } catch (Exception | Error e) {
            if (e != failure) {
                failure.addSuppressed(e);
            }
        }
    }

    /**
     * Closes all.
     *
     * @throws RuntimeException the first failure, with those that followed as suppressed exceptions; one that is neither an
     *     error nor unchecked comes as the cause of an {@link IllegalStateException}
     */
    @Override
    public void close() {
        owned.closed = true;
        cleanable.clean();
        owned.close();
    }

    /** What is owned; it does not know its owner, which may be lost. */
    private static final class Owned {
        private final String name;
        private final Deque<AutoCloseable> resources = new ArrayDeque<>();
        private volatile boolean closed;

        Owned(String name) {
            this.name = name;
        }

        synchronized void push(AutoCloseable resource) {
            resources.push(resource);
        }

        synchronized void append(AutoCloseable resource) {
            resources.add(resource);
        }

        private synchronized boolean isEmpty() {
            return resources.isEmpty();
        }

        private synchronized AutoCloseable pop() {
            return resources.poll();
        }

        void lost() {
            if (!closed && !isEmpty()) {
                System.getLogger(Resources.class.getPackageName())
                        .log(
                                System.Logger.Level.WARNING,
                                "a " + name + " was lost without close(): its memory was kept until now");
                close();
            }
        }

        void close() {
            Throwable first = null;
            for (AutoCloseable next = pop(); next != null; next = pop()) {
                try {
                    next.close();
                } catch (Exception | Error e) {
                    if (first == null) {
                        first = e;
                    } else if (first != e) {
                        first.addSuppressed(e);
                    }
                }
            }
            if (first instanceof RuntimeException unchecked) {
                throw unchecked;
            } else if (first instanceof Error error) {
                throw error;
            } else if (first != null) {
                throw new IllegalStateException(first);
            }
        }
    }
}
