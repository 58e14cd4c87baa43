package io.hydra4j.model;

import io.hydra4j.FormatException;
import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorTable;
import io.hydra4j.model.DecoderFamily.AttentionBias;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * The tensors of a decoder, bound by name, with shapes that fit its {@link DecoderConfig}. A matrix of shape
 * {@code [rows, columns]} maps a vector of {@code columns} values to one of {@code rows}. Immutable.
 *
 * @param embedding {@code [vocabulary, hidden]}
 * @param finalNorm {@code [hidden]}
 * @param lmHead {@code [vocabulary, hidden]}; the same object as {@code embedding} when tied
 * @param layers from the first to the last
 * @param interleavedRope how the rows of q and k are ordered within a head: true if the two values that RoPE rotates
 *     together lie side by side (GGUF), false if they lie half a head apart (Hugging Face)
 */
public record DecoderTensors(
        Tensor embedding, Tensor finalNorm, Tensor lmHead, List<Layer> layers, boolean interleavedRope) {
    /** What the names of draft heads begin with that Medusa-2 keeps among the tensors of their base. */
    public static final String MEDUSA_HEADS = "medusa_head.";

    /** Makes the list of layers unmodifiable. */
    public DecoderTensors {
        layers = List.copyOf(layers);
    }

    /**
     * The sizes that give a layer's tensors their shapes.
     *
     * @param hidden values of a hidden state
     * @param queryRows query heads × head size
     * @param keyValueRows KV heads × head size
     * @param feedForward values of the inner feed-forward vector
     */
    public record LayerSizes(long hidden, long queryRows, long keyValueRows, long feedForward) {
        /** The sizes of a model's layers. */
        public static LayerSizes of(DecoderConfig config) {
            return new LayerSizes(config.hidden(), config.queryRows(), config.keyValueRows(), config.feedForward());
        }
    }

    /**
     * One transformer layer. Norms and biases are F32, F16 or BF16; a bias is null where the model has none.
     *
     * @param attentionNorm {@code [hidden]}
     * @param q {@code [queryRows, hidden]}
     * @param k {@code [keyValueRows, hidden]}
     * @param v {@code [keyValueRows, hidden]}
     * @param o {@code [hidden, queryRows]}
     * @param qBias {@code [queryRows]} or null
     * @param kBias {@code [keyValueRows]} or null
     * @param vBias {@code [keyValueRows]} or null
     * @param oBias {@code [hidden]} or null
     * @param qNorm {@code [headSize]}, which each query head is normed with, or null
     * @param kNorm {@code [headSize]}, which each key head is normed with, or null
     * @param feedForwardNorm {@code [hidden]}
     * @param gate {@code [feedForward, hidden]}
     * @param up {@code [feedForward, hidden]}
     * @param down {@code [hidden, feedForward]}
     */
    public record Layer(
            Tensor attentionNorm,
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor o,
            Tensor qBias,
            Tensor kBias,
            Tensor vBias,
            Tensor oBias,
            Tensor qNorm,
            Tensor kNorm,
            Tensor feedForwardNorm,
            Tensor gate,
            Tensor up,
            Tensor down) {
        /**
         * Binds a layer that is named as Hugging Face does ({@code self_attn.q_proj} and so on), with the biases that are
         * there.
         *
         * @param prefix what stands before the names, such as {@code model.layers.0.}
         * @throws FormatException.MissingField if a tensor is missing
         * @throws FormatException.WrongShape if one has another shape
         * @throws FormatException.UnsupportedType if one is of a type that cannot be used
         */
        public static Layer huggingFace(TensorTable tensors, String prefix, LayerSizes sizes) {
            return bind(tensors, prefix, TensorNames.HUGGING_FACE, sizes, AttentionBias.ANNOUNCED, 0);
        }

        /** The tensors that are not null, in the order of the components. */
        public List<Tensor> all() {
            return Stream.of(
                            attentionNorm,
                            q,
                            k,
                            v,
                            o,
                            qBias,
                            kBias,
                            vBias,
                            oBias,
                            qNorm,
                            kNorm,
                            feedForwardNorm,
                            gate,
                            up,
                            down)
                    .filter(Objects::nonNull)
                    .toList();
        }

        // normedHead: values of the heads that are normed, 0 if none are.
        private static Layer bind(
                TensorTable tensors,
                String prefix,
                TensorNames names,
                LayerSizes sizes,
                AttentionBias bias,
                long normedHead) {
            long hidden = sizes.hidden();
            boolean required = bias == AttentionBias.QUERY_KEY_VALUE;
            var q = prefix + names.q();
            var k = prefix + names.k();
            var v = prefix + names.v();
            var o = prefix + names.o();
            return new Layer(
                    tensors.requireVector(prefix + names.attentionNorm() + ".weight", hidden),
                    tensors.require(q + ".weight", sizes.queryRows(), hidden),
                    tensors.require(k + ".weight", sizes.keyValueRows(), hidden),
                    tensors.require(v + ".weight", sizes.keyValueRows(), hidden),
                    tensors.require(o + ".weight", hidden, sizes.queryRows()),
                    bias(tensors, q, sizes.queryRows(), required),
                    bias(tensors, k, sizes.keyValueRows(), required),
                    bias(tensors, v, sizes.keyValueRows(), required),
                    required ? null : bias(tensors, o, hidden, false),
                    headNorm(tensors, prefix + names.qNorm(), normedHead),
                    headNorm(tensors, prefix + names.kNorm(), normedHead),
                    tensors.requireVector(prefix + names.feedForwardNorm() + ".weight", hidden),
                    tensors.require(prefix + names.gate() + ".weight", sizes.feedForward(), hidden),
                    tensors.require(prefix + names.up() + ".weight", sizes.feedForward(), hidden),
                    tensors.require(prefix + names.down() + ".weight", hidden, sizes.feedForward()));
        }

        private static Tensor headNorm(TensorTable tensors, String name, long normedHead) {
            return normedHead == 0 ? null : tensors.requireVector(name + ".weight", normedHead);
        }

        private static Tensor bias(TensorTable tensors, String name, long length, boolean required) {
            return required
                    ? tensors.requireVector(name + ".bias", length)
                    : tensors.findVector(name + ".bias", length).orElse(null);
        }
    }

    /**
     * Binds the tensors of a GGUF file. Biases of q, k, v and o are used as the family has them; a tensor that the forward pass
     * would not use is an error.
     *
     * @throws FormatException.MissingField if a tensor is missing
     * @throws FormatException.WrongShape if one does not fit the configuration
     * @throws FormatException.UnsupportedType if one is of a type that cannot be used, or is one that a plain model of the family
     *     does not have
     */
    static DecoderTensors fromGguf(TensorTable tensors, DecoderConfig config, DecoderFamily family) {
        boolean interleaved = family.ggufRows() == DecoderFamily.RotatedRows.NEIGHBOURS;
        var model = bind(tensors, config, family.gguf(), family, interleaved);
        model.rejectUnused(tensors, family, name -> false);
        return model;
    }

    /**
     * Binds the tensors of a Hugging Face folder.
     *
     * @param attentionBias whether config.json announces biases of q, k, v and o: where the family leaves that to the
     *     configuration, they must then be there, and otherwise not
     * @throws FormatException.MissingField if a tensor is missing
     * @throws FormatException.WrongShape if one does not fit the configuration
     * @throws FormatException.UnsupportedType if one is of a type that cannot be used, or is one that a plain model of the family
     *     does not have
     * @throws FormatException.InvalidValue if there is a bias that config.json does not announce
     */
    static DecoderTensors fromHuggingFace(
            TensorTable tensors, DecoderConfig config, DecoderFamily family, boolean attentionBias) {
        var names = family.huggingFace();
        var model = bind(tensors, config, names, family, false);
        if (family.attentionBias() == AttentionBias.ANNOUNCED) {
            for (int i = 0; i < config.layers(); i++) {
                for (String name : List.of(names.q(), names.k(), names.v(), names.o())) {
                    checkBias(tensors, names.layer(i) + name + ".bias", attentionBias);
                }
            }
        }
        // Tables that any reader computes, and the second copy of a tied matrix, mean nothing; Medusa's heads are
        // opened as such.
        model.rejectUnused(
                tensors,
                family,
                name -> name.endsWith("rotary_emb.inv_freq")
                        || name.equals(names.lmHead())
                        || name.startsWith(MEDUSA_HEADS));
        return model;
    }

    private static DecoderTensors bind(
            TensorTable tensors, DecoderConfig config, TensorNames names, DecoderFamily family, boolean interleaved) {
        var layers = new ArrayList<Layer>();
        for (int i = 0; i < config.layers(); i++) {
            layers.add(Layer.bind(
                    tensors,
                    names.layer(i),
                    names,
                    LayerSizes.of(config),
                    family.attentionBias(),
                    family.normsHeads() ? config.headSize() : 0));
        }
        var embedding = tensors.require(names.embedding(), config.vocabulary(), config.hidden());
        var lmHead = config.tiedEmbedding()
                ? embedding
                : tensors.require(names.lmHead(), config.vocabulary(), config.hidden());
        var finalNorm = tensors.requireVector(names.finalNorm(), config.hidden());
        return new DecoderTensors(embedding, finalNorm, lmHead, layers, interleaved);
    }

    /** Every tensor once: the embedding, the layers in order, the final norm, and the LM head if it is one of its own. */
    public List<Tensor> all() {
        var all = new ArrayList<Tensor>();
        all.add(embedding);
        layers.forEach(layer -> all.addAll(layer.all()));
        all.add(finalNorm);
        if (lmHead != embedding) {
            all.add(lmHead);
        }
        return all;
    }

    /** A tensor that nobody uses means that the model computes something else than we would. */
    private void rejectUnused(TensorTable tensors, DecoderFamily family, Predicate<String> isIgnored) {
        tensors.rejectUnused(
                all(),
                isIgnored,
                "none in a plain " + family + " model of " + layers.size() + " layers",
                "this version does not scale RoPE and has no further norms, biases or experts");
    }

    private static void checkBias(TensorTable tensors, String name, boolean announced) {
        if (tensors.has(name) && !announced) {
            throw new FormatException.InvalidValue(
                    tensors.source(), name, "a bias", "none, for attention_bias in config.json is not true");
        }
        if (announced && !tensors.has(name)) {
            throw new FormatException.MissingField(
                    tensors.source(), name, "a bias, for attention_bias in config.json is true");
        }
    }
}
