package io.hydra4j.heads;

import static io.hydra4j.format.Faults.assertFault;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.hydra4j.FormatException;
import io.hydra4j.FormatException.HeadsMismatch;
import io.hydra4j.FormatException.InvalidValue;
import io.hydra4j.FormatException.MissingField;
import io.hydra4j.FormatException.UnknownArchitecture;
import io.hydra4j.FormatException.Unreadable;
import io.hydra4j.FormatException.UnsupportedType;
import io.hydra4j.FormatException.WrongShape;
import io.hydra4j.format.GgufBytes;
import io.hydra4j.format.SafetensorsBytes;
import io.hydra4j.format.SafetensorsFile;
import io.hydra4j.format.Tensor;
import io.hydra4j.format.TorchBytes;
import io.hydra4j.heads.HeadsConfig.Kind;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.model.TinyModel;
import io.hydra4j.runtime.Activation;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

class HeadsFilesTest {
    private static final DecoderConfig BASE = base(32, 4, 2, 64, 40);

    @TempDir
    private Path folder;

    private Path weights;
    private Path json;
    private Path gguf;

    @BeforeEach
    void nameFiles() {
        weights = folder.resolve("hydra_lm_head.safetensors");
        json = folder.resolve("config.json");
        gguf = folder.resolve("heads.gguf");
    }

    private static DecoderConfig base(int hidden, int heads, int kvHeads, int feedForward, int vocabulary) {
        return new DecoderConfig(
                2,
                hidden,
                heads,
                kvHeads,
                8,
                feedForward,
                vocabulary,
                128,
                10000,
                1e-5f,
                Activation.SILU,
                false,
                -1,
                List.of());
    }

    private HeadsTensors open(Map<String, String> config, SafetensorsBytes tensors) {
        TinyModel.writeJson(json, config);
        tensors.write(weights);
        return HeadsFiles.open(folder, BASE);
    }

    @Test
    void opensTorchCheckpointsLikeSafetensors() {
        var expected = open(TinyHeads.config("prefix-mlp", true), TinyHeads.published("prefix-mlp", true));
        var torch = folder.resolve("torch");
        assertTrue(torch.toFile().mkdir());
        TinyModel.writeJson(torch.resolve("config.json"), TinyHeads.config("prefix-mlp", true));
        TorchBytes.like(SafetensorsFile.read(weights).table()).write(torch.resolve("hydra_lm_head.pt"));
        var heads = HeadsFiles.open(torch, BASE);
        assertEquals(expected.config(), heads.config());
        assertEquals(
                expected.all().stream().map(Tensor::name).toList(),
                heads.all().stream().map(Tensor::name).toList());
        assertEquals(torch.resolve("hydra_lm_head.pt"), heads.all().get(0).file());
    }

    @Test
    void opensMedusaHeadsAmongTheTensorsOfTheirBase() {
        TinyModel.writeJson(json, TinyModel.config());
        SafetensorsBytes base = TinyModel.safetensors();
        for (int i = 0; i < 3; i++) {
            base.tensor("medusa_head." + i + ".0.linear.weight", "BF16", TinyModel.HIDDEN, TinyModel.HIDDEN)
                    .tensor("medusa_head." + i + ".0.linear.bias", "BF16", TinyModel.HIDDEN)
                    .tensor("medusa_head." + i + ".1.weight", "BF16", TinyModel.VOCABULARY, TinyModel.HIDDEN);
        }
        base.write(folder.resolve("model.safetensors"));
        var files = ModelFiles.open(folder);
        var heads = HeadsFiles.open(folder, files.config());
        assertEquals(new HeadsConfig(Kind.MEDUSA, 3, 1, false, ""), heads.config());
        assertEquals("medusa_head.2.1.weight", heads.heads().get(2).lmHead().name());
        var torch = folder.resolve("torch");
        assertTrue(torch.toFile().mkdir());
        TinyModel.writeJson(torch.resolve("config.json"), TinyModel.config());
        TorchBytes.like(SafetensorsFile.read(folder.resolve("model.safetensors"))
                        .table())
                .write(torch.resolve("pytorch_model.bin"));
        assertEquals(heads.config(), HeadsFiles.open(torch, files.config()).config());
        base.tensor("medusa_head.3.0.linear.bias", "BF16", TinyModel.HIDDEN).write(folder.resolve("model.safetensors"));
        var weights = folder.resolve("model.safetensors");
        assertFault(
                UnsupportedType.class, weights, "medusa_head.3.0.linear.bias", "shape", () -> HeadsFiles.open(folder));
    }

