package io.hydra4j.train;

import io.hydra4j.HydraException;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.zip.GZIPInputStream;
import org.tukaani.xz.XZInputStream;

/**
 * A file of training data: text, or where its name ends in {@code .jsonl} one JSON object a line; compressed where it then ends in
 * {@code .gz} or {@code .xz}.
 */
record DataFile(Path path) {
    private static final int BUFFER_BYTES = 1 << 16;
    /** Dictionaries of more are refused: {@code xz -9} has one of 64 MB. */
    private static final int MAX_XZ_KIBIBYTES = 256 << 10;

    /** @throws HydraException if it cannot be read */
    InputStream open() {
        String name = path.toString().toLowerCase(Locale.ROOT);
        InputStream raw = null;
        try {
            if (Files.isDirectory(path)) {
                throw new IOException("it is a folder: give its files");
            }
            raw = new BufferedInputStream(Files.newInputStream(path), BUFFER_BYTES);
            if (name.endsWith(".gz")) {
                return new BufferedInputStream(new GZIPInputStream(raw, BUFFER_BYTES), BUFFER_BYTES);
            }
            if (name.endsWith(".xz")) {
                return new BufferedInputStream(new XZInputStream(raw, MAX_XZ_KIBIBYTES), BUFFER_BYTES);
            }
            return raw;
        } catch (IOException e) {
            close(raw, e);
            throw unreadable(e);
        }
    }

    private static void close(InputStream raw, IOException failure) {
        try {
            if (raw != null) {
                raw.close();
            }
        } catch (IOException e) {
            failure.addSuppressed(e);
        }
    }

    boolean isLines() {
        String name = path.toString().toLowerCase(Locale.ROOT);
        return name.replaceFirst("\\.(gz|xz)$", "").endsWith(".jsonl");
    }

    HydraException unreadable(IOException e) {
        return new HydraException(path + ": " + reason(e), e);
    }

    private static String reason(IOException e) {
        if (e instanceof NoSuchFileException) {
            return "no such file";
        }
        if (e instanceof AccessDeniedException) {
            return "permission denied";
        }
        if (e instanceof EOFException) {
            return "is cut off: what is compressed in it has no end";
        }
        return "cannot be read: " + (e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage());
    }
}
