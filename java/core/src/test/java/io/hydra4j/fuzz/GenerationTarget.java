package io.hydra4j.fuzz;

import io.hydra4j.GenerationOptions;
import io.hydra4j.HydraModel;
import io.hydra4j.OpenOptions;
import io.hydra4j.format.GgufBytes;
import io.hydra4j.format.TensorType;
import io.hydra4j.model.TinyModel;
import io.hydra4j.runtime.BackendKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

/** Models whose sizes fit each other but are strange, loaded and made to generate. */
final class GenerationTarget implements FuzzTarget {
    @Override
    public String name() {
        return "generation";
    }

    @Override
    public void write(Random random, Path folder) throws IOException {
        int headSize = 2 * (1 + random.nextInt(random.nextInt(4) == 0 ? 140 : 8));
        int kvHeads = 1 + random.nextInt(3);
        int heads = kvHeads * (1 + random.nextInt(3));
        int hidden = random.nextBoolean() ? heads * headSize : 32 * (1 + random.nextInt(4));
        int feedForward = 32 * (1 + random.nextInt(4)) + (random.nextInt(4) == 0 ? random.nextInt(32) : 0);
        int vocabulary = 1 + random.nextInt(random.nextBoolean() ? 3 : 60);
        TensorType type = random.nextBoolean() ? TensorType.F32 : TensorType.F16;
        GgufBytes file = TinyModel.gguf()
                .without("tokenizer.ggml.model")
                .without("tokenizer.ggml.tokens")
                .without("tokenizer.ggml.token_type")
                .u32("tokenizer.ggml.bos_token_id", 0)
                .u32("tokenizer.ggml.eos_token_id", 0)
                .u32("llama.embedding_length", hidden)
                .u32("llama.feed_forward_length", feedForward)
                .u32("llama.attention.head_count", heads)
                .u32("llama.attention.head_count_kv", kvHeads)
                .u32("llama.attention.key_length", headSize)
                .u32("llama.attention.value_length", headSize)
                .u32("llama.rope.dimension_count", headSize)
                .u32("llama.block_count", 1)
                .u32("llama.context_length", 1 + random.nextInt(random.nextBoolean() ? 4 : 5000));
        for (String name : new String[] {"token_embd", "output_norm", "output"}) {
            file.withoutTensor(name + ".weight");
        }
        for (int layer = 0; layer < TinyModel.LAYERS; layer++) {
            for (String name : new String[] {
                "attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down"
            }) {
                file.withoutTensor("blk." + layer + "." + name + ".weight");
            }
        }
        file.tensor("token_embd.weight", type, hidden, vocabulary)
                .tensor("output_norm.weight", TensorType.F32, hidden)
                .tensor("blk.0.attn_norm.weight", TensorType.F32, hidden)
                .tensor("blk.0.attn_q.weight", type, hidden, (long) heads * headSize)
                .tensor("blk.0.attn_k.weight", type, hidden, (long) kvHeads * headSize)
                .tensor("blk.0.attn_v.weight", type, hidden, (long) kvHeads * headSize)
                .tensor("blk.0.attn_output.weight", type, (long) heads * headSize, hidden)
                .tensor("blk.0.ffn_norm.weight", TensorType.F32, hidden)
                .tensor("blk.0.ffn_gate.weight", type, hidden, feedForward)
                .tensor("blk.0.ffn_up.weight", type, hidden, feedForward)
                .tensor("blk.0.ffn_down.weight", type, feedForward, hidden);
        byte[] bytes = file.build();
        Files.write(folder.resolve("model.gguf"), random.nextInt(4) == 0 ? Damage.bytes(random, bytes, 1500) : bytes);
    }

    @Override
    public void read(Path folder) {
        OpenOptions options = OpenOptions.DEFAULT.withBackend(BackendKind.CPU).withThreads(1);
        try (HydraModel model = HydraModel.open(folder.resolve("model.gguf"), options)) {
            model.generate(new int[] {0}, GenerationOptions.DEFAULT.withMaxTokens(3), chunk -> {});
        }
    }
}
