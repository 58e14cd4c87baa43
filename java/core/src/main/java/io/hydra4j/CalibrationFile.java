package io.hydra4j;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.hydra4j.decode.Tree;
import io.hydra4j.format.Fields;
import io.hydra4j.format.StrictJson;
import io.hydra4j.heads.TreeOrder;
import io.hydra4j.tuning.StepCosts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;

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

    /** What was there is replaced at once, when all is written beside it. */
    static void write(Path file, Calibration calibration) {
        Path beside = file.resolveSibling(file.getFileName() + "." + UUID.randomUUID() + ".tmp");
        try {
            try {
                writeJson(beside, calibration);
                Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE);
            } finally {
                Files.deleteIfExists(beside);
            }
        } catch (IOException e) {
            throw new HydraException(file + ": the calibration cannot be written: " + e.getMessage(), e);
        }
    }

    private static void writeJson(Path file, Calibration calibration) throws IOException {
        StepCosts costs = calibration.costs();
        try (JsonGenerator json = new JsonFactory().createGenerator(file.toFile(), JsonEncoding.UTF8)) {
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
            json.writeArrayFieldStart("tree_paths");
            for (List<Integer> path : costs.order().paths()) {
                int[] ranks = path.stream().mapToInt(Integer::intValue).toArray();
                json.writeArray(ranks, 0, ranks.length);
            }
            json.writeEndArray();
            json.writeFieldName("tree_gains");
            numbers(
                    json,
                    costs.order().gains().stream()
                            .mapToDouble(Double::doubleValue)
                            .toArray());
            json.writeFieldName("step_ns");
            numbers(
                    json,
                    Arrays.stream(costs.nanos())
                            .map(nanos -> Double.isInfinite(nanos) ? 0 : nanos)
                            .toArray());
            json.writeEndObject();
        }
    }

    private static void numbers(JsonGenerator json, double[] values) throws IOException {
        json.writeArray(values, 0, values.length);
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
        TreeOrder order = order(fields);
        double[] nanos = numbers(fields, "step_ns");
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

    private static double[] numbers(Fields fields, String name) {
        List<?> list = fields.list(name);
        double[] numbers = new double[list.size()];
        for (int i = 0; i < numbers.length; i++) {
            if (!(list.get(i) instanceof Number number)) {
                throw fields.invalid(name, list.get(i), "numbers alone");
            }
            numbers[i] = number.doubleValue();
        }
        return numbers;
    }

    private static Map<String, String> facts(Fields fields) {
        Map<String, String> facts = new LinkedHashMap<>();
        fields.names().forEach(name -> facts.put(name, fields.string(name)));
        return facts;
    }

    private static TreeOrder order(Fields fields) {
        List<List<Integer>> paths = new ArrayList<>();
        for (Object path : fields.list("tree_paths")) {
            if (!(path instanceof List<?> ranks)) {
                throw fields.invalid("tree_paths", path, "lists of ranks");
            }
            List<Integer> read = new ArrayList<>();
            for (Object rank : ranks) {
                if (!(rank instanceof Long number) || number < 0 || number >= Tree.MAX_RANKS) {
                    throw fields.invalid("tree_paths", rank, "ranks from 0 to " + (Tree.MAX_RANKS - 1));
                }
                read.add(number.intValue());
            }
            if (read.size() > 1 && !paths.contains(read.subList(0, read.size() - 1))) {
                throw fields.invalid("tree_paths", "path " + read, "each path after its parent");
            }
            paths.add(read);
        }
        double[] gains = numbers(fields, "tree_gains");
        if (gains.length != paths.size() + 1
                || gains[0] != 1
                || Arrays.stream(gains).anyMatch(gain -> !(gain >= 0 && gain <= 1))) {
            throw fields.invalid("tree_gains", "1 for the root and a number from 0 to 1 for each path");
        }
        try {
            Tree.of(paths);
        } catch (Tree.InvalidTreeException e) {
            throw fields.invalid("tree_paths", e.getMessage(), "the paths of a tree");
        }
        return new TreeOrder(paths, Arrays.stream(gains).boxed().toList());
    }
}
