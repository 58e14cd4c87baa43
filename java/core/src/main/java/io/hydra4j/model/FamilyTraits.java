package io.hydra4j.model;

import io.hydra4j.runtime.Activation;

/**
 * One row of the table of families: in what its files differ from those of Llama with rows for RoPE half a head apart, no windows,
 * and norms before attention and feed-forward. Not to be changed once it is in the table.
 */
final class FamilyTraits {
    /** Which products of attention have a bias. */
    enum AttentionBias {
        /** All four or none, as {@code attention_bias} in config.json says; in a GGUF file those that are there. */
        ANNOUNCED,
        /** Query, key and value have one, the output has none. */
        QUERY_KEY_VALUE
    }

    /** Where a layer has norms. */
    enum Norms {
        /** Before attention and before the feed-forward. */
        BEFORE,
        /** Before and after each. */
        AROUND,
        /** After each, before it is added. */
        AFTER;

        boolean before() {
            return this != AFTER;
        }

        boolean after() {
            return this != BEFORE;
        }
    }

    /** How queries and keys are normed. */
    enum HeadNorms {
        NONE,
        /** Each head by itself, all with one weight. */
        EACH_HEAD,
        /** All heads of a projection together. */
        ALL_HEADS
    }

    /** Which layers a {@code sliding_window} is for, where {@code layer_types} does not say. */
    enum Windows {
        /** Such a field is refused, unless {@code use_sliding_window} is false. */
        REFUSED,
        EVERY_LAYER,
        /** All but every n-th layer. */
        PERIODIC,
        /** Those from {@code max_window_layers} on, if {@code use_sliding_window} is true. */
        UPPER_LAYERS
    }

    private final String label;
    private final String id;
    private String ggufName;
    private String modelType;
    private boolean neighbours;
    private AttentionBias bias = AttentionBias.ANNOUNCED;
    private HeadNorms headNorms = HeadNorms.NONE;
    private Norms norms = Norms.BEFORE;
    private Windows windows = Windows.REFUSED;
    private Windows ggufWindows = Windows.REFUSED;
    private int windowPeriod;
    private int withoutRopePeriod;
    private int wideLayers;
    private boolean gemma;
    private boolean capped;
    private boolean fused;
    private boolean multiplied;
    private boolean partialRope;
    private boolean tied;
    private float ropeBase = ConfigValues.DEFAULT_ROPE_BASE;
    private float windowRopeBase;

    FamilyTraits(String label, String id) {
        this.label = label;
        this.id = id;
        ggufName = id;
        modelType = id;
    }

    /** There are no GGUF files that name the family. */
    FamilyTraits withoutGguf() {
        ggufName = null;
        return this;
    }

    FamilyTraits modelType(String name) {
        modelType = name;
        return this;
    }

    /** In GGUF files the rows of q and k that RoPE rotates together stand side by side. */
    FamilyTraits neighbours() {
        neighbours = true;
        return this;
    }

    FamilyTraits bias(AttentionBias bias) {
        this.bias = bias;
        return this;
    }

    FamilyTraits headNorms(HeadNorms headNorms) {
        this.headNorms = headNorms;
        return this;
    }

    FamilyTraits norms(Norms norms) {
        this.norms = norms;
        return this;
    }

    FamilyTraits windows(Windows windows) {
        this.windows = windows;
        ggufWindows = windows;
        return this;
    }

    /** In GGUF files alone, as they are those of other families, too. */
    FamilyTraits ggufWindows(Windows windows) {
        ggufWindows = windows;
        return this;
    }

    FamilyTraits windowPeriod(int period) {
        windows(Windows.PERIODIC);
        windowPeriod = period;
        return this;
    }

    /** Every so many layers one does not rotate. */
    FamilyTraits withoutRope(int period) {
        withoutRopePeriod = period;
        return this;
    }

    /**
     * Norms around, whose weights folders keep less 1; GELU; embeddings times √hidden, tied where nothing else is said; soft caps
     * and a scale of scores of its own.
     */
    FamilyTraits gemma() {
        norms = Norms.AROUND;
        gemma = true;
        tied = true;
        return this;
    }

    /** Files must say which caps of scores and logits there are. */
    FamilyTraits capped() {
        capped = true;
        return this;
    }

    /** With so many layers the scale of scores is that of hidden ÷ heads, which GGUF files do not say. */
    FamilyTraits wide(int layers) {
        wideLayers = layers;
        return this;
    }

    /** RoPE's bases where a file states none, in layers that see everything and in those with a window. */
    FamilyTraits ropeBases(float base, float windowBase) {
        ropeBase = base;
        windowRopeBase = windowBase;
        return this;
    }

    /** The LM head is the embedding where config.json does not say. */
    FamilyTraits tied() {
        tied = true;
        return this;
    }

    /** q, k and v are one matrix, gate and up another. */
    FamilyTraits fused() {
        fused = true;
        return this;
    }

    /** Embeddings, residuals, scores and logits have multipliers. */
    FamilyTraits multiplied() {
        multiplied = true;
        return this;
    }

    /** RoPE may rotate the first part of a head alone. */
    FamilyTraits partialRope() {
        partialRope = true;
        return this;
    }

    String label() {
        return label;
    }

    String id() {
        return id;
    }

    /** {@code general.architecture} of GGUF files; null where there are none. */
    String ggufName() {
        return ggufName;
    }

    /** {@code model_type} in config.json. */
    String modelType() {
        return modelType;
    }

    /** Whether the rows of q and k in GGUF files stand in pairs; folders always have them half a head apart. */
    boolean hasNeighbours() {
        return neighbours;
    }

    AttentionBias bias() {
        return bias;
    }

    HeadNorms headNorms() {
        return headNorms;
    }

    Norms norms() {
        return norms;
    }

    Windows windows() {
        return windows;
    }

    Windows ggufWindows() {
        return ggufWindows;
    }

    /** Every so many layers one sees everything. */
    int windowPeriod() {
        return windowPeriod;
    }

    /** 0 where all layers rotate. */
    int withoutRopePeriod() {
        return withoutRopePeriod;
    }

    int wideLayers() {
        return wideLayers;
    }

    boolean isGemma() {
        return gemma;
    }

    boolean isCapped() {
        return capped;
    }

    boolean isTied() {
        return tied;
    }

    boolean isFused() {
        return fused;
    }

    boolean isMultiplied() {
        return multiplied;
    }

    boolean hasPartialRope() {
        return partialRope;
    }

    float ropeBase() {
        return ropeBase;
    }

    /** That of layers with a window where it is another; 0 where it is the same. */
    float windowRopeBase() {
        return windowRopeBase;
    }

    /** What is added to the weights of norms that folders have. */
    float folderNormOffset() {
        return gemma ? 1 : 0;
    }

    /** Where a file states none. */
    Activation activation() {
        return gemma ? Activation.GELU : Activation.SILU;
    }
}
