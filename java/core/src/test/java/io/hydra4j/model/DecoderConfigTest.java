package io.hydra4j.model;

import static io.hydra4j.format.Faults.assertFault;
import static io.hydra4j.format.GgufBytes.bytes;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.hydra4j.FormatException;
import io.hydra4j.FormatException.InvalidValue;
import io.hydra4j.FormatException.MissingField;
import io.hydra4j.FormatException.UnknownArchitecture;
import io.hydra4j.FormatException.UnsupportedType;
import io.hydra4j.format.GgufBytes;
import io.hydra4j.runtime.Activation;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Configurations with one value that makes no sense, or names a feature that is not there. */
class DecoderConfigTest {
    @TempDir
    private Path folder;

    private Path gguf;
    private Path json;

    @BeforeEach
    void writeValidModel() {
        gguf = folder.resolve("model.gguf");
        json = folder.resolve("config.json");
        TinyModel.safetensors().write(folder.resolve("model.safetensors"));
    }

    @Test
    void readsAGgufFile() {
        TinyModel.gguf().u32("tokenizer.ggml.eot_token_id", 5).write(gguf);
        var config = ModelFiles.open(gguf).config();
        assertEquals(
                new DecoderConfig(2, 32, 4, 2, 8, 64, 40, 128, 20000, 1e-5f, Activation.SILU, false, 1, List.of(2, 5)),
                config);
        assertEquals(32, config.queryRows());
        assertEquals(16, config.keyValueRows());
    }

    /** Which is what their training computes. */
    @Test
    void layersOfDraftHeadsHaveSiluAndNoFactorsWhateverTheBaseHas() {
        DecoderConfig base = new DecoderConfig(
                1,
                32,
                4,
                2,
                8,
                64,
                40,
                128,
                0,
                1e-5f,
                Activation.GELU,
                false,
                1,
                List.of(2),
                LayerAttention.same(1, RopeAngles.of(8, 8, 20000)),
                new Scales(2, 1, 0.5f, 3, 4, 5));
        assertEquals(
                new DecoderConfig(1, 32, 4, 2, 8, 64, 40, 128, 20000, 1e-5f, Activation.SILU, false, 1, List.of(2)),
                base.plain());
    }

    @Test
    void readsAFolder() {
        TinyModel.writeJson(json, TinyModel.config());
        assertEquals(
                new DecoderConfig(2, 32, 4, 2, 8, 64, 40, 128, 20000, 1e-5f, Activation.SILU, false, 1, List.of(2)),
                ModelFiles.open(folder).config());
    }

    @Test
    void readsTheActivationOfAFolder() {
        var config = TinyModel.config();
        config.put("hidden_act", "\"gelu_pytorch_tanh\"");
        TinyModel.writeJson(json, config);
        assertEquals(Activation.GELU, ModelFiles.open(folder).config().activation());
    }

    @Test
    void whatAFileDoesNotStateHasTheUsualValue() {
        TinyModel.gguf()
                .without("llama.rope.freq_base")
                .without("tokenizer.ggml.bos_token_id")
                .without("tokenizer.ggml.eos_token_id")
                .write(gguf);
        var config = ModelFiles.open(gguf).config();
        assertEquals(RopeAngles.of(8, 8, 10000), config.attention().get(0).rope());
        assertEquals(-1, config.bosId());
        assertEquals(List.of(), config.eosIds());
        assertEquals(TinyModel.VOCABULARY, config.vocabulary());
    }

    @Test
    void ropeThetaMayStandInRopeParametersAndNullsAreAbsent() {
        var fields = TinyModel.config();
        fields.remove("rope_theta");
        fields.put("rope_parameters", "{\"rope_theta\":1e6,\"rope_type\":\"default\"}");
        fields.put("rope_scaling", "null");
        fields.put("head_dim", "null");
        fields.put("sliding_window", "null");
        TinyModel.writeJson(json, fields);
        assertEquals(
                RopeAngles.of(8, 8, 1e6f),
                ModelFiles.open(folder).config().attention().get(1).rope());
    }

    @Test
    void everyEndOfSequenceIdCounts() {
        var fields = TinyModel.config();
        fields.put("eos_token_id", "[2,3]");
        TinyModel.writeJson(json, fields);
        TinyModel.writeJson(folder.resolve("generation_config.json"), Map.of("eos_token_id", "[7,2]"));
        assertEquals(List.of(7, 2, 3), ModelFiles.open(folder).config().eosIds());
    }

