package io.hydra4j.train;

import io.hydra4j.decode.Tree;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.heads.HeadsTensors;
import io.hydra4j.tuning.ConversionText;
import io.hydra4j.tuning.GreedyContinuations;
import io.hydra4j.tuning.RankSamples;
import io.hydra4j.tuning.TreeTuner;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Text that heads are measured on, with what the base writes after it. Not thread-safe. */
final class HeldOut {
    /** Best guesses whose accuracy is told. */
    static final int BEST = 5;

    private static final int TREE_NODES = 16;
    static final int CONTINUATION = 128;
    private static final int LEAST_PROMPTS = 4;
    /** Documents that are looked at, for each prompt. */
    private static final int SPARE = 4;

    private final OpenBase base;
    private final List<int[]> documents;
    private final int tokens;
    private GreedyContinuations written;

    /**
     * Reads the text.
     *
     * @param files all of whose documents are held out; empty: every {@link SequenceStream#HELD_OUT}th of the training data is
     * @param tokens about how many the base writes
     * @throws TrainingException.NoData if there is no text
     */
    HeldOut(OpenBase base, DocumentTokens encoder, List<Path> files, List<Path> training, int tokens) {
        this.base = base;
        this.tokens = tokens;
        documents = documents(encoder, files.isEmpty() ? training : files, files.isEmpty(), prompts() * SPARE);
        if (documents.isEmpty()) {
            throw new TrainingException.NoData(
                    files.isEmpty()
                            ? training + ": nothing to learn from: give text of at least 2 tokens"
                            : files + ": nothing to measure on: give held-out text of at least 2 tokens");
        }
    }

    private int prompts() {
        return Math.max(LEAST_PROMPTS, tokens / CONTINUATION);
    }

    private static List<int[]> documents(DocumentTokens encoder, List<Path> files, boolean isPart, int most) {
        List<int[]> documents = new ArrayList<>();
        try (DocumentReader reader = new DocumentReader(files)) {
            Document document;
            for (long i = 0; documents.size() < most && (document = reader.next()) != null; i++) {
                if (!isPart || i % SequenceStream.HELD_OUT == 0) {
                    encoder.encode(document).stream()
                            .map(TokenText::tokens)
                            .filter(text -> text.length > Math.max(1, encoder.added().length))
                            .forEach(documents::add);
                }
            }
        }
        return documents;
    }

    /** The documents as text, for what takes text. */
    List<String> texts() {
        return documents.stream()
                .map(document -> base.tokenizer().decode(document, true))
                .filter(text -> !text.isEmpty())
                .toList();
    }

    /**
     * Lets the base continue prompts from the text, once.
     *
     * @throws TrainingException.NoData if it writes nothing
     */
    private GreedyContinuations written() {
        if (written == null) {
            ConversionText text = new ConversionText(documents, base.tokenizer().encode(""));
            written = GreedyContinuations.of(base.model(), null, text, prompts(), CONTINUATION, fraction -> {});
            if (written.tokens() == 0) {
                throw new TrainingException.NoData(
                        "the model writes nothing after the held-out text, so that there is nothing to measure on: give"
                                + " other held-out text");
            }
        }
        return written;
    }

    /**
     * Measures heads in a folder.
     *
     * @param step steps of training that lie behind it
     * @param trained tokens of training that lie behind it
     */
    Evaluation measure(Path heads, long step, long trained) {
        HeadsTensors opened = HeadsFiles.open(heads, base.config());
        RankSamples samples;
        try (DraftHeads loaded = DraftHeads.load(base.model(), opened, null, 0, fraction -> {})) {
            samples = written().ranks(List.of(loaded), fraction -> {}).get(0);
        }
        int levels = opened.config().heads();
        List<RankSamples> halves = samples.halves();
        return new Evaluation(
                step,
                trained,
                accuracies(samples, levels),
                samples.acceptanceLength(Tree.chain(levels)),
                samples.acceptanceLength(Tree.DEFAULT.truncated(levels)),
                halves.get(1)
                        .acceptanceLength(Tree.of(
                                TreeTuner.grow(halves.get(0), TREE_NODES).paths())));
    }

    private static List<List<Double>> accuracies(RankSamples samples, int levels) {
        List<List<Double>> accuracies = new ArrayList<>();
        for (int level = 0; level < levels; level++) {
            accuracies.add(
                    Arrays.stream(samples.accuracies(level, BEST)).boxed().toList());
        }
        return List.copyOf(accuracies);
    }
}
