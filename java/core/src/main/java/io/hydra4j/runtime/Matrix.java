package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_matrix;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A weight matrix [rows][columns], output rows by input columns, packed for the products of its backend. It must not be
 * written while a program that uses it runs; reading it is safe from any thread.
 */
public final class Matrix extends NativeObject {
    private final Handle<hydra_matrix> handle;
    private final WeightType type;
    private final long rows;
    private final long columns;

    private Matrix(Handle<hydra_matrix> handle, WeightType type, long rows, long columns) {
        this.handle = handle;
        this.type = type;
        this.rows = rows;
        this.columns = columns;
    }

    @Override
    Handle<hydra_matrix> handle() {
        return handle;
    }

    /**
     * Creates a matrix of zeros.
     *
     * @param backend in whose memory it lies
     * @param type one that {@linkplain Backend#hasKernel the backend has a kernel for}
     * @param rows number of outputs, 1 to 2^24
     * @param columns number of inputs, 1 to 2^24; for Q5_0 and Q5_1 a multiple of 32, for Q4_K, Q5_K and Q6_K of 256;
     *     for R8 at most 65536
     * @return the matrix, to be closed
     * @throws NativeException with status {@code INVALID_ARGUMENT} if type and shape do not fit these limits
     * @throws OutOfNativeMemoryException if the system refuses the memory
     */
    public static Matrix create(Backend backend, WeightType type, long rows, long columns) {
        return new Matrix(
                Handle.create(
                        what(type, rows, columns),
                        new hydra_matrix(),
                        out -> Native.hydra_matrix_create(backend.handle().pointer(), type.id(), rows, columns, out),
                        Native::hydra_matrix_destroy,
                        List.of(backend.handle())),
                type,
                rows,
                columns);
    }

    private static String what(WeightType type, long rows, long columns) {
        return type + " matrix [" + rows + "][" + columns + "]";
    }

    /** @return the type of the packed values */
    public WeightType type() {
        return type;
    }

    /** @return the number of outputs */
    public long rows() {
        return rows;
    }

    /** @return the number of inputs */
    public long columns() {
        return columns;
    }

    /** @return the bytes that a product reads, padding included */
    public long bytes() {
        return handle.get(Native::hydra_matrix_bytes);
    }

    /**
     * Writes rows from a file, where they stand in row-major order.
     *
     * @param firstRow the row of this matrix that the first one becomes; without effect if target rows are given
     * @param count number of rows
     * @param targetRows [count] row i of the file becomes row targetRows[i], which is how the order is changed; null to keep it
     * @param sourceType number of the type in the file, as {@link WeightType#id()}: this matrix's, which is taken over bit by
     *     bit, or any other one whose block divides the columns, which is converted; a matrix of a type that is not
     *     {@linkplain WeightType#isEncodable encodable} takes its own only
     * @param file where the rows stand
     * @param offset where the rows begin in the file, in bytes
     * @param bytes exactly what the rows need
     * @throws IllegalArgumentException if the bytes do not lie in the file or the target rows are not {@code count}
     * @throws NativeException with status {@code INVALID_ARGUMENT} if rows do not lie in the matrix, the bytes are not what they
     *     need, or the type does not fit
     */
    public void write(
            long firstRow, long count, int[] targetRows, int sourceType, MappedFile file, long offset, long bytes) {
        if (targetRows != null && targetRows.length != count) {
            throw new IllegalArgumentException(targetRows.length + " target rows are given for " + count + " rows");
        }
        hydra_matrix matrix = handle.acquire();
        try {
            file.read(
                    offset,
                    bytes,
                    source ->
                            Native.hydra_matrix_write(matrix, firstRow, count, targetRows, sourceType, source, bytes));
        } finally {
            handle.release();
        }
    }

    /**
     * Writes rows from memory.
     *
     * @param firstRow the row of this matrix that the first one becomes
     * @param count number of rows
     * @param sourceType their type: this matrix's, or one that is converted to it
     * @param source exactly the rows, in row-major order, from position to limit
     * @throws IllegalArgumentException if the source is not exactly so many rows
     * @throws NativeException with status {@code INVALID_ARGUMENT} if they do not lie in the matrix
     */
    public void write(long firstRow, long count, WeightType sourceType, ByteBuffer source) {
        long bytes = sourceBytes(sourceType, count);
        if (bytes != source.remaining()) {
            throw new IllegalArgumentException(count + " rows of " + columns + " " + sourceType + " values are " + bytes
                    + " bytes, given are " + source.remaining());
        }
        handle.check(matrix -> Memory.read(
                source,
                memory -> Native.hydra_matrix_write(
                        matrix, firstRow, count, (int[]) null, sourceType.id(), memory, bytes),
                array -> Native.hydra_matrix_write(
                        matrix, firstRow, count, (int[]) null, sourceType.id(), array, bytes)));
    }

    /**
     * Writes rows of 32-bit floats.
     *
     * @param firstRow the row of this matrix that the first one becomes
     * @param values [count][columns]
     * @throws IllegalArgumentException if the values are not whole rows
     * @throws NativeException with status {@code INVALID_ARGUMENT} if they do not lie in the matrix
     */
    public void write(long firstRow, float[] values) {
        if (values.length % columns != 0) {
            throw new IllegalArgumentException(values.length + " values are not whole rows of " + columns);
        }
        handle.check(matrix -> Native.hydra_matrix_write(
                matrix,
                firstRow,
                values.length / columns,
                (int[]) null,
                WeightType.F32.id(),
                values,
                (long) values.length * Float.BYTES));
    }

    /**
     * Fills the matrix with pseudo-random weights, uniform between -scale and scale, on its device. A value depends on seed, row
     * and column alone, and is the same to the bit on every backend.
     *
     * @param seed any number
     * @param scale 0 to 2^15
     * @throws NativeException with status {@code INVALID_ARGUMENT} if the scale is out of range
     */
    public void fill(long seed, float scale) {
        handle.check(matrix -> Native.hydra_matrix_fill(matrix, seed, scale));
    }

    private long sourceBytes(WeightType sourceType, long count) {
        return Math.multiplyExact(sourceType.bytes(columns), count);
    }

    /**
     * Reads one row as the 32-bit floats that its packed values stand for.
     *
     * @param row 0 to {@link #rows} - 1
     * @return [columns]
     * @throws NativeException with status {@code INVALID_ARGUMENT} if there is no such row
     */
    public float[] read(long row) {
        float[] values = new float[Math.toIntExact(columns)];
        handle.check(matrix -> Native.hydra_matrix_read(matrix, row, values));
        return values;
    }

    /**
     * Makes a new matrix of some of the rows, bit by bit.
     *
     * @param ids [count] row i of the new matrix is row ids[i] of this one
     * @return the new matrix, of the same type, to be closed
     * @throws NativeException with status {@code INVALID_ARGUMENT} if there is none, or one does not lie in the matrix
     * @throws OutOfNativeMemoryException if the system refuses the memory
     */
    public Matrix gather(int[] ids) {
        return new Matrix(
                Handle.create(
                        what(type, ids.length, columns),
                        new hydra_matrix(),
                        out -> Native.hydra_matrix_gather(handle.pointer(), ids, ids.length, out),
                        Native::hydra_matrix_destroy,
                        // Keeps the backend in use by way of this matrix.
                        List.of(handle)),
                type,
                ids.length,
                columns);
    }
}
