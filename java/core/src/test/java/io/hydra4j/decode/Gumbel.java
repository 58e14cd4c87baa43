package io.hydra4j.decode;

/**
 * The noise of sampling and the exponential, written plainly: Philox4x32-10 (Salmon et al. 2011), and logarithms and exponentials in
 * float32, operation by operation as the native side defines them, so that all bits are the same.
 */
final class Gumbel {
    private static final int[] MULTIPLIERS = {0xd2511f53, 0xcd9e8d57};
    private static final int[] WEYL = {0x9e3779b9, 0xbb67ae85};

    private static final float[] EXP = {1f / 5040, 1f / 720, 1f / 120, 1f / 24, 1f / 6, 0.5f, 1, 1};
    private static final float[] LOG = {
        -0x1.383022p-4f,
        0x1.084864p-3f,
        -0x1.0f3766p-3f,
        0x1.22719cp-3f,
        -0x1.54276ep-3f,
        0x1.99a3f2p-3f,
        -0x1.000426p-2f,
        0x1.555550p-2f,
        -0x1.fffff8p-2f
    };
    private static final int SQRT_HALF = 0x3f3504f3;

    private Gumbel() {}

    /** A draw of the standard Gumbel distribution for a token at a position. */
    static float noise(long seed, int position, int token) {
        int word = philox(new int[] {token >>> 2, position, 0, 0}, (int) seed, (int) (seed >>> 32))[token & 3];
        float u = Math.min((Integer.toUnsignedLong(word) + 0.5f) * 0x1p-32f, 0x1.fffffep-1f);
        return -log(-logOfRest(u));
    }

    /** Four words from a counter and a key. */
    static int[] philox(int[] counter, int keyLow, int keyHigh) {
        int[] c = counter.clone();
        int[] key = {keyLow, keyHigh};
        for (int round = 0; round < 10; round++) {
            long first = Integer.toUnsignedLong(c[0]) * Integer.toUnsignedLong(MULTIPLIERS[0]);
            long second = Integer.toUnsignedLong(c[2]) * Integer.toUnsignedLong(MULTIPLIERS[1]);
            c = new int[] {
                (int) (second >>> 32) ^ c[1] ^ key[0], (int) second, (int) (first >>> 32) ^ c[3] ^ key[1], (int) first
            };
            key[0] += WEYL[0];
            key[1] += WEYL[1];
        }
        return c;
    }

    static float exp(float x) {
        float bounded = Math.min(Math.max(x, -87.3f), 88f);
        float n = (float) Math.rint(bounded * 1.44269504f);
        float r = Math.fma(n, 2.12194440e-4f, Math.fma(n, -0.693359375f, bounded));
        return Math.scalb(polynomial(EXP, r), (int) n);
    }

    static float log(float y) {
        int k = exponent(y);
        return logOfParts(Math.fma(y, Math.scalb(1f, -k), -1f), k);
    }

    /** log(1 - u), exact for small u. */
    private static float logOfRest(float u) {
        int k = exponent(1 - u);
        float inverse = Math.scalb(1f, -k);
        return logOfParts(Math.fma(-u, inverse, inverse - 1), k);
    }

    /** k of y = m * 2^k, m from sqrt(1/2) to sqrt(2). */
    private static int exponent(float y) {
        return (Float.floatToRawIntBits(y) - SQRT_HALF) >> 23;
    }

    private static float logOfParts(float f, int k) {
        return Math.fma(k, 0.693147182f, Math.fma(f * f, polynomial(LOG, f), f));
    }

    private static float polynomial(float[] coefficients, float x) {
        float p = coefficients[0];
        for (int i = 1; i < coefficients.length; i++) {
            p = Math.fma(p, x, coefficients[i]);
        }
        return p;
    }
}
