package io.hydra4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntToDoubleFunction;

/**
 * How the pairs of a head rotate: pair i by position × {@code frequencies[i]}, multiplied by {@code scale}; pairs of frequency 0 stay
 * as they are. Immutable.
 *
 * @param frequencies {@code [headSize / 2]} radians per position
 * @param scale what the pairs that rotate are multiplied by
 */
public record RopeAngles(List<Float> frequencies, float scale) {
    /** Makes the list unmodifiable. */
    public RopeAngles {
        frequencies = List.copyOf(frequencies);
    }

    /**
     * A head of which the first values rotate, each pair at its power of the base.
     *
     * @param headSize values of a head
     * @param rotated those that rotate, even
     * @param base of the frequencies, at least 1
     */
    static RopeAngles of(int headSize, int rotated, float base) {
        var frequencies = new ArrayList<Float>(headSize / 2);
        for (int i = 0; i < headSize / 2; i++) {
            frequencies.add(2 * i < rotated ? (float) Math.pow(base, -2.0 * i / rotated) : 0);
        }
        return new RopeAngles(frequencies, 1);
    }

    /** A head that does not rotate. */
    static RopeAngles none(int headSize) {
        return of(headSize, 0, 1);
    }

    /** Whether any pair rotates. */
    boolean rotates() {
        return frequencies.stream().anyMatch(frequency -> frequency > 0);
    }

    /** Pairs that rotate; those after them do not. */
    int pairs() {
        return (int) frequencies.stream().filter(frequency -> frequency > 0).count();
    }

    /** Each frequency divided by a factor of its own; the others stay 0. */
    RopeAngles dividedBy(IntToDoubleFunction factor) {
        var divided = new ArrayList<Float>(frequencies.size());
        for (int i = 0; i < frequencies.size(); i++) {
            divided.add(frequencies.get(i) == 0 ? 0 : (float) (frequencies.get(i) / factor.applyAsDouble(i)));
        }
        return new RopeAngles(divided, scale);
    }

    /** The same with another factor of the pairs that rotate. */
    RopeAngles withScale(float scale) {
        return new RopeAngles(frequencies, scale);
    }

    /** As Llama 3.1 reaches further: low frequencies are divided by the factor, high ones stay, those between in between. */
    RopeAngles llama3(double factor, double low, double high, int original) {
        return dividedBy(i -> {
            double turns = original * frequencies.get(i) / (2 * Math.PI); // over the original context
            double kept = Math.max(0, Math.min(1, (turns - low) / (high - low)));
            return 1 / ((1 - kept) / factor + kept);
        });
    }

    /**
     * As YaRN (arXiv 2309.00071) reaches further: pairs that rotate often over the original context stay, those that rotate seldom are
     * divided by the factor, those between in between.
     *
     * @param fast turns over the original context from which a pair stays
     * @param slow turns below which it is divided
     * @param truncate whether the bounds between are rounded outwards to whole pairs
     */
    RopeAngles yarn(double factor, float base, int original, double fast, double slow, boolean truncate) {
        int rotated = 2 * pairs();
        double from = pairOf(fast, rotated, base, original), to = pairOf(slow, rotated, base, original);
        double first = Math.max(0, truncate ? Math.floor(from) : from);
        double end = Math.min(rotated - 1, truncate ? Math.ceil(to) : to);
        double width = end == first ? 0.001 : end - first;
        return dividedBy(i -> {
            double divided = Math.max(0, Math.min(1, (i - first) / width));
            return 1 / (divided / factor + 1 - divided);
        });
    }

    /** The pair, as a fraction, that turns so often over the original context. */
    private static double pairOf(double turns, int rotated, float base, int original) {
        return rotated * Math.log(original / (turns * 2 * Math.PI)) / (2 * Math.log(base));
    }

    /** The factor of queries and keys that YaRN has for a factor of the context. */
    static float yarnScale(double factor) {
        return factor <= 1 ? 1 : (float) (0.1 * Math.log(factor) + 1);
    }

    /** The same of LongRoPE. */
    static float longRopeScale(double factor, int original) {
        return factor <= 1 ? 1 : (float) Math.sqrt(1 + Math.log(factor) / Math.log(original));
    }

    /** The frequencies as an array. */
    public float[] array() {
        float[] array = new float[frequencies.size()];
        for (int i = 0; i < array.length; i++) {
            array[i] = frequencies.get(i);
        }
        return array;
    }
}
