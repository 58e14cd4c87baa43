package io.hydra4j.train;

import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.TunedTree;
import io.hydra4j.TuningOptions;
import io.hydra4j.format.WholeFile;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.heads.HeadsTensors;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.Resources;
import io.hydra4j.train.device.TrainBuffer;
import io.hydra4j.train.device.TrainDevice;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.zip.CRC32;

/** One run, from the beginning or from a checkpoint. Not thread-safe. */
final class TrainingRun implements AutoCloseable {
    static final String CHECKPOINT = "checkpoint.safetensors";
    static final String LOG = "log.jsonl";
    static final String TREE = "tree.json";

    /** Evaluations of a run, where it is not said how often. */
    private static final int EVALUATIONS = 20;

    private static final double TOKENS_SMOOTHING = 0.9;

    private final HeadTraining training;
    private final boolean resumed;
    private final TrainingOptions options;
    private final Resources opened = new Resources();
    private final OpenBase base;
    private final DocumentTokens encoder;
    private final HeldOut heldOut;
    private final StatePasses states;
    private final HeadTrainer trainer;
    private final HeadsFolder folder;
    private final Checkpoint checkpoint;
    private final TrainingLog log;
    private final BatchesAhead batches;
    private final List<Evaluation> evaluations = new ArrayList<>();

    private final double secondsBefore;
    private final long begin = System.nanoTime();
    private RunState state;
    private double tokensPerSecond;
    private double firstLoss = Double.NaN;
    private double lastLoss = Double.NaN;

