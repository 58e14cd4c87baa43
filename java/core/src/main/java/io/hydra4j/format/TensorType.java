package io.hydra4j.format;

import java.util.Map;
import java.util.Optional;

/**
 * The types of tensors that this library reads, with their ggml ids. A row of a quantised matrix is a sequence of blocks,
 * each of {@link #blockValues()} values in {@link #blockBytes()} bytes; for the others a block is one value.
 */
public enum TensorType {
    /** IEEE single precision. */
    F32(0, 1, 4),
    /** IEEE half precision. */
    F16(1, 1, 2),
    /** The upper half of a single-precision number. */
    BF16(30, 1, 2),
    /** 8-bit integers, a half-precision scale for each 32. */
    Q8_0(8, 32, 34),
    /** 4-bit integers around 0, a half-precision scale for each 32. */
    Q4_0(2, 32, 18),
    /** 4-bit integers, a half-precision scale and minimum for each 32. */
    Q4_1(3, 32, 20),
    /** 5-bit integers around 0, a half-precision scale for each 32. */
    Q5_0(6, 32, 22),
    /** 5-bit integers, a half-precision scale and minimum for each 32. */
    Q5_1(7, 32, 24),
    /** 4-bit integers in super-blocks of 256. */
    Q4_K(12, 256, 144),
    /** 5-bit integers in super-blocks of 256. */
    Q5_K(13, 256, 176),
    /** 6-bit integers in super-blocks of 256. */
    Q6_K(14, 256, 210);

    private static final Map<Long, String> NOT_READ = Map.ofEntries(
            Map.entry(9L, "Q8_1"),
            Map.entry(10L, "Q2_K"),
            Map.entry(11L, "Q3_K"),
            Map.entry(15L, "Q8_K"),
            Map.entry(16L, "IQ2_XXS"),
            Map.entry(17L, "IQ2_XS"),
            Map.entry(18L, "IQ3_XXS"),
            Map.entry(19L, "IQ1_S"),
            Map.entry(20L, "IQ4_NL"),
            Map.entry(21L, "IQ3_S"),
            Map.entry(22L, "IQ2_S"),
            Map.entry(23L, "IQ4_XS"),
            Map.entry(24L, "I8"),
            Map.entry(25L, "I16"),
            Map.entry(26L, "I32"),
            Map.entry(27L, "I64"),
            Map.entry(28L, "F64"),
            Map.entry(29L, "IQ1_M"),
            Map.entry(34L, "TQ1_0"),
            Map.entry(35L, "TQ2_0"),
            Map.entry(39L, "MXFP4"));

    private final int id;
    private final int blockValues;
    private final int blockBytes;

    TensorType(int id, int blockValues, int blockBytes) {
        this.id = id;
        this.blockValues = blockValues;
        this.blockBytes = blockBytes;
    }

    /** The type with a ggml id, or empty where this library does not read it. */
    public static Optional<TensorType> ofId(long id) {
        for (TensorType type : values()) {
            if (type.id == id) {
                return Optional.of(type);
            }
        }
        return Optional.empty();
    }

    /** How a type with a ggml id is called, read or not: its name, or only the number where it has none that is known here. */
    static String nameOf(long id) {
        return ofId(id).map(Enum::toString).orElseGet(() -> {
            String name = NOT_READ.get(id);
            return name == null ? Long.toString(id) : name + " (" + id + ")";
        });
    }

    /** The ggml type id, as GGUF files and the native library have it. */
    public int id() {
        return id;
    }

    /** Values of a block: 1, 32 or 256. */
    public int blockValues() {
        return blockValues;
    }

    /** Bytes of a block. */
    public int blockBytes() {
        return blockBytes;
    }

    /** Whether this is F32, F16 or BF16: one number after the other, no blocks. */
    public boolean isFloat() {
        return blockValues == 1;
    }

    /**
     * Bytes that a row, or several whole rows, take.
     *
     * @param values values in all, a multiple of {@link #blockValues()}
     * @throws IllegalArgumentException if {@code values} is negative or no multiple of the block
     * @throws ArithmeticException if the bytes do not fit a long
     */
    public long bytes(long values) {
        if (values < 0 || values % blockValues != 0) {
            throw new IllegalArgumentException(values + " values are not whole blocks of " + blockValues);
        }
        return Math.multiplyExact(values / blockValues, (long) blockBytes);
    }
}
