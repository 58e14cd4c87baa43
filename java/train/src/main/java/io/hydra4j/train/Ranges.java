package io.hydra4j.train;

import java.util.Locale;

/** Refuses options that are out of range. */
final class Ranges {
    private Ranges() {}

    static void require(String option, long value, long least, long most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException(option + " is " + value + ": give " + least + " to " + most);
        }
    }

    /** Refuses NaN too. */
    static void require(String option, double value, double least, double most) {
        if (!(value >= least && value <= most)) {
            throw new IllegalArgumentException(
                    option + " is " + value + ": give " + number(least) + " to " + number(most));
        }
    }

    private static String number(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e9
                ? String.format(Locale.ROOT, "%.0f", value)
                : Double.toString(value);
    }
}
