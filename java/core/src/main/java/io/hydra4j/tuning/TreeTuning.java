package io.hydra4j.tuning;

import io.hydra4j.HydraException;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.TreeOrder;
import io.hydra4j.model.DecoderModel;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.DoubleConsumer;

/**
 * Tunes a tree for heads and a text. The base model continues prompts from both halves of the text. On the continuations of one half the
 * order grows in which nodes are worth most; what they say and what steps cost here chooses size and depth. Those of the other half, which
 * chose nothing, measure the result. Not thread-safe.
 */
public final class TreeTuning {
    private static final int LEAST_PROMPTS = 4;
    private static final long TIMING_NANOS = 5_000_000_000L;
    /** The smallest tree is taken that decodes at least this part of the fastest's rate: times are not surer. */
    private static final double AS_GOOD = 0.995;

    private final DecoderModel base;
    private final DraftHeads heads;
    private final ConversionText text;
    private final String name;

    /**
     * A tree of the first nodes of the order that are no deeper than it.
     *
     * @param nodes the root included
     * @param tuned acceptance length on the half that it was grown on
     * @param heldOut acceptance length on the other half
     * @param nanos time of a step with it
     */
    public record Candidate(int nodes, int depth, double tuned, double heldOut, double nanos) {
        /** Tokens per second as the half that may choose has them. */
        private double rate() {
            return 1e9 * tuned / nanos;
        }
    }

    /**
     * What was measured.
     *
     * @param order of the tree that was chosen
     * @param chosen what it was seen to do
     * @param candidates of every size, from the root alone on, that from which most is accepted, and that which is fastest if it is
     *     another
     * @param tunedTokens tokens that the base wrote after prompts of the half that the tree was grown on
     * @param heldOutTokens the same of the other half
     */
    public record Outcome(
            TreeOrder order, Candidate chosen, List<Candidate> candidates, long tunedTokens, long heldOutTokens) {}

    /**
     * A tuning that has measured nothing yet.
     *
     * @param base the model that the heads are for; both stay the caller's
     * @param heads the heads
     * @param text what the model's texts will be like
     * @param name where the text is from, for messages
     */
    public TreeTuning(DecoderModel base, DraftHeads heads, ConversionText text, String name) {
        this.base = base;
        this.heads = heads;
        this.text = text;
        this.name = name;
    }

    /**
     * Measures and chooses.
     *
     * @param nodes nodes of the tree, the root included, fewer if the text gives no more: the one of which most is accepted, whatever
     *     it costs; 0 for the size and depth that decode fastest here
     * @param maxNodes nodes of the largest tree that is looked at
     * @param tokens about how many tokens the base writes
     * @param continuation most tokens of one continuation
     * @param progress gets the finished fraction, 0 to 1; what it throws ends the tuning
     * @throws HydraException if the text is too short
     */
    public Outcome run(int nodes, int maxNodes, int tokens, int continuation, DoubleConsumer progress) {
        List<ConversionText> halves = text.halves(name);
        int prompts = Math.max(LEAST_PROMPTS, tokens / 2 / continuation);
        GreedyContinuations seen = GreedyContinuations.of(
                base, heads, halves.get(0), prompts, continuation, part -> progress.accept(0.3 * part));
        GreedyContinuations other = GreedyContinuations.of(
                base, heads, halves.get(1), prompts, continuation, part -> progress.accept(0.3 + 0.3 * part));
        RankSamples tuned = ranks(seen, part -> progress.accept(0.6 + 0.15 * part));
        RankSamples heldOut = ranks(other, part -> progress.accept(0.75 + 0.15 * part));
        TreeOrder order = TreeTuner.grow(tuned, maxNodes);
        List<Candidate> candidates = candidates(order, tuned, heldOut);
        Candidate chosen = nodes == 0 ? fastest(candidates) : mostAccepted(candidates, nodes);
        progress.accept(1);
        return new Outcome(
                order.cut(chosen.depth(), chosen.nodes() - 1), chosen, candidates, seen.tokens(), other.tokens());
    }

    private RankSamples ranks(GreedyContinuations written, DoubleConsumer progress) {
        RankSamples samples = written.ranks(List.of(heads), progress).get(0);
        if (samples.acceptanceLength(Tree.ROOT) == 0) {
            throw new HydraException(name + ": the model ends its continuations before heads have "
                    + heads.config().heads() + " tokens to guess: give another text, or a longer one");
        }
        return samples;
    }

    private List<Candidate> candidates(TreeOrder order, RankSamples tuned, RankSamples heldOut) {
        int deepest = order.paths().stream().mapToInt(List::size).max().orElse(0);
        List<Candidate> candidates = new ArrayList<>();
        SessionOptions options = SessionOptions.of(Tree.ROOT).withCandidates(StepCosts.candidates(order));
        StepTimer timer;
        try (Session session = Sessions.session(base, heads, options)) {
            timer = StepTimer.ofAll(session, StepCosts.trees(order), TIMING_NANOS);
            timer.measure();
        }
        for (int nodes = 1; nodes <= order.paths().size() + 1; nodes++) {
            Candidate most = null;
            Candidate fastest = null;
            for (int depth = 0; depth <= deepest; depth++) {
                Tree tree = Tree.of(order.cut(depth, nodes - 1).paths());
                if (tree.nodes() == nodes && tree.depth() == depth) {
                    most = new Candidate(
                            nodes,
                            depth,
                            tuned.acceptanceLength(tree),
                            heldOut.acceptanceLength(tree),
                            timer.nanos(tree));
                    fastest = fastest == null || most.rate() > fastest.rate() ? most : fastest;
                }
            }
            candidates.add(most);
            if (fastest != most) {
                candidates.add(fastest);
            }
        }
        return candidates;
    }

    private static Candidate fastest(List<Candidate> candidates) {
        double best = candidates.stream().mapToDouble(Candidate::rate).max().orElseThrow();
        return candidates.stream()
                .filter(candidate -> candidate.rate() >= AS_GOOD * best)
                .min(Comparator.comparingInt(Candidate::nodes).thenComparingInt(Candidate::depth))
                .orElseThrow();
    }

    private static Candidate mostAccepted(List<Candidate> candidates, int nodes) {
        return candidates.stream()
                .filter(candidate -> candidate.nodes() <= nodes)
                .max(Comparator.comparingInt(Candidate::nodes).thenComparingDouble(Candidate::tuned))
                .orElseThrow();
    }
}
