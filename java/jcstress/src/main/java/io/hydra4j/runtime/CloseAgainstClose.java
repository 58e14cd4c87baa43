package io.hydra4j.runtime;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Parent and child are closed by two threads, twice each. r1: how often the child was destroyed; r2: how often the parent. */
@JCStressTest
@Outcome(id = "1, 1", expect = ACCEPTABLE, desc = "each of them once")
@Outcome(expect = FORBIDDEN, desc = "never, or twice")
@State
public class CloseAgainstClose {
    private final Fake parent = new Fake();
    private final Fake child = new Fake(parent.handle);

    @Actor
    public void parentFirst() {
        parent.handle.close();
        child.handle.close();
    }

    @Actor
    public void childFirst() {
        child.handle.close();
        parent.handle.close();
    }

    @Arbiter
    public void end(II_Result r) {
        r.r1 = child.destroyed.get();
        r.r2 = parent.destroyed.get();
    }
}
