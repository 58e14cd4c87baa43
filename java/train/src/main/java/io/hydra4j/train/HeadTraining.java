package io.hydra4j.train;

import io.hydra4j.HydraException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.function.BooleanSupplier;

/**
 * A training of draft heads for a base model, which stays as it is.
 *
 * <pre>{@code
 * TrainingResult result = HeadTraining.of(
 *                 Path.of("model.gguf"),
 *                 List.of(Path.of("text.jsonl.xz")),
 *                 Path.of("heads"),
 *                 TrainingOptions.builder(Recipe.HYDRA_PLUS_PLUS).tokens(10_000_000).build())
 *         .run();
 * }</pre>
 *
 * <p>The output is a folder: the heads, replaced at each evaluation, as {@code config.json} and safetensors with the published names, which
 * open at once; {@code checkpoint.safetensors}, from which {@link #resume} goes on; {@code log.jsonl}, a JSON object for each step and each
 * evaluation; and at the end {@code tree.json}. Every file is replaced as a whole, so that a crash at any moment leaves the last checkpoint.
 * A run that was resumed takes the same steps, to the bit, as one that was not.
 *
 * <p>Data are text files; {@code .jsonl} files, each line an object with a field {@code text}, or {@code messages} (objects with {@code role}
 * and {@code content}), or {@code conversations} (objects with {@code from} and {@code value}), or {@code tokens} (ids) with {@code
 * prompt_tokens}, how many of them begin it; and either compressed as {@code .gz} or {@code .xz}. The loss counts all of a text, what the
 * assistant says in a conversation, which the model's chat template renders, and all but the prompt of tokens.
 *
 * <p>Immutable; each run opens the model for itself.
 */
public final class HeadTraining {
    private final Path model;
    private final List<Path> data;
    private final Path output;
    private final TrainingOptions options;
    private final List<Path> heldOut;
    private final TrainingListener listener;
    private final BooleanSupplier cancelled;

    private HeadTraining(
            Path model,
            List<Path> data,
            Path output,
            TrainingOptions options,
            List<Path> heldOut,
            TrainingListener listener,
            BooleanSupplier cancelled) {
        this.model = model;
        this.data = data;
        this.output = output;
        this.options = options;
        this.heldOut = heldOut;
        this.listener = listener;
        this.cancelled = cancelled;
    }

    /**
     * A training that has not begun.
     *
     * @param model the base: a GGUF file or a Hugging Face folder, with a tokenizer
     * @param data files of text, at least one
     * @param output the folder of the heads; made where it does not exist
     * @param options what is trained and how
     * @return the training
     * @throws IllegalArgumentException if there are no data
     */
    public static HeadTraining of(Path model, List<Path> data, Path output, TrainingOptions options) {
        Objects.requireNonNull(model, "model is null: give a GGUF file or a Hugging Face folder");
        Objects.requireNonNull(output, "output is null: give a folder");
        Objects.requireNonNull(options, "options is null: give TrainingOptions.builder(recipe).build()");
        List<Path> files = List.copyOf(Objects.requireNonNull(data, "data is null: give files of text"));
        if (files.isEmpty()) {
            throw new IllegalArgumentException("data is empty: give at least one file of text");
        }
        return new HeadTraining(model, files, output, options, List.of(), TrainingListener.NONE, () -> false);
    }

    /**
     * {@return this training with files of its own to measure on} Without, every twentieth document of the data, the first included, is held
     * out for that.
     *
     * @param files files like those of the data; none for a part of the data
     */
    public HeadTraining withHeldOut(List<Path> files) {
        return new HeadTraining(model, data, output, options, List.copyOf(files), listener, cancelled);
    }

    /**
     * {@return this training with another listener}
     *
     * @param listener sees the run go on
     */
    public HeadTraining withListener(TrainingListener listener) {
        Objects.requireNonNull(listener, "listener is null: give TrainingListener.NONE");
        return new HeadTraining(model, data, output, options, heldOut, listener, cancelled);
    }

    /**
     * {@return this training with another way to end it early}
     *
     * @param cancelled asked after each step; where it is true, a checkpoint is written and the run ends
     */
    public HeadTraining withCancelled(BooleanSupplier cancelled) {
        Objects.requireNonNull(cancelled, "cancelled is null: give () -> false");
        return new HeadTraining(model, data, output, options, heldOut, listener, cancelled);
    }

    /**
     * Trains from the beginning.
     *
     * @return what the run has left
     * @throws TrainingException its nested classes, one for each kind of failure; {@link TrainingException.CheckpointMismatch} if the folder
     *     has a checkpoint, which is not overwritten
     * @throws io.hydra4j.ResourceExhaustedException if memory is short
     * @throws HydraException if the model cannot be opened or is of a kind that such heads cannot be trained for
     */
    public TrainingResult run() {
        return run(false);
    }

    /**
     * Goes on from the last checkpoint of the output. The options must be those that the run began with, but for its length and for what is
     * measured and kept on the way.
     *
     * @return what the run has left
     * @throws TrainingException as {@link #run}; {@link TrainingException.CheckpointMismatch} if there is no checkpoint, or that of another
     *     run
     * @throws HydraException as {@link #run}
     */
    public TrainingResult resume() {
        return run(true);
    }

    private TrainingResult run(boolean resume) {
        try (TrainingRun run = new TrainingRun(this, resume)) {
            return run.run();
        }
    }

    Path model() {
        return model;
    }

    List<Path> data() {
        return data;
    }

    Path output() {
        return output;
    }

    TrainingOptions options() {
        return options;
    }

    List<Path> heldOut() {
        return heldOut;
    }

    TrainingListener listener() {
        return listener;
    }

    BooleanSupplier cancelled() {
        return cancelled;
    }
}
