package io.hydra4j;

import java.util.Arrays;
import java.util.List;

/** Facts about loaded draft heads. Immutable; two are equal if their values are. */
public final class HeadsInfo {
    private final String kind;
    private final int count;
    private final int draftVocabulary;
    private final long bytesPerStep;

    HeadsInfo(String kind, int count, int draftVocabulary, long bytesPerStep) {
        this.kind = kind;
        this.count = count;
        this.draftVocabulary = draftVocabulary;
        this.bytesPerStep = bytesPerStep;
    }

    /** {@return what they are: {@code medusa}, {@code hydra} or {@code hydra++}} Others may follow. */
    public String kind() {
        return kind;
    }

    /** {@return the number of heads: the depth of the deepest tree} */
    public int count() {
        return count;
    }

    /** {@return the number of tokens that they draft from: the model's vocabulary, or a part of it} */
    public int draftVocabulary() {
        return draftVocabulary;
    }

    /** {@return the number of bytes of weights that the draft of one step reads} */
    public long bytesPerStep() {
        return bytesPerStep;
    }

    private List<Object> values() {
        return Arrays.asList(kind, count, draftVocabulary, bytesPerStep);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof HeadsInfo info && values().equals(info.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "HeadsInfo[kind=" + kind + ", count=" + count + ", draftVocabulary=" + draftVocabulary
                + ", bytesPerStep=" + bytesPerStep + "]";
    }
}
