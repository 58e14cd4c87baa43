package io.hydra4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.golden.Original;
import io.hydra4j.text.ChatTemplates;
import io.hydra4j.text.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** With a tokenizer whose tokens are bytes. */
class SequenceStreamTest {
    private static final int LONGEST = 16;

    @TempDir
    static Path folder;

    private static Tokenizer tokenizer;
    private static DocumentTokens encoder;

    @BeforeAll
    static void openTokenizer() throws IOException {
        Path model = Original.withTokenizer(Original.variant(folder, List.of(257), 1024));
        tokenizer = Tokenizer.fromJson(model.resolve("tokenizer.json"));
        Files.writeString(
                model.resolve("chat_template.jinja"),
                "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}"
                        + "<{{ m.role }}>{{ m.content }}{% if loop.last and m.content == 'odd' %}!{% else %};{% endif %}"
                        + "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}");
        encoder = new DocumentTokens(tokenizer, 258, () -> ChatTemplates.ofFolder(model));
    }

    @AfterAll
    static void closeTokenizer() {
        tokenizer.close();
    }

    private static Path data(String name, Stream<String> lines) throws IOException {
        return Files.write(folder.resolve(name + ".jsonl"), lines.toList());
    }

    private static Path texts(String name, int count) throws IOException {
        return data(name, IntStream.range(0, count).mapToObj(i -> "{\"text\": \"document " + i + " of some length\"}"));
    }

    private static SequenceStream stream(Path file, long seed, boolean holdsOut, SequenceStream.Position position) {
        return new SequenceStream(List.of(file), encoder, LONGEST, seed, holdsOut, SequenceStream.WINDOW, position);
    }

