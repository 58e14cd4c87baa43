package io.hydra4j.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.nio.file.Path;
import java.text.Normalizer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AddedTokensTest {
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final Normalization PIECES =
            new Normalization(List.of(Normalization.prepend("_"), Normalization.replace(" ", "_")));

    @TempDir
    static Path folder;

    @Test
    void theLongestOfTheLeftmostIsFound() {
        assertEquals("x 1 y 0 [b]", divided(Normalization.NONE, "x<a><b>y<a>[b]", token("<a>"), token("<a><b>")));
    }

    @Test
    void aTokenTakesTheWhiteSpaceBesideItAndAWhiteSpaceTokenInItIsStillFound() {
        AddedToken a = new AddedToken(0, "<a>", false, true, true, false, false);
        assertEquals("x 0 y", divided(Normalization.NONE, "x \n<a>\u3000\u0085y", a));
        AddedToken spaces = new AddedToken(1, "  ", false, true, true, false, false);
        assertEquals("0 1 x", divided(Normalization.NONE, "<a>  x", a, spaces));
        AddedToken plain = token("  ");
        assertEquals("0 1 1 x", divided(Normalization.NONE, "<a>    x", a, plain));
    }

    @Test
    void aSingleWordIsNoPartOfAnother() {
        AddedToken word = new AddedToken(0, "ab", true, false, false, false, false);
        assertEquals("xab. 0 .", divided(Normalization.NONE, "xab.ab.", word));
        assertEquals("abab", divided(Normalization.NONE, "abab", word));
        assertEquals("ab\u0301", divided(Normalization.NONE, "ab\u0301", word));
    }

    @Test
    void aNormalizedTokenIsFoundInTheNormalizedText() {
        AddedToken end = new AddedToken(0, "</s>", false, false, false, true, true);
        assertEquals("0 |_a</s>", divided(PIECES, "</s>", end) + " |" + divided(PIECES, "a</s>", end));
        assertEquals("_a 0", divided(PIECES, "a </s>", end));
    }

    private static String divided(Normalization normalization, PromptText text, AddedToken... tokens) {
        Names names = new Names();
        new AddedTokens(List.of(tokens), normalization).divide(text, true, 1000, names);
        return names.toString();
    }

    private static PromptText text(String... ownAndForeign) {
        PromptText.Builder text = new PromptText.Builder();
        for (int i = 0; i < ownAndForeign.length; i++) {
            text.append(ownAndForeign[i], i % 2 == 1);
        }
        return text.build();
    }

    @Test
    void aSpecialTokenCountsInOwnPartsAlone() {
        AddedToken end = new AddedToken(0, "</s>", false, false, false, false, true);
        assertEquals("0 a</s> 0", divided(Normalization.NONE, text("</s>", "a</s>", "</s>"), end));
        assertEquals("</s> 0 </s>", divided(Normalization.NONE, text("</", "s>", "</s>", "</", "s>"), end));
        assertEquals("0 a 1", divided(Normalization.NONE, text("</s>", "a<bc>"), end, token("<bc>")));
    }

    @Test
    void aNormalizedSpecialTokenCountsInWhatWasMadeOfOwnPartsAlone() {
        AddedToken end = new AddedToken(0, "</s>", false, false, false, true, true);
        assertEquals("_a 0 _</s> 0", divided(PIECES, text("a </s>", " </s>", " </s>"), end));
        assertEquals("_a</s>", divided(PIECES, text("a</", "s>"), end));
        AddedToken a = new AddedToken(0, "\u00e4", false, false, false, true, true);
        Normalization composed = new Normalization(List.of(Normalization.form(Normalizer.Form.NFC)));
        assertEquals("0", divided(composed, text("a\u0308"), a));
        assertEquals("\u00e4", divided(composed, text("a", "\u0308"), a));
        assertEquals("\u00e4", divided(composed, text("", "a", "\u0308"), a));
    }

    @Test
    void whatIsBetweenTokensIsNormalizedPartByPart() {
        assertEquals("_a_b 0 _c", divided(PIECES, "a b<a>c", token("<a>")));
    }

    @Test
    void aTextThatBecomesTooLongIsRefused() {
        AddedTokens tokens = new AddedTokens(List.of(token("x")), PIECES);
        assertThrows(AddedTokens.TooLong.class, () -> tokens.divide(PromptText.own("axaxaxa"), true, 7, new Names()));
        Names names = new Names();
        tokens.divide(PromptText.own("axaxaxa"), true, 8, names);
        assertEquals("_a 0 _a 0 _a 0 _a", names.toString());
    }

    @Test
    void tokensThatAreNearlyAlikeTakeNoLonger() {
        List<AddedToken> tokens = new ArrayList<>();
        for (int i = 0; i < 250; i++) {
            tokens.add(new AddedToken(i, "a".repeat(4000 - i) + "b", false, true, true, false, false));
            tokens.add(new AddedToken(1000 + i, " ".repeat(i + 2), false, false, true, false, false));
        }
        AddedTokens added = new AddedTokens(tokens, Normalization.NONE);
        for (String part : new String[] {"a", " ", " a"}) {
            Names names = new Names();
            assertTimeoutPreemptively(
                    SOON, () -> added.divide(PromptText.own(part.repeat(1_000_000)), true, Integer.MAX_VALUE, names));
        }
    }

    @Test
    void marksInMillionsAreBroughtIntoOrderSoon() {
        Normalization nfc = new Normalization(List.of(Normalization.form(Normalizer.Form.NFC)));
        String marks = "\u0301\u0316".repeat(500_000);
        String ordered = assertTimeoutPreemptively(SOON, () -> nfc.apply("e" + marks, Integer.MAX_VALUE));
        assertEquals(
                '\u00e9',
                Normalizer.normalize(ordered.substring(0, 200), Normalizer.Form.NFC)
                        .charAt(0));
        assertEquals("\u00e9", nfc.apply("e\u0301", 10));
    }

    /** Where the native library can be trusted: no token that takes white space, none that is white space. */
    @Test
    void idsAreThoseOfTheNativeLibraryWithTheWholeFile() {
        Random random = new Random(12);
        for (int round = 0; round < 60; round++) {
            String json = randomTokens(random);
            try (Tokenizer tokenizer = TinyTokenizers.fromJson(folder, json)) {
                TokenizersLibrary library = TokenizersLoader.get("test");
                long handle = library.createTokenizerFromString(json);
                for (int i = 0; i < 200; i++) {
                    String text = randomText(random);
                    long encoding = library.encode(handle, text, false);
                    int[] expected = Arrays.stream(library.getTokenIds(encoding))
                            .mapToInt(id -> (int) id)
                            .toArray();
                    library.deleteEncoding(encoding);
                    assertArrayEquals(expected, tokenizer.encode(text, false), () -> text + " with " + json);
                }
                library.deleteTokenizer(handle);
            }
        }
    }

    private static String randomTokens(Random random) {
        boolean strips = random.nextBoolean();
        boolean pieces = random.nextBoolean();
        String json = pieces ? TinyTokenizers.pieceJson() : TinyTokenizers.byteLevelJson();
        String[] contents = {
            "<a>",
            "<a><b>",
            "aa",
            "<b",
            "</s>x",
            "\u00e9x",
            "\ud83d\ude00",
            "b\u2581",
            strips ? "\u00e9y" : "\\n\\n",
            strips ? "_x" : "  "
        };
        StringBuilder more = new StringBuilder();
        int id = pieces ? 267 : 260;
        for (String content : contents) {
            if (random.nextInt(3) > 0) {
                more.append(",{\"id\":%d,\"content\":\"%s\",\"single_word\":%b,\"lstrip\":%b,\"rstrip\":%b,"
                        .formatted(
                                id++,
                                content,
                                random.nextBoolean(),
                                strips && random.nextBoolean(),
                                strips && random.nextBoolean()));
                more.append("\"normalized\":%b,\"special\":%b}".formatted(random.nextBoolean(), random.nextBoolean()));
            }
        }
        int at = json.indexOf("],\"normalizer\"") >= 0
                ? json.indexOf("],\"normalizer\"")
                : json.indexOf("],\n\"normalizer\"");
        json = json.substring(0, at) + more + json.substring(at);
        if (!pieces) {
            String[] normalizers = {
                "null",
                "{\"type\":\"NFC\"}",
                "{\"type\":\"NFKD\"}",
                "{\"type\":\"Lowercase\"}",
                "{\"type\":\"Replace\",\"pattern\":{\"String\":\"b\"},\"content\":\"\"}",
                "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\" <\"},{\"type\":\"NFKC\"}]}"
            };
            json = json.replace("\"normalizer\":null", "\"normalizer\":" + normalizers[random.nextInt(6)]);
        }
        return json;
    }

    private static String randomText(Random random) {
        String[] parts = {
            "<a>",
            "<b>",
            "ab",
            "a",
            " ",
            "  ",
            "\n",
            "<",
            "</s>",
            "<s>",
            "<|end|>",
            "<think>",
            "\u00e9",
            "e\u0301",
            "A",
            "\u00c9",
            "\ud83d\ude00",
            "_",
            "1",
            "\u3000",
            "\u2581",
            ".",
            "\ufb01",
            "\u0130",
            "\u03a3",
            "x"
        };
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(12); i >= 0; i--) {
            text.append(parts[random.nextInt(parts.length)]);
        }
        return text.toString();
    }

    private static AddedToken token(String content) {
        return AddedToken.literal(content.length() > 3 ? 1 : content.isBlank() ? 1 : 0, content, false);
    }

    private static String divided(Normalization normalization, String text, AddedToken... tokens) {
        Names names = new Names();
        new AddedTokens(List.of(tokens), normalization).divide(PromptText.own(text), true, 1000, names);
        assertTrue(names.first <= 1);
        return names.toString();
    }

    /** The parts, texts as they are and tokens by id, with spaces between. */
    private static final class Names implements AddedTokens.Sink {
        private final List<String> parts = new ArrayList<>();
        private int first;

        @Override
        public void text(String text, boolean start) {
            parts.add(text);
            first += start ? 1 : 0;
        }

        @Override
        public void token(int id) {
            parts.add("" + id);
        }

        @Override
        public String toString() {
            return String.join(" ", parts);
        }
    }
}
