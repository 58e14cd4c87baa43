package io.hydra4j.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.hydra4j.BackendInfo;
import io.hydra4j.FinishReason;
import io.hydra4j.GenerationOptions;
import io.hydra4j.GenerationResult;
import io.hydra4j.decode.Acceptance;
import io.hydra4j.decode.LogProbabilities;
import io.hydra4j.decode.Sampling;
import io.hydra4j.decode.TokenLogProbability;
import io.hydra4j.runtime.BackendKind;
import java.io.IOException;
import java.util.Locale;
import java.util.Map;

/**
 * A generation as one JSON object: {@code ids}, {@code text}, {@code tokens_per_step} (whose sum is the number of ids),
 * {@code finish_reason} ({@code eos}, {@code stop}, {@code length}, {@code cancelled}) and {@code stats}. {@code tokens} are those
 * that were kept; {@code emitted_tokens}, acceptance length, its histogram, tree nodes and times are of all that was computed, the
 * part of the last step beyond the end included. {@code accept} says how guesses were judged. {@code rho} and {@code plain_step_ms} are left out where no plain step was timed.
 * Where log-probabilities were asked for, {@code logprobs} has an object for each id: {@code id}, {@code logprob}, and {@code top},
 * a list of the most likely ones.
 */
final class ResultJson {
    private static final double NANOS_PER_MILLI = 1e6;

    private final GenerationResult result;
    private final GenerationOptions options;
    private final BackendInfo backend;

    ResultJson(GenerationResult result, GenerationOptions options, BackendInfo backend) {
        this.result = result;
        this.options = options;
        this.backend = backend;
    }

    /** One line without its line break; see {@link Json#line}. */
    String line(boolean ascii) {
        return Json.line(ascii, this::write);
    }

    /** Why a generation has ended. */
    static String finishReason(GenerationResult result) {
        FinishReason reason = result.finishReason().orElseThrow();
        return reason == FinishReason.END ? "eos" : reason.name().toLowerCase(Locale.ROOT);
    }

    private void write(JsonGenerator json) throws IOException {
        json.writeStartObject();
        array(json, "ids", result.ids());
        json.writeStringField("text", result.text());
        array(json, "tokens_per_step", result.tokensPerStep());
        json.writeStringField("finish_reason", finishReason(result));
        if (options.logProbabilities().isPresent()) {
            logProbabilities(json);
        }
        json.writeObjectFieldStart("stats");
        stats(json);
        json.writeEndObject();
        json.writeEndObject();
    }

    private void stats(JsonGenerator json) throws IOException {
        var statistics = result.statistics();
        json.writeNumberField("prompt_tokens", result.promptTokens());
        json.writeNumberField("tokens", result.completionTokens());
        json.writeNumberField("emitted_tokens", statistics.tokens());
        json.writeNumberField("steps", statistics.steps());
        json.writeNumberField("tree_nodes_verified", statistics.nodes());
        json.writeNumberField("acceptance_length", result.acceptanceLength());
        json.writeArrayFieldStart("accepted_by_depth");
        for (long steps : statistics.acceptedByDepth()) {
            json.writeNumber(steps);
        }
        json.writeEndArray();
        json.writeNumberField("decode_tokens_per_second", result.tokensPerSecond());
        if (result.rho().isPresent()) {
            json.writeNumberField("rho", result.rho().getAsDouble());
        }
        millis(json, "prefill_ms", result.prefillNanos());
        millis(json, "decode_ms", result.decodeNanos());
        millis(json, "draft_ms", statistics.draftNanos());
        millis(json, "verify_ms", statistics.verifyNanos());
        millis(json, "accept_ms", statistics.acceptNanos());
        if (result.plainStepNanos().isPresent()) {
            millis(json, "plain_step_ms", result.plainStepNanos().getAsDouble());
        }
        json.writeStringField("speculation", SpeculationName.of(options.speculation()));
        json.writeStringField("draft", DraftName.of(options.draft()));
        json.writeObjectFieldStart("accept");
        acceptance(json, options.acceptance());
        json.writeEndObject();
        json.writeObjectFieldStart("sampling");
        sampling(json, options.sampling());
        json.writeEndObject();
        json.writeStringField("drafter", result.drafter().orElse(null));
        json.writeStringField("backend", BackendName.of(backend.kind()));
        if (backend.kind() == BackendKind.CPU) {
            json.writeNumberField("threads", backend.threads());
            json.writeStringField("isa", backend.isa().orElseThrow().name().toLowerCase(Locale.ROOT));
        } else {
            json.writeStringField("device", backend.description());
        }
    }

    private static void acceptance(JsonGenerator json, Acceptance acceptance) throws IOException {
        json.writeStringField("judge", AcceptanceName.of(acceptance));
        if (acceptance.isTypical()) {
            json.writeNumberField("temperature", acceptance.temperature());
            json.writeNumberField("epsilon", acceptance.epsilon());
            json.writeNumberField("alpha", acceptance.alpha());
        }
    }

    private static void sampling(JsonGenerator json, Sampling sampling) throws IOException {
        json.writeNumberField("temperature", sampling.temperature());
        json.writeNumberField("top_k", sampling.topK());
        json.writeNumberField("top_p", sampling.topP());
        json.writeNumberField("min_p", sampling.minP());
        json.writeNumberField("repetition_penalty", sampling.repetitionPenalty());
        json.writeNumberField("presence_penalty", sampling.presencePenalty());
        json.writeNumberField("frequency_penalty", sampling.frequencyPenalty());
        json.writeObjectFieldStart("logit_bias");
        for (Map.Entry<Integer, Float> bias : sampling.logitBias().entrySet()) {
            json.writeNumberField(bias.getKey().toString(), bias.getValue());
        }
        json.writeEndObject();
        json.writeNumberField("seed", sampling.seed());
    }

    private void logProbabilities(JsonGenerator json) throws IOException {
        json.writeArrayFieldStart("logprobs");
        for (LogProbabilities token : result.logProbabilities()) {
            json.writeStartObject();
            logProbability(json, token.chosen());
            json.writeArrayFieldStart("top");
            for (TokenLogProbability each : token.top()) {
                json.writeStartObject();
                logProbability(json, each);
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeEndObject();
        }
        json.writeEndArray();
    }

    private static void logProbability(JsonGenerator json, TokenLogProbability token) throws IOException {
        json.writeNumberField("id", token.token());
        json.writeNumberField("logprob", token.logProbability());
    }

    private static void array(JsonGenerator json, String name, int[] values) throws IOException {
        json.writeArrayFieldStart(name);
        for (int value : values) {
            json.writeNumber(value);
        }
        json.writeEndArray();
    }

    private static void millis(JsonGenerator json, String name, double nanos) throws IOException {
        json.writeNumberField(name, nanos / NANOS_PER_MILLI);
    }
}
