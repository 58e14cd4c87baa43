package io.hydra4j.cli;

import io.hydra4j.Calibration;
import io.hydra4j.DraftSource;
import io.hydra4j.GenerationOptions;
import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.Speculation;
import io.hydra4j.decode.Acceptance;
import io.hydra4j.decode.Tree;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Option;

/** The options that say what is guessed, by what, and which guesses are kept. */
final class SpeculationArguments {
    @Option(
            names = "--speculation",
            paramLabel = "WHEN",
            converter = SpeculationName.class,
            defaultValue = "auto",
            description =
                    "Whether to guess tokens: on, off, or auto, where it is faster by what is seen while decoding."
                            + " Without heads, guesses are how the text went on before. The output is the same with all."
                            + " Default: auto.")
    private Speculation speculation;

    @Option(
            names = "--tree",
            paramLabel = "TREE",
            description =
                    "What a step guesses: dynamic:N, the N nodes that are likeliest to be right, chain:N, default (the published tree of 64 nodes), or a file that"
                            + " tune-tree has written or with a JSON list of paths, such as [[0],[0,0],[1]].")
    private String tree;

    @Option(
            names = "--draft",
            paramLabel = "WHAT",
            converter = DraftName.class,
            defaultValue = "auto",
            description = "What guesses: heads, lookup (how the text went on where its end was before), heads+lookup in"
                    + " dynamic trees, or auto: what is there. The output is the same with all. Default: auto.")
    private DraftSource draft;

    @Option(
            names = "--draft-text",
            paramLabel = "FILE",
            description = "A text in which the lookup looks, too, such as the file that is being edited; may be given"
                    + " several times.")
    private List<Path> textFiles = List.of();

    @Option(
            names = "--accept",
            paramLabel = "HOW",
            converter = AcceptanceName.class,
            defaultValue = "exact",
            description =
                    "Which guesses are kept: exact, or typical[:EPSILON[,ALPHA]], which is lossy: guesses that are"
                            + " likely enough, at --temperature or 0.7, so that steps emit more; the text is not the model's own,"
                            + " and depends on what is guessed. Defaults: exact; EPSILON 0.09, ALPHA its square root.")
    private Acceptance acceptance;

    @Option(
            names = "--calibration",
            paramLabel = "FILE",
            description = "What steps cost here, as --save-calibration has written it with the same model, heads and"
                    + " options: which tree of heads (--draft heads) is fastest is known from the first token on. The output"
                    + " stays the same.")
    private Path calibration;

    @Option(
            names = "--save-calibration",
            paramLabel = "FILE",
            description = "Measure what steps cost here, for about two seconds before the first token, and write it.")
    private Path savedCalibration;

    private Tree given;
    private List<String> texts;

    /**
     * Checks what needs no file's content.
     *
     * @throws UsageException if options contradict each other, or those of sampling
     * @throws HydraException if the calibration cannot be written
     */
    void check(SamplingArguments sampling) {
        if (calibration != null && savedCalibration != null) {
            throw new UsageException(
                    "--calibration with --save-calibration, which measures anew: leave out one of them");
        }
        if (!textFiles.isEmpty() && draft == DraftSource.HEADS) {
            throw new UsageException("--draft-text with --draft heads, which looks nothing up: leave out one of them");
        }
        if (tree != null && speculation == Speculation.OFF) {
            throw new UsageException("--tree with --speculation off, which has no tree: leave out one of them");
        }
        if (acceptance.isTypical() && speculation == Speculation.OFF) {
            throw new UsageException(
                    "--accept typical with --speculation off, which has no guesses: leave out one of them");
        }
        acceptance = sampling.atTemperature(acceptance);
        OutputFile.require(savedCalibration);
    }

    /**
     * Reads the files that are named.
     *
     * @throws HydraException if one cannot be read, or holds no tree
     */
    void read(Console console) {
        given = TreeName.read(tree, console);
        boolean isFixed = TreeName.DEFAULT.equals(tree) || given != null && !given.isDynamic();
        if (draft == DraftSource.HEADS_AND_LOOKUP && isFixed) {
            throw new UsageException(
                    "--draft heads+lookup fills dynamic trees alone: give --tree dynamic:N, or leave --tree out");
        }
        texts = textFiles.stream().map(file -> TextSource.read(file, console)).toList();
    }

    /**
     * Opens the model that is to guess so.
     *
     * @throws HydraException if it cannot be opened
     */
    HydraModel open(ModelArguments model, Console console) {
        return model.open(console, speculation != Speculation.OFF, options -> options.calibration(
                        calibration == null ? null : Calibration.load(calibration))
                .eightBitHeads(!acceptance.isTypical()));
    }

    /**
     * Refuses what the opened model cannot do, and measures what steps cost if that is asked for.
     *
     * @throws HydraException if it has no tokenizer for texts, or the file cannot be written
     */
    void prepare(HydraModel opened) {
        boolean needsHeads = draft == DraftSource.HEADS || draft == DraftSource.HEADS_AND_LOOKUP;
        if (needsHeads && opened.info().heads().isEmpty() && speculation != Speculation.OFF) {
            throw new UsageException("--draft " + DraftName.of(draft) + " without draft heads: give --heads, or use"
                    + " --draft lookup");
        }
        if (!textFiles.isEmpty() && opened.tokenizer().isEmpty()) {
            throw new HydraException(opened.info().path() + " has no tokenizer: leave out --draft-text");
        }
        if (savedCalibration != null) {
            opened.calibrate().save(savedCalibration);
        }
    }

    /** What the options say of generating with an opened model. */
    GenerationOptions.Builder options(HydraModel opened) {
        // Without heads the tree is left to the model: the default one has the depth of heads.
        boolean isDefault =
                TreeName.DEFAULT.equals(tree) && opened.info().heads().isPresent();
        return GenerationOptions.builder()
                .speculation(speculation)
                .tree(isDefault ? opened.tree() : given)
                .draft(draft)
                .draftTexts(texts)
                .acceptance(acceptance);
    }

    /** Which guesses are kept. */
    Acceptance acceptance() {
        return acceptance;
    }
}
