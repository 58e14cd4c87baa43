package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Loaded;
import io.hydra4j.runtime.Resources;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Sequences decoded side by side, and beside each a session of its own that does the same: both must emit the same, along the same
 * paths, with the same logits at every node of every tree to the bit.
 */
final class Twins implements AutoCloseable {
    private final Resources owned = new Resources();
    private final BatchSession batch;
    private final Session[] alone;
    private final Map<Integer, int[]> waiting = new HashMap<>();
    private long emitted;
    private long steps;

    Twins(Loaded loaded, BatchOptions options) {
        batch = owned.own(Sessions.batch(loaded.base(), loaded.heads(), options.withLogits()));
        alone = new Session[options.size()];
        SessionOptions lone = SessionOptions.of(options.tree())
                .withMaxPositions(options.maxPositions())
                .withCandidates(options.candidates())
                .withAcceptance(options.acceptance())
                .withLogits();
        for (int s = 0; s < alone.length; s++) {
            alone[s] = owned.own(Sessions.session(loaded.base(), loaded.heads(), lone));
        }
    }

    BatchSession batch() {
        return batch;
    }

    void prefill(int sequence, int... ids) {
        prefill(Map.of(sequence, ids));
    }

    void prefill(Map<Integer, int[]> prompts) {
        batch.prefill(new LinkedHashMap<>(prompts));
        prompts.forEach((sequence, ids) -> alone[sequence].prefill(ids));
        check();
    }

    /** The steps that follow take the prompt in; the session of its own does when that is done. */
    void enqueue(int sequence, int... ids) {
        batch.enqueuePrompt(sequence, ids);
        assertEquals(ids.length, batch.promptLeft(sequence));
        waiting.put(sequence, ids);
        check();
    }

    void clear(int sequence) {
        waiting.remove(sequence);
        batch.clear(sequence);
        alone[sequence].rewind(0);
        check();
    }

    /** Back to at most so many positions; how many are left. */
    void rewind(int sequence, int length) {
        alone[sequence].rewind(length);
        batch.rewind(sequence, length);
        check();
    }

    void setTree(Tree tree) {
        batch.setTree(tree);
        for (Session session : alone) {
            session.setTree(tree);
        }
    }

    void setTree(int sequence, Tree tree) {
        batch.setTree(sequence, tree);
        alone[sequence].setTree(tree);
    }

    void steps(int count) {
        for (int i = 0; i < count; i++) {
            step();
        }
    }

    void step() {
        boolean[] part = new boolean[alone.length];
        for (int s = 0; s < part.length; s++) {
            part[s] = batch.takesPart(s);
        }
        Step[] found = batch.step();
        assertEquals(alone.length, found.length);
        for (int s = 0; s < part.length; s++) {
            if (!part[s]) {
                assertNull(found[s]);
                continue;
            }
            assertEquals(alone[s].step(), found[s], "sequence " + s);
            for (int node = 0; node < found[s].nodes(); node++) {
                assertArrayEquals(alone[s].logits(node), batch.logits(s, node));
            }
            emitted += found[s].tokens().length;
            steps++;
        }
        waiting.entrySet().removeIf(prompt -> {
            boolean done = batch.promptLeft(prompt.getKey()) == 0;
            if (done) {
                alone[prompt.getKey()].prefill(prompt.getValue());
            }
            return done;
        });
        check();
    }

    private void check() {
        for (int s = 0; s < alone.length; s++) {
            if (waiting.containsKey(s)) {
                assertEquals(-1, batch.root(s));
                assertEquals(alone[s].length() + waiting.get(s).length, batch.length(s) + batch.promptLeft(s));
                continue;
            }
            assertEquals(alone[s].length(), batch.length(s));
            assertEquals(alone[s].root(), batch.root(s));
            assertEquals(alone[s].remainingContext(), batch.remainingContext(s));
            assertArrayEquals(alone[s].tokens(), batch.tokens(s));
        }
    }

    /** Without accepted guesses little of the above means anything. */
    void assertThatGuessesWereAccepted() {
        assertTrue(emitted > 1.2 * steps, emitted + " tokens in " + steps + " steps");
    }

    @Override
    public void close() {
        owned.close();
    }
}
