package io.hydra4j.benchmarks;

import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.decode.BatchOptions;
import io.hydra4j.decode.BatchSession;
import io.hydra4j.decode.GrowthPolicy;
import io.hydra4j.decode.SessionStatistics;
import io.hydra4j.decode.Tree;
import io.hydra4j.draft.Drafter;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * Sequences side by side: plain decoding, and trees that a {@link GrowthPolicy} chooses step by step, of a lookup alone and of heads with
 * it. Each round decodes other prompts, plain before and after the other ways; a ratio is that to the mean of the two. What passes cost by
 * their rows is noted as the rounds go.
 */
final class BatchComparison {
    private static final int LEAST_ROUNDS = 3;
    private static final String PLAIN = "plain";
    /** The most rows of each class of passes. */
    private static final int[] ROWS = {1, 2, 4, 8, 12, 16, 20, 24, 32, 48, 64, 96, 128, 256};

    private final CompareOptions options;
    private final List<Integer> sizes;
    private final List<Map<String, Object>> rows = new ArrayList<>();
    /** Microseconds without drafts, by the most rows of the class. */
    private final TreeMap<Integer, Samples> passes = new TreeMap<>();

    private boolean same = true;

    BatchComparison(CompareOptions options, List<Integer> sizes) {
        this.options = options;
        this.sizes = sizes;
    }

    /** A policy, and what the passes cost for which it chose. */
    private final class Noting implements GrowthPolicy {
        private final GrowthPolicy policy;

        Noting(GrowthPolicy policy) {
            this.policy = policy;
        }

        @Override
        public Growth choose(float[][] chances, int levels) {
            return policy.choose(chances, levels);
        }

        @Override
        public void observe(int[] emitted, int nodes, long nanos, long draft) {
            int most =
                    IntStream.of(ROWS).filter(each -> each >= nodes).findFirst().orElseThrow();
            passes.computeIfAbsent(most, each -> new Samples()).add((nanos - draft) / 1e3);
            policy.observe(emitted, nodes, nanos, draft);
        }
    }

    /** What one way of decoding has done. */
    private static final class Way {
        final Drafter drafter;
        final Noting policy;
        final Samples ratios = new Samples();
        double tokens;
        double nanos;
        double steps;
        double nodes;
        double passes;
        double draftNanos;

        Way(Drafter drafter, Noting policy) {
            this.drafter = drafter;
            this.policy = policy;
        }
    }

    void run(PrintStream progress) {
        Method method =
                options.methods().isEmpty() ? Method.PLAIN : options.methods().get(0);
        try (HydraModel model = options.spec().open(method)) {
            List<int[]> prompts = Prompts.read(
                            options.spec().prompts(), model, options.prompts(), options.promptTokens())
                    .measured();
            for (int size : sizes) {
                Map<String, Way> ways = new LinkedHashMap<>();
                ways.put(PLAIN, new Way(null, null));
                Drafter lookup = Drafter.lookup(31);
                ways.put("auto, lookup", new Way(lookup, new Noting(model.growthPolicy())));
                if (model.info().heads().isPresent()) {
                    ways.put("auto, heads and lookup", new Way(model.drafter(), new Noting(model.growthPolicy())));
                }
                measure(model, size, ways, prompts, progress);
            }
        }
    }

