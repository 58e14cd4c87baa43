package io.hydra4j.runtime;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Loads the library and prints {@code loaded} and the first folder that a library is mapped from; or the reason and message
 * of the failure, twice.
 */
final class LoadMain {
    private LoadMain() {}

    public static void main(String[] arguments) throws IOException {
        try {
            NativeLibrary.load();
        } catch (LibraryLoadException exception) {
            System.out.println(exception.reason() + " " + exception.getMessage());
            again();
            return;
        }
        String line = Files.readAllLines(Path.of("/proc/self/maps")).stream()
                .filter(map -> map.contains("libhydra4j.so"))
                .findFirst()
                .orElseThrow();
        System.out.println("loaded " + line.substring(line.indexOf('/')));
    }

    private static void again() {
        try {
            NativeLibrary.load();
            System.out.println("loaded at the second attempt");
        } catch (LibraryLoadException exception) {
            System.out.println("again " + exception.reason());
        }
    }
}
