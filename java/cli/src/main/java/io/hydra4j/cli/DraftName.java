package io.hydra4j.cli;

import io.hydra4j.DraftSource;

/** The names that sources of guesses have on the command line. */
final class DraftName extends ConstantName<DraftSource> {
    DraftName() {
        super(DraftSource.class);
    }
}
