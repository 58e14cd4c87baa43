package io.hydra4j;

import io.hydra4j.decode.Acceptance;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.SessionStatistics;
import io.hydra4j.runtime.Resources;
import java.util.Arrays;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.OptionalDouble;

/**
 * A generation that advances as its caller asks for chunks, so that a slow consumer holds it back. The first {@link #next} takes in
 * the prompt, each computes one step, and nothing is computed otherwise.
 *
 * <p>Chunks belong to one thread at a time. {@link #cancel}, {@link #close} and {@link #result} may be called from any thread at
 * any time and do not wait for a step: a generation that is cancelled or closed, or whose model is closed, ends before its next
 * step or pass over the prompt, with {@link FinishReason#CANCELLED}, and its result stays readable.
 */
public final class TokenStream implements Iterable<Chunk>, Iterator<Chunk>, AutoCloseable {
    private final HydraModel model;
    private final GenerationOptions options;
    private final int[] prompt;
    private final Session session;
    private final Guessing guessing;
    /** Null for a generation of its own. */
    private final Conversation conversation;

    private final Conversation.Key key;
    /** Tokens of the prompt that the session has from before. */
    private final int reused;

    // Used by the thread that is in next() alone.
    private boolean isPrefilled;

    private volatile boolean isCancelled;
    private volatile boolean isClosed;

    // All below is guarded by this object's monitor, which is not held while something computes.
    private final OutputAssembler output;
    private boolean isBusy;
    private boolean isReleased;
    /** What another thread's close has left to be handed out. */
    private Chunk last;

    private SessionStatistics statistics = SessionStatistics.NONE;
    private long prefillNanos;
    private long decodeNanos;

    /** Checks the arguments and takes what memory the generation needs. */
    TokenStream(HydraModel model, int[] promptIds, GenerationOptions options) {
        this(model, promptIds, options, null);
    }