    @Test
    void anEndOfSequenceIdOutOfRangeInTheGenerationConfigIsNamed() {
        TinyModel.writeJson(json, TinyModel.config());
        var generation = TinyModel.writeJson(folder.resolve("generation_config.json"), Map.of("eos_token_id", "40"));
        assertFault(InvalidValue.class, generation, "eos_token_id", "40", () -> ModelFiles.open(folder));
    }

    @TestFactory
    Stream<DynamicTest> ggufIntegersOutOfRange() {
        return Stream.of(
                        "llama.block_count",
                        "llama.context_length",
                        "llama.embedding_length",
                        "llama.feed_forward_length",
                        "llama.attention.head_count",
                        "llama.attention.head_count_kv",
                        "llama.attention.key_length",
                        "llama.attention.value_length",
                        "llama.rope.dimension_count",
                        "llama.vocab_size")
                .flatMap(key -> Stream.concat(
                        Stream.of(0L, 1_000_000_000L, 0xFFFF_FFFFL)
                                .map(value -> ggufFault(InvalidValue.class, key, "" + value, f -> f.u32(key, value))),
                        Stream.of(
                                ggufFault(InvalidValue.class, key, "-5", f -> f.raw(key, bytes(5, -5))),
                                ggufFault(InvalidValue.class, key, "2.0", f -> f.f32(key, 2)),
                                ggufFault(InvalidValue.class, key, "\"2\"", f -> f.string(key, "2")),
                                ggufFault(InvalidValue.class, key, "an array", f -> f.i32s(key, 2, 2)))));
    }

    @TestFactory
    Stream<DynamicTest> ggufNumbersThatMakeNoSense() {
        return Stream.of("llama.rope.freq_base", "llama.attention.layer_norm_rms_epsilon", "llama.rope.scaling.factor")
                .flatMap(key -> Stream.of(
                                Float.NaN,
                                0f,
                                -0f,
                                -1f,
                                Float.POSITIVE_INFINITY,
                                Float.NEGATIVE_INFINITY,
                                Float.MIN_VALUE)
                        .map(value -> ggufFault(InvalidValue.class, key, "" + (double) value, f -> f.f32(key, value))));
    }

    @TestFactory
    Stream<DynamicTest> ggufSizesThatDoNotGoTogether() {
        return Stream.of(
                ggufFault(InvalidValue.class, "llama.attention.head_count_kv", "3", f -> {
                    f.u32("llama.attention.head_count_kv", 3);
                }),
                ggufFault(InvalidValue.class, "llama.attention.key_length", "12", f -> {
                    f.u32("llama.attention.key_length", 12);
                }),
                ggufFault(InvalidValue.class, "llama.embedding_length", "34", f -> {
                    f.u32("llama.embedding_length", 34);
                }),
                ggufFault(UnsupportedType.class, "llama.attention.value_length", "16", f -> {
                    f.u32("llama.attention.value_length", 16);
                }),
                ggufFault(UnsupportedType.class, "llama.rope.dimension_count", "4", f -> {
                    f.u32("llama.rope.dimension_count", 4);
                }),
                ggufFault(InvalidValue.class, "tokenizer.ggml.eos_token_id", "40", f -> {
                    f.u32("tokenizer.ggml.eos_token_id", 40);
                }),
                ggufFault(InvalidValue.class, "tokenizer.ggml.bos_token_id", "more ids", f -> {
                    f.i32s("tokenizer.ggml.bos_token_id", 1, 2);
                }));
    }

