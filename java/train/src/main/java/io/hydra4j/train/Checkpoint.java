package io.hydra4j.train;

import io.hydra4j.HydraException;
import io.hydra4j.format.Fields;
import io.hydra4j.format.SafetensorsFile;
import io.hydra4j.format.SafetensorsWriter;
import io.hydra4j.format.StrictJson;
import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorType;
import io.hydra4j.train.device.TrainBuffer;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A checkpoint: one safetensors file, which holds the parameters and both moments, each as one F32 vector in the order of
 * {@link HeadParameters}, and as metadata what they belong to and how far the run has come. It is replaced as a whole.
 *
 * @param file its place
 * @param facts what a run must have in common with the one that wrote it
 */
record Checkpoint(Path file, Facts facts) {
    private static final int VERSION = 2;
    /** Names of facts begin with this in the metadata. */
    private static final String FACT = "fact.";
    /** Values that are copied at a time. */
    private static final int CHUNK = 1 << 20;

    private static final double MOST = 1L << 53;

    boolean exists() {
        return Files.exists(file);
    }

    /** @throws TrainingException.NotSaved if it cannot be written; the one that was there stays */
    void write(RunState state, Map<String, TrainBuffer> vectors) {
        SafetensorsWriter writer = new SafetensorsWriter().put("state", json(state));
        facts.values().forEach((name, value) -> writer.put(FACT + name, value));
        vectors.forEach((name, vector) ->
                writer.tensor(name, TensorType.F32, List.of(vector.count()), out -> write(vector, out)));
        try {
            writer.write(file);
        } catch (HydraException e) {
            throw new TrainingException.NotSaved(e);
        }
    }

    private static void write(TrainBuffer vector, OutputStream out) throws IOException {
        for (long done = 0; done < vector.count(); ) {
            float[] chunk = new float[(int) Math.min(CHUNK, vector.count() - done)];
            vector.download(done, chunk);
            ByteBuffer bytes = ByteBuffer.allocate(chunk.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            bytes.asFloatBuffer().put(chunk);
            out.write(bytes.array());
            done += chunk.length;
        }
    }

    private static String json(RunState state) {
        return String.format(
                Locale.ROOT,
                "{\"version\": %d, \"step\": %d, \"tokens\": %d, \"seconds\": %s, \"epoch\": %d, \"window\": %d,"
                        + " \"taken\": %d, \"log_bytes\": %d, \"evaluated\": %b}",
                VERSION,
                state.step(),
                state.tokens(),
                state.seconds(),
                state.position().epoch(),
                state.position().window(),
                state.position().taken(),
                state.logBytes(),
                state.evaluated());
    }

    /**
     * Reads it.
     *
     * @throws TrainingException.CheckpointMismatch if it belongs to another run
     * @throws HydraException if it cannot be read, or is damaged
     */
    RunState read(Map<String, TrainBuffer> vectors) {
        SafetensorsFile opened = SafetensorsFile.read(file);
        Fields fields = StrictJson.parse(
                file, "state", opened.metadata().getOrDefault("state", "{}").getBytes(StandardCharsets.UTF_8));
        fields.integer("version", VERSION, VERSION);
        requireOwn(opened.metadata());
        RunState state = new RunState(
                whole(fields, "step"),
                whole(fields, "tokens"),
                fields.decimal("seconds", 0, MOST),
                new SequenceStream.Position(whole(fields, "epoch"), whole(fields, "window"), whole(fields, "taken")),
                whole(fields, "log_bytes"),
                fields.flag("evaluated"));
        vectors.forEach((name, vector) -> read(opened.table().require(name, vector.count()), vector));
        return state;
    }

    private void requireOwn(Map<String, String> metadata) {
        Facts found = new Facts();
        metadata.forEach((name, value) -> {
            if (name.startsWith(FACT)) {
                found.add(name.substring(FACT.length()), value);
            }
        });
        if (!found.values().equals(facts.values())) {
            throw new TrainingException.CheckpointMismatch(
                    file,
                    "it belongs to another run, which began with " + found.without(facts) + " instead of "
                            + facts.without(found) + ": resume with what it began with");
        }
    }

    private static long whole(Fields fields, String name) {
        return (long) fields.decimal(name, 0, MOST);
    }

    private void read(Tensor tensor, TrainBuffer vector) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            channel.position(tensor.offset());
            for (long done = 0; done < vector.count(); ) {
                float[] chunk = new float[(int) Math.min(CHUNK, vector.count() - done)];
                ByteBuffer bytes =
                        ByteBuffer.allocate(chunk.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
                while (bytes.hasRemaining()) {
                    if (channel.read(bytes) < 0) {
                        throw new IOException("it has become shorter");
                    }
                }
                bytes.flip();
                bytes.asFloatBuffer().get(chunk);
                vector.upload(done, chunk);
                done += chunk.length;
            }
        } catch (IOException e) {
            throw new HydraException(file + ": cannot be read: " + e.getMessage(), e);
        }
    }
}
