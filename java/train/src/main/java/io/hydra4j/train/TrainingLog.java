package io.hydra4j.train;

import com.fasterxml.jackson.core.JsonGenerator;
import io.hydra4j.HydraException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.util.List;

/**
 * The log of a run: a JSON object a line. Lines of steps have {@code step}, {@code tokens}, {@code loss}, {@code head_losses},
 * {@code learning_rate}, {@code gradient_norm}, {@code seconds} and {@code tokens_per_second}; those of evaluations {@code step},
 * {@code tokens}, {@code accuracies}, {@code chain_length}, {@code default_tree_length} and {@code tuned_tree_length}. Not thread-safe.
 */
final class TrainingLog implements AutoCloseable {
    private final Path file;
    private final JsonLines lines;

    /**
     * Opens the log for what follows.
     *
     * @param bytes what is kept of it; 0 for a new one
     * @throws TrainingException.NotSaved if it cannot be written
     */
    TrainingLog(Path file, long bytes) {
        this.file = file;
        lines = new JsonLines(file, channel -> {
            lock(channel);
            return bytes;
        });
    }

    private void lock(FileChannel channel) throws IOException {
        boolean locked;
        try {
            locked = channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            locked = false;
        }
        if (!locked) {
            throw new HydraException(file + ": another run writes it: wait for its end, or give another folder");
        }
    }

    void write(TrainingStep step) {
        lines.write(json -> {
            json.writeNumberField("step", step.step());
            json.writeNumberField("tokens", step.tokens());
            json.writeNumberField("loss", step.loss());
            numbers(json, "head_losses", step.headLosses());
            json.writeNumberField("learning_rate", step.learningRate());
            json.writeNumberField("gradient_norm", step.gradientNorm());
            json.writeNumberField("seconds", step.seconds());
            json.writeNumberField("tokens_per_second", step.tokensPerSecond());
        });
    }

    void write(Evaluation evaluation) {
        lines.write(json -> {
            json.writeNumberField("step", evaluation.step());
            json.writeNumberField("tokens", evaluation.tokens());
            json.writeArrayFieldStart("accuracies");
            for (List<Double> head : evaluation.accuracies()) {
                json.writeStartArray();
                for (double accuracy : head) {
                    json.writeNumber(accuracy);
                }
                json.writeEndArray();
            }
            json.writeEndArray();
            json.writeNumberField("chain_length", evaluation.chainLength());
            json.writeNumberField("default_tree_length", evaluation.defaultTreeLength());
            json.writeNumberField("tuned_tree_length", evaluation.tunedTreeLength());
        });
    }

    private static void numbers(JsonGenerator json, String name, List<Double> numbers) throws IOException {
        json.writeArrayFieldStart(name);
        for (double number : numbers) {
            if (Double.isNaN(number)) {
                json.writeNull();
            } else {
                json.writeNumber(number);
            }
        }
        json.writeEndArray();
    }

    /** Its length, forced to the disk. */
    long bytes() {
        return lines.force();
    }

    @Override
    public void close() {
        lines.close();
    }
}
