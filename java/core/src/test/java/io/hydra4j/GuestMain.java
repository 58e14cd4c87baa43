package io.hydra4j;

import io.hydra4j.runtime.BackendKind;
import java.nio.file.Path;
import java.util.Properties;
import java.util.TreeSet;

/**
 * Generates a few tokens in a JVM that is not ours alone, and prints their number and every system property that is another
 * one afterwards; or the message of the failure.
 */
final class GuestMain {
    private GuestMain() {}

    public static void main(String[] arguments) {
        Properties before = (Properties) System.getProperties().clone();
        OpenOptions options = OpenOptions.DEFAULT.withBackend(BackendKind.CPU).withThreads(1);
        try (HydraModel model = HydraModel.open(Path.of(arguments[0]), options)) {
            GenerationOptions limits = GenerationOptions.DEFAULT
                    .withMaxTokens(5)
                    .withIgnoreEnd(true)
                    .withSpeculation(Speculation.ON);
            System.out.println("tokens " + model.generate("x", limits).completionTokens());
        } catch (HydraException e) {
            System.out.println("failed " + e.getMessage());
        }
        Properties after = System.getProperties();
        TreeSet<String> names = new TreeSet<>(after.stringPropertyNames());
        names.addAll(before.stringPropertyNames());
        for (String name : names) {
            if (!String.valueOf(after.getProperty(name)).equals(String.valueOf(before.getProperty(name)))) {
                System.out.println(name + "=" + after.getProperty(name));
            }
        }
    }
}
