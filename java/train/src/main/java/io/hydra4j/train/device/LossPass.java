package io.hydra4j.train.device;

import java.util.List;

/**
 * The loss of several heads over one vocabulary, as {@code hydra_train_loss} describes it: of each row
 * {@code rowWeight * (dataScale * -log p[target] + teacherScale * -sum q log p)}, summed.
 *
 * @param hidden width of the heads' states
 * @param vocabulary rows of the LM heads
 * @param teacher null: there is none
 */
public record LossPass(long hidden, long vocabulary, Teacher teacher, List<Head> heads) {
    /** Makes the list unmodifiable. */
    public LossPass {
        heads = List.copyOf(heads);
    }

    /**
     * The base model's view of the rows.
     *
     * @param hidden width of its states
     * @param rows how many there are
     * @param states {@code [rows][hidden]}
     * @param weight {@code [vocabulary][hidden]}: its LM head
     * @param cap soft cap of its logits; 0: none
     */
    public record Teacher(long hidden, long rows, TrainBuffer states, TrainBuffer weight, float cap) {}

    /**
     * One head's rows, in the order of their rows of the teacher.
     *
     * @param states {@code [rows][hidden]}
     * @param weight {@code [vocabulary][hidden]}
     * @param bias {@code [vocabulary]}, or null
     * @param targets ids {@code [rows]}: -1 where the token is not in the vocabulary
     * @param teacherRows ids {@code [rows]}, ascending; null where there is no teacher
     * @param teacherBest ids {@code [rows]} of the tokens that the teacher finds best, -1 where they are not in the vocabulary; null:
     *     taken from its distribution
     * @param rowWeights {@code [rows]}; null: 1; rows of weight 0 are left out
     * @param gStates {@code [rows][hidden]}: set; null: not computed
     * @param gWeight {@code [vocabulary][hidden]}: added to; null: not computed
     * @param gBias {@code [vocabulary]}: added to; null: not computed
     * @param targetRanks ids {@code [rows]}: set to the rank of the target, -1 where there is none; may be null
     * @param bestRanks ids {@code [rows]}: the same of the teacher's best; may be null
     */
    public record Head(
            long rows,
            TrainBuffer states,
            TrainBuffer weight,
            TrainBuffer bias,
            TrainBuffer targets,
            TrainBuffer teacherRows,
            TrainBuffer teacherBest,
            TrainBuffer rowWeights,
            float dataScale,
            float teacherScale,
            TrainBuffer gStates,
            TrainBuffer gWeight,
            TrainBuffer gBias,
            TrainBuffer targetRanks,
            TrainBuffer bestRanks) {}

    /**
     * What a head's rows come to; those of weight 0 do not count.
     *
     * @param rows how many
     * @param weights sum of row weights
     * @param targetWeights the same of rows that have a target
     * @param dataLoss sum of row weight times the cross-entropy with the target
     * @param teacherLoss sum of row weight times the cross-entropy with the teacher's distribution
     * @param teacherEntropy sum of row weight times the entropy of that
     * @param targetTop rows whose target is among the best 1, 2, ... 5
     * @param bestTop the same of the teacher's best token
     */
    public record Sums(
            double rows,
            double weights,
            double targetWeights,
            double dataLoss,
            double teacherLoss,
            double teacherEntropy,
            double[] targetTop,
            double[] bestTop) {}
}
