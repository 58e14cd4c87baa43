package io.hydra4j.train;

import io.hydra4j.TunedTree;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What a run has left. Immutable.
 *
 * @param heads the folder of the heads
 * @param complete whether the run came to its end; otherwise it was interrupted, and can be resumed
 * @param steps steps in all, those before it was resumed included
 * @param tokens tokens in all
 * @param seconds of training in all, evaluations included
 * @param firstLoss what was minimised in the first step that this process took; NaN if it took none
 * @param lastLoss the same in the last step
 * @param evaluations what heads were seen to guess since this process began, the last one at the end
 * @param tree a tree that was tuned for the heads on held-out text; empty if none was asked for
 */
public record TrainingResult(
        Path heads,
        boolean complete,
        long steps,
        long tokens,
        double seconds,
        double firstLoss,
        double lastLoss,
        List<Evaluation> evaluations,
        Optional<TunedTree> tree) {}
