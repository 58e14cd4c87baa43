package io.hydra4j.text;

import java.util.Set;

/**
 * Decides whether a regular expression from a file may be given to the native library. Its engine backtracks, and ends
 * the process after ten million steps within one match, so an expression is only let through if one match needs a
 * number of steps that is linear in the length of the text, with a factor that is known: no repeated group that could
 * be divided in several ways, and in each alternative at most one unbounded repetition with something behind it that
 * may fail. The expressions of the published tokenizers are of that kind.
 *
 * <p>A recursive descent over the expression; each part gives its {@link Cost}.
 */
final class RegexGuard {
    private static final int LONGEST = 4096;
    private static final int DEEPEST = 16;
    private static final int LARGEST_COUNT = 64;
    private static final long LARGEST_FACTOR = 256;
    private static final Set<Character> ESCAPED_LETTERS =
            Set.of('p', 'P', 's', 'S', 'd', 'D', 'w', 'W', 'r', 'n', 't', 'f', 'v', 'b', 'B', 'A', 'z', 'x', 'u');

    /**
     * What a match may cost.
     *
     * @param ways in how many ways the bounded parts can match, at most
     * @param open repetitions without a bound on the way through, at most
     * @param factor steps per character of the text
     * @param mayFail false if it always matches, if need be nothing
     */
    private record Cost(long ways, int open, long factor, boolean mayFail) {
        static final Cost ONE = new Cost(1, 0, 0, true);

        boolean fixed() {
            return ways == 1 && open == 0 && mayFail;
        }
    }

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

    private RegexGuard(String regex) {
        this.regex = regex;
    }

    /**
     * @return the number of steps that one match may take, per character of the text, at least 1
     * @throws Refused if that number does not exist or cannot be told
     */
    static long stepsPerCharacter(String regex) throws Refused {
        if (regex.isEmpty() || regex.length() > LONGEST) {
            throw new Refused("a regular expression of 1 to " + LONGEST + " characters");
        }
        RegexGuard guard = new RegexGuard(regex);
        Cost cost = guard.alternatives();
        if (guard.at < regex.length()) {
            throw new Refused("a regular expression with balanced parentheses");
        }
        return Math.max(1, cost.factor);
    }

    private Cost alternatives() throws Refused {
        if (++depth > DEEPEST) {
            throw new Refused("a regular expression with groups at most " + DEEPEST + " deep");
        }
        Cost all = sequence();
        while (take('|')) {
            Cost one = sequence();
            all = new Cost(
                    bounded(all.ways + one.ways),
                    Math.max(all.open, one.open),
                    bounded(all.factor + one.factor),
                    all.mayFail && one.mayFail);
        }
        depth--;
        return all;
    }

    private Cost sequence() throws Refused {
        long ways = 1;
        int open = 0;
        long factor = 0;
        boolean mayFail = false;
        while (at < regex.length() && regex.charAt(at) != '|' && regex.charAt(at) != ')') {
            Cost part = repeated();
            if (part.mayFail && open > 1 || part.factor > 0 && open > 0) {
                throw new Refused("a regular expression with at most one unbounded repetition to try again");
            }
            factor = Math.max(factor, bounded(ways * Math.max(part.factor, part.mayFail && open == 1 ? part.ways : 0)));
            ways = bounded(ways * part.ways);
            open += part.open;
            mayFail |= part.mayFail;
        }
        return new Cost(ways, open, factor, mayFail);
    }

    private Cost repeated() throws Refused {
        Cost part = atom();
        if (take('?')) {
            part = new Cost(bounded(part.ways + 1), part.open, part.factor, false);
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
            return times(part, least, most);
        } else {
            return part;
        }
        if (!take('?')) {
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
        return most == Integer.MAX_VALUE
                ? new Cost(1, 1, 0, least > 0)
                : new Cost(bounded(most - least + 1L), 0, 0, least > 0);
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
        return around ? new Cost(inside.ways, 0, 0, true) : inside;
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
}
