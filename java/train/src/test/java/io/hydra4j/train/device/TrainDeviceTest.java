package io.hydra4j.train.device;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.runtime.NativeException;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TrainDeviceTest {
    private static final float[] IDENTITY = {1, 0, 0, 1};

    private final TrainDevice device = TrainDevice.openCpu(2, false);

    @AfterEach
    void close() {
        device.close();
    }

    private TrainBuffer floats(float... values) {
        var buffer = device.floats(values.length);
        buffer.upload(0, values);
        return buffer;
    }

    private TrainBuffer ints(int... values) {
        var buffer = device.ints(values.length);
        buffer.upload(0, values);
        return buffer;
    }

    private static float[] read(TrainBuffer buffer) {
        float[] values = new float[(int) buffer.count()];
        buffer.download(0, values);
        return values;
    }

    @Test
    void aLinearLayerAndItsGradients() {
        var x = floats(1, 2);
        var weight = floats(3, 4, 5, 6, 7, 8);
        var y = device.floats(3);
        device.linearForward(1, 2, 3, x, weight, floats(10, 20, 30), false, y);
        assertArrayEquals(new float[] {21, 37, 53}, read(y));
        var gX = device.floats(2);
        var gWeight = device.floats(6);
        var gBias = floats(1, 1, 1);
        device.linearBackward(1, 2, 3, x, weight, floats(1, 0, -1), false, 2, gX, gWeight, gBias);
        assertArrayEquals(new float[] {-4, -4}, read(gX));
        assertArrayEquals(new float[] {1, 2, 0, 0, -1, -2}, read(gWeight));
        assertArrayEquals(new float[] {2, 1, 0}, read(gBias));
    }

    @Test
    void rowsAreGatheredIntoColumnsAndScatteredBack() {
        var table = floats(1, 2, 3, 4);
        var ids = ints(1, -1);
        var rows = floats(9, 9, 9, 9, 9, 9);
        device.gather(2, 2, table, 2, ids, rows, 3, 1);
        assertArrayEquals(new float[] {9, 3, 4, 9, 0, 0}, read(rows));
        device.scatterAdd(2, 2, rows, 3, 1, ids, table, 2);
        assertArrayEquals(new float[] {1, 2, 6, 8}, read(table));
        var columns = floats(0, 0);
        device.copyColumns(2, 1, rows, 3, 1, columns, 1, 0);
        assertArrayEquals(new float[] {3, 0}, read(columns));
    }

    @Test
    void normsHaveUnitMeanSquare() {
        var x = floats(3, 4);
        var y = device.floats(2);
        var inverse = device.floats(1);
        device.rmsNormForward(1, 2, 0, x, floats(1, 2), y, inverse);
        float length = (float) Math.sqrt(12.5);
        assertArrayEquals(new float[] {3 / length, 8 / length}, read(y), 1e-6f);
        var gX = floats(1, 1);
        var gWeight = floats(1, 1);
        device.rmsNormBackward(1, 2, x, floats(1, 2), inverse, floats(0, 0), true, gX, gWeight);
        assertArrayEquals(new float[] {1, 1}, read(gX));
        assertArrayEquals(new float[] {1, 1}, read(gWeight));
    }

    @Test
    void positionsTurnHalvesOfHeads() {
        var x = floats(1, 0, 1, 0);
        float[] quarter = {(float) (Math.PI / 2)};
        device.rope(new Texts(0, 2), 1, 2, quarter, false, x);
        assertArrayEquals(new float[] {1, 0, 0, 1}, read(x), 1e-6f);
        device.rope(new Texts(0, 2), 1, 2, quarter, true, x);
        assertArrayEquals(new float[] {1, 0, 1, 0}, read(x), 1e-6f);
        assertThrows(IllegalArgumentException.class, () -> device.rope(new Texts(0, 2), 1, 4, quarter, false, x));
    }

    @Test
    void gatesDropoutAndNoise() {
        var y = device.floats(2);
        device.swigluForward(2, floats(0, 100), floats(5, 2), y);
        assertArrayEquals(new float[] {0, 200}, read(y), 1e-4f);
        var gGate = device.floats(1);
        var gUp = device.floats(1);
        device.swigluBackward(1, floats(100), floats(2), floats(1), gGate, gUp);
        assertArrayEquals(new float[] {2}, read(gGate), 1e-4f);
        assertArrayEquals(new float[] {100}, read(gUp), 1e-4f);
        device.dropout(2, 0, 1, 2, 3, y, y);
        assertArrayEquals(new float[] {0, 200}, read(y), 1e-4f);
        device.noise(2, 0.5f, 1, 2, 3, y, y);
        assertEquals(200, read(y)[1], 0.5);
        device.add(2, -1, y, y);
        assertArrayEquals(new float[] {0, 0}, read(y));
    }

    @Test
    void aBlockAddsItsInput() {
        var pass = new BlockPass(
                1,
                2,
                2,
                floats(3, 4),
                floats(0, 0, 0, 0),
                floats(0, 0),
                null,
                null,
                device.floats(2),
                device.floats(2));
        device.blockForward(pass);
        assertArrayEquals(new float[] {3, 4}, read(pass.y()));
        var gX = device.floats(2);
        device.blockBackward(
                pass, new BlockPass.Gradients(floats(1, 2), pass.a(), false, 2, gX, null, null, null, null));
        assertArrayEquals(new float[] {1, 2}, read(gX));
    }

    @Test
    void oneKeyGetsAllAttention() {
        var pass = new AttentionPass(
                new Texts(0, 1, 1, 2),
                1,
                1,
                2,
                floats(1, 2, 3, 4),
                floats(1, 1, 1, 1),
                floats(5, 6, 7, 8),
                device.floats(4),
                device.floats(2));
        device.attentionForward(pass);
        assertArrayEquals(new float[] {5, 6, 7, 8}, read(pass.y()), 1e-6f);
        var gradients =
                new AttentionPass.Gradients(floats(1, 2, 3, 4), device.floats(4), device.floats(4), device.floats(4));
        device.attentionBackward(pass, gradients);
        assertArrayEquals(new float[] {1, 2, 3, 4}, read(gradients.v()), 1e-6f);
    }

    @Test
    void theLossOfTwoHeadsAndItsGradients() {
        var gStates = device.floats(2);
        var ranks = device.ints(1);
        var first = head(floats(0, 0), ints(1), gStates, ranks);
        var second = head(floats(2, 0), ints(-1), null, null);
        var sums = device.loss(new LossPass(2, 2, null, List.of(first, second)));
        assertEquals(2, sums.size());
        assertEquals(Math.log(2), sums.get(0).dataLoss(), 1e-6);
        assertArrayEquals(new double[] {0, 1, 1, 1, 1}, sums.get(0).targetTop());
        assertArrayEquals(new float[] {0.5f, -0.5f}, read(gStates), 1e-6f);
        int[] rank = new int[1];
        ranks.download(0, rank);
        assertEquals(1, rank[0]);
        assertEquals(1, sums.get(1).rows());
        assertEquals(0, sums.get(1).targetWeights());
        assertEquals(0, sums.get(1).dataLoss());
    }

    private LossPass.Head head(TrainBuffer states, TrainBuffer targets, TrainBuffer gStates, TrainBuffer ranks) {
        return new LossPass.Head(
                1, states, floats(IDENTITY), null, targets, null, null, null, 1, 0, gStates, null, null, ranks, null);
    }

    @Test
    void aStepOfTheOptimiserGoesAgainstTheGradient() {
        var all = floats(1, 1, 5);
        var two = all.view(0, 2);
        device.adamW(
                2,
                two,
                floats(3, -4),
                device.floats(2),
                device.floats(2),
                1,
                new TrainDevice.AdamW(0.9, 0.999, 1e-8, 0),
                0.25,
                1);
        assertArrayEquals(new float[] {0.75f, 1.25f, 5}, read(all), 1e-6f);
        assertEquals(25, device.squareSum(2, floats(3, -4)));
        assertEquals(2, device.countNonfinite(3, floats(Float.NaN, 1, Float.NEGATIVE_INFINITY)));
    }

    @Test
    void aRefusalNamesTheOperand() {
        var x = floats(1, 2);
        var failure = assertThrows(NativeException.class, () -> device.fill(3, 0, x));
        assertEquals(NativeException.Status.INVALID_ARGUMENT, failure.status());
        assertTrue(failure.getMessage().contains("x holds 2 elements, needs 3"), failure::getMessage);
    }

    @Test
    void aClosedBufferIsRefused() {
        var x = floats(1, 2);
        x.close();
        assertThrows(IllegalStateException.class, () -> device.fill(1, 0, x));
    }
}