    @TestFactory
    Stream<DynamicTest> ggufFeaturesThatAreNotThere() {
        return Stream.of(
                ggufFault(UnknownArchitecture.class, "general.architecture", "\"gemma\"", f -> {
                    f.string("general.architecture", "gemma");
                }),
                ggufFault(MissingField.class, "general.architecture", "nothing", f -> {
                    f.without("general.architecture");
                }),
                ggufFault(MissingField.class, "llama.block_count", "nothing", f -> f.without("llama.block_count")),
                ggufFault(UnsupportedType.class, "llama.expert_count", "8", f -> f.u32("llama.expert_count", 8)),
                ggufFault(UnsupportedType.class, "llama.attention.sliding_window_pattern", "2", f -> {
                    f.u32("llama.attention.sliding_window", 24).u32("llama.attention.sliding_window_pattern", 2);
                }),
                ggufFault(InvalidValue.class, "llama.attention.sliding_window_pattern", "1 values", f -> {
                    f.u32("llama.attention.sliding_window", 24)
                            .raw("llama.attention.sliding_window_pattern", bytes(9, 7, 1L, (byte) 1));
                }),
                ggufFault(InvalidValue.class, "llama.attention.sliding_window", "\"24\"", f -> {
                    f.string("llama.attention.sliding_window", "24");
                }),
                ggufFault(UnsupportedType.class, "llama.rope.scaling.type", "\"dynamic\"", f -> {
                    f.string("llama.rope.scaling.type", "dynamic");
                }),
                ggufFault(InvalidValue.class, "llama.rope.scaling.factor", "0.5", f -> {
                    f.f32("llama.rope.scaling.factor", 0.5f);
                }),
                ggufFault(UnsupportedType.class, "llama.rope.scaling.yarn_log_multiplier", "0.5", f -> {
                    f.string("llama.rope.scaling.type", "yarn").f32("llama.rope.scaling.yarn_log_multiplier", 0.5f);
                }),
                ggufFault(InvalidValue.class, "llama.rope.scaling.yarn_beta_fast", "0.0", f -> {
                    f.string("llama.rope.scaling.type", "yarn").f32("llama.rope.scaling.yarn_beta_fast", 0);
                }),
                ggufFault(InvalidValue.class, "llama.rope.scaling.original_context_length", "1", f -> {
                    f.string("llama.rope.scaling.type", "yarn").u32("llama.rope.scaling.original_context_length", 1);
                }),
                ggufFault(MissingField.class, "rope_factors_short.weight", "nothing", f -> {
                    f.string("llama.rope.scaling.type", "longrope");
                }),
                ggufFault(UnsupportedType.class, "llama.attention.causal", "false", f -> {
                    f.bool("llama.attention.causal", false);
                }),
                ggufFault(UnsupportedType.class, "split.count", "3", f -> f.u32("split.count", 3)));
    }

    @TestFactory
    Stream<DynamicTest> folderIntegersOutOfRange() {
        return Stream.of(
                        "num_hidden_layers",
                        "hidden_size",
                        "num_attention_heads",
                        "num_key_value_heads",
                        "head_dim",
                        "intermediate_size",
                        "vocab_size",
                        "max_position_embeddings")
                .flatMap(name -> Stream.of(
                                "0",
                                "-1",
                                "1000000000",
                                "2147483648",
                                "9223372036854775808",
                                "1e400",
                                "2.5",
                                "\"2\"",
                                "[]",
                                "{}")
                        .map(value -> folderFault(InvalidValue.class, name, "", name, value)));
    }

    @TestFactory
    Stream<DynamicTest> folderNumbersThatMakeNoSense() {
        return Stream.of("rope_theta", "rms_norm_eps")
                .flatMap(name -> Stream.of("0", "0.0", "-1", "1e-50", "1e400", "1e38", "\"x\"", "true")
                        .map(value -> folderFault(InvalidValue.class, name, "", name, value)));
    }

