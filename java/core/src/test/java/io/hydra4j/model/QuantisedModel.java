package io.hydra4j.model;

import io.hydra4j.format.GgufWriter;
import io.hydra4j.format.TensorType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * A GGUF file of one layer whose matrices, with a tied embedding {@value #MATRICES} of them, are random blocks: of one type, or of
 * several in turn.
 */
final class QuantisedModel {
    static final int MATRICES = 8;
    static final int VOCABULARY = 40;

    private static final int SIZE = 256; // hidden, queries, feed-forward
    private static final int HEADS = 4;
    private static final int KV_HEADS = 2;
    private final GgufWriter writer = new GgufWriter();
    private final Random random = new Random(7);

    private final TensorType[] types;
    private int matrices;

    private QuantisedModel(TensorType[] types) {
        this.types = types;
    }

    static Path write(Path file, TensorType... types) {
        QuantisedModel model = new QuantisedModel(types);
        model.putMetadata();
        model.putTensors();
        model.writer.write(file);
        return file;
    }

    private void putMetadata() {
        String[] tokens = new String[VOCABULARY];
        Arrays.setAll(tokens, i -> "t" + i);
        writer.put("general.architecture", "llama")
                .put("llama.block_count", 1)
                .put("llama.context_length", 64)
                .put("llama.embedding_length", SIZE)
                .put("llama.feed_forward_length", SIZE)
                .put("llama.attention.head_count", HEADS)
                .put("llama.attention.head_count_kv", KV_HEADS)
                .put("llama.attention.layer_norm_rms_epsilon", 0x1p-17)
                .put("llama.rope.freq_base", 10000)
                .put("tokenizer.ggml.model", "gpt2")
                .put("tokenizer.ggml.tokens", tokens)
                .put(
                        "tokenizer.ggml.token_type",
                        Collections.nCopies(VOCABULARY, 1L).stream()
                                .mapToLong(i -> i)
                                .toArray())
                .put("tokenizer.ggml.bos_token_id", 1)
                .put("tokenizer.ggml.eos_token_id", 2);
    }

    private void putTensors() {
        int keys = SIZE / HEADS * KV_HEADS;
        matrix("token_embd.weight", VOCABULARY);
        norm("output_norm.weight");
        norm("blk.0.attn_norm.weight");
        matrix("blk.0.attn_q.weight", SIZE);
        matrix("blk.0.attn_k.weight", keys);
        matrix("blk.0.attn_v.weight", keys);
        matrix("blk.0.attn_output.weight", SIZE);
        norm("blk.0.ffn_norm.weight");
        matrix("blk.0.ffn_gate.weight", SIZE);
        matrix("blk.0.ffn_up.weight", SIZE);
        matrix("blk.0.ffn_down.weight", SIZE);
    }

    private void matrix(String name, int rows) {
        TensorType type = types[matrices++ % types.length];
        ByteBuffer blocks =
                ByteBuffer.allocate((int) type.bytes((long) rows * SIZE)).order(ByteOrder.LITTLE_ENDIAN);
        random.nextBytes(blocks.array());
        for (int at = 0; at < blocks.capacity(); at += type.blockBytes()) {
            putScales(blocks, at, type);
        }
        writer.tensor(name, type, List.of((long) rows, (long) SIZE), out -> out.write(blocks.array()));
    }

    /** Scales that make values of ordinary size, and minimums that make them of both signs. */
    private static void putScales(ByteBuffer blocks, int at, TensorType type) {
        switch (type) {
            case Q8_0 -> blocks.putShort(at, half(-10));
            case Q4_0 -> blocks.putShort(at, half(-6));
            case Q4_1 -> blocks.putShort(at, half(-6)).putShort(at + 2, (short) (half(-3) | 0x8000));
            case Q5_0 -> blocks.putShort(at, half(-7));
            case Q5_1 -> blocks.putShort(at, half(-7)).putShort(at + 2, (short) (half(-3) | 0x8000));
            case Q4_K -> blocks.putShort(at, half(-11)).putShort(at + 2, half(-8));
            case Q5_K -> blocks.putShort(at, half(-12)).putShort(at + 2, half(-8));
            case Q6_K -> blocks.putShort(at + 208, half(-14));
            default -> throw new IllegalArgumentException(type + " has no blocks");
        }
    }

    /** 2^exponent as a half, -14 to 15. */
    private static short half(int exponent) {
        return (short) (exponent + 15 << 10);
    }

    private void norm(String name) {
        ByteBuffer ones = ByteBuffer.allocate(SIZE * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        while (ones.hasRemaining()) {
            ones.putFloat(1);
        }
        writer.tensor(name, TensorType.F32, List.of((long) SIZE), out -> out.write(ones.array()));
    }
}
