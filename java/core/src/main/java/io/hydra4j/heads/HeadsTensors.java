package io.hydra4j.heads;

import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorTable;
import io.hydra4j.format.TensorType;
import io.hydra4j.model.DecoderTensors;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.TopK;
import io.hydra4j.runtime.WeightType;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * The tensors of a set of draft heads, bound by name, with shapes that fit each other. With hidden size h and vocabulary V,
 * head i (from 0) computes {@code LM(block_L(... block_1(z)))}; z is the hidden state for Medusa, of width h, and for grounded
 * heads that state (of the prefix layer where there is one) followed by the embeddings of the root and of the i tokens
 * drafted before, of width (i + 2)·h. Immutable.
 *
 * @param config what the heads are
 * @param prefix the prefix layer; null unless the kind is HYDRA_PLUS_PLUS
 * @param heads {@code config.heads()} heads
 * @param draftVocabulary the token ids that the heads' logits are computed over, distinct: row r of a private LM head, or of
 *     the selection from the base's, is the logit of token {@code draftVocabulary.get(r)}; null for the whole vocabulary
 * @param treeOrder an order of trees that was measured for these heads; null if there is none
 */
public record HeadsTensors(
        HeadsConfig config, Prefix prefix, List<Head> heads, List<Integer> draftVocabulary, TreeOrder treeOrder) {
    /** The fewest tokens that heads can choose from: a node of a tree may be asked for as many guesses. */
    public static final int MIN_VOCABULARY = TopK.MAX_K;

    /** Makes the lists unmodifiable. */
    public HeadsTensors {
        heads = List.copyOf(heads);
        draftVocabulary = draftVocabulary == null ? null : List.copyOf(draftVocabulary);
    }

    /** Every tensor once: the prefix layer's, then head by head. */
    public List<Tensor> all() {
        var all = new ArrayList<Tensor>();
        if (prefix != null) {
            all.addAll(prefix.layer().all());
            all.add(prefix.norm());
        }
        for (Head head : heads) {
            for (Block block : head.blocks()) {
                Stream.of(block.linear(), block.linearBias(), block.skip(), block.skipBias())
                        .filter(Objects::nonNull)
                        .forEach(all::add);
            }
            Stream.of(head.lmHead(), head.lmHeadBias()).filter(Objects::nonNull).forEach(all::add);
        }
        return all;
    }

    /**
     * The type of 8 bits that the matrices may be converted to: on the CPU {@link WeightType#Q8_0} for those of BF16 and F16, as heads are
     * published. Half the bytes and several times the speed, and what the heads guess stays the same but for a few in a thousand.
     *
     * @return null to keep what the file has, as where a matrix has another type, or rows that are not whole blocks
     */
    public WeightType eightBitType(BackendKind backend) {
        boolean fits = all().stream()
                .filter(tensor -> tensor.shape().size() > 1)
                .allMatch(tensor -> (tensor.type() == TensorType.BF16 || tensor.type() == TensorType.F16)
                        && tensor.columns() % WeightType.Q8_0.blockValues() == 0);
        return backend == BackendKind.CPU && fits ? WeightType.Q8_0 : null;
    }

    /** Copies of the base's embedding and tables that any reader computes are left aside; no other tensor may be. */
    void rejectUnused(TensorTable tensors) {
        tensors.rejectUnused(
                all(),
                name -> name.endsWith("embed_tokens.weight")
                        || name.equals("input_embed_fn.weight")
                        || name.endsWith("rotary_emb.inv_freq"),
                "none in " + config.heads() + " heads of " + config.layers() + " layers, " + config.kind()
                        + (config.baseLmHead() ? ", with the base's LM head" : ", with private LM heads"),
                "the configuration and the tensors must be of the same heads");
    }

    /**
     * The prefix layer: one transformer layer of the base's sizes, over the base's normed hidden states.
     *
     * @param layer its tensors; within a head the rows of q and k are ordered as Hugging Face does (RoPE rotates values half a
     *     head apart), in every kind of file and whatever the order in the base is
     * @param norm the final norm after it, {@code [h]}
     */
    public record Prefix(DecoderTensors.Layer layer, Tensor norm) {}

    /**
     * One draft head.
     *
     * @param blocks residual blocks in the order in which they are applied; blocks that a checkpoint ties appear one by one
     * @param lmHead {@code [V, h]}, or as many rows as the draft vocabulary has ids; null if the base's is used
     * @param lmHeadBias one value for each row of {@code lmHead}; null if there is none
     */
    public record Head(List<Block> blocks, Tensor lmHead, Tensor lmHeadBias) {
        /** Makes the list of blocks unmodifiable. */
        public Head {
            blocks = List.copyOf(blocks);
        }
    }

    /**
     * A residual block: {@code skip·x + skipBias + SiLU(linear·x + linearBias)}, where without skip matrix x itself is added.
     *
     * @param linear {@code [h, h]}, or {@code [h, (i + 2)·h]} in the first block of grounded head i
     * @param linearBias {@code [h]}
     * @param skip of the shape of {@code linear}; only in the first block of grounded heads, null elsewhere
     * @param skipBias {@code [h]}, null if {@code skip} is
     */
    public record Block(Tensor linear, Tensor linearBias, Tensor skip, Tensor skipBias) {}
}
