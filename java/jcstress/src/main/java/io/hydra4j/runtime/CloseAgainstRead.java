package io.hydra4j.runtime;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Results are read from native memory while their batch is closed. r1: the length, r2: the root; -2 where it was closed. */
@JCStressTest
@Outcome(id = "0, -1", expect = ACCEPTABLE, desc = "both were read")
@Outcome(id = "0, -2", expect = ACCEPTABLE, desc = "closed in between")
@Outcome(id = "-2, -2", expect = ACCEPTABLE, desc = "closed before")
@Outcome(expect = FORBIDDEN, desc = "read from memory that was freed")
@State
public class CloseAgainstRead {
    static {
        NativeLibrary.load();
    }

    private static final Backend BACKEND = Backend.openCpu(1);

    private final Batch batch = Batch.create(BACKEND, 1, 1);

    @Actor
    public void read(II_Result r) {
        r.r1 = -2;
        r.r2 = -2;
        try {
            r.r1 = batch.length(0);
            r.r2 = batch.root(0);
        } catch (IllegalStateException closed) {
            // What was read before stays.
        }
    }

    @Actor
    public void close() {
        batch.close();
    }
}
