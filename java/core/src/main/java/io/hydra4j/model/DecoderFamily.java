package io.hydra4j.model;

import io.hydra4j.FormatException;
import io.hydra4j.format.Fields;
import io.hydra4j.model.FamilyTraits.AttentionBias;
import io.hydra4j.model.FamilyTraits.HeadNorms;
import io.hydra4j.model.FamilyTraits.Norms;
import io.hydra4j.model.FamilyTraits.Windows;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.Function;

/**
 * The table of model families that the forward pass computes: the names that files give each, and in what the files of one family
 * differ from those of another. What is computed follows from {@link DecoderConfig} and the tensors that are there, not from the
 * family.
 */
public enum DecoderFamily {
    /** Llama, and what keeps to its form: TinyLlama, SmolLM2, Vicuna and many others. */
    LLAMA(new FamilyTraits("Llama", "llama").neighbours().ggufWindows(Windows.EVERY_LAYER)),
    /** Mistral, whose GGUF files say that they are Llama. */
    MISTRAL(new FamilyTraits("Mistral", "mistral").withoutGguf().windows(Windows.EVERY_LAYER)),
    /** Qwen2 and Qwen2.5. */
    QWEN2(new FamilyTraits("Qwen2", "qwen2").windows(Windows.UPPER_LAYERS).bias(AttentionBias.QUERY_KEY_VALUE)),
    /** Qwen3 (dense). */
    QWEN3(new FamilyTraits("Qwen3", "qwen3").windows(Windows.UPPER_LAYERS).headNorms(HeadNorms.EACH_HEAD)),
    /** SmolLM3: every fourth layer does not rotate. */
    SMOLLM3(new FamilyTraits("SmolLM3", "smollm3")
            .neighbours()
            .withoutRope(4)
            .ropeBases(2e6f, 0)
            .tied()),
    /** Gemma 2. */
    GEMMA2(new FamilyTraits("Gemma 2", "gemma2")
            .gemma()
            .capped()
            .windowPeriod(2)
            .wide(46)),
    /** Gemma 3, its text models, alone or in folders that take images in too. */
    GEMMA3(new FamilyTraits("Gemma 3", "gemma3")
            .modelType("gemma3_text")
            .gemma()
            .windowPeriod(6)
            .wide(62)
            .ropeBases(1e6f, 1e4f)
            .headNorms(HeadNorms.EACH_HEAD)),
    /** Phi-3, Phi-3.5 and Phi-4 (dense). */
    PHI3(new FamilyTraits("Phi-3", "phi3").windows(Windows.EVERY_LAYER).fused().partialRope()),
    /** Granite (dense). */
    GRANITE(new FamilyTraits("Granite", "granite").neighbours().multiplied()),
    /** OLMo 2. */
    OLMO2(new FamilyTraits("OLMo 2", "olmo2").norms(Norms.AFTER).headNorms(HeadNorms.ALL_HEADS));

    private final FamilyTraits traits;

    DecoderFamily(FamilyTraits traits) {
        this.traits = traits;
    }

    /** @throws FormatException.UnknownArchitecture if the GGUF file is of no family in the table */
    static DecoderFamily ofGguf(Fields metadata) {
        return named(metadata, "general.architecture", FamilyTraits::ggufName);
    }

    /** @throws FormatException.UnknownArchitecture if config.json is of no family in the table */
    static DecoderFamily ofHuggingFace(Fields config) {
        return named(config, "model_type", FamilyTraits::modelType);
    }

    private static DecoderFamily named(Fields fields, String field, Function<FamilyTraits, String> name) {
        String found = fields.string(field);
        return Arrays.stream(values())
                .filter(family -> found.equals(name.apply(family.traits)))
                .findFirst()
                .orElseThrow(() -> fields.unknownArchitecture(
                        field,
                        Arrays.stream(values())
                                .map(family -> name.apply(family.traits))
                                .filter(Objects::nonNull)
                                .toArray(String[]::new)));
    }

    /** A short name: what {@code general.architecture} of a GGUF file says, where there are such files. */
    public String id() {
        return traits.id();
    }

    /** In what its files differ. */
    FamilyTraits traits() {
        return traits;
    }

    /** The name of a key of a GGUF file that belongs to the family. */
    String key(String name) {
        return traits.ggufName() + "." + name;
    }

    /** Names in GGUF files. */
    TensorNames gguf() {
        return TensorNames.GGUF;
    }

    /** Names in Hugging Face folders. */
    TensorNames huggingFace() {
        return traits.norms() == Norms.BEFORE ? TensorNames.HUGGING_FACE : TensorNames.HUGGING_FACE_NORMS_AFTER;
    }

    /** The name that the world has for it. */
    @Override
    public String toString() {
        return traits.label();
    }
}
