package io.hydra4j.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.hydra4j.format.GgufVocabulary;
import io.hydra4j.format.Utf8;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TextStreamTest {
    private static final String TEXT = "a \u00e9 \u4e2d\u6587 \ud83d\udc69\u200d\ud83d\udcbb\ud83c\uddeb\ud83c\uddf7 z";

    @TempDir
    static Path folder;

    private static Tokenizer bytes;
    private static Tokenizer pieces;

    @BeforeAll
    static void open() {
        bytes = TinyTokenizers.fromJson(folder, TinyTokenizers.byteLevelJson());
        pieces = TinyTokenizers.fromJson(folder, TinyTokenizers.pieceJson());
    }

    @AfterAll
    static void close() {
        bytes.close();
        pieces.close();
    }

    @Test
    void aByteLevelCharacterComesWithItsLastByteAndNotBefore() {
        TextStream stream = bytes.stream(true);
        String text = "";
        int[] ids = bytes.encode(TEXT, false);
        byte[] utf8 = TEXT.getBytes(StandardCharsets.UTF_8);
        assertEquals(utf8.length, ids.length);
        for (int i = 0; i < ids.length; i++) {
            text += stream.push(ids[i]);
            String complete = new String(utf8, 0, i + 1, StandardCharsets.UTF_8).replaceAll("\ufffd+$", "");
            assertEquals(complete, text);
        }
        assertEquals("", stream.finish());
    }

    @Test
    void aCutCharacterBecomesOneReplacementCharacter() {
        int[] ids = bytes.encode("a\ud83d\udc69", false);
        TextStream stream = bytes.stream(true);
        assertEquals("a", stream.push(Arrays.copyOf(ids, 4)));
        assertEquals("\ufffd", stream.finish());
        stream = bytes.stream(true);
        assertEquals("a", stream.push(Arrays.copyOf(ids, 4)));
        assertEquals("\ufffda", stream.push(ids[0]));
    }

    /** Prompts of any tokens in any order: ends within characters, within runs of byte tokens, and within the first space. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatFollowsAPromptReadsAsIfAllOfThePromptHadBeenDecoded(boolean isByteLevel) {
        Tokenizer tokenizer = isByteLevel ? bytes : pieces;
        Random random = new Random(7);
        for (int i = 0; i < 5000; i++) {
            int[] prompt = ids(tokenizer, random, random.nextInt(12));
            int[] next = ids(tokenizer, random, random.nextInt(6));
            TextStream whole = tokenizer.stream(true);
            whole.push(prompt);
            TextStream following = tokenizer.stream(true);
            following.follow(prompt);
            String expected = whole.push(next) + whole.finish();
            assertEquals(
                    expected,
                    following.push(next) + following.finish(),
                    () -> Arrays.toString(prompt) + " and then " + Arrays.toString(next));
        }
    }

    private static int[] ids(Tokenizer tokenizer, Random random, int count) {
        return IntStream.generate(() -> random.nextInt(tokenizer.vocabularySize()))
                .limit(count)
                .toArray();
    }

    @Test
    void aRunOfByteTokensIsHeldBackUntilItEnds() {
        int[] run = byteTokens("\u4e2d\u6587");
        int a = pieces.id("a").getAsInt();
        TextStream stream = pieces.stream(true);
        assertEquals("a", stream.push(a));
        assertEquals("", stream.push(run));
        assertEquals("\u4e2d\u6587a", stream.push(a));
        assertEquals("", stream.push(run));
        assertEquals("\u4e2d\u6587", stream.finish());
    }

    @Test
    void aRunOfByteTokensThatBreaksIsReplacedByteByByteAsSoonAsThatIsKnown() {
        int[] run = byteTokens("\u4e2d\u6587");
        TextStream stream = pieces.stream(true);
        assertEquals("", stream.push(Arrays.copyOf(run, 4)));
        assertEquals("\ufffd".repeat(5), stream.push(pieces.id("<0xFF>").getAsInt()));
        assertEquals("\ufffd", stream.push(pieces.id("<0x41>").getAsInt()));
        assertEquals("a", stream.push(pieces.id("a").getAsInt()));
    }

    @Test
    void onlyTheFirstSpaceOfTheTextIsDropped() {
        int word = pieces.id("\u2581ab").getAsInt();
        int begin = pieces.id("<s>").getAsInt();
        assertEquals("ab ab", pieces.decode(new int[] {word, word}, false));
        assertEquals("ab", pieces.decode(new int[] {begin, word}, true));
        assertEquals("<s> ab", pieces.decode(new int[] {begin, word}, false));
        TextStream afterAPrompt = pieces.stream(true);
        afterAPrompt.push(word);
        assertEquals(" ab", afterAPrompt.push(word));
    }

    @Test
    void aFinishedStreamTakesNoMore() {
        TextStream stream = bytes.stream(true);
        stream.finish();
        assertThrows(IllegalStateException.class, () -> stream.push(1));
        assertThrows(IllegalStateException.class, stream::finish);
    }

    @Test
    void randomIdsInRandomPiecesGiveTheDecodedText() {
        Random random = new Random(2);
        for (int round = 0; round < 5_000; round++) {
            Tokenizer tokenizer = round % 2 == 0 ? bytes : pieces;
            // Mostly bytes that belong to characters of several bytes, so that runs begin, break and end.
            int[] ids = random.ints(random.nextInt(40), 0, tokenizer.vocabularySize() + 2)
                    .map(id -> random.nextInt(3) == 0 ? id : 120 + id % 128)
                    .toArray();
            checkStream(tokenizer, ids, random);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void theCostOfAPushDoesNotGrowWithTheText(boolean byteLevel) {
        Tokenizer tokenizer = byteLevel ? bytes : pieces;
        int[] ids = byteLevel ? bytes.encode("\u4e2d", false) : byteTokens("\u4e2d");
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> {
            TextStream stream = tokenizer.stream(true);
            int length = 0;
            for (int i = 0; i < 600_000; i++) {
                length += stream.push(ids[i % 3]).length();
            }
            assertEquals(200_000, length + stream.finish().length());
        });
    }

    /** The native library decodes too, though nothing but this test asks it to. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3", "mistral", "odd", "qwen2", "qwen3", "smollm2", "vicuna"})
    void randomIdsGiveWhatTheNativeLibraryDecodes(String family) throws IOException {
        Path file = Shared.file("golden/families/" + family + "/tokenizer.json");
        TokenizersLibrary library = TokenizersLoader.get(family);
        long handle = library.createTokenizerFromString(Files.readString(file));
        try (Tokenizer tokenizer = Tokenizer.fromJson(file)) {
            Random random = new Random(3);
            for (int round = 0; round < 2_000; round++) {
                int[] ids = random.ints(random.nextInt(30), 0, tokenizer.vocabularySize() + 3)
                        .map(id -> random.nextInt(3) == 0 ? id : id % 270)
                        .toArray();
                long[] wide = IntStream.of(ids).asLongStream().toArray();
                assertEquals(library.decode(handle, wide, false), Shared.decode(tokenizer, ids, false));
                assertEquals(library.decode(handle, wide, true), Shared.decode(tokenizer, ids, true));
                checkStream(tokenizer, ids, random);
            }
        } finally {
            library.deleteTokenizer(handle);
        }
    }

    private static void checkStream(Tokenizer tokenizer, int[] ids, Random random) {
        boolean skipSpecial = random.nextBoolean();
        TextStream stream = tokenizer.stream(skipSpecial);
        StringBuilder text = new StringBuilder();
        for (int at = 0; at < ids.length; ) {
            int next = Math.min(ids.length, at + random.nextInt(4));
            text.append(stream.push(Arrays.copyOfRange(ids, at, next)));
            assertTrue(Utf8.isWellFormed(text.toString()));
            at = next;
        }
        assertEquals(Shared.decode(tokenizer, ids, skipSpecial), text + stream.finish());
    }

    private static int[] byteTokens(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        return IntStream.range(0, utf8.length)
                .map(i -> pieces.id(GgufVocabulary.byteToken(utf8[i] & 0xFF)).getAsInt())
                .toArray();
    }
}
