package io.hydra4j.text;

/**
 * How long a text may be so that cutting it up with some regular expressions, one after the other, ends soon whatever
 * the text is, and no single match reaches the limit at which the native library ends the process.
 */
final class RegexBudget {
    /** Steps of one match; the engine gives up after ten million. */
    private static final long MOST_IN_A_MATCH = 8_000_000;
    /** Steps of all, some ten nanoseconds each. */
    private static final double MOST = 1 << 28;

    private long longestMatch = 1;
    private double constant;
    private double quadratic;

    /** Takes one more expression into account. */
    void spend(RegexGuard.Cost cost) {
        longestMatch = Math.max(longestMatch, cost.factor());
        constant += cost.retries() + cost.factor();
        quadratic += cost.isQuadratic() ? cost.factor() : 0;
    }

    /** @return UTF-16 units, at most {@link PreTokenizer#LONGEST_TEXT} */
    int longestText() {
        double longest = MOST_IN_A_MATCH / longestMatch;
        longest = constant == 0 ? longest : Math.min(longest, MOST / constant);
        longest = quadratic == 0 ? longest : Math.min(longest, Math.sqrt(2 * MOST / quadratic));
        return (int) Math.min(longest, PreTokenizer.LONGEST_TEXT);
    }
}
