package io.hydra4j.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/**
 * A report as a JSON object: {@code model} and {@code machine}, texts by name; {@code prompts}, {@code runs}, {@code max_tokens}; and
 * {@code ways}, plain decoding first, each with its figures and, in {@code samples}, one object for each prompt and run.
 */
final class BenchJson {
    private static final double NANOS_PER_MILLI = 1e6;

    private BenchJson() {}

    static void write(JsonGenerator json, BenchReport report) throws IOException {
        json.writeStartObject();
        texts(json, "model", report.model());
        texts(json, "machine", report.machine());
        json.writeStringField("prompts_from", report.prompts());
        json.writeNumberField("prompts", report.comparison().prompts());
        json.writeNumberField("prompts_too_short", report.comparison().tooShort());
        json.writeNumberField("runs", report.runs());
        json.writeNumberField("max_tokens", report.limits().maxTokens());
        json.writeNumberField("temperature", report.limits().sampling().temperature());
        json.writeNumberField("seed", report.limits().sampling().seed());
        json.writeStringField("method", BenchReport.METHOD);
        json.writeArrayFieldStart("ways");
        for (WayFigures figures : report.comparison().figures()) {
            way(json, figures, report.comparison().plain());
        }
        json.writeEndArray();
        json.writeEndObject();
    }

    private static void texts(JsonGenerator json, String name, Map<String, String> texts) throws IOException {
        json.writeObjectFieldStart(name);
        for (Map.Entry<String, String> text : texts.entrySet()) {
            json.writeStringField(text.getKey(), text.getValue());
        }
        json.writeEndObject();
    }

    private static void way(JsonGenerator json, WayFigures figures, WayFigures plain) throws IOException {
        json.writeStartObject();
        json.writeStringField("name", figures.way().name());
        json.writeBooleanField("exact", figures.way().isExact());
        json.writeNumberField("outputs_that_differ_from_plain", figures.different());
        json.writeNumberField("tokens_per_second", figures.tokensPerSecond());
        if (figures != plain) {
            PairedRatio ratio = figures.ratioTo(plain);
            json.writeNumberField("ratio_to_plain", ratio.mean());
            if (ratio.pairs() > 1) {
                double[] interval = {ratio.low(), ratio.high()};
                json.writeFieldName("ratio_to_plain_interval");
                json.writeArray(interval, 0, interval.length);
                json.writeBooleanField("is_difference", ratio.isDifference());
            }
        }
        json.writeNumberField("acceptance_length", figures.acceptanceLength());
        json.writeFieldName("accepted_by_depth");
        double[] depths = figures.acceptedByDepth();
        json.writeArray(depths, 0, depths.length);
        json.writeNumberField("rho", figures.rho(plain));
        json.writeNumberField("nodes_per_step", figures.nodesPerStep());
        json.writeNumberField("draft_us", figures.draftMicros());
        json.writeNumberField("verify_us", figures.verifyMicros());
        json.writeNumberField("accept_us", figures.acceptMicros());
        json.writeNumberField("prefill_ms", figures.prefillMillis());
        json.writeArrayFieldStart("samples");
        for (int i = 0; i < figures.runs().size(); i++) {
            samples(json, i, figures.runs().get(i));
        }
        json.writeEndArray();
        json.writeEndObject();
    }

    private static void samples(JsonGenerator json, int prompt, List<Run> runs) throws IOException {
        for (Run run : runs) {
            json.writeStartObject();
            json.writeNumberField("prompt", prompt);
            json.writeNumberField("tokens", run.ids().length);
            json.writeNumberField("steps", run.statistics().steps());
            json.writeNumberField("prefill_ms", run.prefillNanos() / NANOS_PER_MILLI);
            json.writeNumberField("decode_ms", run.decodeNanos() / NANOS_PER_MILLI);
            json.writeEndObject();
        }
    }
}
