package io.hydra4j.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.hydra4j.FinishReason;
import io.hydra4j.GenerationResult;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import java.io.IOException;
import java.util.List;
import java.util.Locale;

/**
 * A generation as one JSON object: {@code ids}, {@code text}, {@code tokens_per_step} (whose sum is the number of ids),
 * {@code finish_reason} ({@code eos}, {@code stop}, {@code length}, {@code cancelled}) and {@code stats}. Token counts, acceptance
 * length and its histogram are those of the tokens that were kept; tree nodes and times are of all that was computed, the part of
 * the last step behind the end included.
 */
final class ResultJson {
    private static final double NANOS_PER_MILLI = 1e6;

    private final GenerationResult result;
    private final int promptTokens;
    private final Backend backend;

    ResultJson(GenerationResult result, int promptTokens, Backend backend) {
        this.result = result;
        this.promptTokens = promptTokens;
        this.backend = backend;
    }

    /** One line without its line break; see {@link Json#line}. */
    String line(boolean ascii) {
        return Json.line(ascii, this::write);
    }

    static String name(FinishReason reason) {
        return reason == FinishReason.END ? "eos" : reason.name().toLowerCase(Locale.ROOT);
    }

    /** Kept tokens per step; 0 without steps. */
    static double acceptanceLength(GenerationResult result) {
        int steps = result.tokensPerStep().size();
        return steps == 0 ? 0 : (double) result.ids().size() / steps;
    }

    private void write(JsonGenerator json) throws IOException {
        json.writeStartObject();
        array(json, "ids", result.ids());
        json.writeStringField("text", result.text());
        array(json, "tokens_per_step", result.tokensPerStep());
        json.writeStringField("finish_reason", name(result.finishReason()));
        json.writeObjectFieldStart("stats");
        stats(json);
        json.writeEndObject();
        json.writeEndObject();
    }

    private void stats(JsonGenerator json) throws IOException {
        var statistics = result.statistics();
        json.writeNumberField("prompt_tokens", promptTokens);
        json.writeNumberField("tokens", result.ids().size());
        json.writeNumberField("steps", result.tokensPerStep().size());
        json.writeNumberField("tree_nodes_verified", statistics.nodes());
        json.writeNumberField("acceptance_length", acceptanceLength(result));
        json.writeArrayFieldStart("accepted_by_depth");
        int deepest = result.tokensPerStep().stream()
                .mapToInt(Integer::intValue)
                .max()
                .orElse(0);
        for (int depth = 0; depth < deepest; depth++) {
            int least = depth + 1;
            json.writeNumber(result.tokensPerStep().stream()
                    .filter(tokens -> tokens >= least)
                    .count());
        }
        json.writeEndArray();
        json.writeNumberField("decode_tokens_per_second", result.tokensPerSecond());
        json.writeNumberField("rho", result.rho());
        millis(json, "prefill_ms", result.prefillNanos());
        millis(json, "decode_ms", result.decodeNanos());
        millis(json, "draft_ms", statistics.draftNanos());
        millis(json, "verify_ms", statistics.verifyNanos());
        millis(json, "accept_ms", statistics.acceptNanos());
        millis(json, "plain_step_ms", result.plainStepNanos());
        json.writeStringField("method", result.method().toString());
        json.writeStringField("backend", BackendName.of(backend.kind()));
        if (backend.kind() == BackendKind.CPU) {
            json.writeNumberField("threads", backend.threads());
            json.writeStringField("isa", backend.isa().name().toLowerCase(Locale.ROOT));
        } else {
            json.writeStringField("device", backend.description());
        }
    }

    private static void array(JsonGenerator json, String name, List<Integer> values) throws IOException {
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
