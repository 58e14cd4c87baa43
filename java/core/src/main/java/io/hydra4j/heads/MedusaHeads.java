package io.hydra4j.heads;

import io.hydra4j.format.Fields;
import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorTable;
import io.hydra4j.heads.HeadsConfig.Kind;
import io.hydra4j.heads.HeadsFiles.Opened;
import java.util.ArrayList;

/**
 * Reads heads that are named as Medusa v0.1 does. The counts are those of the tensors: published configurations state 2 heads
 * where there are 5.
 */
final class MedusaHeads {
    private MedusaHeads() {}

    static Opened readFolder(Fields json, TensorTable tensors) {
        int heads = 1;
        while (heads < HeadsConfig.MAX_HEADS && tensors.has(linear(heads, 0))) {
            heads++;
        }
        int layers = 1;
        while (layers < HeadsConfig.MAX_LAYERS && tensors.has(linear(0, layers))) {
            layers++;
        }
        boolean baseLmHead = !tensors.has(lmHead(0, layers));
        long hidden = tensors.requireMatrix(linear(0, 0)).rows();
        long vocabulary =
                baseLmHead ? 0 : tensors.requireMatrix(lmHead(0, layers)).rows();
        var config =
                new HeadsConfig(Kind.MEDUSA, heads, layers, baseLmHead, json.string("base_model_name_or_path", ""));
        var bound = new ArrayList<HeadsTensors.Head>();
        for (int i = 0; i < heads; i++) {
            var blocks = new ArrayList<HeadsTensors.Block>();
            for (int j = 0; j < layers; j++) {
                blocks.add(new HeadsTensors.Block(
                        tensors.require(linear(i, j), hidden, hidden),
                        tensors.requireVector(i + "." + j + ".linear.bias", hidden),
                        null,
                        null));
            }
            Tensor lmHead = baseLmHead ? null : tensors.require(lmHead(i, layers), vocabulary, hidden);
            bound.add(new HeadsTensors.Head(blocks, lmHead, null));
        }
        var opened = new HeadsTensors(config, null, bound, null, null);
        opened.rejectUnused(tensors);
        return new Opened(opened, HeadsSizes.of(hidden, vocabulary));
    }

    private static String linear(int head, int layer) {
        return head + "." + layer + ".linear.weight";
    }

    private static String lmHead(int head, int layers) {
        return head + "." + layers + ".weight";
    }
}
