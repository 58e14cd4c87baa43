package io.hydra4j.text.jinja;

import io.hydra4j.ChatTemplateException;

/**
 * What a rendering may still spend. Counted in steps, characters and levels instead of time, so that a template does on every
 * machine what it does on this one; the numbers are some twenty times what published templates need, and are spent within a
 * fraction of a second. They grow with what is rendered.
 */
final class Budget {
    private static final long STEPS = 1_000_000;
    private static final long CHARACTERS = 8 << 20;
    /** Of expressions and statements inside each other, those of macros that have been called included. */
    private static final int LEVELS = 600;
    /** A conversation of n characters may be copied so many times, and looked at in so many steps. */
    private static final long COPIES = 64;

    private static final int ELEMENT_CHARACTERS = 8;

    private final long allSteps;
    private final long allCharacters;
    private long steps;
    private long characters;
    private int levels;

    /** @param size characters of what is rendered, each value counted as some */
    Budget(long size) {
        allSteps = STEPS + COPIES * size;
        allCharacters = CHARACTERS + COPIES * size;
        steps = allSteps;
        characters = allCharacters;
    }

    void step() {
        steps(1);
    }

    void steps(long count) {
        steps -= count;
        if (steps < 0) {
            throw new ChatTemplateException.TooExpensive(allSteps + " steps");
        }
    }

    /** Asked before so much text is made. */
    void characters(long count) {
        characters -= count;
        if (characters < 0) {
            throw new ChatTemplateException.TooExpensive(allCharacters + " characters of memory");
        }
    }

    /** Asked before a list or mapping of so many elements is made. */
    void elements(long count) {
        steps(count);
        characters(count * ELEMENT_CHARACTERS);
    }

    void enter(int count) {
        levels += count;
        if (levels > LEVELS) {
            throw new ChatTemplateException.TooExpensive(LEVELS + " levels of calls inside each other");
        }
    }

    void leave(int count) {
        levels -= count;
    }
}
