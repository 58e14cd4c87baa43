package io.hydra4j.train;

import io.hydra4j.model.DecoderConfig;
import io.hydra4j.train.HeadsDesign.LmHead;
import io.hydra4j.train.device.LossPass;
import io.hydra4j.train.device.TrainBuffer;
import io.hydra4j.train.device.TrainDevice;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Heads with the state of their optimiser: takes steps. Closed with its device. Not thread-safe. */
final class HeadTrainer {
    /** Keeps the division by a norm of zero sane; as PyTorch's clipping. */
    private static final double NORM_EPSILON = 1e-6;

    private final TrainDevice device;
    private final TrainingOptions options;
    private final HeadParameters layout;
    private final HeadNetwork network;
    private final TrainBuffer parameters;
    private final TrainBuffer gradients;
    private final TrainBuffer first;
    private final TrainBuffer second;

    /**
     * What a step came to.
     *
     * @param loss what was minimised
     * @param headLosses a head's part of it, without its weight; NaN where it had nothing to guess
     * @param gradientNorm before clipping
     */
    record Outcome(double loss, List<Double> headLosses, double gradientNorm) {}

    /** @param positions the most of a batch */
    HeadTrainer(TrainDevice device, TrainingOptions options, FrozenBase base, HeadParameters layout, long positions) {
        this.device = device;
        this.options = options;
        this.layout = layout;
        parameters = device.floats(layout.count());
        gradients = device.floats(layout.count());
        first = device.floats(layout.count());
        second = device.floats(layout.count());
        ParameterViews views = new ParameterViews(layout, parameters, gradients);
        network = new HeadNetwork(device, options.design(), options.objective(), base, layout, views, positions);
        initialise(base);
    }

    private void initialise(FrozenBase base) {
        int hidden = base.config().hidden();
        float[][] lmHead = new float[0][];
        if (options.design().lmHead() == LmHead.PRIVATE) {
            lmHead = new float[(int) base.draftVocabulary()][hidden];
            for (int row = 0; row < lmHead.length; row++) {
                base.lmHead().download((long) row * hidden, lmHead[row]);
            }
        }
        for (Parameter parameter : layout.all()) {
            parameters.upload(parameter.offset(), parameter.values(options.seed(), lmHead));
        }
    }

    /** Values that training keeps, beside what belongs to the base. */
    static long values(TrainingOptions options, HeadParameters layout, DecoderConfig base, long positions) {
        return 4 * layout.count() + HeadNetwork.values(options.design(), options.objective(), base, positions);
    }

    /** What a checkpoint keeps, by name. */
    Map<String, TrainBuffer> vectors() {
        Map<String, TrainBuffer> vectors = new LinkedHashMap<>();
        vectors.put("parameters", parameters);
        vectors.put("first_moments", first);
        vectors.put("second_moments", second);
        return vectors;
    }

    /** {@code [layout.count()]} */
    TrainBuffer parameters() {
        return parameters;
    }

    /** {@code [layout.count()]}, of the last step, before clipping. */
    TrainBuffer gradients() {
        return gradients;
    }

    /**
     * Takes a step.
     *
     * @param batches their gradients are those of one batch
     * @param states writes the base's states of a batch to a buffer, {@code [positions][hidden]}
     * @param step from 0 on
     * @throws TrainingException.Diverged if the loss or the gradients are not finite; the parameters are as they were
     */
    Outcome step(List<HeadBatch> batches, BaseStates states, long step, double learningRate) {
        Objective objective = options.objective();
        int heads = options.design().heads();
        double[] rows = new double[heads];
        double[] scales = new double[heads];
        for (int i = 0; i < heads; i++) {
            for (HeadBatch batch : batches) {
                rows[i] += batch.rows().get(i).length;
            }
            scales[i] = rows[i] == 0 ? 0 : objective.headWeight(i) / rows[i];
        }
        double[] losses = new double[heads];
        device.fill(layout.count(), 0, gradients);
        for (int b = 0; b < batches.size(); b++) {
            states.write(batches.get(b), network.states());
            int pass = (int) (step * batches.size() + b);
            List<LossPass.Sums> sums = network.learn(batches.get(b), scales, options.seed(), pass);
            for (int i = 0; i < heads; i++) {
                losses[i] += objective.dataWeight() * sums.get(i).dataLoss()
                        + objective.teacherWeight() * sums.get(i).teacherLoss();
            }
        }
        double loss = 0;
        List<Double> headLosses = new ArrayList<>();
        for (int i = 0; i < heads; i++) {
            loss += scales[i] * losses[i];
            headLosses.add(rows[i] == 0 ? Double.NaN : losses[i] / rows[i]);
        }
        double norm = Math.sqrt(device.squareSum(layout.count(), gradients));
        if (!Double.isFinite(loss) || !Double.isFinite(norm)) {
            throw new TrainingException.Diverged(
                    step, Double.isFinite(loss) ? "the norm of the gradients" : "the loss");
        }
        update(step, learningRate, norm);
        return new Outcome(loss, List.copyOf(headLosses), norm);
    }

    /** What each head guesses of a batch; nothing is learned. The gradients hold anything afterwards. */
    List<LossPass.Sums> measure(HeadBatch batch, BaseStates states) {
        states.write(batch, network.states());
        return network.learn(batch, new double[options.design().heads()], options.seed(), 0);
    }

    private void update(long step, double learningRate, double norm) {
        OptimiserOptions optimiser = options.optimiser();
        double scale = optimiser.clip() == 0 ? 1 : Math.min(1, optimiser.clip() / (norm + NORM_EPSILON));
        update(0, layout.decaying(), optimiser.weightDecay(), step, learningRate, scale);
        update(layout.decaying(), layout.count(), 0, step, learningRate, scale);
    }

    private void update(long from, long to, double decay, long step, double learningRate, double scale) {
        OptimiserOptions optimiser = options.optimiser();
        var adam = new TrainDevice.AdamW(optimiser.beta1(), optimiser.beta2(), optimiser.epsilon(), decay);
        try (TrainBuffer w = parameters.view(from, to - from);
                TrainBuffer g = gradients.view(from, to - from);
                TrainBuffer m = first.view(from, to - from);
                TrainBuffer v = second.view(from, to - from)) {
            device.adamW(to - from, w, g, m, v, step + 1, adam, learningRate, scale);
        }
    }

    /** Writes the base's states of a batch. */
    @FunctionalInterface
    interface BaseStates {
        /** @param target {@code [positions][hidden]} */
        void write(HeadBatch batch, TrainBuffer target);
    }
}
