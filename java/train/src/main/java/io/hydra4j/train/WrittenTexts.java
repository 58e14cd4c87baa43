package io.hydra4j.train;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.hydra4j.HydraException;
import io.hydra4j.format.Fields;
import io.hydra4j.format.StrictJson;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.Set;

/**
 * A file of texts that a model has written: lines of {@code number}, {@code tokens} and {@code prompt_tokens}. One that is there is gone on
 * with after its last whole line. Not thread-safe.
 */
final class WrittenTexts implements AutoCloseable {
    private static final JsonFactory JSON = new JsonFactory();
    private static final double MOST = 1L << 53;

    private final Path file;
    private final FileChannel channel;
    private final Set<Long> numbers = new HashSet<>();
    private long tokens;

    /**
     * @throws TrainingException.NotSaved if it cannot be written
     * @throws HydraException if it is there, and is no such file
     */
    WrittenTexts(Path file, int vocabulary) {
        this.file = file;
        try {
            channel = FileChannel.open(
                    file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw notSaved(e);
        }
        try {
            channel.position(readWhole(vocabulary));
            channel.truncate(channel.position());
        } catch (IOException e) {
            close();
            throw notSaved(e);
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    /** Reads the lines that are whole, and tells where they end. */
    private long readWhole(int vocabulary) throws IOException {
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
                    note(StrictJson.parse(file, "line " + (numbers.size() + 1), line.toByteArray()), vocabulary);
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

    private TrainingException.NotSaved notSaved(IOException e) {
        return new TrainingException.NotSaved(new HydraException(file + ": cannot be written: " + e.getMessage(), e));
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
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            try (JsonGenerator json = JSON.createGenerator(bytes)) {
                json.writeStartObject();
                json.writeNumberField("number", number);
                json.writeFieldName("tokens");
                json.writeArray(text, 0, text.length);
                json.writeNumberField("prompt_tokens", prompt);
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
        numbers.add(number);
        tokens += text.length - prompt;
    }

    /** Forces what was written to the disk. */
    void force() {
        try {
            channel.force(true);
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
