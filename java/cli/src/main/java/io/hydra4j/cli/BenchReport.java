package io.hydra4j.cli;

import io.hydra4j.GenerationOptions;
import io.hydra4j.ModelInfo;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * What {@code bench} has measured, and with what.
 *
 * @param comparison the figures of all ways
 * @param model facts about model and heads, by name
 * @param machine facts about the machine, by name
 * @param prompts where the prompts are from
 * @param runs how often each way decoded each prompt
 * @param limits where outputs ended, and how their tokens were selected
 */
record BenchReport(
        Comparison comparison,
        Map<String, String> model,
        Map<String, String> machine,
        String prompts,
        int runs,
        GenerationOptions limits) {
    /** How ratios and intervals come about, for whoever reads them. */
    static final String METHOD =
            "Each prompt is decoded in all ways in turn, in one order and the next prompt in the opposite one. x plain: time"
                    + " of a token of plain decoding ÷ that of the way, on the same prompt in the same turn; geometric mean over the prompts, and"
                    + " the 95 % confidence interval of Student's t of the logarithms. Where it holds 1, no difference was seen. tokens/s: median"
                    + " over prompts, without prefill. tok/step: acceptance length, tokens emitted per pass of the base model. rho: time of a step"
                    + " ÷ time of a plain step.";

    static BenchReport of(Comparison comparison, ModelInfo info, String prompts, int runs, GenerationOptions limits) {
        Map<String, String> model = new LinkedHashMap<>();
        model.put("model", String.valueOf(info.path().getFileName()));
        model.put("architecture", info.architecture());
        model.put("weights", info.weightTypes().toString());
        model.put("weight_bytes", String.valueOf(info.weightBytes()));
        model.put("kv", info.kvType().toString());
        model.put(
                "heads",
                info.heads().map(heads -> heads.count() + " " + heads.kind()).orElse("none"));
        return new BenchReport(comparison, model, Machine.describe(info.backend()), prompts, runs, limits);
    }

    /** How tokens were selected. */
    private String sampling() {
        return limits.sampling().isGreedy()
                ? "greedy"
                : "temperature " + Decimal.of(limits.sampling().temperature()) + ", seed "
                        + limits.sampling().seed();
    }

    /** The model, what was decoded and the machine, in a line each. */
    String head() {
        String left =
                comparison.tooShort() == 0 ? "" : ", " + comparison.tooShort() + " more ended too soon to be timed";
        return model.get("model") + ", heads: " + model.get("heads") + "\n" + comparison.prompts() + " prompts ("
                + prompts
                + left + "), up to " + limits.maxTokens() + " tokens after each, " + sampling() + ", " + runs
                + (runs == 1 ? " run" : " runs") + "\n"
                + machine.entrySet().stream()
                        .map(fact -> fact.getKey().replace('_', ' ') + " " + fact.getValue())
                        .collect(Collectors.joining(", "));
    }
}
