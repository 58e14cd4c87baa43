package io.hydra4j.heads;

import io.hydra4j.format.Fields;
import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorTable;
import io.hydra4j.heads.HeadsConfig.Kind;
import io.hydra4j.heads.HeadsFiles.Opened;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.DecoderTensors;
import java.util.ArrayList;

/**
 * Reads heads that are named as Medusa v0.1 does, or among a base's own tensors as Medusa-2 does. The counts are those of the
 * tensors: published configurations state 2 heads where there are 5.
 */
final class MedusaHeads {
    private final String prefix;

    private MedusaHeads(String prefix) {
        this.prefix = prefix;
    }

    static Opened readFolder(Fields json, TensorTable tensors) {
        return new MedusaHeads("").read(json, tensors);
    }

    /** Whether a base's tensors have heads among them. */
    static boolean areIn(TensorTable base) {
        return base.has(new MedusaHeads(DecoderTensors.MEDUSA_HEADS).linear(0, 0));
    }

    static Opened readBase(Fields json, TensorTable base) {
        return new MedusaHeads(DecoderTensors.MEDUSA_HEADS).read(json, base.beginning(DecoderTensors.MEDUSA_HEADS));
    }

    private Opened read(Fields json, TensorTable tensors) {
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
        var draft = HydraHeads.folderDraftVocabulary(json);
        long rows = baseLmHead ? 0 : tensors.requireMatrix(lmHead(0, layers)).rows();
        if (draft != null && !baseLmHead) {
            rows = draft.size();
        }
        long vocabulary =
                draft == null ? rows : json.integer(HydraHeads.FOLDER_VOCABULARY, 1, DecoderConfig.MAX_VOCABULARY);
        var config =
                new HeadsConfig(Kind.MEDUSA, heads, layers, baseLmHead, json.string("base_model_name_or_path", ""));
        var bound = new ArrayList<HeadsTensors.Head>();
        for (int i = 0; i < heads; i++) {
            var blocks = new ArrayList<HeadsTensors.Block>();
            for (int j = 0; j < layers; j++) {
                blocks.add(new HeadsTensors.Block(
                        tensors.require(linear(i, j), hidden, hidden),
                        tensors.requireVector(prefix + i + "." + j + ".linear.bias", hidden),
                        null,
                        null));
            }
            Tensor lmHead = baseLmHead ? null : tensors.require(lmHead(i, layers), rows, hidden);
            bound.add(new HeadsTensors.Head(blocks, lmHead, null));
        }
        var opened = new HeadsTensors(config, null, bound, draft, null);
        opened.rejectUnused(tensors);
        return new Opened(opened, HeadsSizes.of(hidden, vocabulary));
    }

    private String linear(int head, int layer) {
        return prefix + head + "." + layer + ".linear.weight";
    }

    private String lmHead(int head, int layers) {
        return prefix + head + "." + layers + ".weight";
    }
}
