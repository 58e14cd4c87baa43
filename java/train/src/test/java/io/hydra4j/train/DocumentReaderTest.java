package io.hydra4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.HydraException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

class DocumentReaderTest {
    @TempDir
    Path folder;

    private static List<Document> read(Path... files) {
        List<Document> documents = new ArrayList<>();
        try (DocumentReader reader = new DocumentReader(List.of(files))) {
            for (Document document; (document = reader.next()) != null; ) {
                documents.add(document);
            }
        }
        return documents;
    }

    private Path lines(String... lines) throws IOException {
        return Files.writeString(folder.resolve("data.jsonl"), String.join("\n", lines));
    }

    @Test
    void linesHaveATextOrTurnsOrTokens() throws IOException {
        Path file = lines(
                "{\"text\": \"a\\nb\", \"other\": 1}",
                "  ",
                "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"a\"}]}",
                "{\"conversations\": [{\"from\": \"human\", \"value\": \"q\"}, {\"from\": \"gpt\", \"value\": \"a\"}]}",
                "{\"tokens\": [5, 6, 7], \"prompt_tokens\": 2}");

        List<Document> documents = read(file);

        List<Document.Turn> turns = List.of(new Document.Turn("user", "q"), new Document.Turn("assistant", "a"));
        assertEquals(new Document.Text("a\nb"), documents.get(0));
        assertEquals(new Document.Chat(turns, new DocumentPlace(file, 3)), documents.get(1));
        assertEquals(new Document.Chat(turns, new DocumentPlace(file, 4)), documents.get(2));
        Document.Written written = (Document.Written) documents.get(3);
        assertArrayEquals(new int[] {5, 6, 7}, written.tokens());
        assertEquals(2, written.prompt());
        assertEquals(4, documents.size());
    }

    @Test
    void compressedFilesAreReadAsIfTheyWereNot() throws IOException {
        byte[] text = "{\"text\": \"\u00e4\"}\n{\"text\": \"b\"}\n".getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream zipped = new ByteArrayOutputStream();
        try (OutputStream out = new GZIPOutputStream(zipped)) {
            out.write(text);
        }
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        try (OutputStream out = new XZOutputStream(packed, new LZMA2Options())) {
            out.write(text);
        }
        Path gz = Files.write(folder.resolve("a.jsonl.gz"), zipped.toByteArray());
        Path xz = Files.write(folder.resolve("b.JSONL.xz"), packed.toByteArray());

        List<Document> once = List.of(new Document.Text("\u00e4"), new Document.Text("b"));
        assertEquals(List.of(once.get(0), once.get(1), once.get(0), once.get(1)), read(gz, xz));
    }

    @Test
    void aTextIsCutAtLineEndsAndLongLinesBetweenCharacters() throws IOException {
        String lines = "0123456789\n".repeat(20_000);
        String line = "x" + "\u20ac".repeat(100_000);
        Path file = Files.writeString(folder.resolve("a.txt"), lines + line);

        List<String> pieces = read(file).stream()
                .map(document -> ((Document.Text) document).text())
                .toList();

        assertEquals(lines + line, String.join("", pieces));
        assertTrue(pieces.size() >= 5, () -> "" + pieces.size());
        assertTrue(pieces.get(0).endsWith("\n") && pieces.get(0).length() < 70_000);
        assertTrue(pieces.stream().allMatch(piece -> piece.length() <= 140_000));
    }

    @Test
    void whatIsNoDataNamesFileAndLine() throws IOException {
        assertFails("data.jsonl: line 2: it has none of the fields text", lines("{\"text\": \"a\"}", "{\"txt\": 1}"));
        assertFails("data.jsonl: line 1: text: found 1, expected a text", lines("{\"text\": 1}"));
        assertFails("data.jsonl: line 1: found Unexpected end-of-input", lines("{\"text\": \"a\""));
        assertFails("data.jsonl: line 1: found no object, expected a JSON object", lines("5"));
        assertFails("data.jsonl: line 2: text: found", lines("", "{\"text\": \"a\", \"text\": \"b\"}"));
        assertFails("data.jsonl: line 1: conversations[0]: found 1", lines("{\"conversations\": [1]}"));
        assertFails("no-such.txt: no such file", folder.resolve("no-such.txt"));
        assertFails(": cannot be read: it is a folder: give its files", folder);
        assertFails("a.txt: is not UTF-8 text", Files.write(folder.resolve("a.txt"), new byte[] {(byte) 0xFF}));
        assertFails("a.gz: cannot be read: ", Files.writeString(folder.resolve("a.gz"), "no gzip"));
        assertFails("b.xz: is cut off", Files.writeString(folder.resolve("b.xz"), "no xz"));
        assertFails("a.xz: cannot be read: ", Files.writeString(folder.resolve("a.xz"), "no xz, but long enough"));
    }

    private static void assertFails(String message, Path file) {
        HydraException refused = assertThrows(HydraException.class, () -> read(file));
        assertTrue(refused.getMessage().contains(message), refused.getMessage());
    }

    @Test
    void aLineThatIsTooLongIsRefused() throws IOException {
        Path file = Files.writeString(folder.resolve("long.jsonl"), "{\"text\": \"" + "x".repeat(9 << 20) + "\"}");
        assertFails("long.jsonl: line 1: it is longer than", file);
    }
}
