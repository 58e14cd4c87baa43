package io.hydra4j.model;

import static io.hydra4j.model.DecoderConfig.MAX_CONTEXT;
import static io.hydra4j.model.DecoderConfig.MAX_HEAD_SIZE;
import static io.hydra4j.model.DecoderConfig.MAX_ROPE_BASE;
import static io.hydra4j.model.DecoderConfig.MAX_ROPE_FACTOR;

import io.hydra4j.format.Fields;

/** Reads how heads rotate from the metadata of a GGUF file; factors that it has as a tensor come on top (RopeFactors). */
final class GgufRope {
    private final Fields metadata;
    private final DecoderFamily family;
    private final int headSize;
    private final int context;

    GgufRope(Fields metadata, DecoderFamily family, int headSize, int context) {
        this.metadata = metadata;
        this.family = family;
        this.headSize = headSize;
        this.context = context;
    }

    /** Of layers that see everything. */
    RopeAngles everywhere() {
        float base = metadata.number(key("freq_base"), family.traits().ropeBase(), 1, MAX_ROPE_BASE);
        RopeAngles plain = RopeAngles.of(headSize, rotated(), base);
        float scale = metadata.number(key("scaling.attn_factor"), 1, Scales.MIN, Scales.MAX);
        String kind = key("scaling.type");
        return switch (metadata.string(kind, "linear")) {
            case "none" -> plain;
            case "linear" -> {
                String name = metadata.has(key("scaling.factor")) ? "scaling.factor" : "scale_linear";
                float factor = factor(name);
                yield plain.dividedBy(i -> factor).withScale(scale);
            }
            case "yarn" -> yarn(plain, base, scale);
            case "longrope" -> plain.withScale(scale);
            default -> throw metadata.unsupported(
                    kind, "\"none\", \"linear\", \"yarn\" or \"longrope\"", ConfigValues.remedy(family));
        };
    }

    /** Of layers with a window, where the family has another base for them. */
    RopeAngles inWindows() {
        return RopeAngles.of(
                headSize,
                rotated(),
                metadata.number(key("freq_base_swa"), family.traits().windowRopeBase(), 1, MAX_ROPE_BASE));
    }

    private RopeAngles yarn(RopeAngles plain, float base, float scale) {
        float factor = factor("scaling.factor");
        for (String name : new String[] {"scaling.yarn_log_multiplier", "scaling.yarn_ext_factor"}) {
            float neutral = name.endsWith("ext_factor") ? 1 : 0;
            if (metadata.number(key(name), neutral, -Scales.MAX, Scales.MAX) != neutral) {
                throw metadata.unsupported(key(name), neutral + " or no such key", ConfigValues.remedy(family));
            }
        }
        float own =
                metadata.number(key("scaling.yarn_attn_factor"), RopeAngles.yarnScale(factor), Scales.MIN, Scales.MAX);
        return plain.yarn(
                        factor,
                        base,
                        original(),
                        metadata.number(key("scaling.yarn_beta_fast"), 32, Float.MIN_NORMAL, MAX_ROPE_FACTOR),
                        metadata.number(key("scaling.yarn_beta_slow"), 1, Float.MIN_NORMAL, MAX_ROPE_FACTOR),
                        true)
                .withScale(own * scale);
    }

    /** Whether factors have to be there. */
    boolean isLong() {
        return metadata.string(key("scaling.type"), "").equals("longrope");
    }

    /** Whether the longer of two sets of factors is for this context. */
    boolean reachesFurther(int wanted) {
        return wanted > original();
    }

    private float factor(String name) {
        return metadata.number(key(name), 1, 1, MAX_ROPE_FACTOR);
    }

    /** Positions that the model was first trained for. */
    int original() {
        return metadata.integer(key("scaling.original_context_length"), context, 2, MAX_CONTEXT);
    }

    private int rotated() {
        String name = key("dimension_count");
        int rotated = metadata.integer(name, headSize, 1, MAX_HEAD_SIZE);
        if (rotated != headSize && !family.traits().hasPartialRope()) {
            throw metadata.unsupported(name, "the head size " + headSize, ConfigValues.remedy(family));
        }
        if (rotated % 2 != 0 || rotated > headSize) {
            throw metadata.invalid(name, "an even number up to the head size " + headSize);
        }
        return rotated;
    }

    private String key(String name) {
        return family.key("rope." + name);
    }
}