    @TestFactory
    Stream<DynamicTest> folderFeaturesThatAreNotThere() {
        return Stream.of(
                folderFault(UnknownArchitecture.class, "model_type", "\"gemma3\"", "model_type", "\"gemma3\""),
                folderFault(MissingField.class, "model_type", "nothing", "model_type", "null"),
                folderFault(MissingField.class, "hidden_size", "nothing", "hidden_size", "null"),
                folderFault(
                        MissingField.class,
                        "rope_scaling.low_freq_factor",
                        "nothing",
                        "rope_scaling",
                        "{\"factor\":8.0,\"rope_type\":\"llama3\"}"),
                folderFault(
                        InvalidValue.class,
                        "rope_scaling.high_freq_factor",
                        "1",
                        "rope_scaling",
                        "{\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":1,\"rope_type\":\"llama3\"}"),
                folderFault(
                        UnsupportedType.class,
                        "rope_scaling.type",
                        "\"dynamic\"",
                        "rope_scaling",
                        "{\"factor\":2.0,\"type\":\"dynamic\"}"),
                folderFault(
                        InvalidValue.class,
                        "rope_scaling.factor",
                        "0.5",
                        "rope_scaling",
                        "{\"factor\":0.5,\"type\":\"linear\"}"),
                folderFault(
                        InvalidValue.class,
                        "rope_parameters.attention_factor",
                        "-1",
                        "rope_parameters",
                        "{\"attention_factor\":-1,\"rope_type\":\"yarn\"}"),
                folderFault(
                        InvalidValue.class,
                        "rope_parameters.beta_slow",
                        "\"x\"",
                        "rope_parameters",
                        "{\"beta_slow\":\"x\",\"rope_type\":\"yarn\"}"),
                folderFault(
                        InvalidValue.class,
                        "rope_parameters.original_max_position_embeddings",
                        "0",
                        "rope_parameters",
                        "{\"original_max_position_embeddings\":0,\"rope_type\":\"yarn\"}"),
                folderFault(
                        UnsupportedType.class,
                        "rope_parameters.mscale",
                        "1",
                        "rope_parameters",
                        "{\"mscale\":1,\"rope_type\":\"yarn\"}"),
                folderFault(
                        MissingField.class,
                        "rope_scaling.short_factor",
                        "nothing",
                        "rope_scaling",
                        "{\"rope_type\":\"longrope\"}"),
                folderFault(
                        InvalidValue.class,
                        "rope_scaling.short_factor",
                        "3 numbers",
                        "rope_scaling",
                        "{\"short_factor\":[1,1,1],\"rope_type\":\"su\"}"),
                folderFault(
                        InvalidValue.class,
                        "rope_scaling.short_factor",
                        "0.0",
                        "rope_scaling",
                        "{\"short_factor\":[1,1,1,0],\"rope_type\":\"su\"}"),
                folderFault(UnsupportedType.class, "rope_scaling.factor", "2.0", "rope_scaling", "{\"factor\":2.0}"),
                folderFault(
                        InvalidValue.class, "rope_parameters.rope_theta", "0", "rope_parameters", "{\"rope_theta\":0}"),
                folderFault(InvalidValue.class, "rope_scaling", "an array", "rope_scaling", "[]"),
                folderFault(UnsupportedType.class, "sliding_window", "64", "sliding_window", "64"),
                folderFault(UnsupportedType.class, "mlp_bias", "true", "mlp_bias", "true"),
                folderFault(UnsupportedType.class, "hidden_act", "\"gelu\"", "hidden_act", "\"gelu\""),
                folderFault(UnsupportedType.class, "partial_rotary_factor", "0.5", "partial_rotary_factor", "0.5"),
                folderFault(UnsupportedType.class, "quantization_config", "an object", "quantization_config", "{}"),
                folderFault(InvalidValue.class, "num_key_value_heads", "3", "num_key_value_heads", "3"),
                folderFault(InvalidValue.class, "head_dim", "12", "head_dim", "12"),
                folderFault(InvalidValue.class, "head_dim", "264", "head_dim", "264"),
                folderFault(InvalidValue.class, "hidden_size", "33", "hidden_size", "33"),
                folderFault(InvalidValue.class, "eos_token_id", "-1", "eos_token_id", "-1"),
                folderFault(InvalidValue.class, "eos_token_id", "40", "eos_token_id", "[2,40]"),
                folderFault(InvalidValue.class, "bos_token_id", "\"<s>\"", "bos_token_id", "\"<s>\""),
                folderFault(InvalidValue.class, "tie_word_embeddings", "1", "tie_word_embeddings", "1"));
    }

    private DynamicTest ggufFault(
            Class<? extends FormatException> kind, String field, String found, Consumer<GgufBytes> change) {
        return dynamicTest(field + " " + found, () -> {
            var file = TinyModel.gguf();
            change.accept(file);
            file.write(gguf);
            assertFault(kind, gguf, field, found, () -> ModelFiles.open(gguf));
        });
    }

    private DynamicTest folderFault(
            Class<? extends FormatException> kind, String field, String found, String name, String value) {
        return dynamicTest(name + " " + value, () -> {
            var fields = TinyModel.config();
            fields.put(name, value);
            TinyModel.writeJson(json, fields);
            assertFault(kind, json, field, found, () -> ModelFiles.open(folder));
        });
    }
}
