package io.hydra4j.text;

import java.util.Set;

/**
 * Decides whether a regular expression from a file may be given to the native library, and tells what it costs. The
 * library's engine backtracks, and ends the process after ten million steps within one match. So an expression is only
 * let through if the steps of one match are linear in the length of the text, with a factor that is known: no repeated
 * group that could be divided in several ways, and in each alternative at most one unbounded repetition with something
 * after it that may fail. The expressions of the published tokenizers are of that kind.
 *
 * <p>A match is tried at each place of a text, so where those steps can be for nothing, all together are quadratic. They
 * are not where the next alternative takes what the failed one has run over, as published expressions have it ({@code
 * \\s*[\\r\\n]+|\\s+}).
 *
 * <p>A recursive descent over the expression; each part gives its {@link Cost}. A step is one failure of an atom, or of
 * a look around, after which the engine goes back to what it has not tried.
 */
final class RegexGuard {
    private static final int LONGEST = 4096;
    private static final int DEEPEST = 16;
    private static final int LARGEST_COUNT = 64;
    private static final long LARGEST_FACTOR = 256;
    private static final long MOST_RETRIES = 1 << 16;
    private static final Set<Character> ESCAPED_LETTERS =
            Set.of('p', 'P', 's', 'S', 'd', 'D', 'w', 'W', 'r', 'n', 't', 'f', 'v', 'b', 'B', 'A', 'z', 'x', 'u');

    /**
     * What a match may cost.
     *
     * @param ways in how many ways the bounded parts can match, at most
     * @param open repetitions without a bound on the way through, at most
     * @param retries steps whatever the length of the text, at most
     * @param factor steps per character of the text in addition
     * @param isQuadratic whether {@code factor} steps may be needed at each place of the text for each character after it
     * @param mayFail false if it always matches, if need be nothing
     */
    record Cost(long ways, int open, long retries, long factor, boolean isQuadratic, boolean mayFail) {
        static final Cost ONE = new Cost(1, 0, 1, 0, false, true);

        boolean fixed() {
            return ways == 1 && open == 0 && mayFail;
        }
    }

    /**
     * An alternative.
     *
     * @param run the source of what stands before its first unbounded repetition and of what is repeated; empty if there
     *     is none
     * @param takesRun whether it matches all of the run wherever another alternative has run over it in vain, save a
     *     character perhaps
     */
    private record Alternative(Cost cost, String run, boolean takesRun) {}

    /** Why an expression is refused; the message says it. */
    static final class Refused extends Exception {
        private static final long serialVersionUID = 1L;

        Refused(String reason) {
            super(reason);
        }
    }

    private final String regex;
    private int at;
    private int depth;
    /** The atom that was read last, without a sign of repetition, and whether it is repeated as often as it can be. */
    private int atomStart;

    private int atomEnd;

    private boolean greedy;

    private RegexGuard(String regex) {
        this.regex = regex;
    }

    /**
     * @return what the expression costs
     * @throws Refused if that is too much or cannot be told
     */
    static Cost cost(String regex) throws Refused {
        if (regex.isEmpty() || regex.length() > LONGEST) {
            throw new Refused("a regular expression of 1 to " + LONGEST + " characters");
        }
        RegexGuard guard = new RegexGuard(regex);
        Cost cost = guard.alternatives();
        if (guard.at < regex.length()) {
            throw new Refused("a regular expression with balanced parentheses");
        }
        return cost;
    }

    private Cost alternatives() throws Refused {
        if (++depth > DEEPEST) {
            throw new Refused("a regular expression with groups at most " + DEEPEST + " deep");
        }
        Alternative last = sequence();
        Cost all = last.cost;
        String inVain = all.isQuadratic ? last.run : null;
        boolean isQuadratic = false;
        while (take('|')) {
            last = sequence();
            Cost one = last.cost;
            isQuadratic |= inVain != null && !(last.takesRun && last.run.equals(inVain));
            inVain = one.isQuadratic ? last.run : null;
            all = new Cost(
                    bounded(all.ways + one.ways),
                    Math.max(all.open, one.open),
                    retries(all.retries + one.retries),
                    bounded(all.factor + one.factor),
                    false,
                    all.mayFail && one.mayFail);
        }
        depth--;
        isQuadratic |= inVain != null;
        return new Cost(all.ways, all.open, all.retries, all.factor, isQuadratic, all.mayFail);
    }

    private Alternative sequence() throws Refused {
        int from = at;
        long ways = 1;
        int open = 0;
        long retries = 0;
        long factor = 0;
        boolean isQuadratic = false;
        boolean mayFail = false;
        // After the first unbounded repetition: ways before it, ways and steps of what follows, and steps until it
        // fails.
        long waysBefore = 1;
        long waysAfter = 1;
        long retriesAfter = 0;
        long inVain = 0;
        String run = "";
        boolean ofSpace = false;
        boolean takesRun = false;
        while (at < regex.length() && regex.charAt(at) != '|' && regex.charAt(at) != ')') {
            Cost part = repeated();
            if (part.mayFail && open > 1 || part.factor > 0 && open > 0) {
                throw new Refused("a regular expression with at most one unbounded repetition to try again");
            }
            factor = bounded(factor + ways * part.factor);
            isQuadratic |= part.isQuadratic;
            if (open > 0) {
                retriesAfter = retries(retriesAfter + waysAfter * part.retries);
                waysAfter = bounded(waysAfter * part.ways);
                if (part.mayFail) {
                    inVain = bounded(waysBefore * retriesAfter);
                    takesRun = false;
                }
            } else if (part.open > 0) {
                waysBefore = ways;
                run = regex.substring(from, atomEnd);
                ofSpace = regex.substring(atomStart, atomEnd).equals("\\s");
                takesRun = greedy;
            }
            retries = retries(retries + ways * part.retries);
            ways = bounded(ways * part.ways);
            open += part.open;
            mayFail |= part.mayFail;
        }
        // After white space nothing but white space can follow, save at its end: one step back is enough.
        if (ofSpace && regex.substring(from, at).equals(run + "+(?!\\S)")) {
            takesRun = true;
        } else {
            isQuadratic |= inVain > 0;
        }
        Cost cost = new Cost(ways, open, retries, bounded(factor + inVain), isQuadratic, mayFail);
        return new Alternative(cost, run, takesRun);
    }

