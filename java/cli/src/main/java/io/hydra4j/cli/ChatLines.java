package io.hydra4j.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** Where the lines of a chat come from. */
interface ChatLines extends AutoCloseable {
    /**
     * The next line, without its end; null after the last one.
     *
     * @param prompt shown before it, where a person types
     * @throws Interrupted if Ctrl-C was typed instead
     */
    String next(String prompt) throws Interrupted;

    /**
     * Lets Ctrl-C run this, until it is called again; null for nothing. Where it was typed after the last line and has run nothing, this
     * runs at once. It must not wait.
     */
    void onInterrupt(Runnable action);

    @Override
    void close();

    /** Ctrl-C was typed instead of a line. */
    final class Interrupted extends Exception {
        private static final long serialVersionUID = 1L;

        Interrupted() {
            super("interrupted", null, false, false);
        }
    }

    /** The lines of a file or pipe. */
    static ChatLines ofInput(Console console) {
        BufferedReader reader = new BufferedReader(new InputStreamReader(console.in(), StandardCharsets.UTF_8));
        return new ChatLines() {
            @Override
            public String next(String prompt) {
                try {
                    return reader.readLine();
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }

            @Override
            public void onInterrupt(Runnable action) {
                // Who feeds a pipe does not type: Ctrl-C ends the program.
            }

            @Override
            public void close() {
                // Standard input stays open.
            }
        };
    }
}
