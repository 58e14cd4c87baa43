package io.hydra4j.heads;

import io.hydra4j.FormatException;
import io.hydra4j.format.TensorTable;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.DecoderTensors;
import java.nio.file.Path;

/**
 * The sizes of the base model that a set of heads was made for, as its tensors show them; 0 where they do not show.
 *
 * @param hidden values of a hidden state
 * @param vocabulary tokens
 * @param queryRows query heads × head size, from the prefix layer
 * @param keyValueRows KV heads × head size, from the prefix layer
 * @param feedForward feed-forward size, from the prefix layer
 */
record HeadsSizes(long hidden, long vocabulary, long queryRows, long keyValueRows, long feedForward) {
    static final String PREFIX_LAYER = "prefix_embeding_layer.layers.0.";
    static final String PREFIX_NORM = "prefix_embeding_layer.norm.weight";

    /** The sizes of heads without prefix layer. */
    static HeadsSizes of(long hidden, long vocabulary) {
        return new HeadsSizes(hidden, vocabulary, 0, 0, 0);
    }

    /** The sizes of a base. */
    static HeadsSizes of(DecoderConfig base) {
        return new HeadsSizes(
                base.hidden(), base.vocabulary(), base.queryRows(), base.keyValueRows(), base.feedForward());
    }

    /** These sizes with those of a prefix layer. */
    HeadsSizes withPrefixOf(TensorTable tensors) {
        return new HeadsSizes(
                hidden,
                vocabulary,
                tensors.requireMatrix(PREFIX_LAYER + "self_attn.q_proj.weight").rows(),
                tensors.requireMatrix(PREFIX_LAYER + "self_attn.k_proj.weight").rows(),
                tensors.requireMatrix(PREFIX_LAYER + "mlp.gate_proj.weight").rows());
    }

    /** Binds the prefix layer; its tensors must have these sizes. */
    HeadsTensors.Prefix bindPrefix(TensorTable tensors) {
        var sizes = new DecoderTensors.LayerSizes(hidden, queryRows, keyValueRows, feedForward);
        return new HeadsTensors.Prefix(
                DecoderTensors.Layer.huggingFace(tensors, PREFIX_LAYER, sizes),
                tensors.requireVector(PREFIX_NORM, hidden));
    }

    /** @throws FormatException.HeadsMismatch if the base has another size than one that shows */
    void requireFit(Path path, DecoderConfig base) {
        if (base.vocabulary() < HeadsTensors.MIN_VOCABULARY) {
            throw new FormatException.HeadsMismatch(
                    path,
                    "vocabulary",
                    "a base model of " + base.vocabulary() + " tokens",
                    "at least " + HeadsTensors.MIN_VOCABULARY + ": a node of a tree may be asked for as many guesses",
                    "open this base without heads");
        }
        requireEqual(path, "hidden size", hidden, base.hidden());
        requireEqual(path, "vocabulary", vocabulary, base.vocabulary());
        requireEqual(path, "query heads x head size of the prefix layer", queryRows, base.queryRows());
        requireEqual(path, "KV heads x head size of the prefix layer", keyValueRows, base.keyValueRows());
        requireEqual(path, "feed-forward size of the prefix layer", feedForward, base.feedForward());
    }

    private static void requireEqual(Path path, String what, long found, long expected) {
        if (found != 0 && found != expected) {
            throw new FormatException.HeadsMismatch(
                    path,
                    what,
                    found,
                    expected + " as in the base model",
                    "these heads were made for another base: give the base they were made for, or heads for this one");
        }
    }
}
