package io.hydra4j;

import io.hydra4j.tuning.GrowthCosts;
import java.nio.file.Path;
import java.util.Map;

/**
 * What steps cost with a model, its heads and a machine, as {@link HydraModel#calibrate} measured it. {@link Speculation#AUTO} then
 * knows from the first step on what it finds out in the first ones otherwise; the output is the same. Immutable; can be saved and
 * loaded, and fits only what it was made with.
 */
public final class Calibration {
    private final Map<String, String> facts;
    private final GrowthCosts costs;
    private final long nanos;

    /**
     * @param facts by name, what it was made with
     * @param nanos what measuring took
     */
    Calibration(Map<String, String> facts, GrowthCosts costs, long nanos) {
        this.facts = Map.copyOf(facts);
        this.costs = costs;
        this.nanos = nanos;
    }

    /**
     * Reads a calibration that was saved.
     *
     * @param file a file that {@link #save} wrote
     * @return the calibration, for {@link OpenOptions#withCalibration}
     * @throws HydraException if the file cannot be read or is no calibration; names file, field and value
     */
    public static Calibration load(Path file) {
        return CalibrationFile.read(OpenOptions.require("file", file, "one that Calibration.save has written"));
    }

    /**
     * Writes a JSON file; one that is there is replaced.
     *
     * @param file the file to write
     * @throws HydraException if it cannot be written
     */
    public void save(Path file) {
        CalibrationFile.write(OpenOptions.require("file", file, "the file to write"), this);
    }

    /** {@return what it was made with, by name} Unmodifiable. */
    public Map<String, String> facts() {
        return facts;
    }

    /** {@return the time of a one-token step, in nanoseconds} */
    public double plainStepNanos() {
        return costs.plainNanos();
    }

    /** {@return what measuring took, in nanoseconds} */
    public long nanos() {
        return nanos;
    }

    GrowthCosts costs() {
        return costs;
    }

    /** @throws CalibrationMismatchException if these are not the facts that it was made with */
    void requireFit(Map<String, String> present) {
        present.forEach((fact, value) -> {
            String calibrated = facts.getOrDefault(fact, "unknown");
            if (!calibrated.equals(value)) {
                throw new CalibrationMismatchException(fact, calibrated, value);
            }
        });
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Calibration calibration
                && facts.equals(calibration.facts)
                && nanos == calibration.nanos
                && costs.equals(calibration.costs);
    }

    @Override
    public int hashCode() {
        return 31 * facts.hashCode() + costs.hashCode();
    }

    @Override
    public String toString() {
        return "Calibration[facts=" + facts + ", plainStepNanos=" + plainStepNanos() + "]";
    }
}
