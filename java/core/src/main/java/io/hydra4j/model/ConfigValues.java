package io.hydra4j.model;

import static io.hydra4j.model.DecoderConfig.HEAD_SIZE_STEP;
import static io.hydra4j.model.DecoderConfig.MAX_HEAD_SIZE;
import static io.hydra4j.model.DecoderConfig.MAX_HIDDEN;
import static io.hydra4j.model.DecoderConfig.MAX_NORM_EPSILON;

import io.hydra4j.format.Fields;

/** Values of a configuration that files of all formats have, under different names. */
final class ConfigValues {
    /** Where a file states none. */
    static final float DEFAULT_ROPE_BASE = 10000;

    private ConfigValues() {}

    /**
     * The context to open a model with.
     *
     * @param wanted positions, or 0 for all that the model has
     * @throws IllegalArgumentException if they are more than it has
     */
    static int context(Fields fields, int wanted, int own) {
        if (wanted > own) {
            throw new IllegalArgumentException("context is " + wanted + ", more than the " + own
                    + " tokens of the model " + fields.file() + ": give at most so many, or 0 for all of them");
        }
        return wanted == 0 ? own : wanted;
    }

    static int kvHeads(Fields fields, String name, int heads) {
        int kvHeads = fields.integer(name, heads, 1, heads);
        if (heads % kvHeads != 0) {
            throw fields.invalid(name, "a divisor of the " + heads + " query heads");
        }
        return kvHeads;
    }

    static int headSize(Fields fields, String name, String hiddenName, int hidden, int heads) {
        var expected = "a head size from 8 to " + MAX_HEAD_SIZE + " that is a multiple of " + HEAD_SIZE_STEP;
        if (!fields.has(name) && hidden % heads != 0) {
            throw fields.invalid(hiddenName, "a multiple of the " + heads + " heads, for " + name + " is missing");
        }
        int headSize = fields.has(name) ? fields.integer(name, 1, MAX_HEAD_SIZE) : hidden / heads;
        if (headSize % HEAD_SIZE_STEP != 0 || headSize > MAX_HEAD_SIZE || headSize * heads > MAX_HIDDEN) {
            throw fields.invalid(
                    fields.has(name) ? name : hiddenName,
                    expected + ", " + MAX_HIDDEN + " at most times " + heads + " heads");
        }
        return headSize;
    }

    static float normEpsilon(Fields fields, String name) {
        return fields.number(name, Float.MIN_NORMAL, MAX_NORM_EPSILON);
    }

    static int bosId(Fields fields, String name, int vocabulary) {
        var ids = fields.ids(name, vocabulary, 1);
        return ids.isEmpty() ? -1 : ids.get(0);
    }

    /** What errors say of a feature that the forward pass does not have. */
    static String remedy(DecoderFamily family) {
        return "this version computes plain " + family + " models only";
    }
}
