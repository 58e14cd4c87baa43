package io.hydra4j.benchmarks;

import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.decode.Sampling;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.SessionStatistics;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.draft.Drafter;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Resources;
import io.hydra4j.tuning.Noiseless;
import io.hydra4j.tuning.StepCosts;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * How many tokens a step emits where text is sampled: with heads that guess by the noise that the sample is drawn with, and without,
 * beside greedy decoding. The figures are counts and depend on no clock.
 */
final class SampledAcceptance implements Figures {
    private static final List<Float> TEMPERATURES = List.of(0.7f, 1.0f);
    private static final int NODES = 16;
    /** The text of prompt i has this seed + i. */
    private static final long SEED = 1;

    private final CompareOptions options;
    private final List<Map<String, Object>> rows = new ArrayList<>();

    SampledAcceptance(CompareOptions options) {
        this.options = options;
    }

    @Override
    public void run(PrintStream progress) {
        List<int[]> prompts;
        try (HydraModel model = options.spec().open(Method.PLAIN)) {
            Prompts read = Prompts.read(options.spec().prompts(), model, options.prompts(), options.promptTokens());
            prompts = read.measured();
        }
        for (Method method : options.methods()) {
            Resources owned = new Resources();
            try {
                Backend backend = owned.own(Settings.openBackend());
                ModelFiles files = ModelFiles.open(options.spec().model());
                DecoderModel base = owned.own(
                        DecoderModel.load(backend, files, Settings.weights(), Settings.kv(), 0, 0, fraction -> {}));
                var read = HeadsFiles.open(options.spec().heads().get(method), files.config());
                DraftHeads heads = owned.own(DraftHeads.load(base, read, null, 0, fraction -> {}));
                measure(method, base, heads, prompts, progress);
            } finally {
                owned.close();
            }
        }
    }

    private void measure(
            Method method, DecoderModel base, DraftHeads heads, List<int[]> prompts, PrintStream progress) {
        Tree tree = StepCosts.tree(heads, NODES);
        double greedy = acceptance(base, heads, tree, Sampling.GREEDY, prompts);
        for (float temperature : TEMPERATURES) {
            Sampling sampling = Sampling.of(temperature, SEED);
            double shared = acceptance(base, heads, tree, sampling, prompts);
            double apart = acceptance(base, new Noiseless(heads), tree, sampling, prompts);
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("model", options.spec().model().getFileName().toString()); // a path is a list of its names
            row.put("method", Variant.name(method));
            row.put("tree_nodes", tree.nodes());
            row.put("prompts", prompts.size());
            row.put("max_tokens", options.maxTokens());
            row.put("temperature", temperature);
            row.put("greedy", greedy);
            row.put("noise_shared", shared);
            row.put("noise_apart", apart);
            row.put("shared_to_greedy", shared / greedy);
            row.put("apart_to_greedy", apart / greedy);
            rows.add(row);
            progress.println(row);
        }
    }

    /** Mean over all steps. */
    private double acceptance(DecoderModel base, Drafter drafter, Tree tree, Sampling sampling, List<int[]> prompts) {
        SessionOptions session = SessionOptions.of(tree).withSampling(sampling);
        try (Session decoding = Sessions.session(base, drafter, session)) {
            for (int i = 0; i < prompts.size(); i++) {
                int[] prompt = prompts.get(i);
                decoding.rewind(0);
                decoding.setSampling(sampling.withSeed(sampling.seed() + i));
                decoding.prefill(prompt);
                int end = Math.min(
                        prompt.length + options.maxTokens(), base.config().context() - Tree.MAX_NODES);
                if (end <= prompt.length) {
                    throw new HydraException("a prompt of " + prompt.length + " tokens leaves no room in the context");
                }
                while (decoding.length() < end) {
                    decoding.step();
                }
            }
            SessionStatistics statistics = decoding.statistics();
            return statistics.acceptanceLength();
        }
    }

    @Override
    public void print(PrintStream out) {
        out.printf(
                "%-36s %-8s %5s %4s %7s %7s %7s %9s %9s%n",
                "model", "heads", "nodes", "T", "greedy", "shared", "apart", "shared/gr", "apart/gr");
        for (Map<String, Object> row : rows) {
            out.printf(
                    "%-36s %-8s %5d %4.1f %7.3f %7.3f %7.3f %9.3f %9.3f%n",
                    row.get("model"),
                    row.get("method"),
                    row.get("tree_nodes"),
                    row.get("temperature"),
                    row.get("greedy"),
                    row.get("noise_shared"),
                    row.get("noise_apart"),
                    row.get("shared_to_greedy"),
                    row.get("apart_to_greedy"));
        }
    }

    @Override
    public List<Map<String, Object>> json() {
        return rows;
    }
}
