package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import java.nio.ByteBuffer;

/** How the values of a weight are stored: plain numbers, or values of one row, or of a block of it, with a common scale. */
public enum WeightType {
    /** 32-bit float. */
    F32(Native.HYDRA_F32, 1, 4, true),
    /** 16-bit float. */
    F16(Native.HYDRA_F16, 1, 2, true),
    /** The upper half of a 32-bit float. */
    BF16(Native.HYDRA_BF16, 1, 2, true),
    /** 8 bits and a scale. */
    Q8_0(Native.HYDRA_Q8_0, 32, 34, true),
    /** 4 bits and a scale. */
    Q4_0(Native.HYDRA_Q4_0, 32, 18, true),
    /** 4 bits, a scale and a minimum. */
    Q4_1(Native.HYDRA_Q4_1, 32, 20, true),
    /** 5 bits and a scale. */
    Q5_0(Native.HYDRA_Q5_0, 32, 22, false),
    /** 5 bits, a scale and a minimum. */
    Q5_1(Native.HYDRA_Q5_1, 32, 24, false),
    /** 4 bits with 6-bit scales. */
    Q4_K(Native.HYDRA_Q4_K, 256, 144, false),
    /** 5 bits with 6-bit scales. */
    Q5_K(Native.HYDRA_Q5_K, 256, 176, false),
    /** 6 bits with 8-bit scales. */
    Q6_K(Native.HYDRA_Q6_K, 256, 210, false),
    /**
     * 8 bits, and one scale for a whole row, which {@link #bytes} leaves out. No file has it: it is a type of matrices on the
     * CPU, which other types are converted to on load. Products take many rows for little more than one where the processor
     * multiplies tiles.
     */
    R8(Native.HYDRA_R8, 1, 1, false);

    private final int id;
    private final int blockValues;
    private final int blockBytes;
    private final boolean encodable;

    WeightType(int id, int blockValues, int blockBytes, boolean encodable) {
        this.id = id;
        this.blockValues = blockValues;
        this.blockBytes = blockBytes;
        this.encodable = encodable;
    }

    /**
     * @param id the number of the type in GGUF files, or R8's
     * @return the type
     * @throws IllegalArgumentException if there is no such type here
     */
    public static WeightType of(int id) {
        for (WeightType type : values()) {
            if (type.id == id) {
                return type;
            }
        }
        throw new IllegalArgumentException("no weight type has the number " + id);
    }

    /** @return the number of the type in GGUF files; of R8, which no file has, the native library's */
    public int id() {
        return id;
    }

    /** @return the number of values of a block; 1 for plain numbers */
    public int blockValues() {
        return blockValues;
    }

    /** @return the size of a block in bytes */
    public int blockBytes() {
        return blockBytes;
    }

    /** @return whether {@link #encode} converts values to this type; the others are only taken as a file has them */
    public boolean isEncodable() {
        return encodable;
    }

    /** @return whether matrices can be converted to this type on load, if only on the CPU */
    public boolean isTarget() {
        return encodable || this == R8;
    }

    /**
     * {@return the size of so many values in bytes}
     *
     * @param values a multiple of {@link #blockValues}
     * @throws IllegalArgumentException if the values are negative or not a multiple of the block
     * @throws ArithmeticException if the size exceeds 2^63 - 1
     */
    public long bytes(long values) {
        if (values < 0 || values % blockValues != 0) {
            throw new IllegalArgumentException(
                    values + " values are not a multiple of " + this + "'s block, " + blockValues);
        }
        return Math.multiplyExact(values / blockValues, (long) blockBytes);
    }

    /**
     * Converts values of this type to 32-bit floats.
     *
     * @param source whole blocks, from position to limit
     * @return the values, as many as the source holds
     * @throws IllegalArgumentException if the source is not whole blocks
     */
    public float[] decode(ByteBuffer source) {
        NativeLibrary.load();
        long values = (long) source.remaining() / blockBytes * blockValues;
        float[] target = new float[Math.toIntExact(values)];
        if (bytes(values) != source.remaining()) {
            throw new IllegalArgumentException(source.remaining() + " bytes are not a multiple of " + this
                    + "'s block of " + blockBytes + " bytes");
        }
        if (values > 0) {
            int bytes = source.remaining();
            NativeException.check(Memory.read(
                    source,
                    memory -> Native.hydra_convert(id, memory, bytes, F32.id, target, F32.bytes(values), values),
                    array -> Native.hydra_convert(id, array, bytes, F32.id, target, F32.bytes(values), values)));
        }
        return target;
    }

    /**
     * Converts 32-bit floats to this type, in native byte order.
     *
     * @param source a multiple of the block
     * @return the blocks, {@code bytes(source.length)} bytes
     * @throws IllegalArgumentException if the source is not whole blocks
     * @throws NativeException with status {@code INVALID_ARGUMENT} if it is not {@linkplain #isEncodable encodable}
     */
    public byte[] encode(float[] source) {
        NativeLibrary.load();
        byte[] target = new byte[Math.toIntExact(bytes(source.length))];
        if (source.length > 0) {
            NativeException.check(Native.hydra_convert(
                    F32.id, source, F32.bytes(source.length), id, target, target.length, source.length));
        }
        return target;
    }
}
