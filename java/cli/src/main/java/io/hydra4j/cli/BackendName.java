package io.hydra4j.cli;

import io.hydra4j.runtime.BackendKind;

/** The names that backends have on the command line. */
final class BackendName extends ConstantName<BackendKind> {
    BackendName() {
        super(BackendKind.class);
    }
}
