package io.hydra4j.format;

import io.hydra4j.FormatException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file that is open for reading, with every failure of the operating system turned into {@code Unreadable}. */
final class Source implements AutoCloseable {
    private final Path file;
    private final FileChannel channel;
    private final long size;

    private Source(Path file, FileChannel channel, long size) {
        this.file = file;
        this.channel = channel;
        this.size = size;
    }

    /**
     * Opens a regular file (not a pipe or device, which could block for ever).
     *
     * @throws FormatException.Unreadable if there is no such file, or it cannot be read
     */
    static Source open(Path file) {
        if (!Files.isRegularFile(file)) {
            var found = Files.isDirectory(file) ? "a folder" : Files.exists(file) ? "no regular file" : "no such file";
            throw new FormatException.Unreadable(file, "file", found, "a readable file", (Throwable) null);
        }
        try {
            var channel = FileChannel.open(file, StandardOpenOption.READ);
            try {
                return new Source(file, channel, channel.size());
            } catch (IOException e) {
                channel.close();
                throw e;
            }
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    Path file() {
        return file;
    }

    /** Bytes of the file when it was opened. */
    long size() {
        return size;
    }

    /** Reads at most what the buffer has room for, from a position of the file; -1 at its end. */
    int read(ByteBuffer buffer, long position) {
        try {
            return channel.read(buffer, position);
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    /**
     * Reads {@code length} bytes. The caller has compared the length with a limit; it is compared with the file here.
     *
     * @throws FormatException.Truncated if the file ends before
     */
    byte[] read(long position, int length, String field) {
        if (length > size - position) {
            throw new FormatException.Truncated(file, field, (size - position) + " bytes", length + " bytes");
        }
        var buffer = ByteBuffer.allocate(length);
        while (buffer.hasRemaining()) {
            if (read(buffer, position + buffer.position()) < 0) {
                throw new FormatException.Truncated(file, field, buffer.position() + " bytes", length + " bytes");
            }
        }
        return buffer.array();
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    private static FormatException unreadable(Path file, IOException e) {
        if (e instanceof AccessDeniedException) {
            return new FormatException.Unreadable(
                    file, "file", "permission denied", "a readable file", "let this user read it");
        }
        if (e instanceof ClosedByInterruptException) {
            return new FormatException.Unreadable(
                    file, "file", "an interruption of the thread that reads", "a thread that may finish reading", e);
        }
        var found = e instanceof NoSuchFileException ? "no such file" : String.valueOf(e.getMessage());
        return new FormatException.Unreadable(file, "file", found, "a readable file", e);
    }
}
