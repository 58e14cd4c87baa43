package io.hydra4j.train;

import io.hydra4j.FormatException;
import io.hydra4j.HydraException;
import io.hydra4j.format.Fields;
import io.hydra4j.format.StrictJson;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;

/**
 * Reads the documents of files, one after the other. Of a text each 64 KB, up to the end of a line, are a document. Lines of
 * {@code .jsonl} files have a field {@code text}; or {@code messages}, a list of objects with {@code role} and {@code content}; or
 * {@code conversations}, a list of objects with {@code from} and {@code value}; or {@code tokens}, ids, with {@code prompt_tokens}, as
 * {@link SelfDistillation} writes them. Not thread-safe.
 */
final class DocumentReader implements AutoCloseable {
    private static final int PIECE_BYTES = 1 << 16;
    /** The longest line. */
    private static final int MAX_LINE_BYTES = StrictJson.MAX_BYTES;

    private final Iterator<Path> files;
    private DataFile file;
    private InputStream in;
    private long line;
    /** What was read of the next piece of a text. */
    private byte[] rest = {};

    DocumentReader(List<Path> files) {
        this.files = files.iterator();
    }

    /**
     * The next document, or null at the end.
     *
     * @throws HydraException if a file cannot be read, is no UTF-8, or a line is no such object
     */
    Document next() {
        while (true) {
            if (in == null) {
                if (!files.hasNext()) {
                    return null;
                }
                file = new DataFile(files.next());
                in = file.open();
                line = 0;
            }
            try {
                Document document = file.isLines() ? nextLine() : nextPiece();
                if (document != null) {
                    return document;
                }
                close();
            } catch (IOException e) {
                throw file.unreadable(e);
            }
        }
    }

    private Document nextLine() throws IOException {
        while (true) {
            byte[] bytes = upTo('\n', 0, MAX_LINE_BYTES);
            if (bytes == null) {
                return null;
            }
            line++;
            if (bytes.length == MAX_LINE_BYTES && bytes[bytes.length - 1] != '\n') {
                throw invalid("it is longer than " + MAX_LINE_BYTES + " bytes: give one object a line");
            }
            if (!new String(bytes, StandardCharsets.ISO_8859_1).isBlank()) {
                return parse(bytes);
            }
        }
    }

    private Document nextPiece() throws IOException {
        byte[] bytes = upTo('\n', PIECE_BYTES, 2 * PIECE_BYTES);
        if (bytes == null) {
            return null;
        }
        line++;
        int end = bytes.length;
        if (end == 2 * PIECE_BYTES) {
            // A line that is too long is cut before a character, not within one.
            do {
                end--;
            } while (end > 1 && (bytes[end] & 0xC0) == 0x80);
            rest = Arrays.copyOfRange(bytes, end, bytes.length);
        }
        try {
            return new Document.Text(StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes, 0, end))
                    .toString());
        } catch (CharacterCodingException e) {
            throw new HydraException(file.path() + ": is not UTF-8 text", e);
        }
    }

    /** Bytes up to and with the first line feed after so many of them, at most so many, or those before the end; null at the end. */
    private byte[] upTo(char end, int least, int most) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.writeBytes(rest);
        rest = new byte[0];
        int next = 0;
        while (bytes.size() < most && (next = in.read()) >= 0) {
            bytes.write(next);
            if (next == end && bytes.size() >= least) {
                break;
            }
        }
        return bytes.size() == 0 && next < 0 ? null : bytes.toByteArray();
    }

    private Document parse(byte[] json) {
        try {
            Fields fields = StrictJson.line(file.path(), line, json);
            if (fields.has("text")) {
                return new Document.Text(fields.string("text"));
            }
            if (fields.has("messages")) {
                return chat(fields.objects("messages"), "role", "content");
            }
            if (fields.has("conversations")) {
                return chat(fields.objects("conversations"), "from", "value");
            }
            if (fields.has("tokens")) {
                return written(fields);
            }
        } catch (FormatException e) {
            throw new TrainingException.InvalidData(e);
        }
        throw invalid("it has none of the fields text, messages, conversations and tokens: give one of them");
    }

    private Document chat(List<Fields> turns, String role, String content) {
        List<Document.Turn> read = new ArrayList<>();
        for (Fields turn : turns) {
            read.add(new Document.Turn(role(turn.string(role)), turn.string(content)));
        }
        return new Document.Chat(read, where());
    }

    private DocumentPlace where() {
        return new DocumentPlace(file.path(), line);
    }

    /** The names that ShareGPT's files have for the sides of a conversation. */
    private static String role(String name) {
        return switch (name) {
            case "human" -> "user";
            case "gpt" -> "assistant";
            default -> name;
        };
    }

    private Document written(Fields fields) {
        int[] tokens = fields.ids("tokens", Integer.MAX_VALUE, MAX_LINE_BYTES).stream()
                .mapToInt(Integer::intValue)
                .toArray();
        return new Document.Written(tokens, fields.integer("prompt_tokens", 0, 0, tokens.length), where());
    }

    private TrainingException invalid(String problem) {
        return new TrainingException.InvalidData(file.path(), line, problem, null);
    }

    @Override
    public void close() {
        if (in != null) {
            try {
                in.close();
            } catch (IOException e) {
                // all that was wanted has been read
            }
            in = null;
        }
    }
}
