package io.hydra4j.benchmarks;

import io.hydra4j.HydraModel;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a pass of the base model over more rows costs: as many tokens of a prompt, which needs the last row's logits only, and the
 * verification of a tree of as many nodes, which needs those of all. All sizes are measured in turn, round after round; a
 * ratio is the median of those of a round to its one-row pass.
 */
final class RowCosts {
    private static final int[] ROWS = {1, 2, 4, 8, 16, 32, 64};
    private static final int ROUNDS = 25;
    private static final int PREFIX = 128;

    private final List<Size> sizes = new ArrayList<>();

    /** Samples of one number of rows: microseconds, and ratios to one row. */
    private record Size(int rows, Samples prompt, Samples promptRatio, Samples verify, Samples verifyRatio) {}

    private RowCosts() {
        for (int rows : ROWS) {
            sizes.add(new Size(rows, new Samples(), new Samples(), new Samples(), new Samples()));
        }
    }

    /**
     * Measures after a short prefix.
     *
     * @param prompt its first {@value #PREFIX} tokens are the prefix
     */
    static RowCosts measure(HydraModel model, int[] prompt) {
        RowCosts costs = new RowCosts();
        int[] prefix = Arrays.copyOf(prompt, Math.min(PREFIX, prompt.length));
        costs.measurePrompt(model, prefix);
        if (model.info().heads().isPresent()) {
            costs.measureVerify(model, prefix);
        }
        return costs;
    }

    private void measurePrompt(HydraModel model, int[] prefix) {
        try (Session session = model.session(SessionOptions.of(Tree.ROOT))) {
            session.prefill(prefix);
            for (int round = 0; round <= ROUNDS; round++) {
                double one = 0;
                for (Size size : sizes) {
                    session.resetStatistics();
                    session.prefill(Arrays.copyOf(prefix, size.rows()));
                    double micros = session.statistics().prefillNanos() / 1e3;
                    session.rewind(prefix.length);
                    one = size.rows() == 1 ? micros : one;
                    add(round, micros, one, size.prompt(), size.promptRatio());
                }
            }
        }
    }

    private void measureVerify(HydraModel model, int[] prefix) {
        List<Tree> trees = sizes.stream().map(size -> model.tree(size.rows())).toList();
        try (Session session = model.session(SessionOptions.of(trees.get(trees.size() - 1)))) {
            session.prefill(prefix);
            for (int round = 0; round <= ROUNDS; round++) {
                double one = 0;
                for (int i = 0; i < sizes.size(); i++) {
                    Size size = sizes.get(i);
                    if (session.remainingContext() <= Tree.MAX_NODES
                            || trees.get(i).nodes() != size.rows()) {
                        continue;
                    }
                    session.setTree(trees.get(i));
                    session.resetStatistics();
                    session.step();
                    double micros = session.statistics().verifyNanos() / 1e3;
                    one = size.rows() == 1 ? micros : one;
                    add(round, micros, one, size.verify(), size.verifyRatio());
                }
            }
        }
    }

    /** The first round warms up. */
    private static void add(int round, double micros, double one, Samples times, Samples ratios) {
        if (round > 0) {
            times.add(micros);
            ratios.add(micros / one);
        }
    }

    void print(PrintStream out) {
        out.printf("%-6s %12s %8s %12s %8s%n", "rows", "prompt us", "x 1 row", "verify us", "x 1 row");
        for (Size size : sizes) {
            out.printf(
                    "%-6d %12.1f %8.2f %12.1f %8.2f%n",
                    size.rows(),
                    size.prompt().median(),
                    size.promptRatio().median(),
                    size.verify().median(),
                    size.verifyRatio().median());
        }
    }

    List<Map<String, Object>> json() {
        List<Map<String, Object>> list = new ArrayList<>();
        for (Size size : sizes) {
            Map<String, Object> json = new LinkedHashMap<>();
            json.put("rows", size.rows());
            json.put("prompt_us", size.prompt().median());
            json.put("prompt_ratio", size.promptRatio().median());
            json.put("verify_us", size.verify().median());
            json.put("verify_ratio", size.verifyRatio().median());
            list.add(json);
        }
        return list;
    }
}
