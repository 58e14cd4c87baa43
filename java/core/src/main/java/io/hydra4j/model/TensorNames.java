package io.hydra4j.model;

/**
 * What a file calls the tensors of a decoder: those of the ends by their whole names, those of a layer without what stands
 * before them, {@code layers} and the layer's number, and without {@code .weight} or {@code .bias} after.
 */
record TensorNames(
        String embedding,
        String finalNorm,
        String lmHead,
        String layers,
        String attentionNorm,
        String q,
        String k,
        String v,
        String o,
        String qNorm,
        String kNorm,
        String postAttentionNorm,
        String feedForwardNorm,
        String postFeedForwardNorm,
        String gate,
        String up,
        String down,
        String qkv,
        String gateUp) {
    /** As llama.cpp names them. */
    static final TensorNames GGUF = new TensorNames(
            "token_embd.weight",
            "output_norm.weight",
            "output.weight",
            "blk.",
            "attn_norm",
            "attn_q",
            "attn_k",
            "attn_v",
            "attn_output",
            "attn_q_norm",
            "attn_k_norm",
            "post_attention_norm",
            "ffn_norm",
            "post_ffw_norm",
            "ffn_gate",
            "ffn_up",
            "ffn_down",
            "attn_qkv",
            "ffn_up");

    /** As transformers names them. */
    static final TensorNames HUGGING_FACE = huggingFace("none", "post_attention_layernorm", "none");

    /** The same where norms stand after attention and feed-forward, too, or alone. */
    static final TensorNames HUGGING_FACE_NORMS_AFTER =
            huggingFace("post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm");

    private static TensorNames huggingFace(
            String postAttentionNorm, String feedForwardNorm, String postFeedForwardNorm) {
        return new TensorNames(
                "model.embed_tokens.weight",
                "model.norm.weight",
                "lm_head.weight",
                "model.layers.",
                "input_layernorm",
                "self_attn.q_proj",
                "self_attn.k_proj",
                "self_attn.v_proj",
                "self_attn.o_proj",
                "self_attn.q_norm",
                "self_attn.k_norm",
                postAttentionNorm,
                feedForwardNorm,
                postFeedForwardNorm,
                "mlp.gate_proj",
                "mlp.up_proj",
                "mlp.down_proj",
                "self_attn.qkv_proj",
                "mlp.gate_up_proj");
    }

    /** What stands before the names of a layer's tensors. */
    String layer(int index) {
        return layers + index + ".";
    }
}
