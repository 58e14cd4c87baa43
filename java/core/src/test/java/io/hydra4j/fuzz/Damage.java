package io.hydra4j.fuzz;

import java.util.Arrays;
import java.util.Random;

/** Values and bytes that readers stumble over. */
final class Damage {
    private static final long[] NUMBERS = {
        -1,
        0,
        1,
        2,
        3,
        7,
        31,
        32,
        33,
        64,
        127,
        128,
        255,
        256,
        258,
        1000,
        4095,
        4097,
        65_535,
        65_536,
        1 << 20,
        1 << 24,
        Integer.MAX_VALUE,
        1L << 31,
        (1L << 32) - 1,
        1L << 32,
        1L << 40,
        Long.MAX_VALUE,
        Long.MIN_VALUE
    };
    private static final String[] TEXTS = {
        "",
        " ",
        "a",
        "x".repeat(70),
        "y".repeat(5000),
        "\0",
        "\n",
        "\u202e",
        "\u2581",
        "\u00e9",
        "\ud83d\ude00",
        "../x",
        "/dev/zero",
        "null",
        "<s>",
        "</s>",
        "<unk>",
        "<0x41>",
        "NaN",
        "BPE",
        "F32",
        "I64",
        "base",
        "true",
        "%s%n"
    };
    private static final byte[] BYTES = {0, 1, 2, 8, 9, 13, 32, 34, 91, 93, 123, 125, 127, -128, -64, -1};

    private Damage() {}

    static long number(Random random) {
        return random.nextInt(4) == 0 ? random.nextInt(300) : NUMBERS[random.nextInt(NUMBERS.length)];
    }

    static double decimal(Random random) {
        double[] numbers = {0.0, -0.0, 1e-30, 1e30, 1e300, -1.5, 0.5, 1e-5, 10_000, 1e-320};
        return numbers[random.nextInt(numbers.length)];
    }

    static String text(Random random) {
        return TEXTS[random.nextInt(TEXTS.length)];
    }

    /** Changes some of the first bytes, and cuts the rest off now and then. */
    static byte[] bytes(Random random, byte[] whole, int first) {
        byte[] bytes = whole.clone();
        for (int i = random.nextInt(4); i >= 0; i--) {
            int at = random.nextInt(Math.max(1, Math.min(first, bytes.length)));
            if (random.nextInt(4) == 0 && at + 8 <= bytes.length) {
                long value = number(random);
                for (int j = 0; j < 8; j++) {
                    bytes[at + j] = (byte) (value >> 8 * j);
                }
            } else if (at < bytes.length) {
                bytes[at] = random.nextBoolean() ? BYTES[random.nextInt(BYTES.length)] : (byte) random.nextInt();
            }
        }
        return random.nextInt(8) == 0 ? Arrays.copyOf(bytes, random.nextInt(bytes.length + 1)) : bytes;
    }
}
