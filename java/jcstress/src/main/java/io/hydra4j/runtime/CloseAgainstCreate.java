package io.hydra4j.runtime;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * A child is made while its parent is closed. r1: how often the parent was destroyed while the child lived, -1 where making it
 * was refused; r2: how often in the end.
 */
@JCStressTest
@Outcome(id = "0, 1", expect = ACCEPTABLE, desc = "the parent outlived its child")
@Outcome(id = "-1, 1", expect = ACCEPTABLE, desc = "the parent was closed before")
@Outcome(expect = FORBIDDEN, desc = "destroyed under its child, never, or twice")
@State
public class CloseAgainstCreate {
    private final Fake parent = new Fake();

    @Actor
    public void create(II_Result r) {
        try {
            Fake child = new Fake(parent.handle);
            r.r1 = parent.destroyed.get();
            child.handle.close();
        } catch (IllegalStateException closed) {
            r.r1 = -1;
        }
    }

    @Actor
    public void close() {
        parent.handle.close();
    }

    @Arbiter
    public void end(II_Result r) {
        r.r2 = parent.destroyed.get();
    }
}
