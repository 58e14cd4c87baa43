package io.hydra4j.train;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.hydra4j.HydraException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * The log of a run: a JSON object a line. Lines of steps have {@code step}, {@code tokens}, {@code loss}, {@code head_losses},
 * {@code learning_rate}, {@code gradient_norm}, {@code seconds} and {@code tokens_per_second}; those of evaluations {@code step},
 * {@code tokens}, {@code accuracies}, {@code chain_length}, {@code default_tree_length} and {@code tuned_tree_length}. Not thread-safe.
 */
final class TrainingLog implements AutoCloseable {
    private static final JsonFactory JSON = new JsonFactory();

    private final Path file;
    private final FileChannel channel;

    /**
     * Opens the log for what follows.
     *
     * @param bytes what is kept of it; 0 for a new one
     * @throws TrainingException.NotSaved if it cannot be written
     */
    TrainingLog(Path file, long bytes) {
        this.file = file;
        try {
            channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw notSaved(e);
        }
        try {
            lock();
            channel.truncate(bytes);
            channel.position(Math.min(bytes, channel.size()));
        } catch (IOException e) {
            close();
            throw notSaved(e);
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    private void lock() throws IOException {
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

    private TrainingException.NotSaved notSaved(IOException e) {
        return new TrainingException.NotSaved(new HydraException(file + ": cannot be written: " + e.getMessage(), e));
    }

    private interface Line {
        void write(JsonGenerator json) throws IOException;
    }

    void write(TrainingStep step) {
        line(json -> {
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
        line(json -> {
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

    private void line(Line line) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            try (JsonGenerator json = JSON.createGenerator(bytes)) {
                json.writeStartObject();
                line.write(json);
                json.writeEndObject();
            }
            bytes.write('\n');
            ByteBuffer buffer = ByteBuffer.wrap(bytes.toByteArray());
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
        } catch (IOException e) {
            throw notSaved(e);
        }
    }

    /** Its length, forced to the disk. */
    long bytes() {
        try {
            channel.force(true);
            return channel.position();
        } catch (IOException e) {
            throw notSaved(e);
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw notSaved(e);
        }
    }
}
