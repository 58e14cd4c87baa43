package io.hydra4j;

import io.hydra4j.decode.LogProbabilities;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** What one step added to a generation. Immutable; two are equal if their values are. */
public final class Chunk {
    private final int[] ids;
    private final String text;
    private final FinishReason finishReason;
    private final List<LogProbabilities> logProbabilities;

    Chunk(int[] ids, String text, FinishReason finishReason, List<LogProbabilities> logProbabilities) {
        this.ids = ids.clone();
        this.text = text;
        this.finishReason = finishReason;
        this.logProbabilities = List.copyOf(logProbabilities);
    }

    /**
     * {@return a chunk that is not the last, such as tests of listeners need}
     *
     * @param ids the tokens that a step emitted
     * @param text the text that they make certain
     */
    public static Chunk of(int[] ids, String text) {
        return new Chunk(ids, text, null, List.of());
    }

    /** This chunk and the next one as one. */
    Chunk plus(Chunk next) {
        int[] all = Arrays.copyOf(ids, ids.length + next.ids.length);
        System.arraycopy(next.ids, 0, all, ids.length, next.ids.length);
        List<LogProbabilities> both = new ArrayList<>(logProbabilities);
        both.addAll(next.logProbabilities);
        return new Chunk(all, text + next.text, next.finishReason, both);
    }

    /**
     * {@return the tokens that the step emitted, up to the end; none in a last chunk for which nothing was computed} A copy.
     */
    public int[] ids() {
        return ids.clone();
    }

    /**
     * {@return the text that is now certain: whole characters only, and never taken back} It may belong to earlier tokens and may
     * be empty; over all chunks it adds up to the whole text.
     */
    public String text() {
        return text;
    }

    /** {@return why the generation has ended; empty in all chunks but the last} */
    public Optional<FinishReason> finishReason() {
        return Optional.ofNullable(finishReason);
    }

    /**
     * {@return how likely each of the {@link #ids} was; none without {@link GenerationOptions#withLogProbabilities}}
     * Unmodifiable.
     */
    public List<LogProbabilities> logProbabilities() {
        return logProbabilities;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Chunk chunk
                && Arrays.equals(ids, chunk.ids)
                && text.equals(chunk.text)
                && finishReason == chunk.finishReason
                && logProbabilities.equals(chunk.logProbabilities);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(ids) + text.hashCode();
    }

    @Override
    public String toString() {
        return "Chunk[ids=" + Arrays.toString(ids) + ", text=" + text + ", finishReason=" + finishReason + "]";
    }
}
