package io.hydra4j.cli;

import io.hydra4j.HydraException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Reads text from files and standard input: UTF-8, to the last byte, of limited length. */
final class TextSource {
    /** The longest text, in bytes. */
    static final int MAX_BYTES = 64 << 20;

    /** The file name, and the argument, that stand for standard input. */
    static final String STANDARD_INPUT = "-";

    private TextSource() {}

    /** A file, or standard input for {@value #STANDARD_INPUT}. */
    static String read(Path file, Console console) {
        if (file.toString().equals(STANDARD_INPUT)) {
            return readInput(console);
        }
        try (InputStream stream = Files.newInputStream(file)) {
            return read(stream, file.toString());
        } catch (NoSuchFileException e) {
            throw new HydraException(file + ": no such file", e);
        } catch (AccessDeniedException e) {
            throw new HydraException(file + ": permission denied", e);
        } catch (IOException e) {
            throw new HydraException(file + ": cannot be read: " + reason(e), e);
        }
    }

    /** All of standard input. */
    static String readInput(Console console) {
        try {
            return read(console.in(), "standard input");
        } catch (IOException e) {
            throw new HydraException("standard input cannot be read: " + reason(e), e);
        }
    }

    /** Rejects an argument of whose characters Java lost some, for the locale cannot express them. */
    static String argument(String text) {
        if (text.indexOf('\uFFFD') >= 0 && !"UTF-8".equals(System.getProperty("sun.jnu.encoding"))) {
            throw new HydraException(
                    "an argument has characters that this locale does not: set LC_ALL=C.UTF-8, or give a "
                            + "text on standard input");
        }
        return text;
    }

    private static String read(InputStream stream, String name) throws IOException {
        byte[] bytes = stream.readNBytes(MAX_BYTES + 1);
        if (bytes.length > MAX_BYTES) {
            throw new HydraException(name + ": longer than " + MAX_BYTES + " bytes");
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new HydraException(name + ": is not UTF-8 text", e);
        }
    }

    private static String reason(IOException e) {
        return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    }
}
