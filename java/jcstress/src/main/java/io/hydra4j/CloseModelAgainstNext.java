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
 * A model is closed by one thread while another one takes the chunks of a stream of at most two tokens. r1: the tokens it took; r2:
 * those of the result; r3: why it ended, and how often the model was freed where that was not once.
 */
@JCStressTest
@Outcome(id = "2, 2, LENGTH", expect = ACCEPTABLE, desc = "all tokens were there before")
@Outcome(
        id = {"0, 0, CANCELLED", "1, 1, CANCELLED"},
        expect = ACCEPTABLE,
        desc = "ended before a step")
@Outcome(expect = FORBIDDEN, desc = "a chunk was lost, the stream did not end, or the model was not freed")
@State
public class CloseModelAgainstNext {
    private int freed;
    private final HydraModel model = TinyModel.open(() -> freed++);
    private final TokenStream stream = TinyModel.stream(model);
    private int taken;

    @Actor
    public void take() {
        while (stream.hasNext()) {
            taken += stream.next().ids().length;
        }
    }

    @Actor
    public void close() {
        model.close();
    }

    @Arbiter
    public void end(IIL_Result r) {
        r.r1 = taken;
        r.r2 = stream.result().ids().length;
        FinishReason reason = stream.result().finishReason().orElse(null);
        r.r3 = freed == 1 ? reason : reason + " and freed " + freed + " times";
    }
}
