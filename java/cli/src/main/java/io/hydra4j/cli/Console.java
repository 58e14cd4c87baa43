package io.hydra4j.cli;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/**
 * Where a command reads and writes. Text goes out as UTF-8, whatever the locale says. Not thread-safe.
 *
 * @param in standard input
 * @param out standard output
 * @param err standard error
 * @param inTerminal whether a person types the input
 * @param outTerminal whether a person reads the output
 * @param errTerminal whether a person reads the messages
 * @param colour whether output may have colours
 */
public record Console(
        InputStream in,
        OutputStream out,
        OutputStream err,
        boolean inTerminal,
        boolean outTerminal,
        boolean errTerminal,
        boolean colour) {
    private static final int BUFFER_BYTES = 8192;

    /** Files or pipes: no terminal anywhere. */
    public static Console of(InputStream in, OutputStream out, OutputStream err) {
        return new Console(in, out, err, false, false, false, false);
    }

    /** The streams of this process. The environment variable NO_COLOR, if it is not empty, turns colours off. */
    public static Console ofProcess() {
        boolean outTerminal = isTerminal(1);
        String noColour = System.getenv("NO_COLOR");
        String kind = System.getenv("TERM");
        return new Console(
                System.in,
                new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), BUFFER_BYTES),
                new FileOutputStream(FileDescriptor.err),
                isTerminal(0),
                outTerminal,
                isTerminal(2),
                outTerminal && (noColour == null || noColour.isEmpty()) && !"dumb".equals(kind));
    }

    /** What the descriptor is open on; without /proc, Java only tells whether input and output both are terminals. */
    private static boolean isTerminal(int descriptor) {
        try {
            String device = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor))
                    .toString();
            return device.startsWith("/dev/pts/") || device.startsWith("/dev/tty") || device.equals("/dev/console");
        } catch (IOException | UnsupportedOperationException | InvalidPathException | SecurityException e) {
            return System.console() != null;
        }
    }

    /**
     * Writes to standard output, at once.
     *
     * @throws UncheckedIOException if it cannot be written, as when the reader of a pipe has gone
     */
    public void print(String text) {
        try {
            out.write(text.getBytes(StandardCharsets.UTF_8));
            out.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Writes one line to standard error, control characters made visible. */
    public void message(String line) {
        complain("hydra4j: " + Printable.line(line) + "\n");
    }

    /** Writes to standard error. Where that cannot be written, nothing is left to say. */
    void complain(String text) {
        try {
            err.write(text.getBytes(StandardCharsets.UTF_8));
            err.flush();
        } catch (IOException e) {
            // nobody listens
        }
    }
}