    private static List<String> take(SequenceStream stream, int count) {
        List<String> taken = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            byte[] bytes = new byte[LONGEST];
            int[] tokens = stream.next().tokens();
            IntStream.range(0, tokens.length).forEach(at -> bytes[at] = (byte) tokens[at]);
            taken.add(new String(bytes, 0, tokens.length, StandardCharsets.US_ASCII));
        }
        return taken;
    }

    @Test
    void anEpochHasEverySequenceOnceInAnOrderOfTheSeed() throws IOException {
        Path file = texts("epochs", 10);
        List<String> first;
        List<String> second;
        try (SequenceStream stream = stream(file, 1, false, SequenceStream.Position.BEGIN)) {
            first = take(stream, 20);
            assertEquals(0, stream.position().epoch());
            second = take(stream, 20);
            assertEquals(1, stream.position().epoch());
        }

        assertTrue(first.contains("document 7 of so") && first.contains("me length"));
        assertNotEquals(first, second);
        assertEquals(sorted(first), sorted(second));
        try (SequenceStream again = stream(file, 1, false, SequenceStream.Position.BEGIN);
                SequenceStream other = stream(file, 2, false, SequenceStream.Position.BEGIN)) {
            assertEquals(first, take(again, 20));
            assertNotEquals(first, take(other, 20));
        }
    }

    private static List<String> sorted(List<String> texts) {
        List<String> sorted = new ArrayList<>(texts);
        Collections.sort(sorted);
        return sorted;
    }

    @Test
    void aStreamGoesOnWhereAnotherStood() throws IOException {
        Path file = texts("windows", 100);
        long window = 500;
        try (SequenceStream stream =
                new SequenceStream(List.of(file), encoder, LONGEST, 3, true, window, SequenceStream.Position.BEGIN)) {
            for (int checks = 0; checks < 8; checks++) {
                for (int i = 0; i < 43; i++) {
                    stream.next();
                }
                try (SequenceStream other =
                        new SequenceStream(List.of(file), encoder, LONGEST, 3, true, window, stream.position())) {
                    for (int i = 0; i < 70; i++) {
                        assertEquals(stream.position(), other.position());
                        assertArrayEquals(stream.next().tokens(), other.next().tokens());
                    }
                }
            }
            assertTrue(stream.position().epoch() > 0, () -> "" + stream.position());
        }
    }

    @Test
    void everyTwentiethDocumentIsHeldOut() throws IOException {
        Path file = texts("held-out", 41);
        try (SequenceStream stream = stream(file, 1, true, SequenceStream.Position.BEGIN)) {
            List<String> taken = take(stream, 76);
            assertEquals(0, stream.position().epoch());
            take(stream, 1);
            assertEquals(1, stream.position().epoch());
            assertTrue(taken.contains("document 19 of s") && taken.contains("document 21 of s"));
            assertTrue(taken.stream().noneMatch(text -> text.matches("document (0|20|40) .*")), taken::toString);
        }
    }

    @Test
    void theLossCountsWhatTheBaseHasWrittenAndNotItsPrompt() throws IOException {
        Path file = data("written", Stream.of("{\"tokens\": [1, 2, 3, 4, 5, 6], \"prompt_tokens\": 4}"));
        try (SequenceStream stream = stream(file, 1, false, SequenceStream.Position.BEGIN)) {
            TokenText text = stream.next();
            assertArrayEquals(new int[] {1, 2, 3, 4, 5, 6}, text.tokens());
            assertArrayEquals(new boolean[] {false, false, false, false, true, true}, text.targets());
            // Head 0 guesses tokens 4 and 5 from positions 2 and 3; head 4 could guess the token after the last one.
            assertEquals(2, text.rows(0));
            assertEquals(2, text.rows(2));
            assertEquals(1, text.rows(3));
            assertEquals(0, text.rows(4));
        }
    }

    @Test
    void dataWithoutAnythingToLearnAreRefused() throws IOException {
        assertRefused(TrainingException.NoData.class, "nothing to train on", data("empty", Stream.of()), false);
        assertRefused(TrainingException.NoData.class, "more than one document", texts("single", 1), true);
        assertRefused(
                TrainingException.NoData.class,
                "at least 3 tokens",
                data("short", Stream.of("{\"text\": \"\"}", "{\"text\": \"ab\"}")),
                false);
        assertRefused(
                TrainingException.NoTargets.class,
                "the loss would count no token",
                data("prompts", Stream.of("{\"tokens\": [1, 2, 3, 4], \"prompt_tokens\": 4}")),
                false);
        assertRefused(
                TrainingException.InvalidData.class,
                "large.jsonl: line 1: tokens: found 258, expected ids below 258",
                data("large", Stream.of("{\"tokens\": [1, 2, 258, 4]}")),
                false);
        assertRefused(
                TrainingException.InvalidData.class,
                "tool.jsonl: line 1: the chat template refuses it: ",
                data("tool", Stream.of("{\"messages\": [{\"role\": \"tool\", \"content\": \"q\"}]}")),
                false);
        assertRefused(
                TrainingException.NoTargets.class,
                "give chats with answers",
                data("question", Stream.of("{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}]}")),
                false);
    }

    private static String turns(String... contents) {
        StringBuilder json = new StringBuilder("{\"conversations\": [");
        for (int i = 0; i < contents.length; i++) {
            json.append(i == 0 ? "" : ", ")
                    .append("{\"from\": \"")
                    .append(i % 2 == 0 ? "gpt" : "human")
                    .append("\", \"value\": \"")
                    .append(contents[i])
                    .append("\"}");
        }
        return json.append("]}").toString();
    }

    @Test
    void ofAConversationTheLossCountsWhatTheAssistantSays() throws IOException {
        Path file = data("answers", Stream.of(turns("lost", "q", "yes", "r", "no")));
        StringBuilder counted = new StringBuilder();
        StringBuilder all = new StringBuilder();
        try (SequenceStream stream = new SequenceStream(
                List.of(file), encoder, 200, 1, false, SequenceStream.WINDOW, SequenceStream.Position.BEGIN)) {
            TokenText text = stream.next();
            for (int i = 0; i < text.tokens().length; i++) {
                all.append((char) text.tokens()[i]);
                counted.append(text.targets()[i] ? (char) text.tokens()[i] : '.');
            }
        }
        assertEquals("<user>q;<assistant>yes;<user>r;<assistant>no;", all.toString());
        assertEquals(".".repeat("<user>q;<assistant>".length()) + "yes;", counted.substring(0, 23));
        assertEquals("no;", counted.substring(counted.length() - 3));
        assertEquals(7, counted.chars().filter(character -> character != '.').count());
    }

    @Test
    void aConversationWhoseBeginningATemplateChangesLaterIsLeftOut() throws IOException {
        Path file = data("changed", Stream.of(turns("", "q", "odd", "r", "no"), turns("", "q", "fine")));
        try (SequenceStream stream = new SequenceStream(
                List.of(file), encoder, 200, 1, false, SequenceStream.WINDOW, SequenceStream.Position.BEGIN)) {
            for (int i = 0; i < 3; i++) {
                assertEquals("<user>q;<assistant>fine;".length(), stream.next().tokens().length);
            }
        }
    }

    private static void assertRefused(
            Class<? extends TrainingException> kind, String message, Path file, boolean holdsOut) {
        TrainingException refused = assertThrows(kind, () -> {
            try (SequenceStream stream = stream(file, 1, holdsOut, SequenceStream.Position.BEGIN)) {
                stream.next();
            }
        });
        assertTrue(refused.getMessage().contains(message), refused.getMessage());
    }

    @Test
    void batchesArePackedAndTheirPositionIsTheEndOfTheLast() throws IOException {
        Path file = texts("batches", 12);
        List<String> batched = new ArrayList<>();
        SequenceStream.Position middle = null;
        try (SequenceStream stream = stream(file, 4, false, SequenceStream.Position.BEGIN);
                BatchesAhead batches = new BatchesAhead(new Batches(stream, 40))) {
            for (int i = 0; i < 6; i++) {
                List<TokenText> batch = batches.next();
                int tokens =
                        batch.stream().mapToInt(text -> text.tokens().length).sum();
                assertTrue(tokens <= 40 && tokens > 40 - LONGEST, () -> "" + tokens);
                batch.forEach(text -> batched.add("" + text.tokens().length));
                middle = i == 2 ? batches.position() : middle;
            }
        }
        try (SequenceStream stream = stream(file, 4, false, middle)) {
            Batches batches = new Batches(stream, 40);
            List<String> rest = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                batches.next().forEach(text -> rest.add("" + text.tokens().length));
            }
            assertEquals(batched.subList(batched.size() - rest.size(), batched.size()), rest);
        }
    }

    @Test
    void whatIsWrongWithTextAheadIsToldWhenItsBatchIsAskedFor() throws IOException {
        Path file = data("wrong-ahead", Stream.of("{\"text\": \"" + "x".repeat(200) + "\"}", "{\"text\": 3}"));
        try (SequenceStream stream = new SequenceStream(
                        List.of(file), encoder, LONGEST, 3, false, 1, SequenceStream.Position.BEGIN);
                BatchesAhead batches = new BatchesAhead(new Batches(stream, LONGEST))) {
            int tokens = batches.next().get(0).tokens().length;

            assertEquals(LONGEST, tokens);
            assertThrows(TrainingException.InvalidData.class, () -> {
                for (int i = 0; i < 200; i++) {
                    batches.next();
                }
            });
        }
    }
}
