package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.NativeAllocations;
import io.hydra4j.runtime.OutOfNativeMemoryException;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A session survives each failed native allocation of each of its calls: repeated, a call does what it would have done. What is made
 * when it is first needed stays for the next try, so that a session which has survived failures keeps as much as one that had none,
 * and nothing when it is closed.
 */
class FailedStepsTest {
    private static final Tree TREE = Tree.of(List.of(List.of(0), List.of(1), List.of(0, 0)));

    @AfterEach
    void failNoMore() {
        NativeAllocations.fail(0);
    }

    /** What a session has come to, and the allocations that are live beside those of before: at its end, and once it is closed. */
    private record Run(int[] tokens, int failures, long live, long closed) {
        /** Less is live where the garbage collector has come to what another test lost, which seldom hits two runs. */
        void assertLikeOneOf(Run... withoutFailures) {
            long most = Stream.of(withoutFailures).mapToLong(Run::live).max().orElseThrow();
            assertTrue(live <= most, live + " live allocations at the end, " + most + " without failures");
            assertTrue(closed <= 0, "a closed session has left " + closed + " allocations");
            for (Run run : withoutFailures) {
                assertArrayEquals(run.tokens, tokens);
            }
        }
    }

    /** Makes a call, with failures again and again until there is no allocation left to fail. */
    private static int make(Runnable call, boolean failing) {
        for (int k = 1; ; k++) {
            NativeAllocations.fail(failing ? k : 0);
            try {
                call.run();
                return k - 1;
            } catch (OutOfNativeMemoryException e) {
                assertTrue(e.getMessage().contains("out of memory"), e.getMessage());
            } finally {
                NativeAllocations.fail(0);
            }
        }
    }

    private static Run session(Loaded loaded, boolean failing) {
        List<Consumer<Session>> calls = List.of(
                session -> session.prefill(256, 'p', 'u', 'b'),
                Session::step,
                Session::draft,
                Session::verify,
                Session::accept,
                session -> session.prefill('l', 'i'),
                Session::step,
                session -> session.setTree(Tree.dynamic(8)),
                Session::step,
                Session::draft,
                Session::verify,
                Session::accept);
        long before = NativeAllocations.live();
        int failures = 0;
        int[] tokens;
        long live;
        try (Session session = Sessions.session(loaded.base(), loaded.heads(), SessionOptions.of(TREE))) {
            for (Consumer<Session> call : calls) {
                failures += make(() -> call.accept(session), failing);
            }
            tokens = session.tokens();
            live = NativeAllocations.live() - before;
        }
        return new Run(tokens, failures, live, NativeAllocations.live() - before);
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void ofASessionKeepNothing(String heads) {
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads(heads), null)) {
            session(loaded, false); // makes what the backend shares between sessions
            Run before = session(loaded, false);
            Run failing = session(loaded, true);
            failing.assertLikeOneOf(before, session(loaded, false));
            assertTrue(failing.failures > 80, "only " + failing.failures + " allocations: they are not counted");
        }
    }

    private static Run batch(Loaded loaded, boolean failing) {
        List<Consumer<BatchSession>> calls = List.of(
                batch -> batch.prefill(0, 256, 'p', 'u', 'b'),
                batch -> batch.enqueuePrompt(1, 256, 'i', 'm', 'p', 'o'),
                BatchSession::draft,
                BatchSession::verify,
                BatchSession::accept,
                BatchSession::step,
                BatchSession::draft,
                BatchSession::verify,
                BatchSession::accept,
                BatchSession::step,
                batch -> batch.setTree(Tree.dynamic(4)),
                BatchSession::step,
                batch -> batch.enqueuePrompt(1, 'i', 'm', 'p'),
                BatchSession::step,
                BatchSession::step);
        long before = NativeAllocations.live();
        int failures = 0;
        int[] tokens;
        long live;
        BatchOptions options = BatchOptions.of(2, TREE).withPrefillTokens(3);
        try (BatchSession batch = Sessions.batch(loaded.base(), loaded.heads(), options)) {
            for (Consumer<BatchSession> call : calls) {
                failures += make(() -> call.accept(batch), failing);
            }
            tokens = batch.tokens(1);
            live = NativeAllocations.live() - before;
        }
        return new Run(tokens, failures, live, NativeAllocations.live() - before);
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void ofABatchKeepNothing(String heads) {
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads(heads), null)) {
            batch(loaded, false);
            Run before = batch(loaded, false);
            Run failing = batch(loaded, true);
            failing.assertLikeOneOf(before, batch(loaded, false));
            assertTrue(failing.failures > 120, "only " + failing.failures + " allocations: they are not counted");
        }
    }
}