    @Test
    void opensHydraPlusPlusHeadsAsPublished() {
        var heads = open(TinyHeads.config("prefix-mlp", true), TinyHeads.published("prefix-mlp", true));
        assertEquals(new HeadsConfig(Kind.HYDRA_PLUS_PLUS, 2, 3, false, "tiny"), heads.config());
        assertEquals("prefix_embeding_layer.norm.weight", heads.prefix().norm().name());
        assertEquals(List.of(16L, 32L), heads.prefix().layer().k().shape());
        var head = heads.heads().get(1);
        assertEquals(3, head.blocks().size());
        assertEquals(
                "hydra_mlp.1.1.linear.weight", head.blocks().get(0).linear().name());
        assertEquals(List.of(32L, 96L), head.blocks().get(0).skip().shape());
        assertEquals(
                "hydra_mlp.1.5.linear.weight", head.blocks().get(2).linear().name());
        assertNull(head.blocks().get(2).skip());
        assertEquals("hydra_lm_head.1.1.weight", head.lmHead().name());
        assertEquals(List.of(40L), head.lmHeadBias().shape());
        assertNull(heads.draftVocabulary());
        assertEquals(10 + 2 * (4 + 2 + 2 + 2), heads.all().size());
    }

    @Test
    void opensHydraHeadsAsPublished() {
        var heads = open(TinyHeads.config("mlp", true), TinyHeads.published("mlp", true));
        assertEquals(Kind.HYDRA, heads.config().kind());
        assertNull(heads.prefix());
        assertEquals(
                "hydra_mlp.0.0.linear.weight",
                heads.heads().get(0).blocks().get(0).linear().name());
        assertEquals("hydra_lm_head.0.weight", heads.heads().get(0).lmHead().name());
    }

    @Test
    void opensHeadsThatAreNotGrounded() {
        var heads = open(TinyHeads.config("mlp", false), TinyHeads.published("mlp", false));
        assertEquals(Kind.MEDUSA, heads.config().kind());
        assertEquals(
                List.of(32L, 32L), heads.heads().get(1).blocks().get(0).linear().shape());
        assertNull(heads.heads().get(1).blocks().get(0).skip());
    }

    @Test
    void opensHeadsThatUseTheLmHeadOfTheBase() {
        var config = TinyHeads.config("prefix-mlp", true);
        config.put("lm_head", "\"base\"");
        var heads = open(config, TinyHeads.blocks("prefix-mlp", true));
        assertEquals(new HeadsConfig(Kind.HYDRA_PLUS_PLUS, 2, 3, true, "tiny"), heads.config());
        assertNull(heads.heads().get(0).lmHead());
        assertNull(heads.heads().get(0).lmHeadBias());
    }

    @Test
    void countsMedusaHeadsByTheirTensors() {
        weights = folder.resolve("medusa_lm_head.safetensors");
        var config = Map.of("medusa_num_heads", "2", "medusa_num_layers", "1");
        assertEquals(
                new HeadsConfig(Kind.MEDUSA, 5, 1, false, ""),
                open(config, TinyHeads.medusa(5, 1, true)).config());
        assertEquals(
                new HeadsConfig(Kind.MEDUSA, 3, 2, true, ""),
                open(config, TinyHeads.medusa(3, 2, false)).config());
    }

    @Test
    void opensACompactFile() {
        TinyHeads.compact(0).write(gguf);
        var heads = HeadsFiles.open(gguf, BASE);
        assertEquals(new HeadsConfig(Kind.HYDRA_PLUS_PLUS, 2, 3, true, "tiny"), heads.config());
        assertNotNull(heads.heads().get(0).blocks().get(0).skip());
        assertEquals(heads, HeadsFiles.open(gguf));
    }

    @Test
    void aDraftVocabularyGivesPrivateLmHeadsTheirRows() {
        int[] ids = IntStream.range(0, 33).map(i -> 39 - i).toArray();
        TinyHeads.compact(33).i32s("hydra.draft_vocabulary", ids).write(gguf);
        var heads = HeadsFiles.open(gguf, BASE);
        assertEquals(IntStream.of(ids).boxed().toList(), heads.draftVocabulary());
        assertEquals(List.of(33L, 32L), heads.heads().get(1).lmHead().shape());
        assertNull(heads.heads().get(1).lmHeadBias());
    }

    @TestFactory
    Stream<DynamicTest> headsOfAnotherBase() {
        return Stream.of(
                mismatch("hidden size", "32", base(64, 8, 2, 64, 40)),
                mismatch("vocabulary", "40", base(32, 4, 2, 64, 41)),
                mismatch("vocabulary", "a base model of 31 tokens", base(32, 4, 2, 64, 31)),
                mismatch("query heads", "32", base(32, 8, 2, 64, 40)),
                mismatch("KV heads", "16", base(32, 4, 4, 64, 40)),
                mismatch("feed-forward", "64", base(32, 4, 2, 96, 40)));
    }

