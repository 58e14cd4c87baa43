package io.hydra4j.runtime;

import io.hydra4j.HydraException;
import java.util.Locale;

/** Processor instructions that the CPU backend uses. All of them give the same bits. */
public enum InstructionSet {
    /** The best one that the processor has, or what the system property {@code hydra4j.isa} says. */
    AUTO,
    /**
     * What {@link #AVX512} has, and products of quantised weights with many rows by Intel's AMX, which multiplies tiles of bytes.
     * The system must let the process use it. Not what {@link #AUTO} takes, as its speed has not been measured yet.
     */
    AMX,
    /** AVX-512 F, BW, VL, DQ and VNNI. */
    AVX512,
    /** AVX2, FMA and F16C. */
    AVX2,
    /** Any x86-64 processor. */
    PORTABLE;

    /** System property that overrides {@link #AUTO}: {@code auto}, {@code amx}, {@code avx512}, {@code avx2} or
     * {@code portable}. */
    public static final String PROPERTY = "hydra4j.isa";

    /**
     * The name that the native library knows, with the property applied.
     *
     * @throws HydraException if the property names no instruction set
     */
    String nativeName() {
        String override = System.getProperty(PROPERTY, "");
        String name = this == AUTO && !override.isEmpty() ? override : name();
        for (InstructionSet known : values()) {
            if (known.name().equalsIgnoreCase(name)) {
                return known.name().toLowerCase(Locale.ROOT);
            }
        }
        throw new HydraException("the system property " + PROPERTY + " is " + override
                + ", must be auto, amx, avx512, avx2 or portable");
    }

    static InstructionSet ofNativeName(String name) {
        return valueOf(name.toUpperCase(Locale.ROOT));
    }
}
