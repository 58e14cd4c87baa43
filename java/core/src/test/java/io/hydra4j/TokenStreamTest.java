package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.ContextFullException;
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

    private static GenerationResult generate(GenerationOptions options) {
        return model.generate(prompt, options, chunk -> {});
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 50, 104})
    void theTokenLimitIsExact(int limit) {
        GenerationResult result = generate(WITH_TREE.withMaxTokens(limit));
        assertEquals(greedy.subList(0, limit), result.ids());
        assertEquals(text(greedy.subList(0, limit)), result.text());
        assertEquals(FinishReason.LENGTH, result.finishReason());
        assertEquals(limit, result.tokensPerStep().stream().mapToInt(it -> it).sum());
        assertFalse(result.tokensPerStep().contains(0));
        assertEquals(result.tokensPerStep().size(), result.statistics().steps());
    }

    @Test
    void everyMethodAndTreeGeneratesTheSame() {
        for (GenerationOptions options : List.of(
                GenerationOptions.DEFAULT,
                GenerationOptions.DEFAULT.withMethod(Method.PLAIN),
                GenerationOptions.DEFAULT.withMethod(Method.HYDRA_PLUS_PLUS),
                GenerationOptions.DEFAULT.withTree(Tree.ROOT),
                GenerationOptions.DEFAULT.withTree(Tree.chain(3)),
                WITH_TREE)) {
            GenerationResult result = generate(options.withMaxTokens(104));
            assertEquals(greedy, result.ids());
            assertEquals(greedyText, result.text());
        }
        assertEquals(Method.PLAIN, generate(WITH_TREE.withMethod(Method.PLAIN)).method());
        assertEquals(Method.HYDRA_PLUS_PLUS, generate(WITH_TREE).method());
    }

    @Test
    void aMethodThatTheHeadsAreNotForIsRefused() {
        assertThrows(HydraException.class, () -> generate(GenerationOptions.DEFAULT.withMethod(Method.MEDUSA)));
        assertThrows(HydraException.class, () -> generate(GenerationOptions.DEFAULT.withMethod(Method.HYDRA)));
        assertThrows(HydraException.class, () -> generate(GenerationOptions.DEFAULT.withTree(Tree.chain(5))));
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
                assertEquals(FinishReason.END, result.finishReason());
                assertEquals(greedy.subList(0, at + 1), result.ids());
                assertEquals(text(greedy.subList(0, at)), result.text(), "the end token adds no text");
                assertEquals(
                        at + 1,
                        result.tokensPerStep().stream().mapToInt(it -> it).sum());
                inside += result.statistics().tokens() > at + 1 ? 1 : 0;
                GenerationResult plain =
                        ending.generate(prompt, GenerationOptions.DEFAULT.withMethod(Method.PLAIN), chunk -> {});
                assertEquals(result.ids(), plain.ids());
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
            assertEquals(greedy.subList(0, at + 1), result.ids());
            assertEquals(FinishReason.END, result.finishReason());

            GenerationResult on =
                    ending.generate(prompt, WITH_TREE.withIgnoreEnd(true).withMaxTokens(104), chunk -> {});
            assertEquals(greedy, on.ids());
            assertEquals(FinishReason.LENGTH, on.finishReason());
        }
    }

    @Test
    void aStopStringEndsTheTextBeforeItAndTheTokensBehindIt() {
        for (int at = 0; at < 80; at += 3) {
            for (int length : new int[] {1, 2, 5, 11}) {
                String stop = greedyText.substring(at, at + length);
                int found = greedyText.indexOf(stop);
                for (GenerationOptions options :
                        List.of(WITH_TREE, GenerationOptions.DEFAULT.withMethod(Method.PLAIN))) {
                    GenerationResult result =
                            generate(options.withMaxTokens(104).withStop(List.of("never there", stop)));
                    assertEquals(FinishReason.STOP, result.finishReason());
                    assertEquals(greedyText.substring(0, found), result.text());
                    assertEquals(
                            greedy.subList(0, found + length),
                            result.ids(),
                            "tokens end with the one that completes the stop string, whatever the method");
                }
            }
        }
    }

    @Test
    void textThatBeginsLikeAStopStringComesOutWhenTheGenerationEnds() {
        String begun = greedyText.substring(95, 104) + "and never this";
        GenerationResult result = generate(WITH_TREE.withMaxTokens(104).withStop(List.of(begun)));
        assertEquals(greedyText, result.text());
        assertEquals(FinishReason.LENGTH, result.finishReason());
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
                        ids.addAll(chunk.ids());
                        perStep.add(chunk.ids().size());
                        assertTrue(greedyText.startsWith(text.toString()));
                    });
            assertEquals(text.toString(), result.text());
            assertEquals(ids, result.ids());
            assertEquals(perStep, result.tokensPerStep());
        }
    }

    /** Random weights over a byte-level vocabulary: pieces of characters in any order. */
    @Test
    void charactersAreNeverCutAcrossChunks() {
        try (HydraModel odd = HydraModel.open(TestData.committed("golden/families/odd"), oneThread());
                Tokenizer tokenizer = Tokenizer.fromJson(TestData.committed("golden/families/odd/tokenizer.json"))) {
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
                int[] all = IntStream.concat(
                                Arrays.stream(ids), result.ids().stream().mapToInt(it -> it))
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
        try (HydraModel odd = HydraModel.open(TestData.committed("golden/families/odd"), oneThread());
                Tokenizer tokenizer = Tokenizer.fromJson(TestData.committed("golden/families/odd/tokenizer.json"))) {
            int[] ids = tokenizer.encode("ü");
            for (int limit = 1; limit <= 40; limit++) {
                GenerationResult result = odd.generate(
                        ids, GenerationOptions.DEFAULT.withMaxTokens(limit).withIgnoreEnd(true), chunk -> {});
                int[] generated = result.ids().stream().mapToInt(it -> it).toArray();
                assertEquals(tokenizer.decode(generated, true), result.text());
            }
        }
    }

    @Test
    void cancellingTakesEffectBeforeTheNextStep() {
        try (TokenStream stream = model.stream(prompt, WITH_TREE.withMaxTokens(104))) {
            stream.next();
            stream.next();
            int count = stream.result().ids().size();
            assertNull(stream.result().finishReason());
            stream.cancel();
            assertTrue(stream.hasNext());
            assertEquals(List.of(), stream.next().ids());
            assertFalse(stream.hasNext());
            assertEquals(FinishReason.CANCELLED, stream.result().finishReason());
            assertEquals(greedy.subList(0, count), stream.result().ids());
            assertEquals(text(greedy.subList(0, count)), stream.result().text());
            assertEquals(2, stream.result().statistics().steps());
            assertThrows(NoSuchElementException.class, stream::next);
        }
    }

    @Test
    void cancellingByTheOptionsTakesEffectBeforeTheNextStep() {
        AtomicInteger asked = new AtomicInteger();
        GenerationResult result =
                generate(WITH_TREE.withMaxTokens(104).withCancelled(() -> asked.incrementAndGet() > 3));
        assertEquals(FinishReason.CANCELLED, result.finishReason());
        assertEquals(3, result.statistics().steps());
        assertEquals(3, result.tokensPerStep().size());
        assertEquals(4, asked.get());
        assertEquals(greedy.subList(0, result.ids().size()), result.ids());
    }

    @Test
    void cancellingFromAnotherThreadEndsTheGeneration() throws InterruptedException {
        try (TokenStream stream =
                model.stream(prompt, WITH_TREE.withMaxTokens(900).withIgnoreEnd(true))) {
            Thread other = new Thread(stream::cancel);
            stream.next();
            other.start();
            other.join();
            stream.forEachRemaining(chunk -> assertEquals(List.of(), chunk.ids()));
            assertEquals(FinishReason.CANCELLED, stream.result().finishReason());
        }
    }

    @Test
    void textHeldBackForAStopStringComesOutWhenCancelled() {
        String begun = greedyText.substring(0, 2) + "never this";
        try (TokenStream stream =
                model.stream(prompt, WITH_TREE.withMethod(Method.PLAIN).withStop(List.of(begun)))) {
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
            for (GenerationOptions options :
                    List.of(WITH_TREE, GenerationOptions.DEFAULT, GenerationOptions.DEFAULT.withMethod(Method.PLAIN))) {
                GenerationResult result = small.generate(prompt, options, chunk -> {});
                assertEquals(FinishReason.LENGTH, result.finishReason());
                assertEquals(greedy.subList(0, 30), result.ids());
                assertEquals(text(greedy.subList(0, 30)), result.text());
                assertFalse(result.tokensPerStep().contains(0));
            }
            int[] tooLong = new int[prompt.length + 31];
            assertThrows(ContextFullException.class, () -> small.generate(tooLong, WITH_TREE, chunk -> {}));
            GenerationResult none = small.generate(new int[prompt.length + 30], WITH_TREE, chunk -> {});
            assertEquals(List.of(), none.ids());
            assertEquals(FinishReason.LENGTH, none.finishReason());
        }
    }

    @Test
    void aModelWithoutTokenizerGeneratesIds() {
        try (HydraModel ids = HydraModel.open(Original.base(), OPTIONS)) {
            GenerationResult result =
                    ids.generate(prompt, WITH_TREE.withMaxTokens(104), chunk -> assertEquals("", chunk.text()));
            assertEquals(greedy, result.ids());
            assertEquals("", result.text());
            HydraException refused = assertThrows(HydraException.class, () -> ids.generate("text", WITH_TREE));
            assertTrue(refused.getMessage().contains("no tokenizer"));
            assertThrows(HydraException.class, () -> ids.stream("text", WITH_TREE));
            assertThrows(
                    HydraException.class,
                    () -> ids.generate(prompt, WITH_TREE.withStop(List.of("stop")), chunk -> {}),
                    "a stop string must not be ignored silently");
        }
    }

    @Test
    void textIsTheSameAsItsIds() {
        String text = text(Arrays.stream(prompt).boxed().toList());
        GenerationResult result = model.generate(text, WITH_TREE.withMaxTokens(104));
        assertEquals(greedy, result.ids());
        try (TokenStream stream = model.stream(text, WITH_TREE.withMaxTokens(104))) {
            stream.forEachRemaining(chunk -> {});
            assertEquals(greedy, stream.result().ids());
        }
    }

    @Test
    void emptyAndWrongPromptsAreRefused() {
        assertThrows(HydraException.class, () -> model.generate(new int[0], WITH_TREE, chunk -> {}));
        assertThrows(HydraException.class, () -> model.generate("", WITH_TREE));
        assertThrows(HydraException.class, () -> model.generate(new int[] {1, 260}, WITH_TREE, chunk -> {}));
    }

    @Test
    void optionsThatMakeNoSenseAreRefused() {
        assertThrows(HydraException.class, () -> WITH_TREE.withMaxTokens(0));
        assertThrows(HydraException.class, () -> WITH_TREE.withMaxTokens(-1));
        assertThrows(HydraException.class, () -> WITH_TREE.withStop(List.of("a", "")));
    }

    @Test
    void aListenerThatThrowsEndsTheGenerationAndTheModelGoesOn() {
        assertThrows(
                IllegalStateException.class,
                () -> model.generate(prompt, WITH_TREE, chunk -> {
                    throw new IllegalStateException("enough");
                }));
        assertEquals(greedy.subList(0, 5), generate(WITH_TREE.withMaxTokens(5)).ids());
    }

    @Test
    void statisticsCountWholeStepsAndRhoIsTheMeanStepOverAPlainOne() {
        GenerationResult result = generate(WITH_TREE.withMaxTokens(50));
        assertTrue(result.statistics().tokens() >= 50);
        assertEquals(prompt.length, result.statistics().promptTokens());
        assertEquals(result.statistics().nanosPerStep() / result.plainStepNanos(), result.rho(), 1e-9);
        assertTrue(result.prefillNanos() > 0 && result.decodeNanos() > 0 && result.tokensPerSecond() > 0);
        assertEquals(64L * result.statistics().steps(), result.statistics().nodes());
    }
}
