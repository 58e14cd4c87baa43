package io.hydra4j.runtime;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZZ_Result;

/**
 * A program records a buffer that another thread closes and a third one uses. When the program is closed the buffer must live as
 * long as its last user, and no longer. r1: whether it was destroyed when the program was; r2: whether after its last user.
 */
@JCStressTest
@Outcome(id = "false, true", expect = ACCEPTABLE, desc = "its last user destroyed it")
@Outcome(expect = FORBIDDEN, desc = "destroyed under a user, or never")
@State
public class CloseAgainstRecord {
    static {
        NativeLibrary.load();
    }

    private static final Backend BACKEND = Backend.openCpu(1);
    private static final PassRows ROWS = PassRows.create(Batch.create(BACKEND, 1, 1), 1);
    private static final Buffer X = Buffer.floats(BACKEND, 4);
    private static final Buffer WEIGHT = Buffer.floats(BACKEND, 4);

    private final Program program = Program.create(BACKEND);
    private final Buffer out = Buffer.floats(BACKEND, 4);

    /** The third user. */
    public CloseAgainstRecord() {
        out.handle().acquire();
    }

    @Actor
    public void record() {
        try {
            program.norm(ROWS, X, WEIGHT, 1e-5f, out);
        } catch (IllegalStateException closed) {
            // It was first.
        }
    }

    @Actor
    public void close() {
        out.close();
    }

    @Arbiter
    public void end(ZZ_Result r) {
        try {
            program.close();
        } catch (IllegalStateException unbalanced) {
            r.r1 = true;
            return;
        }
        r.r1 = out.handle().pointer().isNull();
        out.handle().release();
        r.r2 = out.handle().pointer().isNull();
    }
}
