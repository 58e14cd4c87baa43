package io.hydra4j.cli;

import io.hydra4j.GenerationResult;
import io.hydra4j.decode.Acceptance;
import java.util.Locale;

/** The line that ends a generation on a terminal. */
final class Summary {
    private Summary() {}

    static String of(GenerationResult result, Acceptance acceptance) {
        double rate = result.tokensPerSecond();
        StringBuilder line = new StringBuilder();
        add(line, "%d tokens (%s)", result.completionTokens(), ResultJson.finishReason(result));
        add(line, ", %.0f tokens/s", rate);
        add(line, ", %.2f tokens a step", result.acceptanceLength());
        add(line, ", %s", result.drafter().orElse("plain"));
        long steps = result.statistics().steps();
        if (result.drafter().isPresent()) {
            if (acceptance.isTypical()) {
                add(line, " by typical acceptance (lossy)");
            }
            add(line, " with trees of %.0f nodes", (double) result.statistics().nodes() / steps);
            if (result.rho().isPresent()) {
                add(
                        line,
                        ", %.2f x plain decoding",
                        result.acceptanceLength() / result.rho().getAsDouble());
            }
        }
        return line.toString();
    }

    private static void add(StringBuilder line, String format, Object... values) {
        line.append(String.format(Locale.ROOT, format, values));
    }
}
