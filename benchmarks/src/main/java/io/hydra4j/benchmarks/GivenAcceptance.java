package io.hydra4j.benchmarks;

import io.hydra4j.HydraException;
import io.hydra4j.decode.Tree;
import io.hydra4j.format.StrictJson;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.heads.HeadsTensors;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.runtime.Backend;
import io.hydra4j.tuning.GreedyContinuations;
import io.hydra4j.tuning.RankSamples;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Tokens a step that heads would emit along continuations that are given, such as those of a golden file: the same text for all
 * heads and machines, whatever the base would write itself. Counts alone, which depend on no clock.
 */
final class GivenAcceptance implements Figures {
    private static final String PROMPTS = "prompts";
    private static final String PROMPT = "prompt_ids";
    private static final String CONTINUATION = "greedy_ids";

    private final ModelSpec spec;
    private final Path file;
    private final List<Map<String, Object>> rows = new ArrayList<>();

    /**
     * Of a model's heads.
     *
     * @param file a JSON list of objects, or an object with such a list as {@value #PROMPTS}, that have {@value #PROMPT} and {@value
     *     #CONTINUATION}, token ids; other fields are ignored
     */
    GivenAcceptance(ModelSpec spec, Path file) {
        this.spec = spec;
        this.file = file;
    }

    /** @throws HydraException if the file cannot be read, or its tokens are not the model's */
    @Override
    public void run(PrintStream progress) {
        if (spec.heads().isEmpty()) {
            throw new HydraException("no heads for " + spec.model() + ": give some with --heads");
        }
        try (Backend backend = Settings.openBackend();
                DecoderModel base = DecoderModel.load(
                        backend,
                        ModelFiles.open(spec.model()),
                        Settings.weights(),
                        Settings.kv(),
                        0,
                        0,
                        fraction -> {})) {
            GreedyContinuations given = read(base);
            spec.heads().forEach((method, path) -> rows.add(measure(base, given, method, path)));
        }
    }

    private GreedyContinuations read(DecoderModel base) {
        Object document = StrictJson.value(file, "file", StrictJson.text(file));
        Object prompts = document instanceof Map<?, ?> object ? object.get(PROMPTS) : document;
        List<int[]> texts = new ArrayList<>();
        List<Integer> lengths = new ArrayList<>();
        for (Object each : Lines.list(prompts)) {
            int[] prompt = ids(each, PROMPT, base);
            int[] continuation = ids(each, CONTINUATION, base);
            if (prompt.length == 0
                    || prompt.length + continuation.length > base.config().context()) {
                throw new HydraException(file + ": a text of " + prompt.length + " + " + continuation.length
                        + " tokens: a prompt has at least one, and the model a context of "
                        + base.config().context());
            }
            texts.add(IntStream.concat(Arrays.stream(prompt), Arrays.stream(continuation))
                    .toArray());
            lengths.add(prompt.length);
        }
        return new GreedyContinuations(
                texts, lengths.stream().mapToInt(Integer::intValue).toArray());
    }

    private int[] ids(Object object, String field, DecoderModel base) {
        if (!(object instanceof Map<?, ?> map) || !map.containsKey(field)) {
            throw new HydraException(file + ": an entry has no " + field + ": give objects with " + PROMPT + " and "
                    + CONTINUATION + ", lists of token ids");
        }
        int vocabulary = base.config().vocabulary();
        int[] ids = Lines.list(map.get(field)).stream().mapToInt(Lines::whole).toArray();
        for (int id : ids) {
            if (id < 0 || id >= vocabulary) {
                throw new HydraException(file + ": " + field + " has token " + id + ", the model's are 0 to "
                        + (vocabulary - 1) + ": give a file of this model");
            }
        }
        return ids;
    }

    private Map<String, Object> measure(DecoderModel base, GreedyContinuations given, Method method, Path path) {
        HeadsTensors tensors = HeadsFiles.open(path, base.config());
        RankSamples samples;
        try (DraftHeads heads = DraftHeads.load(base, tensors, null, 0, fraction -> {})) {
            samples = given.ranks(List.of(heads), fraction -> {}).get(0);
        }
        int levels = tensors.config().heads();
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("heads", path.toString());
        row.put("method", Variant.name(method));
        row.put("texts", given.texts().size());
        row.put("tokens", given.tokens());
        row.put("chain", samples.acceptanceLength(Tree.chain(levels)));
        row.put("default_tree", samples.acceptanceLength(Tree.DEFAULT.truncated(levels)));
        return row;
    }

    @Override
    public void print(PrintStream out) {
        out.printf("%n%-8s %6s %8s %8s %13s  %s%n", "method", "texts", "tokens", "chain", "default tree", "heads");
        for (Map<String, Object> row : rows) {
            out.printf(
                    "%-8s %6d %8d %8.3f %13.3f  %s%n",
                    row.get("method"),
                    row.get("texts"),
                    row.get("tokens"),
                    row.get("chain"),
                    row.get("default_tree"),
                    row.get("heads"));
        }
    }

    @Override
    public List<Map<String, Object>> json() {
        return rows;
    }
}
