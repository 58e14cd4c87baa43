package io.hydra4j.cli;

import io.hydra4j.Chunk;

/**
 * Shows text on a terminal while it comes. What one step added has one shade, and steps take turns with two of them, so that
 * one sees how many tokens each step got. Breaks of lines have no shade, for some terminals would colour the rest of the line.
 */
final class LiveText {
    // Foreground and background together: legible on dark and on light terminals.
    private static final String[] SHADES = {"\033[38;5;255;48;5;236m", "\033[38;5;255;48;5;240m"};
    private static final String RESET = "\033[0m";

    private final Console console;
    private final boolean shaded;
    private int steps;
    private boolean inLine;

    LiveText(Console console, boolean shaded) {
        this.console = console;
        this.shaded = shaded;
    }

    /** Shows what a step added; control characters are made visible. */
    void show(Chunk chunk) {
        String shade = SHADES[steps++ % SHADES.length];
        String text = Printable.text(chunk.text());
        if (text.isEmpty()) {
            return;
        }
        inLine = !text.endsWith("\n");
        console.print(shaded ? shade(text, shade) : text);
    }

    private static String shade(String text, String shade) {
        StringBuilder shown = new StringBuilder();
        String[] lines = text.split("\n", -1);
        for (int i = 0; i < lines.length; i++) {
            if (i > 0) {
                shown.append('\n');
            }
            if (!lines[i].isEmpty()) {
                shown.append(shade).append(lines[i]).append(RESET);
            }
        }
        return shown.toString();
    }

    /** Ends the line, if one has begun. */
    void end() {
        if (inLine) {
            console.print("\n");
        }
    }
}
