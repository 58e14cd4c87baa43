package io.hydra4j.decode;

/**
 * Chooses how the dynamic trees of each step grow, by what is guessed for it and by what steps have cost and emitted so far. A session
 * asks it before each step in which sequences have dynamic trees, and tells it afterwards what became of it; a step that fails, or
 * takes in parts of prompts, is not told. No choice changes what is emitted. Used by the thread that uses the session.
 */
public interface GrowthPolicy {
    /**
     * Chooses for one step.
     *
     * @param chances {@code [sequences][guesses]}: for each sequence that has a dynamic tree in the step, and each token that was guessed
     *     on the host as the next ones of its text, how likely it is right where the one before it is
     * @param levels the most levels that draft heads can fill; 0 where there are none
     * @return how the trees grow, at most as their {@link Tree} allows
     */
    Growth choose(float[][] chances, int levels);

    /**
     * Takes in what became of the step that was chosen for last.
     *
     * @param emitted {@code [sequences]} tokens, in the order of {@link #choose}
     * @param nodes of all trees, the roots included
     * @param nanos time of the step
     * @param draft the part of it in which draft heads were evaluated, and what they keep was brought up to date
     */
    void observe(int[] emitted, int nodes, long nanos, long draft);

    /**
     * How the dynamic trees of one step grow.
     *
     * @param nodes the most of each tree, the root included; at least 1
     * @param least how likely a node must be right to stay, 0 to 1
     * @param levels those that draft heads fill; 0 where none is evaluated
     */
    record Growth(int nodes, double least, int levels) {
        /**
         * Checks the values.
         *
         * @param nodes the most of each tree, the root included; at least 1
         * @param least how likely a node must be right to stay, 0 to 1
         * @param levels those that draft heads fill; 0 where none is evaluated
         * @throws IllegalArgumentException if a value is out of range
         */
        public Growth {
            if (nodes < 1 || !(least >= 0 && least <= 1) || levels < 0) {
                throw new IllegalArgumentException("nodes " + nodes + ", least " + least + ", levels " + levels
                        + ": give at least 1, 0 to 1, and at least 0");
            }
        }

        /** A tree that grows so, and no more than it may. */
        Tree of(Tree most) {
            return nodes == 1
                    ? Tree.ROOT
                    : most.truncated(nodes - 1)
                            .withLeast(Math.max(least, most.least()))
                            .withLevels(Math.min(levels, most.levels()));
        }
    }
}
