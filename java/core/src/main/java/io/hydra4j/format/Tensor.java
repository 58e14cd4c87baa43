package io.hydra4j.format;

import java.nio.file.Path;
import java.util.List;

/**
 * Where a tensor lies in a file. The readers guarantee that its bytes lie inside the file as it was when it was read; the
 * bytes themselves are not touched. Immutable.
 *
 * @param file the file that holds the bytes
 * @param name the name in that file
 * @param type type of the values
 * @param shape sizes, outermost first: {@code [rows, columns]} of a matrix, {@code [length]} of a vector,
 *     none of a scalar
 * @param offset position of the first byte, from the beginning of the file. GGUF aligns it (32 as a rule), torch to 64; in
 *     safetensors it may be any number, so do not read values through aligned pointers
 * @param bytes length in bytes; 0 if no file holds it ({@link TensorTable#ofAny})
 */
public record Tensor(Path file, String name, TensorType type, List<Long> shape, long offset, long bytes) {
    /** Makes the shape unmodifiable. */
    public Tensor {
        shape = List.copyOf(shape);
    }

    /** Values of one row: the innermost size; 1 for a scalar. */
    public long columns() {
        return shape.isEmpty() ? 1 : shape.get(shape.size() - 1);
    }

    /** Rows: the product of all sizes but the innermost; 1 for a vector or a scalar. */
    public long rows() {
        long rows = 1;
        for (int i = 0; i < shape.size() - 1; i++) {
            rows *= shape.get(i);
        }
        return rows;
    }

    /** Some of the rows of a matrix, which lie together in its file. */
    public Tensor rows(long first, long count) {
        long rowBytes = bytes / rows();
        return new Tensor(file, name, type, List.of(count, columns()), offset + first * rowBytes, count * rowBytes);
    }

    /**
     * The tensor without its name: equal for two names of the same bytes, as checkpoints of torch have for modules that share their
     * weights.
     */
    public Tensor unnamed() {
        return new Tensor(file, "", type, shape, offset, bytes);
    }

    /** Values in all. */
    public long values() {
        return rows() * columns();
    }
}
