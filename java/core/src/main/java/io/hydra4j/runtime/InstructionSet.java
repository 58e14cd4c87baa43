package io.hydra4j.runtime;

import java.util.Locale;

/** Processor instructions that the CPU backend uses. All of them give the same bits. */
public enum InstructionSet {
    /** The best one that the processor has, or what the system property {@code hydra4j.isa} says. */
    AUTO,
    /** AVX-512 F, BW, VL, DQ and VNNI. */
    AVX512,
    /** AVX2, FMA and F16C. */
    AVX2,
    /** Any x86-64 processor. */
    PORTABLE;

    /** System property that overrides {@link #AUTO}: {@code auto}, {@code avx512}, {@code avx2} or {@code portable}. */
    public static final String PROPERTY = "hydra4j.isa";

    /** The name that the native library knows, with the property applied. */
    String nativeName() {
        String override = System.getProperty(PROPERTY, "");
        return this == AUTO && !override.isEmpty()
                ? override.toLowerCase(Locale.ROOT)
                : name().toLowerCase(Locale.ROOT);
    }

    static InstructionSet ofNativeName(String name) {
        return valueOf(name.toUpperCase(Locale.ROOT));
    }
}
