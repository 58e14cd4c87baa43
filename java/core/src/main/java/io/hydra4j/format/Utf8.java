package io.hydra4j.format;

import io.hydra4j.FormatException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Strict UTF-8: what is not valid is an error, never a replacement character. */
public final class Utf8 {
    private Utf8() {}

    /** @throws FormatException.InvalidValue if the bytes are not valid UTF-8 */
    static String decode(byte[] bytes, int offset, int length, Path file, String field) {
        var text = new String(bytes, offset, length, StandardCharsets.UTF_8);
        // The strict decoder is slow and needed only where the fast one may have replaced something.
        if (text.indexOf('\uFFFD') < 0) {
            return text;
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes, offset, length))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new FormatException.InvalidValue(file, field, "bytes that are no UTF-8", "UTF-8 text");
        }
    }

    /**
     * Checks the name of a key or a tensor.
     *
     * @throws FormatException.InvalidValue if it is empty or holds a control character
     */
    static String checkName(String name, Path file, String field) {
        if (name.isEmpty() || hasControl(name)) {
            throw new FormatException.InvalidValue(
                    file, field, '"' + name + '"', "a name without control characters, not empty");
        }
        return name;
    }

    /** Whether a text has a UTF-8 form: no surrogate stands alone. */
    public static boolean isWellFormed(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (!Character.isSurrogate(text.charAt(i))) {
                continue;
            }
            if (i + 1 == text.length() || !Character.isSurrogatePair(text.charAt(i), text.charAt(i + 1))) {
                return false;
            }
            i++;
        }
        return true;
    }

    private static boolean hasControl(String name) {
        for (int i = 0; i < name.length(); i++) {
            if (Character.isISOControl(name.charAt(i))) {
                return true;
            }
        }
        return false;
    }
}
