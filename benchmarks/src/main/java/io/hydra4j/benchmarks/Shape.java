package io.hydra4j.benchmarks;

import io.hydra4j.HydraException;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.runtime.Activation;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The sizes of a model that many know, under a short name: for models whose weights come from a seed.
 *
 * @param inner feed-forward size
 * @param tied whether the LM head is the embedding
 */
record Shape(
        String name,
        int hidden,
        int inner,
        int layers,
        int heads,
        int kvHeads,
        int headSize,
        int vocabulary,
        boolean tied) {
    /** The embedded model's, SmolLM2-135M's, Llama-3.2-1B's, Vicuna-7B's and Llama-3.1-8B's. */
    private static final List<Shape> ALL = List.of(
            new Shape("19m", 384, 1024, 10, 6, 2, 64, 8192, true),
            new Shape("135m", 576, 1536, 30, 9, 3, 64, 49152, true),
            new Shape("1b", 2048, 8192, 16, 32, 8, 64, 128256, true),
            new Shape("7b", 4096, 11008, 32, 32, 32, 128, 32000, false),
            new Shape("8b", 4096, 14336, 32, 32, 8, 128, 128256, false));

    /** @throws HydraException if there is no such shape */
    static Shape named(String name) {
        return ALL.stream()
                .filter(shape -> shape.name.equals(name))
                .findFirst()
                .orElseThrow(() -> new HydraException("no shape is called '" + name + "': choose of "
                        + ALL.stream().map(Shape::name).collect(Collectors.joining(", "))));
    }

    /** The configuration of a model of this shape with room for so many positions. */
    DecoderConfig config(int context) {
        return new DecoderConfig(
                layers,
                hidden,
                heads,
                kvHeads,
                headSize,
                inner,
                vocabulary,
                context,
                10000,
                1e-5f,
                Activation.SILU,
                tied,
                -1,
                List.of());
    }

    /** Its matrices, each size once, as {@link ProductBenchmark#shape} has them: query, key, gate, down, LM head. */
    List<String> products() {
        return List.copyOf(new LinkedHashSet<>(List.of(
                heads * headSize + "x" + hidden,
                kvHeads * headSize + "x" + hidden,
                inner + "x" + hidden,
                hidden + "x" + inner,
                vocabulary + "x" + hidden)));
    }
}
