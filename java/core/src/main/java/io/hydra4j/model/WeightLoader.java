package io.hydra4j.model;

import io.hydra4j.HydraException;
import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorTable;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.WeightType;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.DoubleConsumer;

/**
 * Turns tensors into matrices and buffers of a backend, and owns them: {@link #close()} frees all. Matrices keep the type that the
 * tensor has, or all have one that is asked for. Files stay mapped while loading only. Not thread-safe.
 */
public final class WeightLoader implements AutoCloseable {
    private final Backend backend;
    private final WeightType convertTo;
    private final long totalBytes;
    private final DoubleConsumer progress;
    private final WeightSource source;
    private final Resources owned = new Resources();
    /** What several names may stand for: the tensor without its name, and whether its rows were reordered. */
    private record Once(Tensor tensor, boolean reordered) {}

    private final Map<Once, Matrix> matrices = new HashMap<>();

    private final Set<Matrix> shared = Collections.newSetFromMap(new IdentityHashMap<>());
    private long loadedBytes;

    /**
     * Loads from files.
     *
     * @param convertTo the type of all matrices; null to keep what the files have
     * @param totalBytes bytes that will be loaded, for the progress
     * @param progress gets the loaded fraction, 0 to 1, after each tensor
     * @throws HydraException if the backend cannot convert to {@code convertTo}
     */
    public WeightLoader(Backend backend, WeightType convertTo, long totalBytes, DoubleConsumer progress) {
        this(backend, new FileWeights(), convertTo, totalBytes, progress);
    }

    private WeightLoader(
            Backend backend, WeightSource source, WeightType convertTo, long totalBytes, DoubleConsumer progress) {
        if (convertTo != null && !(convertTo.isTarget() && backend.hasKernel(convertTo))) {
            throw new HydraException("weights cannot be converted to " + convertTo + " on the " + backend.kind()
                    + " backend: choose F32, F16, BF16, Q8_0, Q4_0 or Q4_1"
                    + (convertTo == WeightType.R8 ? ", or the CPU backend for R8" : "") + ", or keep the file's type");
        }
        this.backend = backend;
        this.source = source;
        this.convertTo = convertTo;
        this.totalBytes = totalBytes;
        this.progress = progress;
    }

    /**
     * Makes weights from a seed, for tensors of {@link TensorTable#ofAny}; reorders no rows, for these are like any others.
     */
    public static WeightLoader random(Backend backend, long seed) {
        return new WeightLoader(backend, new RandomWeights(seed), null, 0, fraction -> {});
    }

    /** The matrix {@code [rows, columns]} of a tensor: one and the same for all names of the same bytes. */
    public Matrix matrix(Tensor tensor) {
        return matrix(tensor, null);
    }

    /**
     * The matrix of a tensor with reordered rows; as {@link #matrix(Tensor)}.
     *
     * @param targetRows {@code [rows]}: where each row of the file goes, the same for all tensors of so many rows; null to keep the
     *     order
     */
    public Matrix matrix(Tensor tensor, int[] targetRows) {
        Once once = new Once(tensor.unnamed(), targetRows != null);
        Matrix before = matrices.get(once);
        if (before != null) {
            shared.add(before);
            loaded(tensor);
            return before;
        }
        Matrix matrix = own(Matrix.create(backend, typeOf(tensor), tensor.rows(), tensor.columns()));
        source.write(tensor, matrix, targetRows);
        loaded(tensor);
        if (tensor.bytes() > 0) {
            matrices.put(once, matrix);
        }
        return matrix;
    }

    /** Frees a matrix before the others, unless it stands for several tensors. */
    public void release(Matrix matrix) {
        if (!shared.contains(matrix)) {
            matrix.close();
        }
    }

    /** The type of all matrices; null where they keep what the tensors have. */
    WeightType convertTo() {
        return convertTo;
    }

    /** The type of a tensor's matrix. */
    public WeightType typeOf(Tensor tensor) {
        return typeOf(tensor, convertTo);
    }

    /** The type of a tensor's matrix, where {@code convertTo} is asked for or, if that is null, none. */
    public static WeightType typeOf(Tensor tensor, WeightType convertTo) {
        return convertTo != null ? convertTo : WeightType.of(tensor.type().id());
    }

    /** The values of a vector or matrix as float32, or null for null. */
    public Buffer vector(Tensor tensor) {
        return vector(tensor, null);
    }

    /**
     * The values of a vector as float32, or null for null.
     *
     * @param target {@code [length]}: where each value goes; null to keep the order
     */
    public Buffer vector(Tensor tensor, int[] target) {
        return vector(tensor, target, 0);
    }

    /**
     * The values of a vector, each with something added; as {@link #vector(Tensor, int[])}.
     *
     * @param offset what is added to each
     */
    public Buffer vector(Tensor tensor, int[] target, float offset) {
        if (tensor == null) {
            return null;
        }
        float[] values = source.values(tensor);
        float[] ordered = values;
        if (target != null) {
            ordered = new float[values.length];
            for (int i = 0; i < values.length; i++) {
                ordered[target[i]] = values[i];
            }
        }
        for (int i = 0; offset != 0 && i < ordered.length; i++) {
            ordered[i] += offset;
        }
        loaded(tensor);
        return vector(ordered);
    }

    /** The values of a vector, for what is computed from them on loading. */
    float[] values(Tensor tensor) {
        float[] values = source.values(tensor);
        loaded(tensor);
        return values;
    }

    /** A buffer of these values. */
    public Buffer vector(float[] values) {
        Buffer buffer = own(Buffer.floats(backend, values.length));
        buffer.write(0, values);
        return buffer;
    }

    /** Closes a resource together with the loaded weights. */
    public <T extends AutoCloseable> T own(T resource) {
        return owned.own(resource);
    }

    /** Unmaps the files; what was loaded stays. */
    public void finish() {
        source.close();
    }

    @Override
    public void close() {
        finish();
        owned.close();
    }

    private void loaded(Tensor tensor) {
        loadedBytes += tensor.bytes();
        progress.accept(totalBytes == 0 ? 1 : Math.min(1.0, (double) loadedBytes / totalBytes));
    }
}
