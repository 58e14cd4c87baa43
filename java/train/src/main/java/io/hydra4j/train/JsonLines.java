package io.hydra4j.train;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.hydra4j.HydraException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file that grows by JSON objects, one a line. Not thread-safe. */
final class JsonLines implements AutoCloseable {
    private static final JsonFactory JSON = new JsonFactory();

    private final Path file;
    private final FileChannel channel;

    /** Writes the fields of an object. */
    @FunctionalInterface
    interface Fields {
        void write(JsonGenerator json) throws IOException;
    }

    /** Says where in a file the next line goes; all from there on is cut off. */
    @FunctionalInterface
    interface End {
        long of(FileChannel channel) throws IOException;
    }

    /**
     * Opens a file, or makes one.
     *
     * @throws TrainingException.NotSaved if it cannot be written
     */
    JsonLines(Path file, End end) {
        this.file = file;
        try {
            channel = FileChannel.open(
                    file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw notSaved(e);
        }
        try {
            channel.truncate(end.of(channel));
            channel.position(channel.size());
        } catch (IOException e) {
            close();
            throw notSaved(e);
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    /** @throws TrainingException.NotSaved if it cannot be written */
    void write(Fields fields) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            try (JsonGenerator json = JSON.createGenerator(bytes)) {
                json.writeStartObject();
                fields.write(json);
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

    /** Forces what was written to the disk; the length of the file. */
    long force() {
        try {
            channel.force(true);
            return channel.position();
        } catch (IOException e) {
            throw notSaved(e);
        }
    }

    private TrainingException.NotSaved notSaved(IOException e) {
        return new TrainingException.NotSaved(new HydraException(file + ": cannot be written: " + e.getMessage(), e));
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
