package io.hydra4j.cli;

import io.hydra4j.GenerationResult;
import io.hydra4j.Method;
import java.util.Locale;

/** The line that ends a generation on a terminal. */
final class Summary {
    private static final double NANOS_PER_SECOND = 1e9;

    private Summary() {}

    static String of(GenerationResult result) {
        double rate = result.tokensPerSecond();
        StringBuilder line = new StringBuilder();
        add(line, "%d tokens (%s)", result.ids().size(), ResultJson.name(result.finishReason()));
        add(line, ", %.0f tokens/s", rate);
        add(line, ", %.2f tokens a step", ResultJson.acceptanceLength(result));
        add(line, ", %s", result.method());
        long steps = result.statistics().steps();
        if (result.method() != Method.PLAIN && steps > 0) {
            add(line, " with trees of %.0f nodes", (double) result.statistics().nodes() / steps);
            add(line, ", %.2f x plain decoding", rate * result.plainStepNanos() / NANOS_PER_SECOND);
        }
        return line.toString();
    }

    private static void add(StringBuilder line, String format, Object... values) {
        line.append(String.format(Locale.ROOT, format, values));
    }
}
