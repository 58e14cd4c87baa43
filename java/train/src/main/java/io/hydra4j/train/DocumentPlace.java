package io.hydra4j.train;

import java.nio.file.Path;

/**
 * Where a document is from.
 *
 * @param file the file
 * @param line its line, from 1 on
 */
record DocumentPlace(Path file, long line) {
    TrainingException.InvalidData invalid(String problem) {
        return new TrainingException.InvalidData(file, line, problem, null);
    }
}
