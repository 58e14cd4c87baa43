package io.hydra4j.model;

import static io.hydra4j.format.Faults.assertFault;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.hydra4j.FormatException;
import io.hydra4j.FormatException.InvalidValue;
import io.hydra4j.FormatException.MissingField;
import io.hydra4j.FormatException.Unreadable;
import io.hydra4j.FormatException.UnsupportedType;
import io.hydra4j.FormatException.WrongMagic;
import io.hydra4j.FormatException.WrongShape;
import io.hydra4j.format.GgufBytes;
import io.hydra4j.format.SafetensorsBytes;
import io.hydra4j.format.TensorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

class ModelFilesTest {
    @TempDir
    private Path folder;

    private Path gguf;
    private Path weights;

    @BeforeEach
    void writeConfig() {
        gguf = folder.resolve("model.gguf");
        weights = folder.resolve("model.safetensors");
        TinyModel.writeJson(folder.resolve("config.json"), TinyModel.config());
    }

    @Test
    void bindsTheTensorsOfAGgufFile() {
        TinyModel.gguf().write(gguf);
        var model = ModelFiles.open(gguf);
        var tensors = model.tensors();
        assertTrue(tensors.interleavedRope());
        assertEquals(2, tensors.layers().size());
        assertEquals(List.of(40L, 32L), tensors.embedding().shape());
        assertEquals("output.weight", tensors.lmHead().name());
        assertEquals("blk.1.ffn_down.weight", tensors.layers().get(1).down().name());
        assertNull(tensors.layers().get(0).qBias());
        assertEquals(21, tensors.all().size());
        assertEquals(Optional.empty(), model.tokenizerJson());
        assertEquals("gpt2", model.metadata().get("tokenizer.ggml.model"));
    }

    @Test
    void bindsTheTensorsOfAFolder() throws IOException {
        TinyModel.safetensors().write(weights);
        Files.writeString(folder.resolve("tokenizer.json"), "{}");
        var model = ModelFiles.open(folder);
        assertFalse(model.tensors().interleavedRope());
        assertEquals("lm_head.weight", model.tensors().lmHead().name());
        assertEquals(21, model.tensors().all().size());
        assertEquals(Optional.of(folder.resolve("tokenizer.json")), model.tokenizerJson());
        assertTrue(model.metadata().isEmpty());
    }

    @Test
    void aTiedModelHasOneMatrix() {
        TinyModel.gguf().withoutTensor("output.weight").write(gguf);
        var model = ModelFiles.open(gguf);
        assertTrue(model.config().tiedEmbedding());
        assertSame(model.tensors().embedding(), model.tensors().lmHead());
        assertEquals(20, model.tensors().all().size());
    }

    @Test
    void aTiedFolderMayCarryACopyOfItsMatrix() {
        var config = TinyModel.config();
        config.put("tie_word_embeddings", "true");
        TinyModel.writeJson(folder.resolve("config.json"), config);
        TinyModel.safetensors().write(weights);
        var tensors = ModelFiles.open(folder).tensors();
        assertSame(tensors.embedding(), tensors.lmHead());
    }

    @Test
    void biasesAreBoundWhereTheyAre() {
        TinyModel.gguf()
                .tensor("blk.0.attn_q.bias", TensorType.F32, TinyModel.QUERY_ROWS)
                .tensor("blk.0.attn_output.bias", TensorType.F32, TinyModel.HIDDEN)
                .write(gguf);
        var layer = ModelFiles.open(gguf).tensors().layers().get(0);
        assertNotNull(layer.qBias());
        assertNotNull(layer.oBias());
        assertNull(layer.kBias());
    }

    @Test
    void aFolderHasBiasesExactlyIfItsConfigSaysSo() {
        var name = "model.layers.0.self_attn.q_proj.bias";
        TinyModel.safetensors().tensor(name, "BF16", TinyModel.QUERY_ROWS).write(weights);
        assertFault(InvalidValue.class, weights, name, "a bias", () -> ModelFiles.open(folder));
        var config = TinyModel.config();
        config.put("attention_bias", "true");
        TinyModel.writeJson(folder.resolve("config.json"), config);
        var missing = "model.layers.0.self_attn.k_proj.bias";
        assertFault(MissingField.class, weights, missing, "nothing", () -> ModelFiles.open(folder));
    }

    @Test
    void unneededTensorsOfOtherTypesAndFrequencyTablesDoNotMatter() {
        TinyModel.safetensors()
                .tensor("model.layers.0.self_attn.rotary_emb.inv_freq", "F32", 4)
                .tensor("model.position_ids", "I64", 1, 128)
                .write(weights);
        assertEquals(21, ModelFiles.open(folder).tensors().all().size());
    }

    @Test
    void tensorsOfAGgufFileThatChangeNothingAreLeftAsideAndNamed() {
        TinyModel.gguf()
                .tensor("blk.0.attn_rot_embd.weight", TensorType.F32, 4)
                .tensor("rope_factors_long.weight", TensorType.F32, 4)
                .tensor("rope_factors_short.weight", TensorType.F32, 4)
                .tensor("v.patch_embd.weight", TensorType.F32, 4, 4)
                .tensor("mm.input_projection.weight", TensorType.F32, 4, 4)
                .write(gguf);
        var tensors = ModelFiles.open(gguf).tensors();
        assertEquals("rope_factors_short.weight", tensors.ropeFactors().name(), "of a context that is not exceeded");
        assertEquals(
                "4 tensors that do not change the text were left aside: blk.0.attn_rot_embd.weight and others",
                tensors.notice());
    }