    /** @param conversation whose session it goes on with, if it can, and gives back; null for none */
    TokenStream(HydraModel model, int[] promptIds, GenerationOptions options, Conversation conversation) {
        this.model = model;
        this.conversation = conversation;
        this.options = options;
        prompt = promptIds.clone();
        guessing = model.guessing(options);
        if (prompt.length > model.info().context()) {
            throw new IllegalArgumentException("the prompt has " + prompt.length + " tokens, the model's context holds "
                    + model.info().context() + ": shorten the prompt, or use a model with a longer context");
        }
        output = model.output(prompt, options);
        boolean guesses = guessing.tree().nodes() > 1;
        Acceptance acceptance = guesses ? options.acceptance() : Acceptance.exact();
        key = new Conversation.Key(
                guessing.source(),
                options.draftTexts(),
                guessing.tree(),
                acceptance,
                !options.sampling().isGreedy(),
                options.logProbabilities());
        Session kept = conversation == null ? null : conversation.take(key);
        session = kept != null ? kept : newSession(acceptance, guesses);
        try {
            reused = kept == null ? 0 : goBack();
            session.setGrowthPolicy(guessing.growth());
            session.requirePrompt(newTokens());
            session.reserve((int) Math.min(model.info().context(), (long) prompt.length + options.maxTokens()));
            model.uses().add(this);
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, session);
            throw e;
        }
    }

    private Session newSession(Acceptance acceptance, boolean guesses) {
        SessionOptions settings = SessionOptions.of(guessing.tree()).withAcceptance(acceptance);
        if (!options.sampling().isGreedy()) {
            settings = settings.withSampling(options.sampling());
        }
        if (options.logProbabilities().isPresent()) {
            settings = settings.withLogProbabilities(options.logProbabilities().getAsInt());
        }
        return model.streamSession(settings, guesses ? guessing.drafter() : null);
    }

    /** Takes back what a session of the conversation has beyond this prompt; how many tokens they have in common. */
    private int goBack() {
        int common = Arrays.mismatch(session.tokens(), prompt);
        // One token is computed anew in any case: what follows the last one is not kept.
        int kept = Math.min(common < 0 ? prompt.length : common, Math.max(0, prompt.length - 1));
        session.rewind(kept);
        session.resetStatistics();
        if (!options.sampling().isGreedy()) {
            session.setSampling(options.sampling());
        }
        return kept;
    }

    private int[] newTokens() {
        return Arrays.copyOfRange(prompt, reused, prompt.length);
    }

    /** This stream: chunks can be taken once. */
    @Override
    public Iterator<Chunk> iterator() {
        return this;
    }

    /** Whether there is another chunk: false after the last one, and after {@link #close}. */
    @Override
    public synchronized boolean hasNext() {
        return !isClosed && output.finishReason().isEmpty();
    }

    /**
     * Computes one step, the first time after taking in the prompt. Where {@link #hasNext} was true and another thread has closed the
     * stream since, this is a last chunk without tokens.
     *
     * @throws NoSuchElementException after the last chunk
     * @throws IllegalStateException if another thread is in this method
     * @throws ResourceExhaustedException if memory or KV pages are short; it may be called again
     */
    @Override
    public Chunk next() {
        synchronized (this) {
            if (isBusy) {
                throw new IllegalStateException("the stream is in use: take chunks in one thread at a time");
            }
            if (last != null) {
                Chunk chunk = last;
                last = null;
                return chunk;
            }
            if (output.finishReason().isPresent()) {
                throw new NoSuchElementException(
                        "the generation has ended: " + output.finishReason().get());
            }
            isBusy = true;
        }
        try {
            return advance();
        } finally {
            leave();
        }
    }

    private Chunk advance() {
        if (!isPrefilled && !prefill() || isStopped()) {
            return finish(FinishReason.CANCELLED);
        }
        if (session.remainingContext() == 0) {
            return finish(FinishReason.LENGTH);
        }
        long begin = System.nanoTime();
        // Not stepAhead: it runs a step that nobody has asked for, after the last one too, and times no parts of steps.
        var step = session.step();
        SessionStatistics now = session.statistics();
        synchronized (this) {
            statistics = now;
            Chunk chunk = output.push(step);
            if (isClosed && output.finishReason().isEmpty()) {
                chunk = chunk.plus(output.finish(FinishReason.CANCELLED));
            }
            decodeNanos += System.nanoTime() - begin;
            return chunk;
        }
    }

    private boolean isStopped() {
        return isCancelled || isClosed || options.cancelled().getAsBoolean();
    }

    /** Whether the whole prompt was taken in: not where the generation was cancelled meanwhile. */
    private boolean prefill() {
        long begin = System.nanoTime();
        isPrefilled = session.prefill(newTokens(), this::isStopped);
        SessionStatistics now = session.statistics();
        synchronized (this) {
            statistics = now;
            prefillNanos = System.nanoTime() - begin;
        }
        return isPrefilled;
    }

    private synchronized Chunk finish(FinishReason reason) {
        return output.finish(reason);
    }

    /** The end of {@link #next}: a generation that has ended needs its session no more. */
    private void leave() {
        boolean release;
        synchronized (this) {
            isBusy = false;
            if (isClosed && output.finishReason().isEmpty()) {
                last = output.finish(FinishReason.CANCELLED);
            }
            release = isToBeReleased();
        }
        if (release) {
            release();
        }
    }

    /** Whether this thread is to release the session; true once. */
    private boolean isToBeReleased() {
        boolean release =
                !isBusy && !isReleased && (isClosed || output.finishReason().isPresent());
        isReleased |= release;
        return release;
    }

    private void release() {
        // What typical acceptance keeps of guesses is not what exact acceptance will.
        if (!options.acceptance().isTypical() && guessing.growth() != null) {
            model.learned(guessing.source(), guessing.growth());
        }
        model.uses().remove(this);
        if (conversation == null) {
            session.close();
        } else {
            conversation.ended(key, session, result());
        }
    }

    /** Ends the generation before its next step or pass over the prompt; {@link #next} then gives the last chunk. */
    public void cancel() {
        isCancelled = true;
    }

    /**
     * {@return what was generated so far; {@link GenerationResult#finishReason()} is empty while it goes on} Computes nothing.
     */
    public synchronized GenerationResult result() {
        OptionalDouble plain = statistics.plainStepNanos();
        if (plain.isEmpty()) {
            plain = model.calibratedPlainNanos();
        }
        return new GenerationResult(
                output,
                statistics.draftedSteps() > 0 ? guessing.name() : null,
                statistics,
                prompt.length,
                reused,
                prefillNanos,
                decodeNanos,
                plain);
    }

    /** Ends the generation, if it has not ended, and frees what it holds: at once, or as a step that is being computed ends. Idempotent. */
    @Override
    public void close() {
        boolean release;
        synchronized (this) {
            isClosed = true;
            if (!isBusy && output.finishReason().isEmpty()) {
                last = output.finish(FinishReason.CANCELLED);
            }
            release = isToBeReleased();
        }
        if (release) {
            release();
        }
    }
}
