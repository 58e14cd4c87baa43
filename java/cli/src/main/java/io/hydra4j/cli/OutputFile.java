package io.hydra4j.cli;

import io.hydra4j.HydraException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Files that a command writes when it has measured for a while. */
final class OutputFile {
    private OutputFile() {}

    /**
     * Refuses a place where no file can be written: soon, and not when all is measured.
     *
     * @param file may be null for none
     * @throws HydraException if it is a folder, or its own folder does not exist or may not be written to
     */
    static void require(Path file) {
        if (file == null) {
            return;
        }
        Path parent = file.toAbsolutePath().getParent();
        if (parent == null || !Files.isDirectory(parent) || Files.isDirectory(file)) {
            throw new HydraException(file + ": cannot be written: give a file in a folder that exists");
        }
        if (!Files.isWritable(parent)) {
            throw new HydraException(file + ": cannot be written: permission denied in " + parent);
        }
    }
}
