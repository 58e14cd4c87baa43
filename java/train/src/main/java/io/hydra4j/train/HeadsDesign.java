package io.hydra4j.train;

import java.util.List;
import java.util.Objects;

/** What the heads of a training are. Immutable; the {@code with} methods give changed copies. Two are equal if all their values are. */
public final class HeadsDesign {
    /** What a head sees beside the hidden state of the last verified token. */
    public enum Kind {
        /** Nothing more: heads are independent. */
        MEDUSA,
        /** The embeddings of the tokens drafted before it. */
        HYDRA,
        /** As {@link #HYDRA}, with a prefix layer over all verified hidden states. */
        HYDRA_PLUS_PLUS
    }

    /** Where a head's vector becomes logits. */
    public enum LmHead {
        /** In the base's LM head, which is not trained. */
        BASE,
        /** In a matrix of the head's own, which begins as a copy of the base's LM head. */
        PRIVATE
    }

    /** The most heads. */
    public static final int MAX_HEADS = 63;
    /** The most residual blocks of a head. */
    public static final int MAX_BLOCKS = 64;
    /** The fewest tokens that heads can draft from: a node of a tree may be asked for as many guesses. */
    public static final int MIN_VOCABULARY = 32;

    private final Kind kind;
    private final int heads;
    private final int blocks;
    private final boolean tiedBlocks;
    private final LmHead lmHead;
    private final int draftVocabulary;

    private HeadsDesign(Kind kind, int heads, int blocks, boolean tiedBlocks, LmHead lmHead, int draftVocabulary) {
        this.kind = kind;
        this.heads = heads;
        this.blocks = blocks;
        this.tiedBlocks = tiedBlocks;
        this.lmHead = lmHead;
        this.draftVocabulary = draftVocabulary;
    }

    /**
     * {@return four heads of this kind with the base's LM head, of one block, or of four where there is a prefix layer}
     *
     * @param kind what a head sees
     */
    public static HeadsDesign of(Kind kind) {
        Objects.requireNonNull(kind, "kind is null: give MEDUSA, HYDRA or HYDRA_PLUS_PLUS");
        return new HeadsDesign(kind, 4, kind == Kind.HYDRA_PLUS_PLUS ? 4 : 1, false, LmHead.BASE, 0);
    }

    /**
     * {@return this design with heads of another kind}
     *
     * @param kind what a head sees
     */
    public HeadsDesign withKind(Kind kind) {
        Objects.requireNonNull(kind, "kind is null: give MEDUSA, HYDRA or HYDRA_PLUS_PLUS");
        return new HeadsDesign(kind, heads, blocks, tiedBlocks, lmHead, draftVocabulary);
    }

    /**
     * {@return this design with another number of heads}
     *
     * @param heads 1 to {@value #MAX_HEADS}: the deepest tree that they can fill
     * @throws IllegalArgumentException if it is out of range
     */
    public HeadsDesign withHeads(int heads) {
        Ranges.require("heads", heads, 1, MAX_HEADS);
        return new HeadsDesign(kind, heads, blocks, tiedBlocks, lmHead, draftVocabulary);
    }

    /**
     * {@return this design with another number of residual blocks a head}
     *
     * @param blocks 1 to {@value #MAX_BLOCKS}
     * @throws IllegalArgumentException if it is out of range
     */
    public HeadsDesign withBlocks(int blocks) {
        Ranges.require("blocks", blocks, 1, MAX_BLOCKS);
        return new HeadsDesign(kind, heads, blocks, tiedBlocks, lmHead, draftVocabulary);
    }

    /**
     * {@return this design with blocks that share their weights, or do not} The blocks of a Medusa head are all one then; of grounded heads
     * all after the first, as in the published checkpoints.
     *
     * @param tiedBlocks whether they share them
     */
    public HeadsDesign withTiedBlocks(boolean tiedBlocks) {
        return new HeadsDesign(kind, heads, blocks, tiedBlocks, lmHead, draftVocabulary);
    }

    /**
     * {@return this design with another LM head}
     *
     * @param lmHead where a head's vector becomes logits
     */
    public HeadsDesign withLmHead(LmHead lmHead) {
        Objects.requireNonNull(lmHead, "lmHead is null: give BASE or PRIVATE");
        return new HeadsDesign(kind, heads, blocks, tiedBlocks, lmHead, draftVocabulary);
    }

    /**
     * {@return this design with logits over a part of the vocabulary: the tokens that are most frequent in the training text} A smaller
     * vocabulary makes each level of a draft cheaper; tokens outside it are never guessed.
     *
     * @param draftVocabulary tokens, at least {@value #MIN_VOCABULARY}; 0 for all
     * @throws IllegalArgumentException if it is out of range
     */
    public HeadsDesign withDraftVocabulary(int draftVocabulary) {
        if (draftVocabulary != 0) {
            Ranges.require("draftVocabulary", draftVocabulary, MIN_VOCABULARY, Integer.MAX_VALUE);
        }
        return new HeadsDesign(kind, heads, blocks, tiedBlocks, lmHead, draftVocabulary);
    }

    /** {@return what a head sees} */
    public Kind kind() {
        return kind;
    }

    /** {@return how many heads there are; head i, from 0 on, guesses the token i + 2 places after the last verified one} */
    public int heads() {
        return heads;
    }

    /** {@return the residual blocks of a head} */
    public int blocks() {
        return blocks;
    }

    /** {@return whether blocks share their weights} */
    public boolean tiedBlocks() {
        return tiedBlocks;
    }

    /** {@return where a head's vector becomes logits} */
    public LmHead lmHead() {
        return lmHead;
    }

    /** {@return the tokens that heads draft from; 0 for all} */
    public int draftVocabulary() {
        return draftVocabulary;
    }

    /** Whether a head sees the tokens drafted before it. */
    boolean isGrounded() {
        return kind != Kind.MEDUSA;
    }

    boolean hasPrefixLayer() {
        return kind == Kind.HYDRA_PLUS_PLUS;
    }

    private List<Object> values() {
        return List.of(kind, heads, blocks, tiedBlocks, lmHead, draftVocabulary);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof HeadsDesign design && values().equals(design.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "HeadsDesign[" + facts() + "]";
    }

    Facts facts() {
        return new Facts()
                .add("kind", kind)
                .add("heads", heads)
                .add("blocks", blocks)
                .add("tiedBlocks", tiedBlocks)
                .add("lmHead", lmHead)
                .add("draftVocabulary", draftVocabulary);
    }
}