    private DynamicTest mismatch(String field, String found, DecoderConfig other) {
        return dynamicTest(field, () -> {
            open(TinyHeads.config("prefix-mlp", true), TinyHeads.published("prefix-mlp", true));
            assertFault(HeadsMismatch.class, folder, field, found, () -> HeadsFiles.open(folder, other));
            TinyHeads.compact(40).write(gguf);
            assertFault(HeadsMismatch.class, gguf, field, found, () -> HeadsFiles.open(gguf, other));
        });
    }

    @TestFactory
    Stream<DynamicTest> configurationsThatCannotBe() {
        return Stream.of(
                configFault(InvalidValue.class, "hydra_num_heads", "0", "0"),
                configFault(InvalidValue.class, "hydra_num_heads", "1000000000", "1000000000"),
                configFault(InvalidValue.class, "hydra_num_layers", "-1", "-1"),
                configFault(MissingField.class, "hydra_num_layers", "nothing", "null"),
                configFault(MissingField.class, "hydra_head_arch", "nothing", "null"),
                configFault(UnsupportedType.class, "hydra_head_arch", "\"cross-attn\"", "\"cross-attn\""),
                configFault(UnsupportedType.class, "hydra_head_arch", "\"eagle-attn\"", "\"eagle-attn\""),
                configFault(UnsupportedType.class, "grounded_heads", "false", "false"),
                configFault(InvalidValue.class, "grounded_heads", "1", "1"),
                configFault(UnsupportedType.class, "hidden_state_offset", "1", "1"),
                configFault(InvalidValue.class, "hidden_state_offset", "-1", "-1"),
                configFault(InvalidValue.class, "lm_head", "\"none\"", "\"none\""));
    }

    private DynamicTest configFault(Class<? extends FormatException> kind, String field, String found, String value) {
        return dynamicTest(field + " " + value, () -> {
            var config = TinyHeads.config("prefix-mlp", true);
            config.put(field, value);
            assertFault(kind, json, field, found, () -> open(config, TinyHeads.published("prefix-mlp", true)));
        });
    }

    @TestFactory
    Stream<DynamicTest> tensorsThatAreNotTheConfigurations() {
        return Stream.of(
                tensorFault("a head too many", MissingField.class, "hydra_mlp.2.0", "nothing", "hydra_num_heads", "3"),
                tensorFault(
                        "a head too few", UnsupportedType.class, "hydra_mlp.1.0", "a tensor", "hydra_num_heads", "1"),
                tensorFault(
                        "a layer too many", MissingField.class, "hydra_mlp.0.3", "nothing", "hydra_num_layers", "4"),
                tensorFault(
                        "a layer too few", UnsupportedType.class, "hydra_mlp.0.2", "a tensor", "hydra_num_layers", "2"),
                tensorFault("not grounded", WrongShape.class, "hydra_mlp.0.0", "[32, 64]", "grounded_heads", "false"),
                tensorFault(
                        "LM heads beside the base's",
                        UnsupportedType.class,
                        "hydra_lm_head.0",
                        "a",
                        "lm_head",
                        "\"base\""),
                tensorFault(
                        "no prefix layer",
                        MissingField.class,
                        "hydra_lm_head.0.1",
                        "nothing",
                        "hydra_head_arch",
                        "\"prefix-mlp\""));
    }

    private DynamicTest tensorFault(
            String defect,
            Class<? extends FormatException> kind,
            String tensor,
            String found,
            String field,
            String value) {
        return dynamicTest(defect, () -> {
            var config = TinyHeads.config("mlp", true);
            config.put(field, value);
            assertFault(kind, weights, tensor, found, () -> open(config, TinyHeads.published("mlp", true)));
        });
    }

