package io.hydra4j.train;

import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.access.Models;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsTensors;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.Backends;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.Resources;
import io.hydra4j.text.ChatTemplates;
import io.hydra4j.text.Tokenizer;
import io.hydra4j.train.device.TrainBuffer;
import java.nio.file.Path;
import java.util.function.Supplier;

/** The base model, opened: its weights, its tokenizer and its chat templates. Not thread-safe. */
final class OpenBase implements AutoCloseable {
    /** Values of a matrix that are copied at a time. */
    private static final int CHUNK = 1 << 20;

    private final Path path;
    private final ModelFiles files;
    private final Resources opened = new Resources();
    private final DecoderModel model;
    private final Tokenizer tokenizer;
    private final Supplier<ChatTemplates> templates;

    /**
     * @param threads of the CPU; 0 for one per core
     * @throws HydraException if it cannot be opened, or has no tokenizer
     */
    OpenBase(Path path, BackendKind kind, int threads) {
        this.path = path;
        files = ModelFiles.open(path);
        templates = () -> ChatTemplates.of(path, files::metadata);
        try {
            tokenizer = opened.own(Tokenizer.of(
                            path, files::metadata, files.config().vocabulary())
                    .orElseThrow(() -> new HydraException(path + " has no tokenizer: give a model that has one")));
            Backend backend = opened.own(Backends.open(kind, threads));
            model = opened.own(DecoderModel.load(backend, files, null, fraction -> {}));
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, opened);
            throw e;
        }
    }

    Path path() {
        return path;
    }

    DecoderModel model() {
        return model;
    }

    Backend backend() {
        return model.backend();
    }

    DecoderConfig config() {
        return model.config();
    }

    Tokenizer tokenizer() {
        return tokenizer;
    }

    /** Its chat templates, perhaps none; read when they are asked for. */
    Supplier<ChatTemplates> templates() {
        return templates;
    }

    /** The base's name in files of its heads. */
    String name() {
        return String.valueOf(path.toAbsolutePath().normalize().getFileName());
    }

    /** A model of this base and heads of it, which closes neither. */
    HydraModel with(HeadsTensors tensors, DraftHeads heads) {
        return Models.of(files, model, tensors, heads, tokenizer);
    }

    /**
     * Copies rows of a matrix.
     *
     * @param rows which; null for all
     * @param factor what they are multiplied by
     * @param target {@code [rows][columns]}
     */
    static void copy(Matrix matrix, int[] rows, float factor, TrainBuffer target) {
        int columns = (int) matrix.columns();
        int count = rows == null ? (int) matrix.rows() : rows.length;
        int most = Math.max(1, CHUNK / columns);
        for (int from = 0; from < count; from += most) {
            float[] values = new float[Math.min(most, count - from) * columns];
            for (int i = 0; i < values.length / columns; i++) {
                int row = rows == null ? from + i : rows[from + i];
                System.arraycopy(matrix.read(row), 0, values, i * columns, columns);
            }
            for (int i = 0; factor != 1 && i < values.length; i++) {
                values[i] *= factor;
            }
            target.upload((long) from * columns, values);
        }
    }

    @Override
    public void close() {
        opened.close();
    }
}
