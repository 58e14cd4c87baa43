package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;

/** Writes text and pays for it first. */
final class TextWriter {
    private final Budget budget;
    private final PromptText.Builder text = new PromptText.Builder();

    TextWriter(Budget budget) {
        this.budget = budget;
    }

    TextWriter write(PromptText part) {
        budget.characters(part.length());
        text.append(part);
        return this;
    }

    TextWriter write(String part, boolean foreign) {
        budget.characters(part.length());
        text.append(part, foreign);
        return this;
    }

    /** Writes text that was made here. */
    TextWriter write(String part) {
        return write(part, false);
    }

    TextWriter repeat(PromptText part, long times) {
        if (times > 0) {
            budget.characters(Math.min(times, Integer.MAX_VALUE) * part.length());
        }
        for (long i = 0; i < times && !part.isEmpty(); i++) {
            text.append(part);
        }
        return this;
    }

    int length() {
        return text.length();
    }

    PromptText text() {
        return text.build();
    }
}
