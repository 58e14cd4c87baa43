package io.hydra4j.cli;

import io.hydra4j.GenerationOptions;
import io.hydra4j.HydraModel;
import java.util.function.UnaryOperator;

/**
 * A way of decoding that is compared with others.
 *
 * @param name what it is called on the command line and in reports
 * @param isExact whether its output has to be that of plain decoding, token for token
 * @param decoder decodes a prompt so
 */
record Way(String name, boolean isExact, Decoder decoder) {
    /** One token a step, with which all others are compared. */
    static final String PLAIN = "plain";

    /** Decodes prompts. */
    @FunctionalInterface
    interface Decoder {
        /**
         * @param prompt token ids
         * @param limits where the output ends, how its tokens are selected, and what cancels it; says nothing of how to guess
         */
        Run decode(HydraModel model, int[] prompt, GenerationOptions limits);
    }

    /**
     * A way that generations know by their options.
     *
     * @param settings makes the options of a generation of those that all ways share
     */
    static Way of(String name, boolean isExact, UnaryOperator<GenerationOptions> settings) {
        return new Way(
                name, isExact, (model, prompt, limits) -> Run.of(model.generate(prompt, settings.apply(limits))));
    }
}
