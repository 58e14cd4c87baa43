package io.hydra4j.tuning;

import io.hydra4j.HydraException;
import io.hydra4j.decode.Tree;
import io.hydra4j.heads.CompactHeads;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.heads.HeadsTensors;
import io.hydra4j.heads.TreeOrder;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.DoubleConsumer;
import java.util.stream.IntStream;

/**
 * Makes a compact heads file that suits a text. The base model continues prompts from the text. On three of four
 * continuations token frequencies are counted (together with the text's) and trees are grown; on the fourth, draft
 * vocabularies of several sizes are compared by what they would decode per second: measured acceptance ÷ measured step
 * time, with the best size of tree for each. Not thread-safe.
 */
public final class HeadsConversion {
    /** Every so many-th continuation judges what the others chose. */
    private static final int HELD_OUT = 4;

    private static final int CONTINUATION = 128;

    private static final int TURNS = 5;
    private static final int[] SIZES = {1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384};
    /** The largest vocabulary is taken that decodes at least this part of the fastest's rate: times are not surer. */
    private static final double AS_GOOD = 0.995;

    private final DecoderModel base;
    private final HeadsTensors heads;
    private final ConversionText text;
    private final WeightType type;
    private final int nodes;

    /**
     * Heads with one draft vocabulary.
     *
     * @param vocabulary its ids; the whole vocabulary if it is null
     * @param size their number
     * @param order the order of trees that was grown for it
     * @param heldOut ranks on the continuations that neither trees nor vocabulary have seen
     * @param costs what steps cost
     */
    public record Candidate(List<Integer> vocabulary, int size, TreeOrder order, RankSamples heldOut, StepCosts costs) {
        /** Tokens per second with the best of the measured trees. */
        public double tokensPerSecond() {
            double[] nanos = costs.nanos();
            return IntStream.range(0, nanos.length)
                    .mapToDouble(
                            t -> 1e9 * heldOut.acceptanceLength(costs.trees().get(t)) / nanos[t])
                    .max()
                    .orElseThrow();
        }

        /** Acceptance length with the first nodes of the order. */
        public double acceptanceLength(int nodes) {
            return heldOut.acceptanceLength(Tree.of(
                    order.paths().subList(0, Math.min(nodes - 1, order.paths().size()))));
        }
    }

    /**
     * What was measured.
     *
     * @param original ranks of the heads as they are, over the whole vocabulary, on the held-out continuations
     * @param candidates all that were compared
     * @param chosen the one that was written
     * @param tokens tokens that the base wrote
     */
    public record Outcome(RankSamples original, List<Candidate> candidates, Candidate chosen, long tokens) {}

    /**
     * A conversion that has measured nothing yet.
     *
     * @param base the model that the heads are for; it stays the caller's
     * @param heads the heads as they are
     * @param text what the model's texts will be like
     * @param type the type of the matrices that are written
     * @param nodes nodes of the largest tree, the root included; 2 to {@value Tree#MAX_NODES}
     */
    public HeadsConversion(DecoderModel base, HeadsTensors heads, ConversionText text, WeightType type, int nodes) {
        this.base = base;
        this.heads = heads;
        this.text = text;
        this.type = type;
        this.nodes = nodes;
    }

