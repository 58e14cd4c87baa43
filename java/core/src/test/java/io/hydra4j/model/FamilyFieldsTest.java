package io.hydra4j.model;

import static io.hydra4j.format.Faults.assertFault;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.hydra4j.FormatException;
import io.hydra4j.FormatException.InvalidValue;
import io.hydra4j.FormatException.MissingField;
import io.hydra4j.FormatException.UnsupportedType;
import io.hydra4j.format.Fields;
import io.hydra4j.format.StrictJson;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Fields of config.json that families other than Llama have: what they mean, and values that make no sense. */
class FamilyFieldsTest {
    @TempDir
    private Path folder;

    private static Map<String, String> gemma2() {
        var fields = new LinkedHashMap<String, String>();
        fields.put("sliding_window", "16");
        fields.put("attn_logit_softcapping", "50.0");
        fields.put("final_logit_softcapping", "null");
        fields.put("query_pre_attn_scalar", "64");
        return fields;
    }

    private static Map<String, String> longRope() {
        return Map.of(
                "partial_rotary_factor",
                "0.5",
                "original_max_position_embeddings",
                "64",
                "rope_scaling",
                "{\"type\":\"longrope\",\"long_factor\":[2,4],\"short_factor\":[1,1]}");
    }

    private Path write(String family, Map<String, String> fields) {
        var config = TinyModel.config();
        config.put("model_type", '"' + family + '"');
        config.putAll(fields);
        return TinyModel.writeJson(folder.resolve("config.json"), config);
    }

    private DecoderConfig read(String family, Map<String, String> fields) {
        return read(family, fields, 0);
    }

    private DecoderConfig read(String family, Map<String, String> fields, int context) {
        Fields json = StrictJson.read(write(family, fields));
        return HuggingFaceConfig.read(
                json,
                new Fields(Path.of("generation_config.json"), Map.of()),
                DecoderFamily.ofHuggingFace(json),
                context);
    }

    @Test
    void longRopeHasTheAnglesOfTheContextThatIsAskedFor() {
        var whole = read("phi3", longRope());
        assertEquals(64, whole.shortContext());
        assertEquals(128, whole.context());
        var far = read("phi3", longRope(), 65);
        assertEquals(64, far.shortContext());
        assertEquals(whole.attention().get(0).rope(), far.attention().get(0).rope());
        var near = read("phi3", longRope(), 64);
        assertEquals(0, near.shortContext());
        assertEquals(64, near.context());
        assertEquals(
                RopeAngles.of(8, 4, 20000).withScale(RopeAngles.longRopeScale(2, 64)),
                near.attention().get(0).rope());
    }

    @Test
    void aContextBeyondTheModelsIsRefused() {
        var refused = assertThrows(IllegalArgumentException.class, () -> read("llama", Map.of(), 129));
        assertTrue(refused.getMessage().contains("context is 129, more than the 128 tokens"), refused.getMessage());
        assertTrue(refused.getMessage().contains("config.json"), refused.getMessage());
    }

    @Test
    void gemmaHasFactorsCapsAndWindowsInTurn() {
        var config = read("gemma2", gemma2());
        assertEquals(new Scales((float) Math.sqrt(32), 1, 0.125f, 50, 1, 0), config.scales());
        assertEquals(
                List.of(16, 0),
                config.attention().stream().map(LayerAttention::window).toList());
    }

    /** Published text_configs of Gemma 3 leave out what is usual. */
    @Test
    void theTextModelOfGemma3WithImagesHasTheUsualSizesWhereNothingIsSaid() {
        Fields json = StrictJson.parse(
                Path.of("config.json"),
                "config.json",
                ("{\"model_type\":\"gemma3\",\"eos_token_id\":[1,106],\"vision_config\":{},\"text_config\":{\"hidden_size\":2560,"
                                + "\"intermediate_size\":10240,\"model_type\":\"gemma3_text\",\"num_hidden_layers\":34,"
                                + "\"rope_scaling\":{\"factor\":8.0,\"rope_type\":\"linear\"},\"sliding_window\":1024}}")
                        .getBytes(StandardCharsets.UTF_8));
        Fields text = new TextPart(json).config();
        var config = HuggingFaceConfig.read(
                text, new Fields(Path.of("generation_config.json"), Map.of()), DecoderFamily.ofHuggingFace(text), 0);
        assertEquals(
                List.of(34, 8, 4, 256), List.of(config.layers(), config.heads(), config.kvHeads(), config.headSize()));
        assertEquals(List.of(131_072, 262_208), List.of(config.context(), config.vocabulary()));
        assertEquals(List.of(1, 106), config.eosIds());
        assertTrue(config.tiedEmbedding());
        assertEquals(1024, config.attention().get(0).window());
        assertEquals(0, config.attention().get(5).window());
        assertEquals(RopeAngles.of(256, 256, 1e4f), config.attention().get(0).rope());
        assertEquals(
                RopeAngles.of(256, 256, 1e6f).dividedBy(i -> 8),
                config.attention().get(5).rope());
    }

