package io.hydra4j.model;

import io.hydra4j.FormatException;
import io.hydra4j.format.Fields;
import java.util.Arrays;

/**
 * The table of model families that the forward pass computes: the name that files give each, what they call its tensors, and in
 * what the files of one family differ from those of another. What is computed follows from {@link DecoderConfig} and the tensors
 * that are there, not from the family.
 */
public enum DecoderFamily {
    /** Llama, and what keeps to its form: SmolLM2, Vicuna and many others. */
    LLAMA(
            "Llama",
            "llama",
            TensorNames.GGUF,
            TensorNames.HUGGING_FACE,
            RotatedRows.NEIGHBOURS,
            AttentionBias.ANNOUNCED,
            false,
            true),
    /** Qwen2 and Qwen2.5. */
    QWEN2(
            "Qwen2",
            "qwen2",
            TensorNames.GGUF,
            TensorNames.HUGGING_FACE,
            RotatedRows.HALVES,
            AttentionBias.QUERY_KEY_VALUE,
            false,
            false),
    /** Qwen3 (dense). */
    QWEN3(
            "Qwen3",
            "qwen3",
            TensorNames.GGUF,
            TensorNames.HUGGING_FACE,
            RotatedRows.HALVES,
            AttentionBias.ANNOUNCED,
            true,
            false);

    /** How the two rows of q or k stand whose values RoPE rotates together. */
    enum RotatedRows {
        /** Side by side: 2i and 2i + 1 of a head. */
        NEIGHBOURS,
        /** Half a head apart; Hugging Face's files always have them so. */
        HALVES
    }

    /** Which products of attention have a bias. */
    enum AttentionBias {
        /** All four or none, as {@code attention_bias} in config.json says; in a GGUF file those that are there. */
        ANNOUNCED,
        /** Query, key and value have one, the output has none. */
        QUERY_KEY_VALUE
    }

    private final String label;
    private final String id;
    private final TensorNames gguf;
    private final TensorNames huggingFace;
    private final RotatedRows ggufRows;
    private final AttentionBias attentionBias;
    private final boolean normsHeads;
    private final boolean usesSlidingWindow;

    DecoderFamily(
            String label,
            String id,
            TensorNames gguf,
            TensorNames huggingFace,
            RotatedRows ggufRows,
            AttentionBias attentionBias,
            boolean normsHeads,
            boolean usesSlidingWindow) {
        this.label = label;
        this.id = id;
        this.gguf = gguf;
        this.huggingFace = huggingFace;
        this.ggufRows = ggufRows;
        this.attentionBias = attentionBias;
        this.normsHeads = normsHeads;
        this.usesSlidingWindow = usesSlidingWindow;
    }

    /** @throws FormatException.UnknownArchitecture if the GGUF file is of no family in the table */
    static DecoderFamily ofGguf(Fields metadata) {
        return named(metadata, "general.architecture");
    }

    /** @throws FormatException.UnknownArchitecture if config.json is of no family in the table */
    static DecoderFamily ofHuggingFace(Fields config) {
        return named(config, "model_type");
    }

    private static DecoderFamily named(Fields fields, String field) {
        String id = fields.string(field);
        return Arrays.stream(values())
                .filter(family -> family.id.equals(id))
                .findFirst()
                .orElseThrow(() -> fields.unknownArchitecture(
                        field, Arrays.stream(values()).map(family -> family.id).toArray(String[]::new)));
    }

    /** The name that files give it: {@code general.architecture} in a GGUF file, {@code model_type} in config.json. */
    public String id() {
        return id;
    }

    /** The name of a key of a GGUF file that belongs to the family. */
    String key(String name) {
        return id + "." + name;
    }

    /** Names in GGUF files. */
    TensorNames gguf() {
        return gguf;
    }

    /** Names in Hugging Face folders. */
    TensorNames huggingFace() {
        return huggingFace;
    }

    /** Order of rows in GGUF files. */
    RotatedRows ggufRows() {
        return ggufRows;
    }

    AttentionBias attentionBias() {
        return attentionBias;
    }

    /** Whether each head of the queries and of the keys is normed (QK norm). */
    boolean normsHeads() {
        return normsHeads;
    }

    /** Whether a {@code sliding_window} in config.json counts where {@code use_sliding_window} is not there. */
    boolean usesSlidingWindow() {
        return usesSlidingWindow;
    }

    /** The name that the world has for it. */
    @Override
    public String toString() {
        return label;
    }
}