    private void measure(HydraModel model, int size, Map<String, Way> ways, List<int[]> prompts, PrintStream progress) {
        long end = System.nanoTime() + options.seconds() * 1_000_000_000L;
        // The first round warms up.
        for (int round = 0; round <= LEAST_ROUNDS || System.nanoTime() < end; round++) {
            List<int[]> now = new ArrayList<>();
            for (int s = 0; s < size; s++) {
                now.add(prompts.get((round * size + s) % prompts.size()));
            }
            int[][] expected = null;
            Map<String, Double> rates = new LinkedHashMap<>();
            List<String> order = new ArrayList<>(ways.keySet());
            order.add(PLAIN);
            for (String name : order) {
                Way way = ways.get(name);
                int[][] texts = new int[size][];
                SessionStatistics did = decode(model, way, now, texts);
                double rate = did.tokens() / (double) did.stepNanos();
                expected = expected == null ? texts : expected;
                if (!Arrays.deepEquals(expected, texts)) {
                    same = false;
                    progress.println(name + ": other tokens than plain decoding");
                }
                rates.merge(name, rate, (a, b) -> (a + b) / 2);
                if (round > 0) {
                    way.tokens += did.tokens();
                    way.nanos += did.stepNanos();
                    way.steps += did.steps();
                    way.nodes += did.nodes();
                    way.passes += did.passes();
                    way.draftNanos += did.draftNanos();
                }
            }
            for (Map.Entry<String, Way> way : ways.entrySet()) {
                if (round > 0) {
                    way.getValue().ratios.add(rates.get(way.getKey()) / rates.get(PLAIN));
                }
            }
        }
        ways.forEach((name, way) -> {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("sequences", size);
            row.put("way", name);
            row.put("rounds", way.ratios.count());
            row.put("tokens_per_second", way.tokens / way.nanos * 1e9);
            row.put("to_plain", way.ratios.median());
            row.put("to_plain_least", way.ratios.quantile(0));
            row.put("to_plain_most", way.ratios.quantile(1));
            row.put("tokens_per_step", way.tokens / way.steps);
            row.put("nodes_per_step", way.nodes / way.steps);
            row.put("pass_us", way.nanos / way.passes / 1e3);
            row.put("draft_us", way.draftNanos / way.passes / 1e3);
            rows.add(row);
            progress.println(row);
        });
    }

    private SessionStatistics decode(HydraModel model, Way way, List<int[]> prompts, int[][] texts) {
        int size = prompts.size();
        int nodes = way.drafter == null ? 1 : Math.max(2, Math.min(32, 256 / size));
        try (BatchSession batch = model.batch(BatchOptions.of(size, Tree.dynamic(nodes)), way.drafter)) {
            batch.setGrowthPolicy(way.policy);
            int[] ends = new int[size];
            for (int s = 0; s < size; s++) {
                batch.prefill(s, prompts.get(s));
                ends[s] = Math.min(
                        prompts.get(s).length + options.maxTokens(),
                        model.info().context() - Tree.MAX_NODES);
                if (ends[s] <= prompts.get(s).length) {
                    throw new HydraException("a prompt leaves no room in the context: give shorter ones");
                }
            }
            batch.resetStatistics();
            // Who has the tokens goes on until all have them: a server would give it another prompt.
            while (IntStream.range(0, size).anyMatch(s -> batch.length(s) < ends[s])) {
                batch.step();
            }
            for (int s = 0; s < size; s++) {
                texts[s] = Arrays.copyOf(batch.tokens(s), ends[s]);
            }
            return batch.statistics();
        }
    }

    /** Whether all ways have emitted the same tokens. */
    boolean same() {
        return same;
    }

    void print(PrintStream out) {
        out.println(options.model());
        out.printf(
                "%9s %-24s %9s %8s %15s %8s %8s %8s %8s%n",
                "sequences", "", "tokens/s", "x plain", "", "tok/stp", "nodes", "step us", "draft us");
        for (Map<String, Object> row : rows) {
            out.printf(
                    "%9d %-24s %9.0f %8.2f %7.2f-%7.2f %8.2f %8.2f %8.0f %8.0f%n",
                    row.get("sequences"),
                    row.get("way"),
                    row.get("tokens_per_second"),
                    row.get("to_plain"),
                    row.get("to_plain_least"),
                    row.get("to_plain_most"),
                    row.get("tokens_per_step"),
                    row.get("nodes_per_step"),
                    row.get("pass_us"),
                    row.get("draft_us"));
        }
        out.printf("%9s %9s %9s%n", "rows to", "us", "passes");
        passes.forEach((most, all) -> out.printf("%9d %9.0f %9d%n", most, all.median(), all.count()));
    }

    Map<String, Object> json() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("model", options.model());
        json.put("prompt_tokens", options.promptTokens());
        json.put("max_tokens", options.maxTokens());
        json.put("same", same);
        json.put("rows", rows);
        List<Map<String, Object>> costs = new ArrayList<>();
        passes.forEach((most, all) -> costs.add(Map.of("rows_to", most, "us", all.median(), "passes", all.count())));
        json.put("passes", costs);
        return json;
    }
}