    @Test
    void graniteHasMultipliers() {
        var fields = Map.of("embedding_multiplier", "12", "residual_multiplier", "0.5", "logits_scaling", "8");
        var config = read("granite", fields);
        assertEquals(new Scales(12, 0.5f, 1, 0, 0.125f, 0), config.scales());
        assertEquals(4e-5f, config.streamEpsilon());
    }

    @Test
    void layersOfSmolLm3TurnAsTheListSays() {
        var rotates = read("smollm3", Map.of("no_rope_layers", "[0,1]")).attention().stream()
                .map(layer -> layer.rope().rotates())
                .toList();
        assertEquals(List.of(false, true), rotates);
        assertEquals(
                List.of(true, false),
                read("smollm3", Map.of("no_rope_layer_interval", "2")).attention().stream()
                        .map(layer -> layer.rope().rotates())
                        .toList());
    }

    @Test
    void phi3TurnsPartOfAHeadByTheFactorsOfItsContext() {
        var rope = read("phi3", longRope()).attention().get(0).rope();
        var plain = RopeAngles.of(8, 4, 20000);
        assertEquals(
                plain.dividedBy(i -> 2 * (i + 1)).withScale(RopeAngles.longRopeScale(2, 64)),
                rope,
                "the context of 128 is longer than 64");
    }

    @TestFactory
    Stream<DynamicTest> fieldsThatMakeNoSense() {
        return Stream.of(
                fault(InvalidValue.class, "gemma2", gemma2(), "query_pre_attn_scalar", "0"),
                fault(InvalidValue.class, "gemma2", gemma2(), "attn_logit_softcapping", "-50"),
                fault(InvalidValue.class, "gemma2", gemma2(), "final_logit_softcapping", "1e400"),
                fault(MissingField.class, "gemma2", gemma2(), "final_logit_softcapping", null),
                fault(MissingField.class, "gemma2", gemma2(), "sliding_window", null),
                fault(InvalidValue.class, "gemma2", gemma2(), "sliding_window", "-1"),
                fault(InvalidValue.class, "gemma2", gemma2(), "sliding_window_pattern", "0"),
                fault(InvalidValue.class, "gemma2", gemma2(), "layer_types", "[\"full_attention\"]"),
                fault(InvalidValue.class, "gemma2", gemma2(), "layer_types", "[1,2]"),
                fault(UnsupportedType.class, "gemma2", gemma2(), "layer_types", "[\"full_attention\",\"linear\"]"),
                fault(UnsupportedType.class, "gemma2", gemma2(), "hidden_activation", "\"gelu\""),
                fault(UnsupportedType.class, "gemma3_text", gemma2(), "use_bidirectional_attention", "true"),
                fault(InvalidValue.class, "gemma3_text", gemma2(), "rope_local_base_freq", "0"),
                fault(InvalidValue.class, "granite", Map.of(), "embedding_multiplier", "0"),
                fault(InvalidValue.class, "granite", Map.of(), "residual_multiplier", "-0.2"),
                fault(InvalidValue.class, "granite", Map.of(), "attention_multiplier", "1e9"),
                fault(InvalidValue.class, "granite", Map.of(), "logits_scaling", "\"8\""),
                fault(InvalidValue.class, "smollm3", Map.of(), "no_rope_layers", "[1]"),
                fault(InvalidValue.class, "smollm3", Map.of(), "no_rope_layers", "\"x\""),
                fault(InvalidValue.class, "smollm3", Map.of(), "no_rope_layer_interval", "0"),
                fault(UnsupportedType.class, "olmo2", Map.of(), "sliding_window", "64"),
                fault(InvalidValue.class, "mistral", Map.of(), "sliding_window", "0"),
                fault(InvalidValue.class, "phi3", longRope(), "partial_rotary_factor", "0.1"),
                fault(InvalidValue.class, "phi3", longRope(), "original_max_position_embeddings", "1"));
    }

    /** @param value as JSON; null to leave the field out */
    private DynamicTest fault(
            Class<? extends FormatException> kind,
            String family,
            Map<String, String> fields,
            String name,
            String value) {
        return dynamicTest(family + " " + name + " " + value, () -> {
            var changed = new LinkedHashMap<>(fields);
            changed.remove(name);
            if (value != null) {
                changed.put(name, value);
            }
            assertFault(kind, write(family, changed), name, "", () -> ModelFiles.open(folder));
        });
    }
}
