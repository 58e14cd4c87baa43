package io.hydra4j;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import java.util.concurrent.Flow;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIL_Result;

/**
 * A subscription to a generation of at most two tokens is cancelled by one thread while another one requests them, and so computes
 * them. r1: the tokens that the subscriber got; r2: how often it was told the end, 100 for a failure, such as one for lack of the
 * pages that those before have not given back; r3: why the generation ended.
 */
@JCStressTest
@Outcome(id = "2, 1, LENGTH", expect = ACCEPTABLE, desc = "all was told before")
@Outcome(
        id = {"1, 0, LENGTH", "2, 0, LENGTH"},
        expect = ACCEPTABLE,
        desc = "cancelled between the last step and its signals")
@Outcome(
        id = {"0, 0, null", "0, 0, CANCELLED", "1, 0, CANCELLED"},
        expect = ACCEPTABLE,
        desc = "cancelled before it began, or between steps")
@Outcome(expect = FORBIDDEN, desc = "a signal too many, or a generation that did not end")
@State
public class CancelAgainstPublish implements Flow.Subscriber<Chunk> {
    private Flow.Subscription subscription;
    private volatile TokenStream stream;
    private int taken;
    private int ends;

    public CancelAgainstPublish() {
        ChunkSubscription.start(this::open, Runnable::run, this);
    }

    private TokenStream open() {
        stream = TinyModel.stream();
        return stream;
    }

    @Override
    public void onSubscribe(Flow.Subscription given) {
        subscription = given;
    }

    @Override
    public void onNext(Chunk chunk) {
        taken += chunk.ids().length;
    }

    @Override
    public void onError(Throwable failure) {
        ends += 100;
    }

    @Override
    public void onComplete() {
        ends++;
    }

    @Actor
    public void request() {
        subscription.request(Long.MAX_VALUE);
    }

    @Actor
    public void cancel() {
        subscription.cancel();
    }

    @Arbiter
    public void end(IIL_Result r) {
        r.r1 = taken;
        r.r2 = ends;
        r.r3 = stream == null ? null : stream.result().finishReason().orElse(null);
    }
}
