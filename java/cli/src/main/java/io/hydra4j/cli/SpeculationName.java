package io.hydra4j.cli;

import io.hydra4j.Speculation;

/** The names that ways of guessing have on the command line. */
final class SpeculationName extends ConstantName<Speculation> {
    SpeculationName() {
        super(Speculation.class);
    }
}
