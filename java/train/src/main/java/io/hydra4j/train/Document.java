package io.hydra4j.train;

import java.util.List;

/** One document of the training data, before it becomes tokens. */
sealed interface Document {
    /** UTF-16 units, about: what a window of documents is measured by. */
    long size();

    /** A text; the loss counts all of it. */
    record Text(String text) implements Document {
        @Override
        public long size() {
            return text.length();
        }
    }

    /**
     * A conversation; the loss counts what the assistant says.
     *
     * @param where for messages
     */
    record Chat(List<Turn> turns, DocumentPlace where) implements Document {
        @Override
        public long size() {
            return turns.stream().mapToLong(turn -> turn.content().length()).sum();
        }
    }

    /** What one side of a conversation says. */
    record Turn(String role, String content) {}

    /**
     * A text that the base itself has written.
     *
     * @param tokens token ids
     * @param prompt how many of the first of them it was given; the loss does not count them
     * @param where for messages
     */
    record Written(int[] tokens, int prompt, DocumentPlace where) implements Document {
        @Override
        public long size() {
            return 4L * tokens.length;
        }
    }
}
