package io.hydra4j;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.hydra4j.format.Fields;
import io.hydra4j.format.StrictJson;
import io.hydra4j.format.WholeFile;
import io.hydra4j.heads.TreeOrder;
import io.hydra4j.tuning.StepCosts;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The file of a calibration: one JSON object of {@code version}, {@code facts} (texts by name), {@code calibration_ns}, {@code
 * plain_step_ns}, {@code tree_paths} (lists of ranks), {@code tree_gains} and {@code step_ns}, one number for each tree, 0 for one
 * that cannot pay.
 */
final class CalibrationFile {
    private static final int VERSION = 1;
    private static final List<String> FIELDS =
            List.of("version", "facts", "calibration_ns", "plain_step_ns", "tree_paths", "tree_gains", "step_ns");
    private static final double MOST_NANOS = 1e15;

    private CalibrationFile() {}

    static void write(Path file, Calibration calibration) {
        WholeFile.write(file, out -> writeJson(out, calibration));
    }

    private static void writeJson(OutputStream out, Calibration calibration) throws IOException {
        StepCosts costs = calibration.costs();
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
            json.writeNumberField("plain_step_ns", costs.plainMeanNanos());
            TreeOrderJson.write(json, costs.order());
            json.writeFieldName("step_ns");
            TreeOrderJson.numbers(
                    json,
                    Arrays.stream(costs.nanos())
                            .map(nanos -> Double.isInfinite(nanos) ? 0 : nanos)
                            .toArray());
            json.writeEndObject();
        }
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
        TreeOrder order = TreeOrderJson.read(fields);
        double[] nanos = TreeOrderJson.numbers(fields, "step_ns");
        for (int t = 0; t < nanos.length; t++) {
            if (!(nanos[t] >= 0 && nanos[t] <= MOST_NANOS) || t == 0 && nanos[t] == 0) {
                throw fields.invalid("step_ns", nanos[t], "nanoseconds of each tree, those of the first above 0");
            }
            nanos[t] = nanos[t] == 0 ? Double.POSITIVE_INFINITY : nanos[t];
        }
        double plain = fields.decimal("plain_step_ns", 1, MOST_NANOS);
        try {
            return new Calibration(facts(fields.object("facts")), StepCosts.of(order, nanos, plain), (long)
                    fields.decimal("calibration_ns", 0, MOST_NANOS));
        } catch (IllegalArgumentException e) {
            throw fields.invalid("step_ns", e.getMessage(), "one time for each tree of the order");
        }
    }

    /** Texts by name. */
    static Map<String, String> facts(Fields fields) {
        Map<String, String> facts = new LinkedHashMap<>();
        fields.names().forEach(name -> facts.put(name, fields.string(name)));
        return facts;
    }
}
