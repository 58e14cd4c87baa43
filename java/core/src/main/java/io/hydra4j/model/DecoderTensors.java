package io.hydra4j.model;

import io.hydra4j.FormatException;
import io.hydra4j.format.Fields;
import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorTable;
import io.hydra4j.model.FamilyTraits.AttentionBias;
import io.hydra4j.model.FamilyTraits.HeadNorms;
import java.util.ArrayList;
import java.util.Arrays;
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
 * @param normOffset what is added to the weights of all norms
 * @param ropeFactors {@code [pairs that rotate]}: what the frequencies of RoPE are divided by, or null
 * @param skipped names of tensors that are there and change nothing
 */
public record DecoderTensors(
        Tensor embedding,
        Tensor finalNorm,
        Tensor lmHead,
        List<Layer> layers,
        boolean interleavedRope,
        float normOffset,
        Tensor ropeFactors,
        List<String> skipped) {
    /** What the names of draft heads begin with that Medusa-2 keeps among the tensors of their base. */
    public static final String MEDUSA_HEADS = "medusa_head.";

    /** What angles are divided by in contexts up to the original one, and in longer ones. */
    static final String SHORT_FACTORS = "rope_factors_short.weight";

    private static final String LONG_FACTORS = "rope_factors_long.weight";

    /** Makes the lists unmodifiable. */
    public DecoderTensors {
        layers = List.copyOf(layers);
        skipped = List.copyOf(skipped);
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
     * One transformer layer. Norms and biases are F32, F16 or BF16; each is null where the model has none. Matrices may be rows
     * of one that the file has in their place.
     *
     * @param attentionNorm {@code [hidden]} or null
     * @param q {@code [queryRows, hidden]}
     * @param k {@code [keyValueRows, hidden]}
     * @param v {@code [keyValueRows, hidden]}
     * @param o {@code [hidden, queryRows]}
     * @param qBias {@code [queryRows]} or null
     * @param kBias {@code [keyValueRows]} or null
     * @param vBias {@code [keyValueRows]} or null
     * @param oBias {@code [hidden]} or null
     * @param qNorm {@code [headSize]}, which each query head is normed with, {@code [queryRows]}, with which all are together,
     *     or null
     * @param kNorm {@code [headSize]}, which each key head is normed with, {@code [keyValueRows]}, with which all are together,
     *     or null
     * @param postAttentionNorm {@code [hidden]}, of what attention adds, or null
     * @param feedForwardNorm {@code [hidden]} or null
     * @param postFeedForwardNorm {@code [hidden]}, of what the feed-forward adds, or null
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
            Tensor postAttentionNorm,
            Tensor feedForwardNorm,
            Tensor postFeedForwardNorm,
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
            return bind(tensors, prefix, TensorNames.HUGGING_FACE, sizes, DecoderFamily.LLAMA.traits(), 0);
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
                            postAttentionNorm,
                            feedForwardNorm,
                            postFeedForwardNorm,
                            gate,
                            up,
                            down)
                    .filter(Objects::nonNull)
                    .toList();
        }

        private static Layer bind(
                TensorTable tensors,
                String prefix,
                TensorNames names,
                LayerSizes sizes,
                FamilyTraits traits,
                long headSize) {
            long hidden = sizes.hidden(), queries = sizes.queryRows(), keys = sizes.keyValueRows();
            boolean required = traits.bias() == AttentionBias.QUERY_KEY_VALUE;
            boolean before = traits.norms().before(), after = traits.norms().after();
            var q = prefix + names.q();
            var k = prefix + names.k();
            var v = prefix + names.v();
            var o = prefix + names.o();
            // The first one that is missing is the one that an error names.
            var attentionNorm = norm(tensors, prefix + names.attentionNorm(), hidden, before);
            Tensor[] projections = traits.isFused()
                    ? split(tensors, prefix + names.qkv() + ".weight", hidden, queries, keys, keys)
                    : new Tensor[] {
                        tensors.require(q + ".weight", queries, hidden),
                        tensors.require(k + ".weight", keys, hidden),
                        tensors.require(v + ".weight", keys, hidden)
                    };
            long inner = sizes.feedForward();
            Tensor[] gated = traits.isFused()
                    ? split(tensors, prefix + names.gateUp() + ".weight", hidden, inner, inner)
                    : new Tensor[] {
                        tensors.require(prefix + names.gate() + ".weight", inner, hidden),
                        tensors.require(prefix + names.up() + ".weight", inner, hidden)
                    };
            boolean together = traits.headNorms() == HeadNorms.ALL_HEADS;
            boolean normed = traits.headNorms() != HeadNorms.NONE;
            return new Layer(
                    attentionNorm,
                    projections[0],
                    projections[1],
                    projections[2],
                    tensors.require(o + ".weight", hidden, queries),
                    bias(tensors, q, queries, required),
                    bias(tensors, k, keys, required),
                    bias(tensors, v, keys, required),
                    required ? null : bias(tensors, o, hidden, false),
                    norm(tensors, prefix + names.qNorm(), together ? queries : headSize, normed),
                    norm(tensors, prefix + names.kNorm(), together ? keys : headSize, normed),
                    norm(tensors, prefix + names.postAttentionNorm(), hidden, after),
                    norm(tensors, prefix + names.feedForwardNorm(), hidden, before),
                    norm(tensors, prefix + names.postFeedForwardNorm(), hidden, after),
                    gated[0],
                    gated[1],
                    tensors.require(prefix + names.down() + ".weight", hidden, inner));
        }

        /** The parts of a matrix that stands for several, one after the other. */
        private static Tensor[] split(TensorTable tensors, String name, long columns, long... rows) {
            Tensor whole = tensors.require(name, Arrays.stream(rows).sum(), columns);
            Tensor[] parts = new Tensor[rows.length];
            long first = 0;
            for (int i = 0; i < rows.length; i++) {
                parts[i] = whole.rows(first, rows[i]);
                first += rows[i];
            }
            return parts;
        }

        private static Tensor norm(TensorTable tensors, String name, long length, boolean present) {
            return present ? tensors.requireVector(name + ".weight", length) : null;
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
    static DecoderTensors fromGguf(TensorTable tensors, DecoderConfig config, DecoderFamily family, Fields metadata) {
        var rope = new GgufRope(metadata, family, config.headSize(), config.context());
        boolean isFar = rope.reachesFurther(config.context());
        var skipped = tensors.tensors().keySet().stream()
                .filter(name -> changesNothing(name, isFar))
                .toList();
        var model = bind(
                tensors,
                config,
                family.gguf(),
                family,
                family.traits().hasNeighbours(),
                0,
                ropeFactors(tensors, config, isFar, rope.isLong()),
                skipped);
        model.rejectUnused(tensors, family, skipped::contains);
        return model;
    }

    /** Tables that any reader computes, what takes images in, and the factors that are for another context. */
    private static boolean changesNothing(String name, boolean isFar) {
        return name.endsWith(".attn_rot_embd.weight")
                || name.startsWith("v.")
                || name.startsWith("mm.")
                || name.equals(isFar ? SHORT_FACTORS : LONG_FACTORS);
    }

    private static Tensor ropeFactors(TensorTable tensors, DecoderConfig config, boolean isFar, boolean isLong) {
        int pairs = config.rotated() / 2;
        String name = isFar ? LONG_FACTORS : SHORT_FACTORS;
        if (tensors.has(name) || isLong) {
            return tensors.requireVector(name, pairs);
        }
        return tensors.findVector("rope_freqs.weight", pairs).orElse(null);
    }

    /**
     * Binds the tensors of a Hugging Face folder.
     *
     * @param attentionBias whether config.json announces biases of q, k, v and o: where the family leaves that to the
     *     configuration, they must then be there, and otherwise not
     * @param skipped names of tensors that were left out of the table
     * @throws FormatException.MissingField if a tensor is missing
     * @throws FormatException.WrongShape if one does not fit the configuration
     * @throws FormatException.UnsupportedType if one is of a type that cannot be used, or is one that a plain model of the family
     *     does not have
     * @throws FormatException.InvalidValue if there is a bias that config.json does not announce
     */
    static DecoderTensors fromHuggingFace(
            TensorTable tensors,
            DecoderConfig config,
            DecoderFamily family,
            boolean attentionBias,
            List<String> skipped) {
        var names = family.huggingFace();
        var model = bind(tensors, config, names, family, false, family.traits().folderNormOffset(), null, skipped);
        if (family.traits().bias() == AttentionBias.ANNOUNCED) {
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
            TensorTable tensors,
            DecoderConfig config,
            TensorNames names,
            DecoderFamily family,
            boolean interleaved,
            float normOffset,
            Tensor ropeFactors,
            List<String> skipped) {
        var layers = new ArrayList<Layer>();
        for (int i = 0; i < config.layers(); i++) {
            layers.add(Layer.bind(
                    tensors, names.layer(i), names, LayerSizes.of(config), family.traits(), config.headSize()));
        }
        var embedding = tensors.require(names.embedding(), config.vocabulary(), config.hidden());
        var lmHead = config.tiedEmbedding()
                ? embedding
                : tensors.require(names.lmHead(), config.vocabulary(), config.hidden());
        var finalNorm = tensors.requireVector(names.finalNorm(), config.hidden());
        return new DecoderTensors(embedding, finalNorm, lmHead, layers, interleaved, normOffset, ropeFactors, skipped);
    }

    /** One line on tensors that were left aside; empty if there are none. */
    String notice() {
        if (skipped.isEmpty()) {
            return "";
        }
        return skipped.size() + " tensors that do not change the text were left aside: " + skipped.get(0)
                + (skipped.size() > 1 ? " and others" : "");
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
        if (ropeFactors != null) {
            all.add(ropeFactors);
        }
        return all;
    }

    /** A tensor that nobody uses means that the model computes something else than we would. */
    private void rejectUnused(TensorTable tensors, DecoderFamily family, Predicate<String> isIgnored) {
        tensors.rejectUnused(
                all(),
                isIgnored,
                "none in a plain " + family + " model of " + layers.size() + " layers",
                "this version has no further norms, biases or experts");
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
