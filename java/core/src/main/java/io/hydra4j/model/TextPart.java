package io.hydra4j.model;

import io.hydra4j.format.Fields;
import io.hydra4j.format.TensorTable;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What of a Hugging Face folder is the text model: all of it, or in folders of Gemma 3 that take images in too, {@code text_config}
 * and the tensors of the language model. Texts without images are computed alike with and without the rest.
 */
final class TextPart {
    /** {@code model_type} of folders with images. */
    private static final String WITH_IMAGES = "gemma3";

    private static final String TEXT = "text_config";

    /** What transformers takes where {@code text_config} leaves it out, as published files do. */
    private static final Map<String, Object> DEFAULTS = Map.of(
            "num_attention_heads", 8L,
            "num_key_value_heads", 4L,
            "head_dim", 256L,
            "vocab_size", 262_208L,
            "max_position_embeddings", 131_072L,
            "rms_norm_eps", 1e-6,
            "sliding_window", 4096L,
            "eos_token_id", 1L,
            "bos_token_id", 2L);

    /** What the names of tensors for images begin with. */
    private static final List<String> IMAGES =
            List.of("vision_tower.", "multi_modal_projector.", "model.vision_tower.", "model.multi_modal_projector.");

    /** What names begin with in such folders, and in those of text alone. */
    private static final Map<String, String> PREFIXES = Map.of(
            "language_model.model.",
            "model.",
            "language_model.lm_head.",
            "lm_head.",
            "model.language_model.",
            "model.");

    private final Fields config;
    private final boolean hasImages;

    /** @param whole config.json */
    TextPart(Fields whole) {
        hasImages = whole.has(TEXT) && WITH_IMAGES.equals(whole.value("model_type"));
        config = hasImages ? textConfig(whole) : whole;
    }

    private static Fields textConfig(Fields whole) {
        Fields text = whole.object(TEXT);
        var values = new LinkedHashMap<>(DEFAULTS);
        if (whole.has("eos_token_id")) {
            values.put("eos_token_id", whole.value("eos_token_id"));
        }
        text.names().forEach(name -> values.put(name, text.value(name)));
        return new Fields(whole.file(), TEXT + ".", values);
    }

    /** The configuration of the text model. */
    Fields config() {
        return config;
    }

    /** Names of the tensors that are for images. */
    List<String> skipped(TensorTable all) {
        return all.tensors().keySet().stream().filter(this::isForImages).toList();
    }

    /** The others, by the names that they have in a folder of text alone. */
    TensorTable tensors(TensorTable all) {
        return hasImages ? all.renamed(this::renamed) : all;
    }

    private boolean isForImages(String name) {
        return hasImages && IMAGES.stream().anyMatch(name::startsWith);
    }

    private String renamed(String name) {
        return isForImages(name)
                ? null
                : PREFIXES.entrySet().stream()
                        .filter(prefix -> name.startsWith(prefix.getKey()))
                        .map(prefix -> prefix.getValue()
                                + name.substring(prefix.getKey().length()))
                        .findFirst()
                        .orElse(name);
    }
}