    @TestFactory
    Stream<DynamicTest> compactFilesThatCannotBe() {
        return Stream.of(
                compactFault(UnknownArchitecture.class, "general.architecture", "\"llama\"", f -> {
                    f.string("general.architecture", "llama");
                }),
                compactFault(InvalidValue.class, "hydra.head_count", "0", f -> f.u32("hydra.head_count", 0)),
                compactFault(InvalidValue.class, "hydra.layer_count", "65", f -> f.u32("hydra.layer_count", 65)),
                compactFault(MissingField.class, "hydra.lm_head", "nothing", f -> f.without("hydra.lm_head")),
                compactFault(MissingField.class, "hydra.vocabulary_size", "nothing", f -> {
                    f.without("hydra.vocabulary_size");
                }),
                compactFault(UnsupportedType.class, "hydra.grounded", "false", f -> f.bool("hydra.grounded", false)),
                compactFault(WrongShape.class, "hydra_mlp.1.0.linear.weight", "[16, 96]", f -> {
                    f.change("hydra_mlp.1.0.linear.weight", tensor -> tensor.withDimensions(96, 16));
                }),
                compactFault(
                        WrongShape.class, "prefix_embeding_layer", "[32]", f -> f.u32("hydra.embedding_length", 64)),
                compactFault(InvalidValue.class, "hydra.draft_vocabulary", "0 ids", f -> {
                    f.i32s("hydra.draft_vocabulary");
                }),
                compactFault(InvalidValue.class, "hydra.draft_vocabulary", "31 ids", f -> {
                    f.i32s("hydra.draft_vocabulary", IntStream.range(0, 31).toArray());
                }),
                compactFault(InvalidValue.class, "hydra.draft_vocabulary", "an array", f -> {
                    f.i32s("hydra.draft_vocabulary", 1, 2, 1);
                }),
                compactFault(InvalidValue.class, "hydra.draft_vocabulary", "40", f -> {
                    f.i32s("hydra.draft_vocabulary", 1, 40);
                }),
                compactFault(InvalidValue.class, "hydra.draft_vocabulary", "-1", f -> {
                    f.i32s("hydra.draft_vocabulary", -1);
                }),
                compactFault(InvalidValue.class, "hydra.same_tensors", "other", f -> {
                    f.strings("hydra.same_tensors", "other");
                }),
                compactFault(InvalidValue.class, "hydra.same_tensors", "other", f -> {
                    f.strings("hydra.same_tensors", "other", "nothing");
                }),
                compactFault(InvalidValue.class, "hydra.same_tensors", "hydra_mlp.1.1.linear.weight", f -> {
                    f.strings("hydra.same_tensors", "hydra_mlp.1.1.linear.weight", "hydra_mlp.0.1.linear.weight");
                }),
                compactFault(WrongShape.class, "hydra_lm_head.0.weight", "[40, 32]", f -> {
                    f.i32s("hydra.draft_vocabulary", IntStream.range(0, 32).toArray());
                }));
    }

    private DynamicTest compactFault(
            Class<? extends FormatException> kind, String field, String found, Consumer<GgufBytes> change) {
        return dynamicTest(field + " " + found, () -> {
            var file = TinyHeads.compact(40);
            change.accept(file);
            file.write(gguf);
            assertFault(kind, gguf, field, found, () -> HeadsFiles.open(gguf, BASE));
        });
    }

    @Test
    void medusaHeadsMustBeWhole() {
        weights = folder.resolve("medusa_lm_head.safetensors");
        var config = Map.of("medusa_num_heads", "2");
        var odd = TinyHeads.medusa(2, 1, true).tensor("4.0.linear.weight", "F16", 32, 32);
        assertFault(UnsupportedType.class, weights, "4.0.linear.weight", "a tensor", () -> open(config, odd));
        var empty = new SafetensorsBytes();
        assertFault(MissingField.class, weights, "0.0.linear.weight", "nothing", () -> open(config, empty));
    }

    @Test
    void aFolderWithoutHeadsIsNamed() {
        assertFault(Unreadable.class, folder, "heads", "neither", () -> HeadsFiles.open(folder, BASE));
        TinyHeads.published("mlp", true).write(weights);
        assertFault(Unreadable.class, json, "file", "no such file", () -> HeadsFiles.open(folder, BASE));
    }

    private static String ids(int count) {
        return IntStream.range(0, count)
                .map(id -> count - 1 - id)
                .boxed()
                .toList()
                .toString();
    }

    @Test
    void aFolderMayHaveADraftVocabulary() {
        var config = TinyHeads.config("mlp", true);
        config.put("lm_head", "\"base\"");
        config.put("draft_vocabulary", ids(33));
        config.put("vocab_size", "" + TinyModel.VOCABULARY);
        var hydra = open(config, TinyHeads.blocks("mlp", true));
        assertEquals(33, hydra.draftVocabulary().size());
        assertEquals(32, hydra.draftVocabulary().get(0));

        weights = folder.resolve("medusa_lm_head.safetensors");
        folder.resolve("hydra_lm_head.safetensors").toFile().delete();
        var medusa = open(config, TinyHeads.medusa(2, 1, false));
        assertEquals(Kind.MEDUSA, medusa.config().kind());
        assertEquals(33, medusa.draftVocabulary().size());
    }

    @Test
    void aFoldersDraftVocabularyMustFitTheBaseAndTheLmHeads() {
        var config = TinyHeads.config("mlp", true);
        config.put("draft_vocabulary", ids(33));
        assertFault(MissingField.class, json, "vocab_size", "", () -> open(config, TinyHeads.published("mlp", true)));
        config.put("vocab_size", "40");
        assertFault(
                WrongShape.class,
                weights,
                "hydra_lm_head.0.weight",
                "[40, 32]",
                () -> open(config, TinyHeads.published("mlp", true)));
        config.put("lm_head", "\"base\"");
        config.put("vocab_size", "41");
        assertFault(HeadsMismatch.class, folder, "vocabulary", "41", () -> open(config, TinyHeads.blocks("mlp", true)));
    }
}
