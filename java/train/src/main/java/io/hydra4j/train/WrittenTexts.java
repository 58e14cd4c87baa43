package io.hydra4j.train;

import io.hydra4j.HydraException;
import io.hydra4j.format.Fields;
import io.hydra4j.format.StrictJson;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;

/**
 * A file of texts that a model has written: lines of {@code number}, {@code tokens} and {@code prompt_tokens}. One that is there is gone on
 * with after its last whole line. Not thread-safe.
 */
final class WrittenTexts implements AutoCloseable {
    private static final double MOST = 1L << 53;

    private final Path file;
    private final JsonLines lines;
    private final Set<Long> numbers = new HashSet<>();
    private long tokens;

    /**
     * @throws TrainingException.NotSaved if it cannot be written
     * @throws HydraException if it is there, and is no such file
     */
    WrittenTexts(Path file, int vocabulary) {
        this.file = file;
        lines = new JsonLines(file, channel -> readWhole(channel, vocabulary));
    }

    /** Reads the lines that are whole, and tells where they end. */
    private long readWhole(FileChannel channel, int vocabulary) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        long end = 0;
        while (channel.read(buffer) >= 0) {
            buffer.flip();
            while (buffer.hasRemaining()) {
                byte next = buffer.get();
                line.write(next);
                if (next == '\n') {
                    end += line.size();
                    note(StrictJson.line(file, numbers.size() + 1, line.toByteArray()), vocabulary);
                    line.reset();
                }
            }
            buffer.clear();
        }
        return end;
    }

    private void note(Fields fields, int vocabulary) {
        int count = fields.ids("tokens", vocabulary, StrictJson.MAX_BYTES).size();
        tokens += count - fields.integer("prompt_tokens", 0, count);
        numbers.add((long) fields.decimal("number", 0, MOST));
    }

    /** Whether the text of a number is there. */
    boolean has(long number) {
        return numbers.contains(number);
    }

    /** Tokens that the model has written, without prompts. */
    long tokens() {
        return tokens;
    }

    void write(long number, int[] text, int prompt) {
        lines.write(json -> {
            json.writeNumberField("number", number);
            json.writeFieldName("tokens");
            json.writeArray(text, 0, text.length);
            json.writeNumberField("prompt_tokens", prompt);
        });
        numbers.add(number);
        tokens += text.length - prompt;
    }

    /** Forces what was written to the disk. */
    void force() {
        lines.force();
    }

    /** Closes the file; one without texts is not left behind. */
    @Override
    public void close() {
        lines.close();
        if (numbers.isEmpty()) {
            try {
                Files.deleteIfExists(file);
            } catch (IOException e) {
                // An empty file stays, which does no harm.
            }
        }
    }
}