    /**
     * Measures and writes.
     *
     * @param vocabulary ids of the draft vocabulary; 0 to choose by measurement
     * @param tokens about how many tokens the base writes
     * @param baseName the base's name, for the file
     * @param output the file to write
     * @param scratch a folder for a file that is needed meanwhile; the caller deletes it
     * @param progress gets the finished fraction, 0 to 1; what it throws ends the conversion
     * @throws HydraException if a file cannot be written
     */
    public Outcome run(
            int vocabulary, int tokens, String baseName, Path output, Path scratch, DoubleConsumer progress) {
        try (Resources opened = new Resources()) {
            DraftHeads original = DraftHeads.load(base, heads, null, 0, fraction -> {});
            opened.own(original);
            int prompts = Math.max(HELD_OUT, tokens / CONTINUATION);
            GreedyContinuations written = GreedyContinuations.of(
                    base, original, text, prompts, CONTINUATION, part -> progress.accept(part * 0.4));
            List<Integer> ids = frequentIds(written);
            Path ranked = scratch.resolve("ranked.gguf");
            CompactHeads.write(ranked, heads, base.config(), baseName, type, ids, null);
            HeadsTensors rankedTensors = HeadsFiles.open(ranked, base.config());
            int[] sizes = sizes(vocabulary, ids.size());
            List<DraftHeads> loaded = new ArrayList<>(List.of(original));
            for (int size : sizes) {
                loaded.add(DraftHeads.load(base, rankedTensors, null, size, fraction -> {}));
                opened.own(loaded.get(loaded.size() - 1));
            }
            List<RankSamples> samples = written.ranks(loaded, part -> progress.accept(0.4 + part * 0.55));
            List<Candidate> candidates = candidates(ids, sizes, loaded, samples);
            Candidate chosen = choose(candidates);
            CompactHeads.write(output, heads, base.config(), baseName, type, chosen.vocabulary(), chosen.order());
            progress.accept(1);
            return new Outcome(samples.get(0).where(HeadsConversion::isHeldOut), candidates, chosen, written.tokens());
        }
    }

    /** The candidates in the order of sizes. Their steps are timed in turns, so that what else runs here hits all alike. */
    private List<Candidate> candidates(
            List<Integer> ids, int[] sizes, List<DraftHeads> loaded, List<RankSamples> samples) {
        List<TreeOrder> orders = new ArrayList<>();
        for (int i = 0; i < sizes.length; i++) {
            RankSamples seen = samples.get(i + 1).where(continuation -> !isHeldOut(continuation));
            orders.add(TreeTuner.grow(seen, nodes));
        }
        StepCosts[] costs = new StepCosts[sizes.length];
        for (int turn = 0; turn < TURNS; turn++) {
            for (int i = 0; i < sizes.length; i++) {
                StepCosts measured = StepCosts.measure(base, loaded.get(i + 1), orders.get(i));
                costs[i] = costs[i] == null ? measured : costs[i].least(measured);
            }
        }
        List<Candidate> candidates = new ArrayList<>();
        for (int i = 0; i < sizes.length; i++) {
            boolean isWhole = sizes[i] == base.config().vocabulary();
            candidates.add(new Candidate(
                    isWhole ? null : ids.subList(0, sizes[i]),
                    sizes[i],
                    orders.get(i),
                    samples.get(i + 1).where(HeadsConversion::isHeldOut),
                    costs[i]));
        }
        return candidates;
    }

    private static boolean isHeldOut(int continuation) {
        return continuation % HELD_OUT == 0;
    }

    private static Candidate choose(List<Candidate> candidates) {
        double best = candidates.stream()
                .mapToDouble(Candidate::tokensPerSecond)
                .max()
                .orElseThrow();
        return candidates.stream()
                .filter(candidate -> candidate.tokensPerSecond() >= AS_GOOD * best)
                .max(Comparator.comparingInt(Candidate::size))
                .orElseThrow();
    }

    private static int[] sizes(int wanted, int available) {
        if (wanted > 0) {
            return new int[] {Math.min(wanted, available)};
        }
        return IntStream.concat(Arrays.stream(SIZES).filter(size -> size < available), IntStream.of(available))
                .toArray();
    }

    /** The ids that the heads can draft, the most frequent first, rare ones in their own order. */
    private List<Integer> frequentIds(GreedyContinuations written) {
        long[] counts = new long[base.config().vocabulary()];
        text.documents()
                .forEach(document ->
                        Arrays.stream(document).filter(id -> id < counts.length).forEach(id -> counts[id]++));
        for (int i = 0; i < written.texts().size(); i++) {
            if (!isHeldOut(i)) {
                Arrays.stream(written.continuation(i)).forEach(id -> counts[id]++);
            }
        }
        List<Integer> ids = heads.draftVocabulary() != null
                ? heads.draftVocabulary()
                : IntStream.range(0, counts.length).boxed().toList();
        return ids.stream()
                .sorted(Comparator.<Integer>comparingLong(id -> -counts[id]))
                .toList();
    }
}
