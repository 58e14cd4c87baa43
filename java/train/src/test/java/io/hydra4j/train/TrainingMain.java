package io.hydra4j.train;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A run in a process of its own, which begins or goes on by itself, and says in a line each what it has done: {@code step N}, {@code
 * measured}, or what it is busy with; at the end {@code complete}, or what went wrong.
 */
final class TrainingMain {
    private static final long TOKENS = 20_000;

    private TrainingMain() {}

    /** The same run in every process. */
    static HeadTraining training(Path model, Path data, Path output) {
        TrainingOptions options = TrainingOptions.builder(Recipe.HYDRA_PLUS_PLUS)
                .design(Recipe.HYDRA_PLUS_PLUS.design().withHeads(2).withBlocks(2))
                .objective(Objective.TEACHER.withDropout(0.2).withEmbeddingNoise(1))
                .optimiser(OptimiserOptions.DEFAULT.withWarmUpSteps(2).withLearningRate(0.01))
                .tokens(TOKENS)
                .sequenceLength(64)
                .batch(2)
                .threads(1)
                .seed(5)
                .heldOutTokens(128)
                .evaluationTokens(2000)
                .checkpointTokens(400)
                .treeNodes(0)
                .build();
        return HeadTraining.of(model, List.of(data), output, options);
    }

    /** @param args model, data, output */
    public static void main(String[] args) {
        Path output = Path.of(args[2]);
        HeadTraining training = training(Path.of(args[0]), Path.of(args[1]), output)
                .withListener(new TrainingListener() {
                    @Override
                    public void stepped(TrainingStep step) {
                        System.out.println("step " + step.step());
                    }

                    @Override
                    public void evaluated(Evaluation evaluation) {
                        System.out.println("measured");
                    }

                    @Override
                    public void busy(String what) {
                        System.out.println(what);
                    }
                });
        try {
            boolean begun = Files.exists(output.resolve(TrainingRun.CHECKPOINT));
            System.out.println((begun ? training.resume() : training.run()).complete() ? "complete" : "interrupted");
        } catch (TrainingException e) {
            System.out.println(e.getClass().getSimpleName() + ": " + e.getMessage());
        }
    }
}
