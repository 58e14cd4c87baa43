package io.hydra4j.decode.access;

import io.hydra4j.decode.BatchOptions;
import io.hydra4j.decode.BatchSession;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.draft.Drafter;
import io.hydra4j.model.DecoderModel;
import java.lang.invoke.MethodHandles;

/**
 * Makes sessions of loaded models. The constructors of sessions name the model, whose type is not exported, and so cannot be public
 * in a package that is; they are handed over here. Thread-safe.
 */
public final class Sessions {
    /**
     * A constructor.
     *
     * @param <O> options
     * @param <S> session
     */
    @FunctionalInterface
    public interface Constructor<O, S> {
        /**
         * Makes a session.
         *
         * @param drafter null for plain decoding
         * @param requireModel throws where the model is closed
         * @param ended called once, after the session has released what it holds
         * @throws IllegalArgumentException if the options do not fit the model and the drafter
         * @throws io.hydra4j.ResourceExhaustedException if memory is short
         */
        S make(DecoderModel model, Drafter drafter, O options, Runnable requireModel, Runnable ended);
    }

    private record Constructors(
            Constructor<SessionOptions, Session> session, Constructor<BatchOptions, BatchSession> batch) {}

    private static volatile Constructors constructors;

    private Sessions() {}

    /** Called once, by the package of sessions. */
    public static void handOver(
            Constructor<SessionOptions, Session> session, Constructor<BatchOptions, BatchSession> batch) {
        constructors = new Constructors(session, batch);
    }

    private static Constructors constructors() {
        if (constructors == null) {
            try {
                // Not in a static initializer: two threads could wait for each other's of the two classes.
                MethodHandles.lookup().ensureInitialized(Session.class);
            } catch (IllegalAccessException e) {
                throw new IllegalStateException(e);
            }
        }
        return constructors;
    }

    /** A session of one sequence; as {@link Constructor#make}. */
    public static Session session(
            DecoderModel model, Drafter drafter, SessionOptions options, Runnable requireModel, Runnable ended) {
        return constructors().session().make(model, drafter, options, requireModel, ended);
    }

    /** A session of one sequence, of a model that is not closed before it. */
    public static Session session(DecoderModel model, Drafter drafter, SessionOptions options) {
        return session(model, drafter, options, () -> {}, () -> {});
    }

    /** A session of several sequences; as {@link Constructor#make}. */
    public static BatchSession batch(
            DecoderModel model, Drafter drafter, BatchOptions options, Runnable requireModel, Runnable ended) {
        return constructors().batch().make(model, drafter, options, requireModel, ended);
    }

    /** A session of several sequences, of a model that is not closed before it. */
    public static BatchSession batch(DecoderModel model, Drafter drafter, BatchOptions options) {
        return batch(model, drafter, options, () -> {}, () -> {});
    }
}
