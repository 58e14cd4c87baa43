package io.hydra4j;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIL_Result;

/**
 * A stream of at most two tokens is closed by one thread while another one takes its chunks. r1: the tokens it took; r2: those of
 * the result; r3: why it ended.
 */
@JCStressTest
@Outcome(id = "2, 2, LENGTH", expect = ACCEPTABLE, desc = "all tokens were there before")
@Outcome(
        id = {"0, 0, CANCELLED", "1, 1, CANCELLED"},
        expect = ACCEPTABLE,
        desc = "ended before a step")
@Outcome(expect = FORBIDDEN, desc = "a chunk was lost, or the stream did not end")
@State
public class CloseAgainstNext {
    private final TokenStream stream = TinyModel.stream();
    private int taken;

    @Actor
    public void take() {
        while (stream.hasNext()) {
            taken += stream.next().ids().length;
        }
    }

    @Actor
    public void close() {
        stream.close();
    }

    @Arbiter
    public void end(IIL_Result r) {
        r.r1 = taken;
        r.r2 = stream.result().ids().length;
        r.r3 = stream.result().finishReason().orElse(null);
    }
}
