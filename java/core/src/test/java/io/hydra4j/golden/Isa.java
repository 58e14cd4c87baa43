package io.hydra4j.golden;

import static org.junit.jupiter.api.Assumptions.abort;

import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.InstructionSet;
import io.hydra4j.runtime.NativeException;

/** Instruction sets that a machine may not have. */
public final class Isa {
    private Isa() {}

    /** Skips the test where the processor lacks it. */
    public static void assumeThatItRuns(InstructionSet isa) {
        try {
            Backend.openCpu(1, isa).close();
        } catch (NativeException e) {
            if (e.status() != NativeException.Status.UNAVAILABLE) {
                throw e;
            }
            abort("this processor has no " + isa);
        }
    }
}
