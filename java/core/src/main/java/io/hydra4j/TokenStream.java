package io.hydra4j;

import io.hydra4j.decode.AdaptiveTree;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import io.hydra4j.text.StopStrings;
import io.hydra4j.text.TextStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;

/**
 * A generation that advances as its caller asks for chunks, so that a slow consumer holds it back. {@link #cancel()} may be
 * called from any thread and takes effect before the next step; all else belongs to one thread.
 */
public final class TokenStream implements Iterator<Chunk>, AutoCloseable {
    private final HydraModel model;
    private final GenerationOptions options;
    private final Session session;
    private final AdaptiveTree adaptive;
    private final TextStream text;
    private final StopStrings stop;
    private final List<Integer> ids = new ArrayList<>();
    private final List<Integer> tokensPerStep = new ArrayList<>();
    private final StringBuilder written = new StringBuilder();
    private final long prefillNanos;
    private long decodeNanos;
    private FinishReason finishReason;
    private volatile boolean cancelled;
    private boolean closed;

    TokenStream(HydraModel model, int[] promptIds, GenerationOptions options) {
        this.model = model;
        this.options = options;
        requireHeads();
        Tree tree = tree();
        text = model.tokenizer().map(tokenizer -> tokenizer.stream(true)).orElse(null);
        if (text == null && !options.stop().isEmpty()) {
            throw new HydraException("stop strings were given, but the model has no tokenizer: leave them out");
        }
        stop = new StopStrings(options.stop());
        int candidates = Math.max(10, tree.candidates());
        if (options.method() == Method.AUTO && options.tree() == null && tree.nodes() > 1) {
            candidates = Math.max(candidates, model.costs().candidates());
            adaptive = model.adaptiveTree();
        } else {
            adaptive = null;
        }
        long begin = System.nanoTime();
        SessionOptions settings = new SessionOptions(0, tree, candidates, false);
        session = tree.nodes() == 1 ? new Session(model.base(), settings) : model.session(settings);
        try {
            session.prefill(promptIds);
            if (text != null) {
                text.push(promptIds); // some tokens read differently at the beginning of a text
            }
        } catch (RuntimeException | Error e) {
            session.close();
            throw e;
        }
        prefillNanos = System.nanoTime() - begin;
    }

    private void requireHeads() {
        Method wanted = options.method();
        if (wanted != Method.AUTO && wanted != Method.PLAIN && wanted != model.method()) {
            throw new HydraException("method " + wanted + " was asked for, but "
                    + (model.method() == Method.PLAIN
                            ? "the model was opened without draft heads: open heads of that kind"
                            : "the heads are " + model.method() + ": open heads of that kind"));
        }
    }

    private Tree tree() {
        if (options.method() == Method.PLAIN) {
            return Tree.ROOT;
        }
        return options.tree() == null ? model.tree() : options.tree();
    }

    @Override
    public boolean hasNext() {
        return finishReason == null;
    }

    /** Computes one step. */
    @Override
    public Chunk next() {
        if (!hasNext()) {
            throw new NoSuchElementException("the generation has ended: " + finishReason);
        }
        long begin = System.nanoTime();
        Chunk chunk = advance();
        decodeNanos += System.nanoTime() - begin;
        return chunk;
    }

    private Chunk advance() {
        if (cancelled || options.cancelled().getAsBoolean()) {
            return end(FinishReason.CANCELLED, new int[0], "");
        }
        if (session.room() == 0) {
            return end(FinishReason.LENGTH, new int[0], "");
        }
        if (adaptive != null) {
            session.setTree(adaptive.tree());
        }
        long begin = System.nanoTime();
        Step step = session.step();
        if (adaptive != null) {
            adaptive.observe(step, System.nanoTime() - begin);
        }
        return take(step.tokens());
    }

    /** Takes tokens one by one: where a generation ends does not depend on how many a step emits. */
    private Chunk take(int[] tokens) {
        StringBuilder released = new StringBuilder();
        FinishReason reason = null;
        int count = 0;
        while (reason == null && count < tokens.length) {
            int token = tokens[count++];
            boolean end = !options.ignoreEnd() && model.base().config().eosIds().contains(token);
            if (text != null && !end) {
                released.append(stop.push(text.push(token)));
            }
            if (stop.stopped()) {
                reason = FinishReason.STOP;
            } else if (end) {
                reason = FinishReason.END;
            } else if (ids.size() + count == options.maxTokens()) {
                reason = FinishReason.LENGTH;
            }
        }
        if (text != null && (reason == FinishReason.END || reason == FinishReason.LENGTH)) {
            released.append(stop.push(text.finish()));
            if (stop.stopped()) {
                reason = FinishReason.STOP;
            } else {
                released.append(stop.finish());
            }
        }
        int[] kept = Arrays.copyOf(tokens, count);
        return reason == null ? keep(kept, released.toString()) : end(reason, kept, released.toString());
    }

    private Chunk end(FinishReason reason, int[] kept, String released) {
        finishReason = reason;
        String rest = "";
        if (reason == FinishReason.CANCELLED || (reason == FinishReason.LENGTH && kept.length == 0)) {
            rest = text == null ? "" : stop.push(text.finish()) + (stop.stopped() ? "" : stop.finish());
        }
        return keep(kept, released + rest);
    }

    private Chunk keep(int[] kept, String released) {
        List<Integer> list = Arrays.stream(kept).boxed().toList();
        ids.addAll(list);
        if (!list.isEmpty()) {
            tokensPerStep.add(list.size());
        }
        written.append(released);
        return new Chunk(list, released);
    }

    /** Ends the generation before its next step. Thread-safe. */
    public void cancel() {
        cancelled = true;
    }

    /** What was generated so far; {@link GenerationResult#finishReason()} is null while it goes on. */
    public GenerationResult result() {
        return new GenerationResult(
                List.copyOf(ids),
                written.toString(),
                List.copyOf(tokensPerStep),
                finishReason,
                session.tree().nodes() > 1 ? model.method() : Method.PLAIN,
                session.statistics(),
                prefillNanos,
                decodeNanos,
                model.plainStepNanos());
    }

    /** Frees the session. Idempotent. */
    @Override
    public void close() {
        if (adaptive != null && !closed) {
            model.learned(adaptive);
        }
        closed = true;
        session.close();
    }
}
