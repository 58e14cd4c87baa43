package io.hydra4j.cli;

import java.util.List;

/**
 * How many times as fast one way is as another, by pairs of measurements that were made one soon after the other. Each prompt gives one
 * ratio; the figure is their geometric mean, with the interval in which the mean over all such prompts lies with 95 % confidence: that of
 * Student's t of the ratios' logarithms, which takes them as about normally distributed. Where the interval holds 1, no difference was seen.
 *
 * @param mean geometric mean of the ratios
 * @param low lower end of the interval; NaN where fewer than two pairs tell nothing of it
 * @param high upper end of it
 * @param pairs their number
 */
record PairedRatio(double mean, double low, double high, int pairs) {
    /** Of a standard normal distribution: 97.5 % lie below. */
    private static final double NORMAL = 1.959963984540054;

    /** @param ratios one at least, positive */
    static PairedRatio of(List<Double> ratios) {
        int n = ratios.size();
        double mean = ratios.stream().mapToDouble(Math::log).average().orElseThrow();
        double squares = ratios.stream()
                .mapToDouble(ratio -> Math.pow(Math.log(ratio) - mean, 2))
                .sum();
        double half = n < 2 ? Double.NaN : quantile(n - 1) * Math.sqrt(squares / (n - 1) / n);
        return new PairedRatio(Math.exp(mean), Math.exp(mean - half), Math.exp(mean + half), n);
    }

    /** Whether the interval excludes that both are equally fast. */
    boolean isDifference() {
        return low > 1 || high < 1;
    }

    /** What the interval says, in words. */
    String verdict() {
        if (pairs < 2) {
            return "one prompt";
        }
        return low > 1 ? "faster" : high < 1 ? "slower" : "no difference seen";
    }

    /**
     * The 97.5 % quantile of Student's t: exact for one and two degrees of freedom, for more the expansion around the normal
     * distribution (Abramowitz and Stegun 26.7.5), to 0.2 % and better.
     */
    static double quantile(int freedom) {
        double p = 0.975;
        if (freedom == 1) {
            return Math.tan(Math.PI * (p - 0.5));
        }
        if (freedom == 2) {
            return (2 * p - 1) / Math.sqrt(2 * p * (1 - p));
        }
        double z = NORMAL;
        double z2 = z * z;
        double first = z * (z2 + 1) / 4;
        double second = z * ((5 * z2 + 16) * z2 + 3) / 96;
        double third = z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384;
        double fourth = z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160;
        double v = freedom;
        return z + first / v + second / (v * v) + third / Math.pow(v, 3) + fourth / Math.pow(v, 4);
    }
}
