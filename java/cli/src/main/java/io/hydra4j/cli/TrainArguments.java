package io.hydra4j.cli;

import io.hydra4j.runtime.BackendKind;
import io.hydra4j.train.HeadsDesign;
import io.hydra4j.train.HeadsDesign.Kind;
import io.hydra4j.train.HeadsDesign.LmHead;
import io.hydra4j.train.Objective;
import io.hydra4j.train.OptimiserOptions;
import io.hydra4j.train.Products;
import io.hydra4j.train.Recipe;
import io.hydra4j.train.TrainingOptions;
import java.time.Duration;
import java.util.function.BiFunction;
import picocli.CommandLine.Option;

/** The options that say what {@code train} trains and how; those that are not given are the recipe's. */
final class TrainArguments {
    private static final double MAX_MINUTES = 1e6;

    @Option(
            names = "--recipe",
            paramLabel = "RECIPE",
            converter = RecipeName.class,
            defaultValue = "hydra++",
            description =
                    "Where the other options begin: medusa, hydra or hydra++, as in the papers but for the base's LM"
                            + " head. Default: hydra++.")
    private Recipe recipe;

    @Option(
            names = "--tokens",
            paramLabel = "N",
            description = "Tokens that the heads learn from, epoch after epoch. Default: 1000000.")
    private Long tokens;

    @Option(names = "--minutes", paramLabel = "N", description = "Instead of --tokens: how long they learn.")
    private Double minutes;

    @Option(names = "--heads", paramLabel = "N", description = "Heads: the deepest tree that they fill. Default: 4.")
    private Integer heads;

    @Option(names = "--blocks", paramLabel = "N", description = "Residual blocks of a head.")
    private Integer blocks;

    @Option(
            names = "--tied-blocks",
            description = "Blocks share their weights: all of a Medusa head, all but the first of others, as in the"
                    + " published checkpoints.")
    private boolean tiedBlocks;

    @Option(
            names = "--prefix-layer",
            negatable = true,
            description =
                    "A transformer layer over the base's states before Hydra heads, or none. Default: with hydra++"
                            + " alone.")
    private Boolean prefixLayer;

    @Option(
            names = "--lm-head",
            paramLabel = "KIND",
            converter = LmHeadName.class,
            description = "base: heads use the base's. private: each head has one of its own, as in the published"
                    + " checkpoints. Default: base.")
    private LmHead lmHead;

    @Option(
            names = "--draft-vocabulary",
            paramLabel = "N",
            description = "Draft from the N tokens alone that are most frequent in the data. Default: from all.")
    private Integer draftVocabulary;

    @Option(names = "--data-weight", paramLabel = "W", description = "Weight of the cross-entropy to the data.")
    private Double dataWeight;

    @Option(
            names = "--teacher-weight",
            paramLabel = "W",
            description = "Weight of the cross-entropy to the base's distribution.")
    private Double teacherWeight;

    @Option(
            names = "--head-weights",
            paramLabel = "W,...",
            split = ",",
            description = "A weight for each head. Default: 1 each.")
    private double[] headWeights;

    @Option(
            names = "--noise",
            paramLabel = "ALPHA",
            description = "Uniform noise on embeddings, ALPHA / sqrt(length x hidden size). Default: 0.")
    private Double noise;

    @Option(names = "--dropout", paramLabel = "P", description = "Dropout before every block and the LM head.")
    private Double dropout;

    @Option(names = "--learning-rate", paramLabel = "RATE", description = "Peak of the learning rate.")
    private Double learningRate;

    @Option(names = "--warm-up", paramLabel = "STEPS", description = "Steps in which it rises. Default: 100.")
    private Integer warmUp;

    @Option(names = "--floor", paramLabel = "PART", description = "Part of the peak that its cosine ends at.")
    private Double floor;

    @Option(names = "--weight-decay", paramLabel = "DECAY", description = "AdamW's decay of matrices.")
    private Double weightDecay;

    @Option(names = "--beta1", paramLabel = "BETA", description = "AdamW's decay of the mean gradient. Default: 0.9.")
    private Double beta1;

    @Option(names = "--beta2", paramLabel = "BETA", description = "The same of the mean square. Default: 0.999.")
    private Double beta2;

    @Option(names = "--epsilon", paramLabel = "E", description = "AdamW's epsilon. Default: 1e-8.")
    private Double epsilon;

    @Option(
            names = "--clip",
            paramLabel = "NORM",
            description = "Limit of the norm of the gradients; 0 for none. Default: 1.")
    private Double clip;

    @Option(names = "--sequence-length", paramLabel = "N", description = "The most tokens of a sequence. Default: 512.")
    private Integer sequenceLength;

    @Option(
            names = "--batch",
            paramLabel = "N",
            description = "Sequences of this length that are computed together: more take more memory. Default: 8.")
    private Integer batch;

    @Option(names = "--accumulation", paramLabel = "N", description = "Batches that make one step. Default: 1.")
    private Integer accumulation;

    @Option(names = "--seed", paramLabel = "N", description = "Seed of all that is random. Default: 0.")
    private Long seed;