    private Cost repeated() throws Refused {
        int start = at;
        Cost part = atom();
        atomStart = start;
        atomEnd = at;
        greedy = false;
        if (take('?')) {
            part = new Cost(bounded(part.ways + 1), part.open, part.retries, part.factor, part.isQuadratic, false);
            if (!take('?')) {
                take('+');
            }
            return part;
        } else if (take('*')) {
            part = times(part, 0, Integer.MAX_VALUE);
        } else if (take('+')) {
            part = times(part, 1, Integer.MAX_VALUE);
        } else if (take('{')) {
            int least = number();
            int most = least;
            if (take(',')) {
                most = at < regex.length() && regex.charAt(at) == '}' ? Integer.MAX_VALUE : number();
            }
            expect('}');
            greedy = true;
            return times(part, least, most);
        } else {
            return part;
        }
        greedy = !take('?');
        if (greedy) {
            take('+');
        }
        return part;
    }

    private static Cost times(Cost part, int least, int most) throws Refused {
        if (!part.fixed() || least > most) {
            throw new Refused("a regular expression that repeats only what matches in one way");
        }
        if (least > LARGEST_COUNT || most != Integer.MAX_VALUE && most > LARGEST_COUNT) {
            throw new Refused("a regular expression with counts up to " + LARGEST_COUNT);
        }
        // One failure ends the repetition; what takes more may fail and go on in every round.
        long everyRound = bounded(part.retries - 1);
        return most == Integer.MAX_VALUE
                ? new Cost(1, 1, part.retries, everyRound, false, least > 0)
                : new Cost(bounded(most - least + 1L), 0, retries(most * part.retries + 1), 0, false, least > 0);
    }

    private Cost atom() throws Refused {
        char c = regex.charAt(at++);
        switch (c) {
            case '(':
                return group();
            case '[':
                characterClass();
                return Cost.ONE;
            case '\\':
                escape();
                return Cost.ONE;
            case '*', '+', '?', '{':
                throw new Refused("a regular expression with something before each repetition");
            default:
                return Cost.ONE;
        }
    }

    private Cost group() throws Refused {
        boolean around = false;
        if (take('?')) {
            around = regex.startsWith("=", at) || regex.startsWith("!", at) || regex.startsWith("<", at);
            String[] kinds = {"<=", "<!", "=", "!", ":", "i:", ">"};
            int before = at;
            for (String kind : kinds) {
                if (at == before && regex.startsWith(kind, at)) {
                    at += kind.length();
                }
            }
            if (at == before) {
                throw new Refused("a regular expression with plain groups and looks around only");
            }
        }
        Cost inside = alternatives();
        expect(')');
        if (around && inside.open > 0) {
            throw new Refused("a regular expression without unbounded repetition in looks around");
        }
        if (around) {
            // Where nothing in it fails, it may itself.
            return new Cost(1, 0, inside.mayFail ? inside.retries : retries(inside.retries + 1), 0, false, true);
        }
        return inside;
    }

    private void characterClass() throws Refused {
        take('^');
        take(']');
        int open = 1;
        while (open > 0) {
            char c = next();
            if (c == '\\') {
                escape();
            } else if (c == '[') {
                open++;
            } else if (c == ']') {
                open--;
            }
        }
    }

    private void escape() throws Refused {
        char c = next();
        boolean letterOrDigit = c < 0x80 && Character.isLetterOrDigit(c);
        if (letterOrDigit && !ESCAPED_LETTERS.contains(c)) {
            throw new Refused("a regular expression without \\" + c);
        }
        if ((c == 'p' || c == 'P' || c == 'x') && take('{')) {
            int from = at;
            while (next() != '}') {
                if (at - from > 40) {
                    throw new Refused("a regular expression with names of properties");
                }
            }
        }
    }

    private int number() throws Refused {
        int value = 0;
        int from = at;
        while (at < regex.length() && regex.charAt(at) >= '0' && regex.charAt(at) <= '9' && at - from < 6) {
            value = value * 10 + regex.charAt(at++) - '0';
        }
        if (at == from || at == regex.length()) {
            throw new Refused("a regular expression with numbers as counts");
        }
        return value;
    }

    private char next() throws Refused {
        if (at == regex.length()) {
            throw new Refused("a regular expression that is complete");
        }
        return regex.charAt(at++);
    }

    private boolean take(char c) {
        boolean there = at < regex.length() && regex.charAt(at) == c;
        at += there ? 1 : 0;
        return there;
    }

    private void expect(char c) throws Refused {
        if (!take(c)) {
            throw new Refused("a regular expression with " + c + " where one is open");
        }
    }

    private static long bounded(long ways) throws Refused {
        if (ways > LARGEST_FACTOR) {
            throw new Refused("a regular expression with fewer ways to match");
        }
        return ways;
    }

    private static long retries(long retries) throws Refused {
        if (retries > MOST_RETRIES) {
            throw new Refused("a regular expression that fails in fewer steps");
        }
        return retries;
    }
}
