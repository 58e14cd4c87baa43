package io.hydra4j.draft;

import io.hydra4j.runtime.TreeTopology;
import java.nio.IntBuffer;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/** Guesses that a text goes on as it did after the longest earlier occurrence of its end. */
record LookupDrafter(int depth, List<int[]> texts) implements Drafter {
    LookupDrafter {
        if (depth < 1 || depth >= TreeTopology.MAX_NODES) {
            throw new IllegalArgumentException(
                    "depth is " + depth + ", must be from 1 to " + (TreeTopology.MAX_NODES - 1));
        }
        Objects.requireNonNull(texts, "texts is null: give a list, empty for none");
        texts = texts.stream()
                .map(text -> Objects.requireNonNull(text, "a text is null: leave it out")
                        .clone())
                .toList();
        for (int[] text : texts) {
            for (int id : text) {
                if (id < 0) {
                    throw new IllegalArgumentException("token " + id + " of a text is negative");
                }
            }
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
    public boolean grows() {
        return true;
    }

    @Override
    public void requireFit(BaseModel model) {
        for (int[] text : texts) {
            for (int id : text) {
                if (id >= model.vocabulary()) {
                    throw new IllegalArgumentException(
                            "token " + id + " of a text is outside the vocabulary of " + model.vocabulary());
                }
            }
        }
    }

    @Override
    public Draft open(Loop loop) {
        return new Lookup(loop, depth, texts);
    }

    private static final class Lookup extends HostDraft {
        /** The most guesses: a dynamic tree asks for as many as it has room for. */
        private final int longest;

        private final RepeatedEnd[] ends;
        private final RepeatChances[] chances;

        Lookup(Loop loop, int longest, List<int[]> texts) {
            super(loop);
            this.longest = longest;
            int sequences = loop.batch().sequences();
            ends = Stream.generate(() -> new RepeatedEnd(texts))
                    .limit(sequences)
                    .toArray(RepeatedEnd[]::new);
            chances = Stream.generate(RepeatChances::new).limit(sequences).toArray(RepeatChances[]::new);
        }

        @Override
        protected int guess(int sequence, IntBuffer text, int[] chain, int depth) {
            chances[sequence].learn(text);
            int count = ends[sequence].continuation(text, chain, Math.min(depth, longest));
            chances[sequence].guessed(chain, count, text.remaining(), ends[sequence].matched());
            return count;
        }

        @Override
        protected void chances(int sequence, float[] all, int count) {
            chances[sequence].of(all, count);
        }

        @Override
        public void rewound(int sequence, int length) {
            ends[sequence].truncate(length);
            chances[sequence].forget();
        }
    }
}
