package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Tree;
import io.hydra4j.golden.Json;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import io.hydra4j.text.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** With a tiny model of bytes, whose steps emit several tokens, and whose every token is a byte of the text. */
class TokenStreamTest {
    private static final OpenOptions OPTIONS =
            OpenOptions.DEFAULT.withHeads(Original.heads("hydra-plus-plus")).withThreads(1);
    private static final GenerationOptions WITH_TREE = GenerationOptions.DEFAULT.withTree(Tree.DEFAULT);

    @TempDir
    private static Path folder;

    private static HydraModel model;
    private static int[] prompt;
    private static List<Integer> greedy;
    private static String greedyText;

    @BeforeAll
    static void open() {
        model = HydraModel.open(Original.withTokenizer(Original.variant(folder, List.of(257), 1024)), OPTIONS);
        Json golden = Original.golden("golden-hydra-plus-plus").get("cases").at(3);
        prompt = golden.get("prompt_ids").ints();
        greedy = golden.get("greedy_ids").integers();
        greedyText = text(greedy);
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private static String text(List<Integer> bytes) {
        byte[] raw = new byte[bytes.size()];
        for (int i = 0; i < raw.length; i++) {
            raw[i] = bytes.get(i).byteValue();
        }
        return new String(raw, StandardCharsets.UTF_8);
    }

    private static List<Integer> ids(int[] ids) {
        return Arrays.stream(ids).boxed().toList();
    }

    private static GenerationResult generate(GenerationOptions options) {
        return model.generate(prompt, options, chunk -> {});
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 50, 104})
    void theTokenLimitIsExact(int limit) {
        GenerationResult result = generate(WITH_TREE.withMaxTokens(limit));
        assertEquals(greedy.subList(0, limit), ids(result.ids()));
        assertEquals(text(greedy.subList(0, limit)), result.text());
        assertEquals(Optional.of(FinishReason.LENGTH), result.finishReason());
        assertEquals(limit, Arrays.stream(result.tokensPerStep()).sum());
        assertTrue(Arrays.stream(result.tokensPerStep()).allMatch(tokens -> tokens > 0));
        assertEquals(result.tokensPerStep().length, result.statistics().steps());
    }

    @Test
    void everyWayOfGuessingGeneratesTheSame() {
        for (GenerationOptions options : List.of(
                GenerationOptions.DEFAULT,
                GenerationOptions.DEFAULT.withSpeculation(Speculation.OFF),
                GenerationOptions.DEFAULT.withSpeculation(Speculation.ON),
                GenerationOptions.DEFAULT.withTree(Tree.ROOT),
                GenerationOptions.DEFAULT.withTree(Tree.chain(3)),
                WITH_TREE)) {
            GenerationResult result = generate(options.withMaxTokens(104));
            assertEquals(greedy, ids(result.ids()));
            assertEquals(greedyText, result.text());
        }
        assertEquals(
                Optional.empty(),
                generate(WITH_TREE.withSpeculation(Speculation.OFF)).drafter());
        assertEquals(Optional.of("hydra++"), generate(WITH_TREE).drafter());
    }

