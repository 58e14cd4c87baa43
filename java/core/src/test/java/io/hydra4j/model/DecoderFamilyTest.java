package io.hydra4j.model;

import static io.hydra4j.format.Faults.assertFault;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.FormatException.MissingField;
import io.hydra4j.FormatException.UnknownArchitecture;
import io.hydra4j.FormatException.UnsupportedType;
import io.hydra4j.HydraModel;
import io.hydra4j.OpenOptions;
import io.hydra4j.format.GgufBytes;
import io.hydra4j.format.SafetensorsBytes;
import io.hydra4j.format.TensorType;
import io.hydra4j.runtime.BackendKind;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where the files of one family differ from those of another. */
class DecoderFamilyTest {
    @TempDir
    private Path folder;

    private Path gguf;

    @BeforeEach
    void nameTheFile() {
        gguf = folder.resolve("model.gguf");
    }

    private static GgufBytes qwen2() {
        GgufBytes file = TinyModel.gguf("qwen2");
        for (int i = 0; i < TinyModel.LAYERS; i++) {
            file.tensor("blk." + i + ".attn_q.bias", TensorType.F32, TinyModel.QUERY_ROWS)
                    .tensor("blk." + i + ".attn_k.bias", TensorType.F32, TinyModel.KEY_VALUE_ROWS)
                    .tensor("blk." + i + ".attn_v.bias", TensorType.F32, TinyModel.KEY_VALUE_ROWS);
        }
        return file;
    }

    private static GgufBytes qwen3() {
        GgufBytes file = TinyModel.gguf("qwen3");
        for (int i = 0; i < TinyModel.LAYERS; i++) {
            file.tensor("blk." + i + ".attn_q_norm.weight", TensorType.F32, TinyModel.HEAD_SIZE)
                    .tensor("blk." + i + ".attn_k_norm.weight", TensorType.F32, TinyModel.HEAD_SIZE);
        }
        return file;
    }

    private void writeQwen2Folder(String field, String value) {
        var config = TinyModel.config();
        config.put("model_type", "\"qwen2\"");
        config.put("sliding_window", "64");
        config.put(field, value);
        TinyModel.writeJson(folder.resolve("config.json"), config);
        SafetensorsBytes file = TinyModel.safetensors();
        for (int i = 0; i < TinyModel.LAYERS; i++) {
            var prefix = "model.layers." + i + ".self_attn.";
            file.tensor(prefix + "q_proj.bias", "BF16", TinyModel.QUERY_ROWS)
                    .tensor(prefix + "k_proj.bias", "BF16", TinyModel.KEY_VALUE_ROWS)
                    .tensor(prefix + "v_proj.bias", "BF16", TinyModel.KEY_VALUE_ROWS);
        }
        file.write(folder.resolve("model.safetensors"));
    }

    @Test
    void keysBeginWithTheNameOfTheFamily() {
        qwen2().write(gguf);
        TinyModel.gguf().write(folder.resolve("llama.gguf"));
        var model = ModelFiles.open(gguf);
        assertEquals(DecoderFamily.QWEN2, model.family());
        assertEquals(ModelFiles.open(folder.resolve("llama.gguf")).config(), model.config());
        qwen2().u32("qwen2.expert_count", 8).write(gguf);
        assertFault(UnsupportedType.class, gguf, "qwen2.expert_count", "8", () -> ModelFiles.open(gguf));
        qwen2().u32("llama.expert_count", 8).write(gguf);
        assertEquals(model.config(), ModelFiles.open(gguf).config());
    }

    @Test
    void rowsThatRopeRotatesTogetherStandAsTheFamilyHasThem() {
        qwen2().write(gguf);
        assertFalse(ModelFiles.open(gguf).tensors().interleavedRope());
        TinyModel.gguf().write(gguf);
        assertTrue(ModelFiles.open(gguf).tensors().interleavedRope());
    }

    @Test
    void qwen2HasBiasesOfQueryKeyAndValueAlone() {
        qwen2().write(gguf);
        var layer = ModelFiles.open(gguf).tensors().layers().get(1);
        assertNotNull(layer.qBias());
        assertNotNull(layer.vBias());
        assertNull(layer.oBias());
        qwen2().withoutTensor("blk.1.attn_k.bias").write(gguf);
        assertFault(MissingField.class, gguf, "blk.1.attn_k.bias", "nothing", () -> ModelFiles.open(gguf));
        qwen2().tensor("blk.0.attn_output.bias", TensorType.F32, TinyModel.HIDDEN)
                .write(gguf);
        assertFault(UnsupportedType.class, gguf, "blk.0.attn_output.bias", "[32]", () -> ModelFiles.open(gguf));
    }

    @Test
    void headsOfQwen3AreNormed() {
        qwen3().write(gguf);
        var layer = ModelFiles.open(gguf).tensors().layers().get(1);
        assertNotNull(layer.qNorm());
        assertNotNull(layer.kNorm());
        assertNull(layer.qBias());
        qwen3().withoutTensor("blk.1.attn_k_norm.weight").write(gguf);
        assertFault(MissingField.class, gguf, "blk.1.attn_k_norm.weight", "nothing", () -> ModelFiles.open(gguf));
        TinyModel.gguf()
                .tensor("blk.0.attn_q_norm.weight", TensorType.F32, TinyModel.HEAD_SIZE)
                .write(gguf);
        assertFault(UnsupportedType.class, gguf, "blk.0.attn_q_norm.weight", "[8]", () -> ModelFiles.open(gguf));
    }

    @Test
    void qwen2UsesItsWindowOnlyIfItSaysSo() {
        writeQwen2Folder("use_sliding_window", "false");
        assertEquals(DecoderFamily.QWEN2, ModelFiles.open(folder).family());
        writeQwen2Folder("tie_word_embeddings", "false");
        assertNotNull(ModelFiles.open(folder).tensors().layers().get(0).kBias());
        assertEquals(List.of(0, 0), windows());
        writeQwen2Folder("use_sliding_window", "true");
        assertEquals(List.of(0, 0), windows(), "the first 28 layers see everything");
        writeQwen2Folder("use_sliding_window", "true,\"max_window_layers\":1");
        assertEquals(List.of(0, 64), windows());
        writeQwen2Folder("use_sliding_window", "true,\"layer_types\":[\"sliding_attention\",\"full_attention\"]");
        assertEquals(List.of(64, 0), windows());
    }

    private List<Integer> windows() {
        return ModelFiles.open(folder).config().attention().stream()
                .map(LayerAttention::window)
                .toList();
    }

    @Test
    void anOpenModelSaysOfWhichFamilyItIs() {
        writeQwen2Folder("use_sliding_window", "false");
        OpenOptions options = OpenOptions.DEFAULT.withBackend(BackendKind.CPU).withThreads(1);
        try (HydraModel model = HydraModel.open(folder, options)) {
            assertEquals("qwen2", model.info().architecture());
        }
    }

    @Test
    void aFamilyThatIsNotInTheTableIsRefusedWithThoseThatAre() {
        TinyModel.gguf("gemma").write(gguf);
        var refused = assertThrows(UnknownArchitecture.class, () -> ModelFiles.open(gguf));
        assertEquals("\"gemma\"", refused.found());
        assertEquals(
                "\"llama\" or \"qwen2\" or \"qwen3\" or \"smollm3\" or \"gemma2\" or \"gemma3\" or \"phi3\" or \"granite\" or "
                        + "\"olmo2\"",
                refused.expected());
        assertEquals("Llama", DecoderFamily.LLAMA.toString());
    }
}
