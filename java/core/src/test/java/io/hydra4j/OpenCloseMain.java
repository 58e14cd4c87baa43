package io.hydra4j;

import io.hydra4j.runtime.BackendKind;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Opens a model, generates and closes, so many times; after a tenth of them more takes the process's footprint, and again at the end.
 * Prints both, and a last line: "as it was", or what has grown.
 */
final class OpenCloseMain {
    /** Compiled code and classes: the JVM's own growth. */
    private static final long MOST_GROWTH = 16 << 20;

    private OpenCloseMain() {}

    public static void main(String[] arguments) throws IOException {
        Path model = Path.of(arguments[0]);
        int times = Integer.parseInt(arguments[1]);
        OpenCloseTest.openAndClose(model, BackendKind.CPU, Math.max(50, times / 10));
        Footprint before = Footprint.take();
        OpenCloseTest.openAndClose(model, BackendKind.CPU, times);
        Footprint after = Footprint.take();
        System.out.println(before);
        System.out.println(after);
        try {
            after.requireNoMoreThan(before, MOST_GROWTH);
            System.out.println("as it was");
        } catch (AssertionError grown) {
            System.out.println(grown.getMessage());
        }
    }
}
