package io.hydra4j.benchmarks;

import io.hydra4j.HydraException;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How many tokens a step is taken to emit where the heads' weights are random and guess nothing: the acceptance length that was
 * recorded with real ones. Tokens a second are these ÷ the measured time of a step, which hardly depends on how many of its guesses
 * were right: one pass verifies all of them.
 */
final class Acceptance {
    /** Those of other heads: {@code METHOD:TOKENS,..}. */
    static final String PROPERTY = "hydra4j.benchmark.acceptance";

    /** Where {@link #PUBLISHED} is from. */
    private static final String SOURCE =
            "arXiv 2402.05109, Vicuna-7B, MT-Bench, greedy, the published tree of 64 nodes";

    private static final Map<Method, Double> PUBLISHED =
            Map.of(Method.PLAIN, 1.0, Method.MEDUSA, 2.58, Method.HYDRA, 3.04, Method.HYDRA_PLUS_PLUS, 3.70);

    private Acceptance() {}

    /** Tokens of a step, the root included. */
    static double of(Method method) {
        return all().get(method);
    }

    /** What was replayed and where it is from. */
    static Map<String, Object> json() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("replayed", true);
        json.put("source", given().isEmpty() ? SOURCE : "--acceptance " + given());
        all().forEach((method, tokens) -> json.put(Variant.name(method), tokens));
        return json;
    }

    /** @throws HydraException if the property says something else than methods and numbers */
    private static Map<Method, Double> all() {
        Map<Method, Double> all = new EnumMap<>(PUBLISHED);
        for (String entry : given().isEmpty() ? new String[0] : given().split(",")) {
            String[] parts = entry.split(":");
            if (parts.length != 2 || !parts[1].matches("\\d+(\\.\\d+)?") || Double.parseDouble(parts[1]) < 1) {
                throw new HydraException("acceptance '" + entry + "': give METHOD:TOKENS, at least 1 token a step");
            }
            all.put(Variant.method(parts[0]), Double.parseDouble(parts[1]));
        }
        return all;
    }

    private static String given() {
        return System.getProperty(PROPERTY, "");
    }
}