    @Option(
            names = "--backend",
            paramLabel = "BACKEND",
            converter = BackendName.class,
            description = "cpu, cuda, or auto: CUDA where a GPU can be used, else the CPU. Default: auto.")
    private BackendKind backend;

    @Option(
            names = "--products",
            paramLabel = "KIND",
            converter = ProductsName.class,
            description =
                    "What is multiplied: float32, or bf16: a sixth of the work on a GPU, faster by Intel's AMX, slower on"
                            + " other CPUs. Default: float32.")
    private Products products;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Threads that compute on the CPU. Default: one per core.")
    private Integer threads;

    @Option(
            names = "--evaluate-every",
            paramLabel = "TOKENS",
            description = "Measure the heads on held-out text so often. Default: 20 times.")
    private Long evaluateEvery;

    @Option(
            names = "--checkpoint-every",
            paramLabel = "TOKENS",
            description = "Save so often. Default: after each measurement.")
    private Long checkpointEvery;

    @Option(
            names = "--held-out-tokens",
            paramLabel = "N",
            description = "About how many tokens the base writes to measure on. Default: 4096.")
    private Integer heldOutTokens;

    @Option(
            names = "--nodes",
            paramLabel = "N",
            description = "Nodes of the tree that is tuned at the end, the root included; 0 for none. Default: 16.")
    private Integer nodes;

    /** @throws UsageException if options contradict each other or are out of range */
    TrainingOptions options() {
        if (tokens != null && minutes != null) {
            throw new UsageException("--tokens and --minutes exclude each other: give one of them");
        }
        if (minutes != null && !(minutes > 0 && minutes <= MAX_MINUTES)) {
            throw new UsageException("--minutes is " + minutes + ", must be above 0");
        }
        try {
            TrainingOptions.Builder options = TrainingOptions.builder(recipe)
                    .design(design())
                    .objective(objective())
                    .optimiser(optimiser());
            set(tokens, options::tokens);
            set(minutes, value -> options.duration(Duration.ofMillis(Math.max(1, Math.round(60_000 * value)))));
            set(sequenceLength, options::sequenceLength);
            set(batch, options::batch);
            set(accumulation, options::accumulation);
            set(seed, options::seed);
            set(backend, options::backend);
            set(products, options::products);
            set(threads, options::threads);
            set(evaluateEvery, options::evaluationTokens);
            set(checkpointEvery, options::checkpointTokens);
            set(heldOutTokens, options::heldOutTokens);
            set(nodes, options::treeNodes);
            return options.build();
        } catch (IllegalArgumentException e) {
            throw new UsageException(e.getMessage());
        }
    }

    private interface Setter<T> {
        void set(T value);
    }

    private static <T> void set(T value, Setter<T> setter) {
        if (value != null) {
            setter.set(value);
        }
    }

    private static <T, V> T with(T options, V value, BiFunction<T, V, T> change) {
        return value == null ? options : change.apply(options, value);
    }

    private HeadsDesign design() {
        HeadsDesign design = recipe.design().withTiedBlocks(tiedBlocks);
        if (prefixLayer != null) {
            if (prefixLayer && design.kind() == Kind.MEDUSA) {
                throw new UsageException("--prefix-layer is for Hydra heads: give --recipe hydra or hydra++");
            }
            if (design.kind() != Kind.MEDUSA) {
                design = design.withKind(prefixLayer ? Kind.HYDRA_PLUS_PLUS : Kind.HYDRA);
            }
        }
        design = with(design, heads, HeadsDesign::withHeads);
        design = with(design, blocks, HeadsDesign::withBlocks);
        design = with(design, lmHead, HeadsDesign::withLmHead);
        return with(design, draftVocabulary, HeadsDesign::withDraftVocabulary);
    }

    private Objective objective() {
        Objective objective = recipe.objective();
        if (dataWeight != null || teacherWeight != null) {
            objective = objective.withWeights(
                    dataWeight == null ? objective.dataWeight() : dataWeight,
                    teacherWeight == null ? objective.teacherWeight() : teacherWeight);
        }
        objective = with(objective, headWeights, Objective::withHeadWeights);
        objective = with(objective, noise, Objective::withEmbeddingNoise);
        return with(objective, dropout, Objective::withDropout);
    }

    private OptimiserOptions optimiser() {
        OptimiserOptions optimiser = recipe.optimiser();
        if (beta1 != null || beta2 != null) {
            optimiser = optimiser.withBetas(
                    beta1 == null ? optimiser.beta1() : beta1, beta2 == null ? optimiser.beta2() : beta2);
        }
        optimiser = with(optimiser, learningRate, OptimiserOptions::withLearningRate);
        optimiser = with(optimiser, warmUp, OptimiserOptions::withWarmUpSteps);
        optimiser = with(optimiser, floor, OptimiserOptions::withFloor);
        optimiser = with(optimiser, weightDecay, OptimiserOptions::withWeightDecay);
        optimiser = with(optimiser, epsilon, OptimiserOptions::withEpsilon);
        return with(optimiser, clip, OptimiserOptions::withClip);
    }
}
