package io.hydra4j;

import io.hydra4j.decode.LogProbabilities;
import io.hydra4j.decode.Step;
import io.hydra4j.text.StopStrings;
import io.hydra4j.text.TextStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The output of one generation while its tokens come: cuts it at an end-of-sequence token, a stop string or the token limit, and
 * turns it into text. Tokens are taken one by one, so that where an output ends does not depend on how many a step emits. Needs no
 * model: a scheduler of one's own has one for each sequence ({@link HydraModel#output}). Not thread-safe.
 */
public final class OutputAssembler {
    private final int maxTokens;
    private final boolean ignoreEnd;
    private final int[] endIds;
    private final TextStream text;
    private final StopStrings stop;
    private final StringBuilder written = new StringBuilder();
    private int[] ids = new int[64];
    private int count;
    private int[] tokensPerStep = new int[64];
    private int steps;
    private final List<LogProbabilities> logProbabilities = new ArrayList<>();
    private FinishReason finishReason;

    /**
     * @param options its token limit, stop strings and whether to continue past end-of-sequence tokens
     * @param endIds end-of-sequence tokens
     * @param text turns tokens into text, after the prompt; null for a model without tokenizer
     * @throws IllegalArgumentException if there are stop strings but no text
     */
    public OutputAssembler(GenerationOptions options, int[] endIds, TextStream text) {
        if (text == null && !options.stop().isEmpty()) {
            throw new IllegalArgumentException(
                    "stop strings " + options.stop() + " were given, but the model has no tokenizer: leave them out");
        }
        this.maxTokens = options.maxTokens();
        this.ignoreEnd = options.ignoreEnd();
        this.endIds = endIds.clone();
        this.text = text;
        this.stop = new StopStrings(options.stop());
    }

    /**
     * Takes the tokens that a step emitted; those beyond the end are dropped.
     *
     * @param tokens the tokens, the root first
     * @return what it adds to the output
     * @throws IllegalStateException if the output is finished
     */
    public Chunk push(int... tokens) {
        return push(tokens, List.of());
    }

    /**
     * Takes what a step emitted; as {@link #push(int...)}.
     *
     * @param step its tokens and how likely they were
     * @return what it adds to the output
     * @throws IllegalStateException if the output is finished
     */
    public Chunk push(Step step) {
        OpenOptions.require("step", step, "what a session's step has emitted");
        return push(step.tokens(), step.logProbabilities());
    }

    private Chunk push(int[] tokens, List<LogProbabilities> likelihoods) {
        requireUnfinished();
        StringBuilder released = new StringBuilder();
        int taken = 0;
        while (finishReason == null && taken < tokens.length) {
            int token = tokens[taken++];
            boolean end = !ignoreEnd && isEnd(token);
            if (text != null && !end) {
                released.append(stop.push(text.push(token)));
            }
            if (stop.stopped()) {
                finishReason = FinishReason.STOP;
            } else if (end) {
                finishReason = FinishReason.END;
            } else if (count + taken == maxTokens) {
                finishReason = FinishReason.LENGTH;
            }
        }
        if (finishReason == FinishReason.END || finishReason == FinishReason.LENGTH) {
            released.append(rest());
        }
        int[] kept = Arrays.copyOf(tokens, taken);
        append(kept);
        return chunk(kept, released.toString(), likelihoods.isEmpty() ? likelihoods : likelihoods.subList(0, taken));
    }

    /**
     * Ends the output before its own end.
     *
     * @param reason {@link FinishReason#CANCELLED}, or {@link FinishReason#LENGTH} where the context is full
     * @return the text that was held back; a stop string in it still counts
     * @throws IllegalArgumentException if the reason is another one
     * @throws IllegalStateException if the output is finished
     */
    public Chunk finish(FinishReason reason) {
        if (reason != FinishReason.CANCELLED && reason != FinishReason.LENGTH) {
            throw new IllegalArgumentException(
                    "reason is " + reason + ": give CANCELLED or LENGTH; tokens alone end an output otherwise");
        }
        requireUnfinished();
        finishReason = reason;
        return chunk(new int[0], rest(), List.of());
    }

    private String rest() {
        if (text == null) {
            return "";
        }
        String released = stop.push(text.finish());
        if (!stop.stopped()) {
            return released + stop.finish();
        }
        finishReason = finishReason == FinishReason.CANCELLED ? finishReason : FinishReason.STOP;
        return released;
    }

    private boolean isEnd(int token) {
        for (int id : endIds) {
            if (id == token) {
                return true;
            }
        }
        return false;
    }

    private void append(int[] kept) {
        if (kept.length == 0) {
            return;
        }
        if (count + kept.length > ids.length) {
            ids = Arrays.copyOf(ids, Math.max(count + kept.length, 2 * ids.length));
        }
        System.arraycopy(kept, 0, ids, count, kept.length);
        count += kept.length;
        if (steps == tokensPerStep.length) {
            tokensPerStep = Arrays.copyOf(tokensPerStep, 2 * steps);
        }
        tokensPerStep[steps++] = kept.length;
    }

    private Chunk chunk(int[] kept, String released, List<LogProbabilities> likelihoods) {
        written.append(released);
        logProbabilities.addAll(likelihoods);
        return new Chunk(kept, released, finishReason, likelihoods);
    }

    private void requireUnfinished() {
        if (finishReason != null) {
            throw new IllegalStateException("the output is finished: " + finishReason);
        }
    }

    /** {@return why the output ended; empty while it goes on} */
    public Optional<FinishReason> finishReason() {
        return Optional.ofNullable(finishReason);
    }

    /** {@return the tokens so far, an end-of-sequence token that ended it included} A copy. */
    public int[] ids() {
        return Arrays.copyOf(ids, count);
    }

    /** {@return the number of tokens so far} */
    public int tokens() {
        return count;
    }

    /** {@return tokens that each push added, in order} A copy. */
    public int[] tokensPerStep() {
        return Arrays.copyOf(tokensPerStep, steps);
    }

    /** {@return how likely each token so far was; none where steps do not tell that} A copy. */
    public List<LogProbabilities> logProbabilities() {
        return List.copyOf(logProbabilities);
    }

    /** {@return the text so far, without special tokens and cut before a stop string; empty for a model without tokenizer} */
    public String text() {
        return written.toString();
    }
}
