package io.hydra4j.benchmarks;

import io.hydra4j.HydraModel;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.WeightType;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a type of weights costs: the mean next-token loss (the negative natural logarithm of the probability of the token that the
 * text has) of a model with its file's matrices, and with these converted on load, over the same texts. The figures depend on no clock.
 */
final class WeightLoss implements Figures {
    private final CompareOptions options;
    private final List<WeightType> types;
    private final List<Map<String, Object>> rows = new ArrayList<>();

    /**
     * Of a model and its prompts.
     *
     * @param types what the matrices are converted to, beside the file's own types
     */
    WeightLoss(CompareOptions options, List<WeightType> types) {
        this.options = options;
        this.types = types;
    }

    @Override
    public void run(PrintStream progress) {
        List<int[]> texts;
        try (HydraModel model = options.spec().open(Method.PLAIN)) {
            texts = Prompts.read(options.spec().prompts(), model, options.prompts(), options.promptTokens())
                    .measured();
        }
        double own = measure(null, texts, Double.NaN, progress);
        for (WeightType type : types) {
            measure(type, texts, own, progress);
        }
    }

    private double measure(WeightType type, List<int[]> texts, double own, PrintStream progress) {
        long tokens = texts.stream().mapToLong(text -> text.length - 1).sum();
        double loss;
        Resources owned = new Resources();
        try {
            Backend backend = owned.own(Settings.openBackend());
            DecoderModel base = owned.own(DecoderModel.load(
                    backend, ModelFiles.open(options.spec().model()), type, Settings.kv(), 0, 0, fraction -> {}));
            loss = sum(base, texts) / tokens;
        } finally {
            owned.close();
        }
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("model", options.spec().model().getFileName().toString()); // a path is a list of its names
        row.put("weights", type == null ? "file" : type.toString());
        row.put("texts", texts.size());
        row.put("predicted_tokens", tokens);
        row.put("loss", loss);
        row.put("percent_above_file", type == null ? 0.0 : 100 * (loss / own - 1));
        rows.add(row);
        progress.println(row);
        return loss;
    }

    private static double sum(DecoderModel base, List<int[]> texts) {
        double[] sum = {0};
        try (Session session =
                Sessions.session(base, null, SessionOptions.of(Tree.ROOT).withLogits())) {
            for (int[] text : texts) {
                session.rewind(0);
                session.prefill(text, (first, count) -> {
                    for (int r = 0; r < count && first + r + 1 < text.length; r++) {
                        sum[0] += loss(session.logits(r), text[first + r + 1]);
                    }
                });
            }
        }
        return sum[0];
    }

    /** Log of the sum of all exponentials, less the token's logit. */
    private static double loss(float[] logits, int token) {
        float best = Float.NEGATIVE_INFINITY;
        for (float logit : logits) {
            best = Math.max(best, logit);
        }
        double total = 0;
        for (float logit : logits) {
            total += Math.exp(logit - best);
        }
        return Math.log(total) + best - logits[token];
    }

    @Override
    public void print(PrintStream out) {
        out.printf("%n%-34s %-7s %8s %10s %16s%n", "model", "weights", "tokens", "loss", "above the file's");
        for (Map<String, Object> row : rows) {
            out.printf(
                    "%-34s %-7s %8d %10.5f %14.3f %%%n",
                    row.get("model"),
                    row.get("weights"),
                    row.get("predicted_tokens"),
                    row.get("loss"),
                    row.get("percent_above_file"));
        }
    }

    @Override
    public List<Map<String, Object>> json() {
        return rows;
    }
}
