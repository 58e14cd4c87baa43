package io.hydra4j.benchmarks;

import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.WeightType;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;

/**
 * What do more rows cost in a matrix product, by shape and type of the weights? The score is the time of one pass over a set of
 * matrices as large as a small model, one after another as a forward pass reads them, so that they come from where a
 * model's weights come from.
 */
public class ProductBenchmark extends ProgramBenchmark {
    /**
     * Outputs x inputs: the first half of the embedded model's feed-forward, and the second half of SmolLM2-135M's;
     * {@link Shape#products} has those of others.
     */
    @Param({"1024x384", "576x1536"})
    public String shape;

    /** The weights' type. */
    @Param({"Q8_0", "Q4_0", "Q4_1", "BF16", "F16", "F32"})
    public WeightType type;

    /** Size of the set, in 10^6 bytes. */
    @Param({"20", "100"})
    public int megabytes;

    /** Rows that one pass multiplies. */
    @Param({"1", "2", "4", "8", "16", "32", "64"})
    public int rows;

    @Setup
    public void open() {
        int outputs = Integer.parseInt(shape.substring(0, shape.indexOf('x')));
        int inputs = Integer.parseInt(shape.substring(shape.indexOf('x') + 1));
        openBatch(1, 1, rows);
        pass.setChain(0, new int[rows]);
        Buffer x = resources.own(Fill.buffer(backend, rows * inputs));
        Buffer residual = resources.own(Buffer.floats(backend, (long) rows * outputs));
        while (bytes < megabytes * 1_000_000L) {
            Matrix weight = resources.own(Fill.matrix(backend, type, outputs, inputs));
            program.linear(pass, x, weight, null, residual, residual);
            bytes += weight.bytes();
        }
    }

    @Benchmark
    public void product() {
        run();
    }
}
