package io.hydra4j;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.hydra4j.decode.Tree;
import io.hydra4j.format.Fields;
import io.hydra4j.format.StrictJson;
import io.hydra4j.format.WholeFile;
import io.hydra4j.heads.TreeOrder;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.function.ToIntFunction;

/**
 * Trees in files. A file holds a JSON list of paths, such as {@code [[0], [0, 0], [1]]}, or the object that {@link TunedTree#save} writes:
 * {@code version}, {@code tree_paths} and {@code tree_gains} of the tree, {@code chosen}, what it was seen to do, {@code measured}, the same of
 * trees of every size, {@code tuning_tokens}, {@code held_out_tokens} and {@code facts}, texts by name. {@code measured} is an object of
 * arrays: {@code nodes}, {@code depth}, {@code acceptance_length}, {@code tuning_acceptance_length} and {@code step_ns}, with one number for
 * each tree; {@code chosen} has the same names with one number each.
 */
public final class TreeFile {
    private static final int VERSION = 1;
    private static final List<String> FIELDS = List.of(
            "version",
            TreeOrderJson.PATHS,
            TreeOrderJson.GAINS,
            "chosen",
            "measured",
            "tuning_tokens",
            "held_out_tokens",
            "facts");
    private static final double MOST_NANOS = 1e15;
    private static final double MOST_TOKENS = 1L << 40;
    private static final StrictJson.Limits LIMITS = new StrictJson.Limits(1 << 20, 1 << 16, 256, 1 << 16);

    private TreeFile() {}

    /**
     * {@return the tree of a file}
     *
     * @param file a JSON list of paths, or what {@link TunedTree#save} has written
     * @throws HydraException if the file cannot be read or holds no tree; names file, field and value
     */
    public static Tree read(Path file) {
        OpenOptions.require("file", file, "one with a tree");
        return parse(file, StrictJson.text(file, LIMITS));
    }

    /**
     * {@return the tree of a text, such as a resource of a jar}
     *
     * @param source where it is from, which errors name
     * @param json a JSON list of paths, or what {@link TunedTree#save} has written
     * @throws HydraException if it holds no tree; names source, field and value
     */
    public static Tree parse(Path source, String json) {
        OpenOptions.require("source", source, "a name for messages");
        OpenOptions.require("json", json, "a JSON list of paths");
        Object value = StrictJson.value(source, "tree", json, LIMITS);
        if (value instanceof List<?> list) {
            return TreeOrderJson.tree(source, list);
        }
        return tuned(source, value).tree();
    }

    static TunedTree load(Path file) {
        return tuned(file, StrictJson.value(file, "tree", StrictJson.text(file, LIMITS), LIMITS));
    }

    @SuppressWarnings("unchecked") // an object becomes no other map
    private static TunedTree tuned(Path file, Object value) {
        if (!(value instanceof Map<?, ?> object)) {
            throw new FormatException.InvalidValue(
                    file,
                    "tree",
                    value instanceof List ? "a list" : value,
                    "a list of paths, such as [[0], [0, 0], [1]], or the object that tune-tree writes");
        }
        Fields fields = new Fields(file, (Map<String, Object>) object);
        fields.integer("version", VERSION, VERSION);
        for (String name : fields.names()) {
            if (!FIELDS.contains(name)) {
                throw fields.unfit(name, "an unknown field", "one of " + FIELDS);
            }
        }
        TreeOrder order = TreeOrderJson.read(fields);
        if (!fields.has("facts")) {
            throw fields.invalid("facts", "texts by name");
        }
        return new TunedTree(
                order,
                chosen(fields, order),
                measured(fields),
                (long) fields.decimal("tuning_tokens", 0, MOST_TOKENS),
                (long) fields.decimal("held_out_tokens", 0, MOST_TOKENS),
                CalibrationFile.facts(fields.object("facts")));
    }

    private static MeasuredTree chosen(Fields fields, TreeOrder order) {
        if (!fields.has("chosen")) {
            throw fields.invalid("chosen", "what the tree was seen to do");
        }
        Fields chosen = fields.object("chosen");
        Tree tree = Tree.of(order.paths());
        return new MeasuredTree(
                chosen.integer("nodes", tree.nodes(), tree.nodes()),
                chosen.integer("depth", tree.depth(), tree.depth()),
                chosen.decimal("acceptance_length", 0, Tree.MAX_NODES),
                chosen.decimal("tuning_acceptance_length", 0, Tree.MAX_NODES),
                chosen.decimal("step_ns", 1, MOST_NANOS));
    }

