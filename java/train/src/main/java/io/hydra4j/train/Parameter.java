package io.hydra4j.train;

import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * A tensor that is trained.
 *
 * @param names its names in a file of heads: more than one where blocks share it
 * @param shape sizes, outermost first
 * @param offset of its first value among those of all parameters
 * @param first how its values begin
 * @param inputs of the layer that it belongs to
 */
record Parameter(List<String> names, List<Long> shape, long offset, First first, long inputs) {
    /** Llama's initializer_range. */
    private static final double DEVIATION = 0.02;

    /** How values begin. */
    enum First {
        ZERO,
        ONE,
        /** Uniform between plus and minus one over the square root of the inputs: PyTorch's for linear layers. */
        LINEAR,
        /** Normal with a deviation of 0.02: Llama's. */
        NORMAL,
        /** The rows of the base's LM head. */
        LM_HEAD
    }

    /** The name that it is known by. */
    String name() {
        return names.get(0);
    }

    long count() {
        return shape.stream().reduce(1L, Math::multiplyExact);
    }

    /**
     * Its first values, the same for the same seed.
     *
     * @param lmHead {@code [rows][hidden]}: where {@link First#LM_HEAD} begins
     */
    float[] values(long seed, float[][] lmHead) {
        float[] values = new float[Math.toIntExact(count())];
        Random random = new Random(seed ^ name().hashCode() * 0x9E3779B97F4A7C15L);
        switch (first) {
            case ZERO -> {}
            case ONE -> Arrays.fill(values, 1);
            case LINEAR -> {
                double bound = 1 / Math.sqrt(inputs);
                for (int i = 0; i < values.length; i++) {
                    values[i] = (float) (bound * (2 * random.nextDouble() - 1));
                }
            }
            case NORMAL -> {
                for (int i = 0; i < values.length; i++) {
                    values[i] = (float) (DEVIATION * random.nextGaussian());
                }
            }
            case LM_HEAD -> {
                int columns = (int) inputs;
                for (int row = 0; row < lmHead.length; row++) {
                    System.arraycopy(lmHead[row], 0, values, row * columns, columns);
                }
            }
        }
        return values;
    }
}
