package io.hydra4j.benchmarks;

import io.hydra4j.HydraException;

/**
 * The LM head of draft heads.
 *
 * @param isBase the base's, otherwise each head has one of its own
 * @param tokens what it is trimmed to; 0 for the whole vocabulary
 */
record LmHead(boolean isBase, int tokens) {
    static final LmHead BASE = new LmHead(true, 0);

    /**
     * Reads {@code base} or {@code private}, with {@code :N} trimmed to N tokens.
     *
     * @throws HydraException if it is something else
     */
    static LmHead parse(String text) {
        if (!text.matches("(base|private)(:[1-9]\\d{0,6})?")) {
            throw new HydraException("LM head '" + text + "': choose of base, private, base:N, private:N");
        }
        int colon = text.indexOf(':');
        return new LmHead(text.startsWith("base"), colon < 0 ? 0 : Integer.parseInt(text.substring(colon + 1)));
    }
}
