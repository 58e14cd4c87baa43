package io.hydra4j.train;

import java.util.ArrayList;
import java.util.List;

/** Packs sequences into batches: as many as have room. Not thread-safe. */
final class Batches {
    private final SequenceStream sequences;
    private final int tokens;
    private SequenceStream.Position end;
    private TokenText next;

    /** @param tokens the room of a batch, at least the longest sequence */
    Batches(SequenceStream sequences, int tokens) {
        this.sequences = sequences;
        this.tokens = tokens;
        end = sequences.position();
    }

    /** Where a stream has to go on after the batches that were taken. */
    SequenceStream.Position position() {
        return end;
    }

    /** The next batch, at least one sequence. */
    List<TokenText> next() {
        List<TokenText> batch = new ArrayList<>();
        int room = tokens;
        while (true) {
            if (next == null) {
                next = sequences.next();
            }
            if (next.tokens().length > room) {
                return batch;
            }
            room -= next.tokens().length;
            batch.add(next);
            next = null;
            end = sequences.position();
        }
    }
}
