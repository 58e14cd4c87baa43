package io.hydra4j.cli;

import io.hydra4j.HydraException;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;

/**
 * A folder for files that are needed for a while: it is this user's alone, and deleted with all that is in it when it is
 * closed, which any thread may do.
 *
 * @param path the folder
 */
record ScratchFolder(Path path) implements AutoCloseable {
    /** @throws HydraException if it cannot be made */
    static ScratchFolder create(String prefix) {
        try {
            return new ScratchFolder(Files.createTempDirectory(prefix));
        } catch (IOException e) {
            throw new HydraException("no temporary folder can be made in java.io.tmpdir: " + e.getMessage(), e);
        }
    }

    /** What cannot be deleted stays for the system to clean up. */
    @Override
    public void close() {
        try (Stream<Path> files = Files.walk(path)) {
            files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
        } catch (IOException e) {
            // it is gone already
        }
    }
}
