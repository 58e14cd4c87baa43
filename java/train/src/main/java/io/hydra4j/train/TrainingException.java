package io.hydra4j.train;

import io.hydra4j.FormatException;
import io.hydra4j.HydraException;
import java.nio.file.Path;

/**
 * A training that cannot begin or go on. What was saved before stays as it is: the last checkpoint can be resumed. There is one nested
 * class for each kind of failure. Immutable, so safe to share between threads.
 */
public abstract class TrainingException extends HydraException {
    private static final long serialVersionUID = 1L;

    private TrainingException(String message, Throwable cause) {
        super(message, cause);
    }

    /** The data have nothing to learn from: no documents, none that becomes tokens, or none that is long enough. */
    public static final class NoData extends TrainingException {
        private static final long serialVersionUID = 1L;

        /** @param message one line: what is missing where, and the remedy */
        public NoData(String message) {
            super(message, null);
        }
    }

    /** The data have tokens, but the loss counts none of them: chats without an answer, for instance. */
    public static final class NoTargets extends TrainingException {
        private static final long serialVersionUID = 1L;

        /** @param message one line: what is missing where, and the remedy */
        public NoTargets(String message) {
            super(message, null);
        }
    }

    /** A line of the data is not what is expected. */
    public static final class InvalidData extends TrainingException {
        private static final long serialVersionUID = 1L;

        /**
         * @param file the file
         * @param line its line, from 1 on
         * @param problem what was found, what is expected, and the remedy
         * @param cause the failure below this one, or null
         */
        public InvalidData(Path file, long line, String problem, Throwable cause) {
            super(file + ": line " + line + ": " + problem, cause);
        }

        /** @param fault names the file and its line */
        InvalidData(FormatException fault) {
            super(fault.getMessage(), fault);
        }
    }

    /** The loss or the gradients became infinite or no number. */
    public static final class Diverged extends TrainingException {
        private static final long serialVersionUID = 1L;

        /** The step, from 0 on. */
        private final long step;

        /**
         * @param step the step, from 0 on
         * @param what what is not finite
         */
        public Diverged(long step, String what) {
            super(
                    "step " + step + ": " + what + " is not finite: lower the learning rate or the limit of the"
                            + " gradients' norm; the last checkpoint is whole and can be resumed",
                    null);
            this.step = step;
        }

        /** {@return the step, from 0 on} */
        public long step() {
            return step;
        }
    }

    /** There is a checkpoint that the options do not fit, or none where one was asked for. */
    public static final class CheckpointMismatch extends TrainingException {
        private static final long serialVersionUID = 1L;

        /**
         * @param checkpoint the file or folder
         * @param problem what was found, what is expected, and the remedy
         */
        public CheckpointMismatch(Path checkpoint, String problem) {
            super(checkpoint + ": " + problem, null);
        }
    }

    /** Something of the run cannot be written: a full disk, or a folder that has gone. */
    public static final class NotSaved extends TrainingException {
        private static final long serialVersionUID = 1L;

        /** @param cause names the file and the reason */
        public NotSaved(HydraException cause) {
            super(cause.getMessage() + ": the checkpoint before is whole: make room, and resume the run", cause);
        }
    }
}
