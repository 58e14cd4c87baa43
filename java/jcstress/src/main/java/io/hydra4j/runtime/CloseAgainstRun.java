package io.hydra4j.runtime;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** r1: how often the object was destroyed while a call ran, -1 where the call was refused; r2: how often in the end. */
@JCStressTest
@Outcome(id = "0, 1", expect = ACCEPTABLE, desc = "the call ran and the object outlived it")
@Outcome(id = "-1, 1", expect = ACCEPTABLE, desc = "the object was closed before the call")
@Outcome(expect = FORBIDDEN, desc = "destroyed under a call, never, or twice")
@State
public class CloseAgainstRun {
    private final Fake object = new Fake();

    @Actor
    public void run(II_Result r) {
        try {
            r.r1 = object.handle.get(pointer -> object.destroyed.get());
        } catch (IllegalStateException closed) {
            r.r1 = -1;
        }
    }

    @Actor
    public void close() {
        object.handle.close();
    }

    @Arbiter
    public void end(II_Result r) {
        r.r2 = object.destroyed.get();
    }
}
