package io.hydra4j;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.hydra4j.format.Fields;
import io.hydra4j.format.StrictJson;
import io.hydra4j.format.WholeFile;
import io.hydra4j.tuning.GrowthCosts;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The file of a calibration: one JSON object of {@code version}, {@code facts} (texts by name), {@code calibration_ns}, and what passes and
 * drafts take: {@code pass_rows}, {@code pass_ns}, one number for each, and {@code draft_ns}, one for each number of levels from 1 on.
 */
final class CalibrationFile {
    private static final int VERSION = 2;
    private static final List<String> FIELDS =
            List.of("version", "facts", "calibration_ns", "pass_rows", "pass_ns", "draft_ns");
    private static final double MOST_NANOS = 1e15;

    private CalibrationFile() {}

    static void write(Path file, Calibration calibration) {
        WholeFile.write(file, out -> writeJson(out, calibration));
    }

    private static void writeJson(OutputStream out, Calibration calibration) throws IOException {
        GrowthCosts costs = calibration.costs();
        try (JsonGenerator json = new JsonFactory().createGenerator(out, JsonEncoding.UTF8)) {
            json.useDefaultPrettyPrinter();
            json.writeStartObject();
            json.writeNumberField("version", VERSION);
            json.writeObjectFieldStart("facts");
            for (Map.Entry<String, String> fact : new TreeMap<>(calibration.facts()).entrySet()) {
                json.writeStringField(fact.getKey(), fact.getValue());
            }
            json.writeEndObject();
            json.writeNumberField("calibration_ns", calibration.nanos());
            write(json, "pass_rows", costs.rows());
            write(json, "pass_ns", costs.passNanos());
            write(json, "draft_ns", costs.draftNanos());
            json.writeEndObject();
        }
    }

    private static void write(JsonGenerator json, String name, List<Double> numbers) throws IOException {
        json.writeFieldName(name);
        TreeOrderJson.numbers(
                json, numbers.stream().mapToDouble(Double::doubleValue).toArray());
    }

    static Calibration read(Path file) {
        Fields fields = StrictJson.read(file);
        fields.integer("version", VERSION, VERSION);
        for (String name : fields.names()) {
            if (!FIELDS.contains(name)) {
                throw fields.invalid(name, "an unknown field", "one of " + FIELDS);
            }
        }
        if (!fields.has("facts")) {
            throw fields.invalid("facts", "texts by name");
        }
        try {
            GrowthCosts costs = new GrowthCosts(
                    numbers(fields, "pass_rows"), numbers(fields, "pass_ns"), numbers(fields, "draft_ns"));
            return new Calibration(
                    facts(fields.object("facts")), costs, (long) fields.decimal("calibration_ns", 0, MOST_NANOS));
        } catch (IllegalArgumentException e) {
            throw fields.invalid("pass_ns", e.getMessage(), "what a calibration has measured");
        }
    }

    private static List<Double> numbers(Fields fields, String name) {
        return Arrays.stream(TreeOrderJson.numbers(fields, name)).boxed().toList();
    }

    /** Texts by name. */
    static Map<String, String> facts(Fields fields) {
        Map<String, String> facts = new LinkedHashMap<>();
        fields.names().forEach(name -> facts.put(name, fields.string(name)));
        return facts;
    }
}
