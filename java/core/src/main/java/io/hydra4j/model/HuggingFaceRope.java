package io.hydra4j.model;

import static io.hydra4j.model.DecoderConfig.MAX_CONTEXT;
import static io.hydra4j.model.DecoderConfig.MAX_ROPE_BASE;
import static io.hydra4j.model.DecoderConfig.MAX_ROPE_FACTOR;

import io.hydra4j.format.Fields;
import java.util.List;

/**
 * Reads how heads rotate from config.json: {@code rope_parameters}, or {@code rope_scaling} and {@code rope_theta} beside it, in
 * older ones.
 */
final class HuggingFaceRope {
    private final Fields config;
    private final DecoderFamily family;
    private final int headSize;
    private final int context;
    private final int wanted;

    /**
     * @param context positions that the model reaches
     * @param wanted those that are to be reached
     */
    HuggingFaceRope(Fields config, DecoderFamily family, int headSize, int context, int wanted) {
        this.config = config;
        this.family = family;
        this.headSize = headSize;
        this.context = context;
        this.wanted = wanted;
    }

    /** {@link DecoderConfig#shortContext}. */
    int shortContext() {
        Fields rope = unwindowed();
        boolean isLong = List.of("longrope", "su").contains(rope.string(kind(rope), ""));
        return isLong && wanted > original(rope) ? original(rope) : 0;
    }

    /** Of layers that see everything. */
    RopeAngles everywhere() {
        return read(unwindowed(), config.number("rope_theta", family.traits().ropeBase(), 1, MAX_ROPE_BASE));
    }

    private Fields unwindowed() {
        Fields rope = config.object("rope_parameters");
        if (rope.has("full_attention")) {
            return rope.object("full_attention");
        }
        return config.has("rope_parameters") ? rope : config.object("rope_scaling");
    }

    private static String kind(Fields rope) {
        return rope.has("rope_type") ? "rope_type" : "type";
    }

    /** Of layers with a window, where the family has another base for them. */
    RopeAngles inWindows() {
        Fields rope = config.object("rope_parameters").object("sliding_attention");
        return read(rope, config.number("rope_local_base_freq", family.traits().windowRopeBase(), 1, MAX_ROPE_BASE));
    }

    private RopeAngles read(Fields rope, float outerBase) {
        float base = rope.number("rope_theta", outerBase, 1, MAX_ROPE_BASE);
        RopeAngles plain = RopeAngles.of(headSize, rotated(rope), base);
        String kind = kind(rope);
        return switch (rope.string(kind, "default")) {
            case "default" -> {
                if (rope.number("factor", 1, Float.MIN_NORMAL, Float.MAX_VALUE) != 1) {
                    throw rope.unsupported("factor", "1, or a rope_type that says how", remedy());
                }
                yield plain;
            }
            case "linear" -> {
                float factor = factor(rope);
                yield plain.dividedBy(i -> factor);
            }
            case "llama3" -> llama3(rope, plain);
            case "yarn" -> yarn(rope, plain, base);
            case "longrope", "su" -> longRope(rope, plain);
            default -> throw rope.unsupported(
                    kind, "\"default\", \"linear\", \"llama3\", \"yarn\" or \"longrope\"", remedy());
        };
    }

    private RopeAngles llama3(Fields rope, RopeAngles plain) {
        float low = rope.number("low_freq_factor", Float.MIN_NORMAL, MAX_ROPE_FACTOR);
        float high = rope.number("high_freq_factor", Float.MIN_NORMAL, MAX_ROPE_FACTOR);
        if (high <= low) {
            throw rope.invalid("high_freq_factor", "more than the low_freq_factor " + low);
        }
        return plain.llama3(factor(rope), low, high, original(rope));
    }

    private RopeAngles yarn(Fields rope, RopeAngles plain, float base) {
        int original = original(rope);
        double factor = rope.has("factor") ? factor(rope) : Math.max(1, (double) context / original);
        float scale = RopeAngles.yarnScale(factor);
        if (rope.has("mscale") || rope.has("mscale_all_dim")) {
            throw rope.unsupported(
                    rope.has("mscale") ? "mscale" : "mscale_all_dim", "no such field", "it is for other families");
        }
        return plain.yarn(
                        factor,
                        base,
                        original,
                        rope.number("beta_fast", 32, Float.MIN_NORMAL, MAX_ROPE_FACTOR),
                        rope.number("beta_slow", 1, Float.MIN_NORMAL, MAX_ROPE_FACTOR),
                        rope.flag("truncate", true))
                .withScale(rope.number("attention_factor", scale, Scales.MIN, Scales.MAX));
    }

    private RopeAngles longRope(Fields rope, RopeAngles plain) {
        int original = original(rope);
        String name = wanted > original ? "long_factor" : "short_factor";
        double[] factors = rope.numbers(name);
        if (factors.length != plain.pairs()) {
            throw rope.unfit(name, factors.length + " numbers", plain.pairs() + ", one for each pair that rotates");
        }
        for (double factor : factors) {
            if (!(factor >= 1 / MAX_ROPE_FACTOR && factor <= MAX_ROPE_FACTOR)) {
                throw rope.unfit(name, factor, "numbers from " + 1 / MAX_ROPE_FACTOR + " to " + MAX_ROPE_FACTOR);
            }
        }
        double factor = rope.has("factor") ? factor(rope) : (double) context / original;
        float scale = RopeAngles.longRopeScale(factor, original);
        return plain.dividedBy(i -> factors[i])
                .withScale(rope.number("attention_factor", scale, Scales.MIN, Scales.MAX));
    }

    private static float factor(Fields rope) {
        return rope.number("factor", 1, MAX_ROPE_FACTOR);
    }

    /** Positions that the model was first trained for: inside, or beside, or the context. */
    private int original(Fields rope) {
        String name = "original_max_position_embeddings";
        return rope.integer(name, config.integer(name, context, 2, MAX_CONTEXT), 2, MAX_CONTEXT);
    }

    private int rotated(Fields rope) {
        String name = "partial_rotary_factor";
        Fields fields = rope.has(name) ? rope : config;
        float part = fields.number(name, 1, 0, 1);
        if (part != 1 && !family.traits().hasPartialRope()) {
            throw fields.unsupported(name, "1 or no such field", remedy());
        }
        int rotated = (int) (headSize * part);
        if (rotated < 2 || rotated % 2 != 0) {
            throw fields.invalid(name, "one that leaves an even number of the " + headSize + " values of a head");
        }
        return rotated;
    }

    private String remedy() {
        return ConfigValues.remedy(family);
    }
}
