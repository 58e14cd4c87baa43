package io.hydra4j.benchmarks;

import java.util.ArrayList;
import java.util.List;

/** Figures of repeated measurements. Medians, for a neighbour on the machine only ever makes single ones worse. */
final class Samples {
    private final List<Double> values = new ArrayList<>();

    void add(double value) {
        values.add(value);
    }

    int count() {
        return values.size();
    }

    /** NaN without any. */
    double median() {
        return quantile(0.5);
    }

    /**
     * The value below which this share of the samples lies, interpolated between neighbours; NaN without any.
     *
     * @param share 0 to 1
     */
    double quantile(double share) {
        if (values.isEmpty()) {
            return Double.NaN;
        }
        List<Double> sorted = values.stream().sorted().toList();
        double place = share * (sorted.size() - 1);
        int below = (int) place;
        int above = Math.min(below + 1, sorted.size() - 1);
        return sorted.get(below) + (place - below) * (sorted.get(above) - sorted.get(below));
    }

    /** The samples in the order in which they came. A copy. */
    List<Double> values() {
        return List.copyOf(values);
    }
}
