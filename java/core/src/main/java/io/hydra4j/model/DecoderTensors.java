package io.hydra4j.model;

import io.hydra4j.format.FormatException;
import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * The tensors of a Llama-family model, bound by name, with shapes that fit its {@link DecoderConfig}. A matrix of shape
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
    static final String GGUF_EMBEDDING = "token_embd.weight";

    private static final String LM_HEAD = "lm_head.weight";

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
            return bind(tensors, prefix, HUGGING_FACE, sizes);
        }

        /** The tensors that are not null, in the order of the components. */
        public List<Tensor> all() {
            return Stream.of(attentionNorm, q, k, v, o, qBias, kBias, vBias, oBias, feedForwardNorm, gate, up, down)
                    .filter(Objects::nonNull)
                    .toList();
        }

        private static Layer bind(TensorTable tensors, String prefix, LayerNames names, LayerSizes sizes) {
            long hidden = sizes.hidden();
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
                    tensors.findVector(q + ".bias", sizes.queryRows()).orElse(null),
                    tensors.findVector(k + ".bias", sizes.keyValueRows()).orElse(null),
                    tensors.findVector(v + ".bias", sizes.keyValueRows()).orElse(null),
                    tensors.findVector(o + ".bias", hidden).orElse(null),
                    tensors.requireVector(prefix + names.feedForwardNorm() + ".weight", hidden),
                    tensors.require(prefix + names.gate() + ".weight", sizes.feedForward(), hidden),
                    tensors.require(prefix + names.up() + ".weight", sizes.feedForward(), hidden),
                    tensors.require(prefix + names.down() + ".weight", hidden, sizes.feedForward()));
        }
    }

    /** What a file calls the parts of a layer. */
    private record LayerNames(
            String attentionNorm,
            String q,
            String k,
            String v,
            String o,
            String feedForwardNorm,
            String gate,
            String up,
            String down) {}

    private static final LayerNames HUGGING_FACE = new LayerNames(
            "input_layernorm",
            "self_attn.q_proj",
            "self_attn.k_proj",
            "self_attn.v_proj",
            "self_attn.o_proj",
            "post_attention_layernorm",
            "mlp.gate_proj",
            "mlp.up_proj",
            "mlp.down_proj");

    private static final LayerNames GGUF = new LayerNames(
            "attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down");

    /**
     * Binds the tensors of a GGUF file of the architecture {@code llama}. Biases of q, k, v and o are used where they are
     * there; a tensor that the forward pass would not use is an error.
     *
     * @throws FormatException.MissingField if a tensor is missing
     * @throws FormatException.WrongShape if one does not fit the configuration
     * @throws FormatException.UnsupportedType if one is of a type that cannot be used, or is one that a
     *     plain Llama model does not have
     */
    public static DecoderTensors fromGguf(TensorTable tensors, DecoderConfig config) {
        var layers = new ArrayList<Layer>();
        for (int i = 0; i < config.layers(); i++) {
            layers.add(Layer.bind(tensors, "blk." + i + ".", GGUF, LayerSizes.of(config)));
        }
        var model = bindEnds(tensors, config, layers, GGUF_EMBEDDING, "output_norm.weight", "output.weight", true);
        model.rejectUnused(tensors, name -> false);
        return model;
    }

    /**
     * Binds the tensors of a Hugging Face model of the type {@code llama}.
     *
     * @param attentionBias whether config.json announces biases of q, k, v and o; they must then be there, and otherwise not
     * @throws FormatException.MissingField if a tensor is missing
     * @throws FormatException.WrongShape if one does not fit the configuration
     * @throws FormatException.UnsupportedType if one is of a type that cannot be used, or is one that a plain Llama model does
     *     not have
     * @throws FormatException.InvalidValue if there is a bias that config.json does not announce
     */
    public static DecoderTensors fromHuggingFace(TensorTable tensors, DecoderConfig config, boolean attentionBias) {
        var layers = new ArrayList<Layer>();
        for (int i = 0; i < config.layers(); i++) {
            var prefix = "model.layers." + i + ".";
            var layer = Layer.huggingFace(tensors, prefix, LayerSizes.of(config));
            for (String name : List.of("q", "k", "v", "o")) {
                checkBias(tensors, prefix + "self_attn." + name + "_proj.bias", attentionBias);
            }
            layers.add(layer);
        }
        var model = bindEnds(tensors, config, layers, "model.embed_tokens.weight", "model.norm.weight", LM_HEAD, false);
        // Tables that any reader computes, and the second copy of a tied matrix, mean nothing.
        model.rejectUnused(tensors, name -> name.endsWith("rotary_emb.inv_freq") || name.equals(LM_HEAD));
        return model;
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
    private void rejectUnused(TensorTable tensors, Predicate<String> isIgnored) {
        tensors.rejectUnused(
                all(),
                isIgnored,
                "none in a plain Llama model of " + layers.size() + " layers",
                "this version does not scale RoPE and has no further norms, biases or experts");
    }

    private static DecoderTensors bindEnds(
            TensorTable tensors,
            DecoderConfig config,
            List<Layer> layers,
            String embeddingName,
            String normName,
            String lmHeadName,
            boolean interleavedRope) {
        var embedding = tensors.require(embeddingName, config.vocabulary(), config.hidden());
        var lmHead =
                config.tiedEmbedding() ? embedding : tensors.require(lmHeadName, config.vocabulary(), config.hidden());
        return new DecoderTensors(
                embedding, tensors.requireVector(normName, config.hidden()), lmHead, layers, interleavedRope);
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
