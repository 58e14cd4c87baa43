package io.hydra4j.train;

import io.hydra4j.HydraException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A folder to write to, made where it does not exist: not to be left behind by what is refused before it has written anything. */
final class OutputFolder {
    private final Path path;
    private final boolean isMade;

    /** @throws HydraException if it cannot be made */
    OutputFolder(Path path) {
        this.path = path;
        isMade = !Files.isDirectory(path);
        if (isMade) {
            try {
                Files.createDirectory(path);
            } catch (IOException e) {
                throw new HydraException(
                        path + ": cannot be made: give a folder, or a new one in a folder that exists", e);
            }
        }
    }

    /** Deletes it where this has made it and it is empty. */
    void deleteIfUnused() {
        if (isMade) {
            try {
                Files.deleteIfExists(path);
            } catch (IOException e) {
                // It is not empty: what is there stays.
            }
        }
    }
}