    @Test
    void aTreeThatIsTooDeepForTheHeadsIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> generate(GenerationOptions.DEFAULT.withTree(Tree.chain(5))));
    }

    /** Whatever the token, and so wherever in a step it stands. */
    @Test
    void anEndTokenInsideAnAcceptedRunEndsTheGenerationBehindIt(@TempDir Path other) {
        List<Integer> ends = greedy.subList(0, 60).stream().distinct().toList();
        int inside = 0;
        for (int end : ends) {
            Path variant = other.resolve("" + end);
            assertTrue(variant.toFile().mkdir());
            Original.withTokenizer(Original.variant(variant, List.of(end), 1024));
            try (HydraModel ending = HydraModel.open(variant, OPTIONS)) {
                GenerationResult result = ending.generate(prompt, WITH_TREE.withMaxTokens(104), chunk -> {});
                int at = greedy.indexOf(end);
                assertEquals(Optional.of(FinishReason.END), result.finishReason());
                assertEquals(greedy.subList(0, at + 1), ids(result.ids()));
                assertEquals(text(greedy.subList(0, at)), result.text(), "the end token adds no text");
                assertEquals(at + 1, Arrays.stream(result.tokensPerStep()).sum());
                inside += result.statistics().tokens() > at + 1 ? 1 : 0;
                GenerationResult plain = ending.generate(
                        prompt, GenerationOptions.DEFAULT.withSpeculation(Speculation.OFF), chunk -> {});
                assertEquals(ids(result.ids()), ids(plain.ids()));
                assertEquals(result.text(), plain.text());
            }
        }
        assertTrue(inside > 0, "no end token lay inside a run");
    }

    @Test
    void anyOfSeveralEndTokensEndsTheGeneration(@TempDir Path other) {
        int first = greedy.get(17);
        int second = greedy.get(9);
        Path variant = Original.variant(other, List.of(258, first, second), 1024);
        try (HydraModel ending = HydraModel.open(variant, OPTIONS)) {
            int at = Math.min(greedy.indexOf(first), greedy.indexOf(second));
            GenerationResult result = ending.generate(prompt, WITH_TREE, chunk -> {});
            assertEquals(greedy.subList(0, at + 1), ids(result.ids()));
            assertEquals(Optional.of(FinishReason.END), result.finishReason());

            GenerationResult on =
                    ending.generate(prompt, WITH_TREE.withIgnoreEnd(true).withMaxTokens(104), chunk -> {});
            assertEquals(greedy, ids(on.ids()));
            assertEquals(Optional.of(FinishReason.LENGTH), on.finishReason());
        }
    }

    @Test
    void aStopStringEndsTheTextBeforeItAndTheTokensBehindIt() {
        for (int at = 0; at < 80; at += 3) {
            for (int length : new int[] {1, 2, 5, 11}) {
                String stop = greedyText.substring(at, at + length);
                int found = greedyText.indexOf(stop);
                for (GenerationOptions options :
                        List.of(WITH_TREE, GenerationOptions.DEFAULT.withSpeculation(Speculation.OFF))) {
                    GenerationResult result =
                            generate(options.withMaxTokens(104).withStop(List.of("never there", stop)));
                    assertEquals(Optional.of(FinishReason.STOP), result.finishReason());
                    assertEquals(greedyText.substring(0, found), result.text());
                    assertEquals(
                            greedy.subList(0, found + length),
                            ids(result.ids()),
                            "tokens end with the one that completes the stop string, whatever guesses");
                }
            }
        }
    }

    @Test
    void textThatBeginsLikeAStopStringComesOutWhenTheGenerationEnds() {
        String begun = greedyText.substring(95, 104) + "and never this";
        GenerationResult result = generate(WITH_TREE.withMaxTokens(104).withStop(List.of(begun)));
        assertEquals(greedyText, result.text());
        assertEquals(Optional.of(FinishReason.LENGTH), result.finishReason());
    }

    @Test
    void whatChunksShowIsNeverTakenBackAndAddsUp() {
        for (List<String> stops : List.of(List.<String>of(), List.of(greedyText.substring(60, 66)))) {
            StringBuilder text = new StringBuilder();
            List<Integer> ids = new ArrayList<>();
            List<Integer> perStep = new ArrayList<>();
            GenerationResult result =
                    model.generate(prompt, WITH_TREE.withMaxTokens(104).withStop(stops), chunk -> {
                        text.append(chunk.text());
                        ids.addAll(ids(chunk.ids()));
                        perStep.add(chunk.ids().length);
                        assertTrue(greedyText.startsWith(text.toString()));
                    });
            assertEquals(text.toString(), result.text());
            assertEquals(ids, ids(result.ids()));
            assertEquals(perStep, ids(result.tokensPerStep()));
        }
    }

    /** Random weights over a byte-level vocabulary: pieces of characters in any order. */
    @Test
    void charactersAreNeverCutAcrossChunks() {
        try (HydraModel odd = HydraModel.open(TestData.odd(), oneThread());
                Tokenizer tokenizer = Tokenizer.fromJson(TestData.odd().resolve("tokenizer.json"))) {
            int broken = 0;
            for (String text : List.of("a", "ü", "public class", "日本", "x = 1;\n", "🙂")) {
                int[] ids = tokenizer.encode(text);
                StringBuilder written = new StringBuilder();
                GenerationResult result = odd.generate(
                        ids, GenerationOptions.DEFAULT.withMaxTokens(120).withIgnoreEnd(true), chunk -> {
                            written.append(chunk.text());
                            if (!chunk.text().isEmpty()) {
                                assertFalse(
                                        Character.isLowSurrogate(chunk.text().charAt(0)));
                                assertFalse(Character.isHighSurrogate(
                                        chunk.text().charAt(chunk.text().length() - 1)));
                            }
                        });
                int[] all = IntStream.concat(Arrays.stream(ids), Arrays.stream(result.ids()))
                        .toArray();
                assertEquals(tokenizer.decode(all, true), text + written);
                assertEquals(written.toString(), result.text());
                broken += written.indexOf("\uFFFD") >= 0 ? 1 : 0;
            }
            assertTrue(broken > 0, "these weights are known to write broken characters too");
        }
    }

    private static OpenOptions oneThread() {
        return OpenOptions.DEFAULT.withThreads(1);
    }

    /** A character of four bytes at the end of the prompt's continuation is held back until it is complete. */
    @Test
    void anIncompleteCharacterAtTheLimitBecomesAReplacement() {
        try (HydraModel odd = HydraModel.open(TestData.odd(), oneThread());
                Tokenizer tokenizer = Tokenizer.fromJson(TestData.odd().resolve("tokenizer.json"))) {
            int[] ids = tokenizer.encode("ü");
            for (int limit = 1; limit <= 40; limit++) {
                GenerationResult result = odd.generate(
                        ids, GenerationOptions.DEFAULT.withMaxTokens(limit).withIgnoreEnd(true), chunk -> {});
                int[] generated = result.ids();
                assertEquals(tokenizer.decode(generated, true), result.text());
            }
        }
    }

    @Test
    void cancellingTakesEffectBeforeTheNextStep() {
        try (TokenStream stream = model.stream(prompt, WITH_TREE.withMaxTokens(104))) {
            stream.next();
            stream.next();
            int count = stream.result().completionTokens();
            assertEquals(Optional.empty(), stream.result().finishReason());
            stream.cancel();
            assertTrue(stream.hasNext());
            assertEquals(0, stream.next().ids().length);
            assertFalse(stream.hasNext());
            assertEquals(Optional.of(FinishReason.CANCELLED), stream.result().finishReason());
            assertEquals(greedy.subList(0, count), ids(stream.result().ids()));
            assertEquals(text(greedy.subList(0, count)), stream.result().text());
            assertEquals(2, stream.result().statistics().steps());
            assertThrows(NoSuchElementException.class, stream::next);
        }
    }

    @Test
    void cancellingByTheOptionsTakesEffectBeforeTheNextStep() {
        AtomicInteger chunks = new AtomicInteger();
        GenerationResult result = model.generate(
                prompt,
                WITH_TREE.withMaxTokens(104).withCancelled(() -> chunks.get() == 3),
                chunk -> chunks.incrementAndGet());
        assertEquals(Optional.of(FinishReason.CANCELLED), result.finishReason());
        assertEquals(3, result.statistics().steps());
        assertEquals(3, result.tokensPerStep().length);
        assertEquals(4, chunks.get(), "the last one without tokens");
        assertEquals(greedy.subList(0, result.completionTokens()), ids(result.ids()));
    }

    @Test
    void aLongPromptIsCancelledBetweenItsChunks() {
        AtomicInteger asked = new AtomicInteger();
        int[] longest = new int[1000];
        GenerationResult result =
                model.generate(longest, WITH_TREE.withMaxTokens(5).withCancelled(() -> asked.incrementAndGet() > 2));
        assertEquals(Optional.of(FinishReason.CANCELLED), result.finishReason());
        assertEquals(3, asked.get());
        long taken = result.statistics().promptTokens();
        assertTrue(taken > 0 && taken < longest.length, taken + " tokens");
        assertEquals(longest.length, result.promptTokens());
        assertEquals(0, result.completionTokens());
        assertTrue(result.prefillNanos() > 0);
    }

    @Test
    void cancellingFromAnotherThreadEndsTheGeneration() throws InterruptedException {
        try (TokenStream stream =
                model.stream(prompt, WITH_TREE.withMaxTokens(900).withIgnoreEnd(true))) {
            Thread other = new Thread(stream::cancel);
            stream.next();
            other.start();
            other.join();
            stream.forEachRemaining(chunk -> assertEquals(List.of(), ids(chunk.ids())));
            assertEquals(Optional.of(FinishReason.CANCELLED), stream.result().finishReason());
        }
    }

    @Test
    void textHeldBackForAStopStringComesOutWhenCancelled() {
        String begun = greedyText.substring(0, 2) + "never this";
        try (TokenStream stream =
                model.stream(prompt, WITH_TREE.withSpeculation(Speculation.OFF).withStop(List.of(begun)))) {
            assertEquals("", stream.next().text());
            assertEquals("", stream.next().text());
            stream.cancel();
            assertEquals(greedyText.substring(0, 2), stream.next().text());
        }
    }

    @Test
    void noStepIsComputedBeforeItIsAskedFor() {
        try (TokenStream stream = model.stream(prompt, WITH_TREE)) {
            assertEquals(0, stream.result().statistics().steps());
            for (int steps = 1; steps <= 5; steps++) {
                assertTrue(stream.hasNext());
                assertTrue(stream.hasNext());
                stream.next();
                assertEquals(steps, stream.result().statistics().steps());
            }
        }
    }

    @Test
    void aFullContextEndsTheGenerationForItsLength(@TempDir Path other) {
        Path variant = Original.withTokenizer(Original.variant(other, List.of(257), prompt.length + 30));
        try (HydraModel small = HydraModel.open(variant, OPTIONS)) {
            for (GenerationOptions options : List.of(
                    WITH_TREE, GenerationOptions.DEFAULT, GenerationOptions.DEFAULT.withSpeculation(Speculation.OFF))) {
                GenerationResult result = small.generate(prompt, options, chunk -> {});
                assertEquals(Optional.of(FinishReason.LENGTH), result.finishReason());
                assertEquals(greedy.subList(0, 30), ids(result.ids()));
                assertEquals(text(greedy.subList(0, 30)), result.text());
                assertTrue(Arrays.stream(result.tokensPerStep()).allMatch(tokens -> tokens > 0));
            }
            int[] tooLong = new int[prompt.length + 31];
            assertThrows(IllegalArgumentException.class, () -> small.generate(tooLong, WITH_TREE, chunk -> {}));
            GenerationResult none = small.generate(new int[prompt.length + 30], WITH_TREE, chunk -> {});
            assertEquals(List.of(), ids(none.ids()));
            assertEquals(Optional.of(FinishReason.LENGTH), none.finishReason());
        }
    }

    @Test
    void aModelWithoutTokenizerGeneratesIds() {
        try (HydraModel ids = HydraModel.open(Original.base(), OPTIONS)) {
            GenerationResult result =
                    ids.generate(prompt, WITH_TREE.withMaxTokens(104), chunk -> assertEquals("", chunk.text()));
            assertEquals(greedy, ids(result.ids()));
            assertEquals("", result.text());
            HydraException refused = assertThrows(HydraException.class, () -> ids.generate("text", WITH_TREE));
            assertTrue(refused.getMessage().contains("no tokenizer"));
            assertThrows(HydraException.class, () -> ids.stream("text", WITH_TREE));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> ids.generate(prompt, WITH_TREE.withStop(List.of("stop")), chunk -> {}),
                    "a stop string must not be ignored silently");
        }
    }

    @Test
    void textIsTheSameAsItsIds() {
        String text = text(Arrays.stream(prompt).boxed().toList());
        GenerationResult result = model.generate(text, WITH_TREE.withMaxTokens(104));
        assertEquals(greedy, ids(result.ids()));
        try (TokenStream stream = model.stream(text, WITH_TREE.withMaxTokens(104))) {
            stream.forEachRemaining(chunk -> {});
            assertEquals(greedy, ids(stream.result().ids()));
        }
    }

    @Test
    void emptyAndWrongPromptsAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> model.generate(new int[0], WITH_TREE, chunk -> {}));
        assertThrows(IllegalArgumentException.class, () -> model.generate("", WITH_TREE));
        assertThrows(IllegalArgumentException.class, () -> model.generate(new int[] {1, 260}, WITH_TREE, chunk -> {}));
    }

    @Test
    void optionsThatMakeNoSenseAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> WITH_TREE.withMaxTokens(0));
        assertThrows(IllegalArgumentException.class, () -> WITH_TREE.withMaxTokens(-1));
        assertThrows(IllegalArgumentException.class, () -> WITH_TREE.withStop(List.of("a", "")));
    }

    @Test
    void aListenerThatThrowsEndsTheGenerationAndTheModelGoesOn() {
        assertThrows(
                IllegalStateException.class,
                () -> model.generate(prompt, WITH_TREE, chunk -> {
                    throw new IllegalStateException("enough");
                }));
        assertEquals(
                greedy.subList(0, 5), ids(generate(WITH_TREE.withMaxTokens(5)).ids()));
    }

    @Test
    void statisticsCountWholeSteps() {
        GenerationResult result = generate(WITH_TREE.withMaxTokens(50));
        assertTrue(result.statistics().tokens() >= 50);
        assertEquals(prompt.length, result.statistics().promptTokens());
        assertTrue(result.prefillNanos() > 0 && result.decodeNanos() > 0 && result.tokensPerSecond() > 0);
        assertEquals(64L * result.statistics().steps(), result.statistics().nodes());
    }
}