    @TestFactory
    Stream<DynamicTest> ggufTensorsThatDoNotFit() {
        return Stream.of(
                ggufFault(WrongShape.class, "blk.0.attn_q.weight", "[16, 32]", 32, 16),
                ggufFault(WrongShape.class, "blk.0.attn_k.weight", "[8, 32]", 32, 8),
                ggufFault(WrongShape.class, "blk.1.attn_v.weight", "[512]", 512),
                ggufFault(WrongShape.class, "blk.1.ffn_down.weight", "[64, 32]", 32, 64),
                ggufFault(WrongShape.class, "blk.1.ffn_norm.weight", "[16]", 16),
                ggufFault(WrongShape.class, "output_norm.weight", "[1, 32]", 32, 1),
                ggufFault(WrongShape.class, "output.weight", "[20, 32]", 32, 20),
                ggufFault("a missing layer", MissingField.class, "blk.2.attn_norm.weight", "nothing", f -> {
                    f.u32("llama.block_count", 3);
                }),
                ggufFault("a layer too many", UnsupportedType.class, "blk.1", "a tensor", f -> {
                    f.u32("llama.block_count", 1);
                }),
                ggufFault("a missing tensor", MissingField.class, "blk.0.attn_k.weight", "nothing", f -> {
                    f.withoutTensor("blk.0.attn_k.weight");
                }),
                ggufFault("a missing embedding", MissingField.class, "token_embd.weight", "nothing", f -> {
                    f.withoutTensor("token_embd.weight");
                }),
                ggufFault("a quantised norm", UnsupportedType.class, "blk.0.attn_norm.weight", "Q8_0", f -> {
                    f.change("blk.0.attn_norm.weight", info -> info.withType(TensorType.Q8_0.id()));
                }),
                ggufFault("too many RoPE factors", WrongShape.class, "rope_freqs.weight", "[5]", f -> {
                    f.tensor("rope_freqs.weight", TensorType.F32, 5);
                }),
                ggufFault("a norm after attention", UnsupportedType.class, "blk.0.post_attention_norm", "[32]", f -> {
                    f.tensor("blk.0.post_attention_norm.weight", TensorType.F32, 32);
                }),
                ggufFault("a norm of q", UnsupportedType.class, "blk.0.attn_q_norm.weight", "[8]", f -> {
                    f.tensor("blk.0.attn_q_norm.weight", TensorType.F32, 8);
                }),
                ggufFault("another vocabulary", WrongShape.class, "token_embd.weight", "[40, 32]", f -> {
                    f.u32("llama.vocab_size", 41);
                }),
                ggufFault("a token too few", InvalidValue.class, "tokenizer.ggml.tokens", "2 entries", f -> {
                    f.strings("tokenizer.ggml.tokens", "a", "b");
                }));
    }

    @TestFactory
    Stream<DynamicTest> folderTensorsThatDoNotFit() {
        return Stream.of(
                folderFault("another shape", WrongShape.class, "lm_head.weight", "[40, 16]", file -> {
                    file.tensor("lm_head.weight", "BF16", 40, 16);
                }),
                folderFault("integers", UnsupportedType.class, "lm_head.weight", "I64", file -> {
                    file.tensor("lm_head.weight", "I64", 40, 32);
                }),
                folderFault("a bias of the MLP", UnsupportedType.class, "mlp.up_proj.bias", "[64]", file -> {
                    file.tensor("lm_head.weight", "BF16", 40, 32).tensor("model.layers.0.mlp.up_proj.bias", "BF16", 64);
                }),
                folderFault("no LM head", MissingField.class, "lm_head.weight", "nothing", file -> {}));
    }

    @Test
    void aPathThatIsNoModelIsNamed() throws IOException {
        var missing = folder.resolve("missing.gguf");
        assertFault(Unreadable.class, missing, "file", "no such file", () -> ModelFiles.open(missing));
        var empty = Files.createDirectory(folder.resolve("empty"));
        assertFault(Unreadable.class, empty, "config.json", "no such file", () -> ModelFiles.open(empty));
        assertFault(Unreadable.class, folder, "weights", "neither", () -> ModelFiles.open(folder));
        TinyModel.safetensors().write(weights);
        assertFault(WrongMagic.class, weights, "magic", "0x", () -> ModelFiles.open(weights));
    }

    private DynamicTest ggufFault(
            Class<? extends FormatException> kind, String tensor, String found, long... dimensions) {
        return ggufFault(
                tensor + " " + found, kind, tensor, found, f -> f.change(tensor, t -> t.withDimensions(dimensions)));
    }

    private DynamicTest ggufFault(
            String defect,
            Class<? extends FormatException> kind,
            String field,
            String found,
            Consumer<GgufBytes> change) {
        return dynamicTest(defect, () -> {
            var file = TinyModel.gguf();
            change.accept(file);
            file.write(gguf);
            assertFault(kind, gguf, field, found, () -> ModelFiles.open(gguf));
        });
    }

    /** The change gets a file of all tensors but the LM head. */
    private DynamicTest folderFault(
            String defect,
            Class<? extends FormatException> kind,
            String field,
            String found,
            Consumer<SafetensorsBytes> change) {
        return dynamicTest(defect, () -> {
            var file = new SafetensorsBytes()
                    .tensor("model.embed_tokens.weight", "BF16", TinyModel.VOCABULARY, TinyModel.HIDDEN)
                    .tensor("model.norm.weight", "BF16", TinyModel.HIDDEN);
            TinyModel.layer(file, "model.layers.0.");
            TinyModel.layer(file, "model.layers.1.");
            change.accept(file);
            file.write(weights);
            assertFault(kind, weights, field, found, () -> ModelFiles.open(folder));
        });
    }
}
