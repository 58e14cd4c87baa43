package io.hydra4j.consumer;

import io.hydra4j.GenerationOptions;
import io.hydra4j.GenerationResult;
import io.hydra4j.HydraModel;
import io.hydra4j.OpenOptions;
import io.hydra4j.runtime.Backends;
import java.nio.file.Path;

/** Continues a prompt by some tokens and says what it ran on. */
public final class Main {
    private Main() {}

    /** @param arguments model, heads, prompt */
    public static void main(String[] arguments) {
        OpenOptions options = OpenOptions.DEFAULT.withHeads(Path.of(arguments[1]));
        try (HydraModel model = HydraModel.open(Path.of(arguments[0]), options)) {
            GenerationResult result = model.generate(arguments[2], GenerationOptions.DEFAULT.withMaxTokens(16));
            System.out.println("text: " + result.text().replace("\n", "\\n"));
        }
        System.out.println("named module: " + HydraModel.class.getModule().isNamed());
        System.out.println(Backends.describe());
    }
}
