package io.hydra4j.draft;

import io.hydra4j.runtime.TreeTopology;
import java.nio.IntBuffer;
import java.util.stream.Stream;

/** Guesses that a text goes on as it did after the longest earlier occurrence of its end. */
record LookupDrafter(int depth) implements Drafter {
    LookupDrafter {
        if (depth < 1 || depth >= TreeTopology.MAX_NODES) {
            throw new IllegalArgumentException(
                    "depth is " + depth + ", must be from 1 to " + (TreeTopology.MAX_NODES - 1));
        }
    }

    @Override
    public int maxDepth() {
        return depth;
    }

    @Override
    public int maxCandidates() {
        return 1;
    }

    @Override
    public void requireFit(BaseModel model) {}

    @Override
    public Draft open(Loop loop) {
        return new Lookup(loop);
    }

    private static final class Lookup extends HostDraft {
        private final RepeatedEnd[] texts;

        Lookup(Loop loop) {
            super(loop);
            texts = Stream.generate(RepeatedEnd::new)
                    .limit(loop.batch().sequences())
                    .toArray(RepeatedEnd[]::new);
        }

        @Override
        protected int guess(int sequence, IntBuffer text, int[] chain, int depth) {
            return texts[sequence].continuation(text, chain, depth);
        }

        @Override
        public void rewound(int sequence, int length) {
            texts[sequence].truncate(length);
        }
    }
}
