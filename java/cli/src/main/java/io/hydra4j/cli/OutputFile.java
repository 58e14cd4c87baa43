package io.hydra4j.cli;

import io.hydra4j.HydraException;
import io.hydra4j.format.WholeFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Files that a command writes when it has measured for a while. */
final class OutputFile {
    private OutputFile() {}

    /**
     * Refuses a place where no file can be written: soon, and not when all is measured.
     *
     * @param file may be null for none
     * @throws HydraException if it is a folder, or its own folder does not exist or may not be written to; of a device or a pipe, if it
     *     may not be written to itself
     */
    static void require(Path file) {
        if (file == null) {
            return;
        }
        if (WholeFile.isSpecial(file)) {
            if (!Files.isWritable(file)) {
                throw new HydraException(file + ": cannot be written: permission denied");
            }
            return;
        }
        Path parent = folder(file);
        if (parent == null || !Files.isDirectory(parent) || Files.isDirectory(file)) {
            throw new HydraException(file + ": cannot be written: give a file in a folder that exists");
        }
        if (!Files.isWritable(parent)) {
            throw new HydraException(file + ": cannot be written: permission denied in " + parent);
        }
    }

    private static Path folder(Path file) {
        try {
            return WholeFile.place(file).getParent();
        } catch (IOException e) {
            throw new HydraException(file + ": cannot be written: " + e.getMessage(), e);
        }
    }
}
