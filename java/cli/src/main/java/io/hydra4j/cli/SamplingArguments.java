package io.hydra4j.cli;

import io.hydra4j.GenerationOptions;
import io.hydra4j.decode.Acceptance;
import io.hydra4j.decode.LogProbabilities;
import io.hydra4j.decode.Sampling;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ThreadLocalRandom;
import picocli.CommandLine.Option;

/** The options that say how tokens are selected, and whether to tell how likely they were. */
final class SamplingArguments {
    /** Random seeds are below it, as JSON readers that know floating-point numbers alone keep them exactly. */
    private static final long SEEDS = 1L << 53;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            description = "0: the model's best token (greedy); 1: draw from the model's own distribution; below, from a"
                    + " sharper one. Default: 0.")
    private Float temperature;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            defaultValue = "0",
            description = "Draw from the K best tokens alone. Default: 0, from all.")
    private int topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            defaultValue = "1",
            description = "Draw from the fewest best tokens that have a probability of P in all. Default: 1, from all.")
    private float topP;

    @Option(
            names = "--min-p",
            paramLabel = "P",
            defaultValue = "0",
            description = "Draw from tokens with P times the best one's probability or more. Default: 0, from all.")
    private float minP;

    @Option(
            names = "--repetition-penalty",
            paramLabel = "R",
            defaultValue = "1",
            description =
                    "Divide positive logits of tokens in the prompt and the text by R, and multiply negative ones."
                            + " Default: 1.")
    private float repetitionPenalty;

    @Option(
            names = "--presence-penalty",
            paramLabel = "X",
            defaultValue = "0",
            description = "Take X off the logits of tokens that were generated. Default: 0.")
    private float presencePenalty;

    @Option(
            names = "--frequency-penalty",
            paramLabel = "X",
            defaultValue = "0",
            description = "Take X off a token's logit for each time that it was generated. Default: 0.")
    private float frequencyPenalty;

    @Option(
            names = "--logit-bias",
            paramLabel = "ID=VALUE",
            converter = LogitBias.Converter.class,
            description = "Add VALUE to a token's logit; may be given several times.")
    private List<LogitBias> logitBias = List.of();

    @Option(
            names = "--seed",
            paramLabel = "N",
            description =
                    "Decides what is drawn; of several prompts the second one has N + 1, and so on. The text is the"
                            + " same with every --speculation, --heads and --tree. Default: a random one, which --json tells.")
    private Long seed;

    @Option(
            names = "--logprobs",
            paramLabel = "N",
            description = "With --json: the log-probability of each token, and the N most likely ones, N from 0 to "
                    + LogProbabilities.MAX_TOP + ".")
    private Integer logProbabilities;

    /**
     * @param json whether the output can tell log-probabilities
     * @throws UsageException if a value is out of range, a token has two biases, or log-probabilities would not be told
     */
    void check(boolean json) {
        if (temperature != null && temperature != 0) {
            requireRange("--temperature", temperature, Sampling.MIN_TEMPERATURE, Sampling.MAX_TEMPERATURE, "0, or ");
        }
        if (topK < 0) {
            throw new UsageException("--top-k is " + topK + ", must be at least 1, or 0 for all tokens");
        }
        if (!(topP > 0 && topP <= 1)) {
            throw new UsageException("--top-p is " + Decimal.of(topP) + ", must be above 0 and at most 1");
        }
        requireRange("--min-p", minP, 0, 1, "");
        requireRange(
                "--repetition-penalty", repetitionPenalty, Sampling.MIN_REPETITION_PENALTY, Sampling.MAX_PENALTY, "");
        requireRange("--presence-penalty", presencePenalty, -Sampling.MAX_PENALTY, Sampling.MAX_PENALTY, "");
        requireRange("--frequency-penalty", frequencyPenalty, -Sampling.MAX_PENALTY, Sampling.MAX_PENALTY, "");
        biases();
        if (logProbabilities != null) {
            UsageException.requireRange("--logprobs", logProbabilities, 0, LogProbabilities.MAX_TOP);
            if (!json) {
                throw new UsageException("--logprobs without --json, which tells them: add it");
            }
        }
    }

    /** Rejects the value of an option that lies outside {@code [least, most]}; {@code also} says what else it may be. */
    static void requireRange(String option, float value, float least, float most, String also) {
        if (!(value >= least && value <= most)) {
            throw new UsageException(option + " is " + Decimal.of(value) + ", must be " + also + "from "
                    + Decimal.of(least) + " to " + Decimal.of(most));
        }
    }

    private Map<Integer, Float> biases() {
        Map<Integer, Float> biases = new TreeMap<>();
        for (LogitBias each : logitBias) {
            if (biases.put(each.token(), each.value()) != null) {
                throw new UsageException("--logit-bias is given twice for token " + each.token());
            }
        }
        return biases;
    }

    /**
     * What typical acceptance takes of these options: its temperature, where one is given. Exact acceptance stays as it is.
     *
     * @throws UsageException if options are given that draw, or change logits
     */
    Acceptance atTemperature(Acceptance acceptance) {
        if (!acceptance.isTypical()) {
            return acceptance;
        }
        boolean draws = topK != 0 || topP != 1 || minP != 0 || seed != null;
        boolean changesLogits =
                repetitionPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0 || !logitBias.isEmpty();
        if (draws || changesLogits) {
            throw new UsageException("--accept typical, which draws nothing and judges by the model's own logits, with"
                    + " another option of sampling than --temperature: leave out one of them");
        }
        if (temperature == null) {
            return acceptance;
        }
        if (temperature == 0) {
            throw new UsageException(
                    "--accept typical at --temperature 0, which is exact acceptance: leave out one of them");
        }
        return acceptance.withTemperature(temperature);
    }

    /**
     * How the tokens of the first prompt are selected.
     *
     * @param acceptance where it is typical, the temperature is that of its test and nothing is drawn
     */
    Sampling first(Acceptance acceptance) {
        return Sampling.builder()
                .temperature(temperature == null || acceptance.isTypical() ? 0 : temperature)
                .topK(topK)
                .topP(topP)
                .minP(minP)
                .repetitionPenalty(repetitionPenalty)
                .presencePenalty(presencePenalty)
                .frequencyPenalty(frequencyPenalty)
                .logitBias(biases())
                .seed(seed != null ? seed : ThreadLocalRandom.current().nextLong(SEEDS))
                .build();
    }

    /** Lets the result tell log-probabilities where they are asked for. */
    GenerationOptions tell(GenerationOptions options) {
        return logProbabilities == null ? options : options.withLogProbabilities(logProbabilities);
    }
}