    private static List<MeasuredTree> measured(Fields fields) {
        if (!fields.has("measured")) {
            throw fields.invalid("measured", "what trees of every size were seen to do");
        }
        Fields measured = fields.object("measured");
        double[] nodes = column(measured, "nodes", 1, Tree.MAX_NODES, -1);
        double[] depths = column(measured, "depth", 0, Tree.MAX_NODES - 1, nodes.length);
        double[] lengths = column(measured, "acceptance_length", 0, Tree.MAX_NODES, nodes.length);
        double[] tuned = column(measured, "tuning_acceptance_length", 0, Tree.MAX_NODES, nodes.length);
        double[] nanos = column(measured, "step_ns", 1, MOST_NANOS, nodes.length);
        List<MeasuredTree> trees = new ArrayList<>();
        for (int i = 0; i < nodes.length; i++) {
            trees.add(new MeasuredTree((int) nodes[i], (int) depths[i], lengths[i], tuned[i], nanos[i]));
        }
        return trees;
    }

    /** @param length how many numbers there have to be; -1 for any */
    private static double[] column(Fields fields, String name, double least, double most, int length) {
        double[] numbers = TreeOrderJson.numbers(fields, name);
        if (length >= 0 && numbers.length != length) {
            throw fields.unfit(name, numbers.length + " numbers", length + ", one for each tree");
        }
        for (double number : numbers) {
            if (!(number >= least && number <= most)) {
                throw fields.invalid(name, number, "numbers from " + least + " to " + most);
            }
        }
        return numbers;
    }

    static void write(Path file, TunedTree tree) {
        WholeFile.write(file, out -> writeJson(out, tree));
    }

    private static void writeJson(OutputStream out, TunedTree tree) throws IOException {
        try (JsonGenerator json = new JsonFactory().createGenerator(out, JsonEncoding.UTF8)) {
            json.useDefaultPrettyPrinter();
            json.writeStartObject();
            json.writeNumberField("version", VERSION);
            TreeOrderJson.write(json, tree.order());
            json.writeObjectFieldStart("chosen");
            MeasuredTree chosen = tree.chosen();
            json.writeNumberField("nodes", chosen.nodes());
            json.writeNumberField("depth", chosen.depth());
            json.writeNumberField("acceptance_length", chosen.acceptanceLength());
            json.writeNumberField("tuning_acceptance_length", chosen.tuningAcceptanceLength());
            json.writeNumberField("step_ns", chosen.stepNanos());
            json.writeEndObject();
            json.writeObjectFieldStart("measured");
            integers(json, "nodes", tree.measured(), MeasuredTree::nodes);
            integers(json, "depth", tree.measured(), MeasuredTree::depth);
            numbers(json, "acceptance_length", tree.measured(), MeasuredTree::acceptanceLength);
            numbers(json, "tuning_acceptance_length", tree.measured(), MeasuredTree::tuningAcceptanceLength);
            numbers(json, "step_ns", tree.measured(), MeasuredTree::stepNanos);
            json.writeEndObject();
            json.writeNumberField("tuning_tokens", tree.tuningTokens());
            json.writeNumberField("held_out_tokens", tree.heldOutTokens());
            json.writeObjectFieldStart("facts");
            for (Map.Entry<String, String> fact : new TreeMap<>(tree.facts()).entrySet()) {
                json.writeStringField(fact.getKey(), fact.getValue());
            }
            json.writeEndObject();
            json.writeEndObject();
        }
    }

    private static void numbers(
            JsonGenerator json, String name, List<MeasuredTree> trees, ToDoubleFunction<MeasuredTree> value)
            throws IOException {
        json.writeFieldName(name);
        TreeOrderJson.numbers(json, trees.stream().mapToDouble(value).toArray());
    }

    private static void integers(
            JsonGenerator json, String name, List<MeasuredTree> trees, ToIntFunction<MeasuredTree> value)
            throws IOException {
        json.writeFieldName(name);
        int[] integers = trees.stream().mapToInt(value).toArray();
        json.writeArray(integers, 0, integers.length);
    }
}
