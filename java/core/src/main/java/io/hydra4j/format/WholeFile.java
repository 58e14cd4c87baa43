package io.hydra4j.format;

import io.hydra4j.HydraException;
import java.io.BufferedOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.UUID;

/**
 * Writes a file as a whole or not at all, whenever the process or the machine ends: beside its final place, forced to the disk, and then
 * moved there in one step.
 */
public final class WholeFile {
    private static final int BUFFER_BYTES = 1 << 16;
    private static final String BESIDE = ".tmp";
    private static final int UUID_LENGTH = 36;

    private WholeFile() {}

    /** Writes what a file is to hold. */
    @FunctionalInterface
    public interface Content {
        /** @throws IOException if it cannot be written */
        void write(OutputStream out) throws IOException;
    }

    /**
     * Writes a file; one that is there is replaced. On failure that one stays as it was, and nothing is left beside it. Behind a
     * symbolic link it is the file that the link leads to. A device or a pipe is never replaced: it is written to as it is.
     *
     * @param content called once; the stream is buffered; the content may close it
     * @throws HydraException if the file cannot be written; names it and the reason
     */
    public static void write(Path target, Content content) {
        try {
            if (isSpecial(target)) {
                try (var out = new BufferedOutputStream(Files.newOutputStream(target), BUFFER_BYTES)) {
                    content.write(new Unclosed(out));
                }
                return;
            }
            var absolute = place(target);
            var beside = absolute.resolveSibling(absolute.getFileName() + "." + UUID.randomUUID() + BESIDE);
            try {
                try (var file = FileChannel.open(beside, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
                        var out = new BufferedOutputStream(Channels.newOutputStream(file), BUFFER_BYTES)) {
                    content.write(new Unclosed(out));
                    out.flush();
                    file.force(true);
                }
                move(beside, absolute);
                forceName(absolute.getParent());
            } finally {
                Files.deleteIfExists(beside);
            }
        } catch (IOException e) {
            throw new HydraException(target + ": cannot be written: " + reason(e), e);
        }
    }

    /** Whether this is a device or a pipe, such as {@code /dev/stdout}. */
    public static boolean isSpecial(Path target) {
        return Files.exists(target) && !Files.isRegularFile(target) && !Files.isDirectory(target);
    }

    /**
     * {@return where the file is, links followed, or is to be}
     *
     * @throws IOException if the links cannot be followed
     */
    public static Path place(Path target) throws IOException {
        return Files.isRegularFile(target) ? target.toRealPath() : target.toAbsolutePath();
    }

    /**
     * Deletes what is beside a file of writes whose process was killed. Nobody may be writing it.
     *
     * @throws HydraException if that cannot be deleted; names it and the reason
     */
    public static void deleteRemains(Path target) {
        try {
            var absolute = place(target);
            try (DirectoryStream<Path> files =
                    Files.newDirectoryStream(absolute.getParent(), file -> isBeside(absolute, file))) {
                for (Path file : files) {
                    Files.delete(file);
                }
            }
        } catch (IOException e) {
            throw new HydraException(target + ": what an earlier write has left cannot be deleted: " + reason(e), e);
        }
    }

    private static boolean isBeside(Path target, Path file) {
        String name = file.getFileName().toString();
        String begin = target.getFileName() + ".";
        return name.startsWith(begin)
                && name.endsWith(BESIDE)
                && name.length() == begin.length() + UUID_LENGTH + BESIDE.length();
    }

    /** Stays open for what is to be done after the content, which may close it. */
    private static final class Unclosed extends FilterOutputStream {
        Unclosed(OutputStream out) {
            super(out);
        }

        @Override
        public void write(byte[] values, int offset, int length) throws IOException {
            out.write(values, offset, length);
        }

        @Override
        public void close() throws IOException {
            flush();
        }
    }

    /** The file is whole under its name by now; some systems cannot force a folder, and a network's may not. */
    private static void forceName(Path folder) {
        try (var opened = FileChannel.open(folder, StandardOpenOption.READ)) {
            opened.force(true);
        } catch (IOException e) {
            // its name comes to the disk when the system writes it
        }
    }

    private static void move(Path from, Path to) throws IOException {
        try {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    /** Without the name of the file that is no longer there. */
    private static String reason(IOException e) {
        if (e instanceof NoSuchFileException) {
            return "there is no such folder";
        }
        if (e instanceof AccessDeniedException) {
            return "permission denied";
        }
        if (e instanceof FileSystemException system && system.getReason() != null) {
            return system.getReason();
        }
        return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    }
}
