package io.hydra4j.examples;

import io.hydra4j.HydraException;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Batch;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.Stream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Random;
import jcuda.CudaException;
import jcuda.Pointer;

/**
 * One kernel of Hydra4J between two of the caller's, on the caller's stream and in the caller's memory: the host enqueues all
 * of it and waits once. Needs an NVIDIA GPU with its driver; without one it says so and ends with code 1.
 */
public final class KernelInterop {
    private static final int ROWS = 64;
    private static final int COLUMNS = 4096;
    private static final int COUNT = ROWS * COLUMNS;
    private static final float EPSILON = 1e-5f;
    private static final double TOLERANCE = 1e-5;

    private KernelInterop() {}

    /** Prints one line and ends the process: with 0 if the device's result is right, else with 1. */
    public static void main(String[] arguments) {
        int code = 1;
        // JCuda's classes look for the driver when they are loaded, so Hydra4J, which can say why there is none, comes
        // first.
        try (Backend backend = Backend.openCuda(0)) {
            double error = run(backend);
            code = error <= TOLERANCE ? 0 : 1;
            System.out.printf(
                    "%s: relative error %.1e, allowed %.0e: %s%n",
                    backend.description(), error, TOLERANCE, code == 0 ? "right" : "WRONG");
        } catch (HydraException | CudaException | UnsatisfiedLinkError cannot) {
            String reason = cannot.getMessage().lines().findFirst().orElse("");
            System.err.println("This example needs an NVIDIA GPU: " + reason);
        }
        System.exit(code);
    }

    /** @return ‖device − host‖ / ‖host‖ of 3 RMSNorm(2 x + 1) − 1 */
    private static double run(Backend backend) {
        try (JCudaStream theirs = new JCudaStream(0);
                Resources ours = new Resources()) {
            JCudaStream.Memory x = theirs.onDevice(COUNT);
            JCudaStream.Memory result = theirs.onDevice(COUNT);
            Pointer pinned = theirs.onHost(COUNT);
            FloatBuffer host = floats(pinned);
            float[] values = random();
            host.put(0, values);

            Program norm = recordNorm(backend, ours, theirs.address(), x.address(), result.address());
            theirs.copyIn(x, pinned, COUNT);
            theirs.affine(x, COUNT, 2, 1);
            norm.enqueue();
            theirs.affine(result, COUNT, 3, -1);
            theirs.copyOut(pinned, result, COUNT);
            norm.await();

            float[] found = new float[COUNT];
            host.get(0, found);
            return relativeError(found, expected(values));
        }
    }

    /** A program on the caller's stream: RMSNorm of all rows of x into result. */
    private static Program recordNorm(Backend backend, Resources owned, long stream, long x, long result) {
        Batch batch = owned.own(Batch.create(backend, 1, 1));
        PassRows rows = owned.own(PassRows.create(batch, ROWS));
        rows.setChain(0, new int[ROWS]);
        Buffer weight = owned.own(Buffer.floats(backend, COLUMNS));
        float[] ones = new float[COLUMNS];
        Arrays.fill(ones, 1);
        weight.write(0, ones);
        long bytes = (long) COUNT * Float.BYTES;
        Buffer in = owned.own(Buffer.wrap(backend, x, bytes));
        Buffer out = owned.own(Buffer.wrap(backend, result, bytes));
        Program program = owned.own(Program.create(owned.own(Stream.wrap(backend, stream))));
        program.norm(rows, in, weight, EPSILON, out);
        return program;
    }

    private static FloatBuffer floats(Pointer pinned) {
        ByteBuffer bytes = pinned.getByteBuffer(0, (long) COUNT * Float.BYTES);
        return bytes.order(ByteOrder.nativeOrder()).asFloatBuffer();
    }

    private static float[] random() {
        Random random = new Random(1);
        float[] values = new float[COUNT];
        for (int i = 0; i < COUNT; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private static double[] expected(float[] values) {
        double[] expected = new double[COUNT];
        for (int row = 0; row < COUNT; row += COLUMNS) {
            double squares = 0;
            for (int i = row; i < row + COLUMNS; i++) {
                expected[i] = 2.0 * values[i] + 1;
                squares += expected[i] * expected[i];
            }
            double scale = 1 / Math.sqrt(squares / COLUMNS + EPSILON);
            for (int i = row; i < row + COLUMNS; i++) {
                expected[i] = 3 * expected[i] * scale - 1;
            }
        }
        return expected;
    }

    private static double relativeError(float[] found, double[] expected) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < found.length; i++) {
            difference += (found[i] - expected[i]) * (found[i] - expected[i]);
            norm += expected[i] * expected[i];
        }
        return Math.sqrt(difference / norm);
    }
}