    TrainingRun(HeadTraining training, boolean resume) {
        this.training = training;
        resumed = resume;
        options = training.options();
        OutputFolder output = new OutputFolder(training.output());
        try {
            base = opened.own(new OpenBase(training.model(), options.backend(), options.threads()));
            DecoderConfig config = base.config();
            requireTrainable(config);
            encoder = new DocumentTokens(base.tokenizer(), config.vocabulary(), base.templates());
            int[] draft = draftVocabulary();
            int rows = draft == null ? config.vocabulary() : draft.length;
            HeadParameters layout = new HeadParameters(options.design(), config, rows);
            long positions = (long) options.batch() * options.sequenceLength();
            states = opened.own(new StatePasses(base.model(), options.sequenceLength(), positions));
            requireMemory(config, layout, rows, positions);
            heldOut = new HeldOut(base, encoder, training.heldOut(), training.data(), options.heldOutTokens());
            checkpoint = new Checkpoint(training.output().resolve(CHECKPOINT), facts(config, draft));
            requireCheckpoint(resume);
            TrainDevice device = opened.own(openDevice());
            trainer = new HeadTrainer(device, options, frozen(device, config, draft), layout, positions);
            state = resume ? checkpoint.read(trainer.vectors()) : RunState.BEGIN;
            secondsBefore = state.seconds();
            log = opened.own(new TrainingLog(training.output().resolve(LOG), state.logBytes()));
            folder = new HeadsFolder(
                    training.output(), options.design(), layout, base.name(), config.vocabulary(), draft);
            deleteRemains();
            Batches all = new Batches(opened.own(sequences(state.position())), Math.toIntExact(positions));
            batches = opened.own(new BatchesAhead(all));
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, opened);
            output.deleteIfUnused();
            throw e;
        }
    }

    private TrainDevice openDevice() {
        boolean bf16 = options.products() == Products.BF16;
        return base.backend().kind() == BackendKind.CUDA
                ? TrainDevice.openCuda(bf16)
                : TrainDevice.openCpu(base.backend().threads(), bf16);
    }

    private void requireTrainable(DecoderConfig config) {
        if (options.sequenceLength() > config.context()) {
            throw new HydraException(
                    "sequences of " + options.sequenceLength() + " tokens are longer than the context of "
                            + training.model() + ", " + config.context() + ": give shorter ones");
        }
        if (options.design().draftVocabulary() > config.vocabulary()) {
            throw new HydraException("a draft vocabulary of " + options.design().draftVocabulary()
                    + " tokens is larger than that of " + training.model() + ", " + config.vocabulary()
                    + ": give a smaller one");
        }
    }

    /** After the log was locked: what a killed run has left is as large as what it was writing. */
    private void deleteRemains() {
        folder.deleteRemains();
        WholeFile.deleteRemains(checkpoint.file());
        WholeFile.deleteRemains(training.output().resolve(TREE));
    }

    private SequenceStream sequences(SequenceStream.Position position) {
        return new SequenceStream(
                training.data(),
                encoder,
                options.sequenceLength(),
                options.seed(),
                training.heldOut().isEmpty(),
                SequenceStream.WINDOW,
                position);
    }

    /** The tokens that are most frequent in the data; null where heads draft from all. */
    private int[] draftVocabulary() {
        int size = options.design().draftVocabulary();
        if (size == 0) {
            return null;
        }
        try (SequenceStream stream = sequences(SequenceStream.Position.BEGIN)) {
            return DraftVocabulary.of(stream, base.config().vocabulary(), size);
        }
    }

    private void requireMemory(DecoderConfig config, HeadParameters layout, int rows, long positions) {
        long matrices = (long) config.vocabulary() * config.hidden();
        long lmHead = base.model().lmHead() == base.model().embedding() && rows == config.vocabulary()
                ? 0
                : (long) rows * config.hidden();
        long teacher = config.scales().logits() == 1 ? 0 : (long) rows * config.hidden();
        long values = matrices + lmHead + teacher + HeadTrainer.values(options, layout, config, positions);
        FreeMemory.require(
                Float.BYTES * values,
                base.backend(),
                "give a smaller batch or shorter sequences, and more of them a step; or fewer heads or blocks, or the"
                        + " base's LM head");
    }

    private Facts facts(DecoderConfig config, int[] draft) {
        CRC32 ids = new CRC32();
        if (draft != null) {
            ids.update(Arrays.toString(draft).getBytes(StandardCharsets.UTF_8));
        }
        List<String> files = training.data().stream()
                .map(file -> file.getFileName() + " of " + size(file) + " bytes")
                .toList();
        return options.facts()
                .add("base", base.name())
                .add("layers", config.layers())
                .add("hidden", config.hidden())
                .add("vocabulary", config.vocabulary())
                .add("draftIds", ids.getValue())
                .add("data", files)
                .add("holdsOut", training.heldOut().isEmpty());
    }

    private static long size(Path file) {
        try {
            return Files.size(file);
        } catch (IOException e) {
            throw new DataFile(file).unreadable(e);
        }
    }

    private void requireCheckpoint(boolean resume) {
        if (resume != checkpoint.exists()) {
            throw new TrainingException.CheckpointMismatch(
                    checkpoint.file(),
                    resume
                            ? "there is none to resume: begin a run"
                            : "there is one of an earlier run: resume it, or give another folder");
        }
    }

    private FrozenBase frozen(TrainDevice device, DecoderConfig config, int[] draft) {
        TrainBuffer embedding = device.floats((long) config.vocabulary() * config.hidden());
        OpenBase.copy(base.model().embedding(), null, 1, embedding);
        TrainBuffer lmHead = embedding;
        if (draft != null || base.model().lmHead() != base.model().embedding()) {
            lmHead = device.floats((long) (draft == null ? config.vocabulary() : draft.length) * config.hidden());
            OpenBase.copy(base.model().lmHead(), draft, 1, lmHead);
        }
        TrainBuffer teacher = lmHead;
        if (config.scales().logits() != 1) {
            teacher = device.floats(lmHead.count());
            OpenBase.copy(base.model().lmHead(), draft, config.scales().logits(), teacher);
        }
        int[] indices = null;
        if (draft != null) {
            indices = new int[config.vocabulary()];
            Arrays.fill(indices, -1);
            for (int row = 0; row < draft.length; row++) {
                indices[draft[row]] = row;
            }
        }
        return new FrozenBase(config, embedding, lmHead, teacher, indices);
    }

    TrainingResult run() {
        if (!resumed) {
            evaluate();
        }
        while (fraction() < 1) {
            if (training.cancelled().getAsBoolean()) {
                save();
                return result(false, Optional.empty());
            }
            long before = state.tokens();
            step();
            boolean measures = state.tokens() / evaluationTokens() != before / evaluationTokens();
            if (measures) {
                evaluate();
            }
            boolean saves = options.checkpointTokens() == 0
                    ? measures
                    : state.tokens() / options.checkpointTokens() != before / options.checkpointTokens();
            if (saves) {
                save();
            }
        }
        if (!state.evaluated()) {
            evaluate();
        }
        save();
        return result(true, tune());
    }

    private double seconds() {
        return secondsBefore + (System.nanoTime() - begin) / 1e9;
    }

    /** The part of the run that lies behind. */
    private double fraction() {
        return options.duration().isPresent()
                ? seconds() / (options.duration().get().toNanos() / 1e9)
                : (double) state.tokens() / options.tokens().orElseThrow();
    }

    private long evaluationTokens() {
        if (options.evaluationTokens() > 0) {
            return options.evaluationTokens();
        }
        if (options.tokens().isPresent()) {
            return Math.max(1, options.tokens().getAsLong() / EVALUATIONS);
        }
        double left = options.duration().get().toNanos() / 1e9 / EVALUATIONS;
        return Math.max(1, (long) (left * Math.max(1, tokensPerSecond)));
    }

    private void step() {
        long started = System.nanoTime();
        double rate = options.optimiser().learningRate(state.step(), fraction());
        List<HeadBatch> step = new ArrayList<>();
        for (int i = 0; i < options.accumulation(); i++) {
            step.add(HeadBatch.of(batches.next(), options.design().heads()));
        }
        HeadTrainer.Outcome outcome = trainer.step(step, states::write, state.step(), rate);
        long tokens = step.stream().mapToLong(HeadBatch::positions).sum();
        state = new RunState(
                state.step() + 1, state.tokens() + tokens, seconds(), batches.position(), state.logBytes(), false);
        double now = tokens / ((System.nanoTime() - started) / 1e9);
        tokensPerSecond =
                tokensPerSecond == 0 ? now : TOKENS_SMOOTHING * tokensPerSecond + (1 - TOKENS_SMOOTHING) * now;
        firstLoss = Double.isNaN(firstLoss) ? outcome.loss() : firstLoss;
        lastLoss = outcome.loss();
        TrainingStep taken = new TrainingStep(
                state.step(),
                state.tokens(),
                Math.min(1, fraction()),
                outcome.loss(),
                outcome.headLosses(),
                rate,
                outcome.gradientNorm(),
                state.seconds(),
                tokensPerSecond);
        log.write(taken);
        training.listener().stepped(taken);
    }

    /** Writes the heads, and measures them. */
    private void evaluate() {
        training.listener().busy("measuring");
        try {
            folder.write(trainer.parameters());
        } catch (HydraException e) {
            throw new TrainingException.NotSaved(e);
        }
        Evaluation evaluation = heldOut.measure(training.output(), state.step(), state.tokens());
        log.write(evaluation);
        evaluations.add(evaluation);
        state = state.measured();
        training.listener().evaluated(evaluation);
    }

    private void save() {
        training.listener().busy("saving");
        state = new RunState(
                state.step(), state.tokens(), seconds(), batches.position(), log.bytes(), state.evaluated());
        checkpoint.write(state, trainer.vectors());
    }

    private TrainingResult result(boolean complete, Optional<TunedTree> tree) {
        return new TrainingResult(
                training.output(),
                complete,
                state.step(),
                state.tokens(),
                seconds(),
                firstLoss,
                lastLoss,
                List.copyOf(evaluations),
                tree);
    }

    private Optional<TunedTree> tune() {
        if (options.treeNodes().isEmpty()) {
            return Optional.empty();
        }
        training.listener().busy("tuning a tree");
        List<String> texts = heldOut.texts();
        HeadsTensors tensors = HeadsFiles.open(training.output(), base.config());
        try (DraftHeads heads = DraftHeads.load(base.model(), tensors, null, 0, fraction -> {});
                HydraModel model = base.with(tensors, heads)) {
            TunedTree tree = model.tuneTree(
                    texts,
                    TuningOptions.DEFAULT
                            .withNodes(options.treeNodes().getAsInt())
                            .withTokens(options.heldOutTokens())
                            .withMaxTokens(HeldOut.CONTINUATION));
            tree.save(training.output().resolve(TREE));
            return Optional.of(tree);
        }
    }

    @Override
    public void close() {
        opened.close();
    }
}
