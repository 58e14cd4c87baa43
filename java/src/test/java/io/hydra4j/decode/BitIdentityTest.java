package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.golden.Isa;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Logits;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import io.hydra4j.runtime.InstructionSet;
import io.hydra4j.runtime.WeightType;
import io.hydra4j.text.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The promise of this library: speculative output is that of plain decoding, and so is every logit row that was used, to the
 * bit. A tiny model carries the whole product of prompts, trees, threads, weight types and heads in the default run; the Java
 * model a sample of it, and all of it with the tag {@code long}.
 */
class BitIdentityTest {
    private static final int[] TREE_SIZES = {1, 4, 8, 16, 32, 64};
    private static final List<String> JAVALM_HEADS = List.of("heads-medusa", "heads-hydra", "heads-hydra-plus-plus");

    /**
     * Plain decoding behind a prompt.
     *
     * @param tokens the continuation
     * @param logits {@code [0]} behind the prompt, {@code [i + 1]} behind token i
     */
    private record Plain(int[] prompt, int[] tokens, float[][] logits) {
        static Plain of(Session session, int[] prompt, int count) {
            session.setTree(Tree.ROOT);
            session.rewind(0);
            float[][] logits = new float[count + 1][];
            logits[0] = Logits.prefill(session, prompt)[prompt.length - 1];
            int[] tokens = new int[count];
            for (int i = 0; i < count; i++) {
                tokens[i] = session.step().tokens()[0];
                logits[i + 1] = session.logits(0);
            }
            return new Plain(prompt, tokens, logits);
        }

        void assertSame(Session session, Tree tree) {
            session.setTree(tree);
            // What the session did before ends behind this prompt, or is another prompt altogether.
            boolean same = session.length() >= prompt.length
                    && Arrays.equals(prompt, Arrays.copyOf(session.tokens(), prompt.length));
            int kept = session.rewind(same ? prompt.length - 1 : 0);
            float[][] rows = Logits.prefill(session, Arrays.copyOfRange(prompt, kept, prompt.length));
            assertBits(logits[0], rows[rows.length - 1], tree, -1);
            int length = 0;
            while (length < tokens.length) {
                Step step = session.step();
                for (int i = 0; i < step.tokens().length && length < tokens.length; i++) {
                    assertEquals(tokens[length], step.tokens()[i], tree + ", token " + length);
                    assertBits(logits[length + 1], session.logits(step.path()[i]), tree, length);
                    length++;
                }
            }
        }

        private static void assertBits(float[] expected, float[] found, Tree tree, int token) {
            assertEquals(expected.length, found.length);
            for (int i = 0; i < expected.length; i++) {
                if (Float.floatToRawIntBits(expected[i]) != Float.floatToRawIntBits(found[i])) {
                    throw new AssertionError(
                            tree + ", logit " + i + " behind token " + token + ": " + found[i] + " for " + expected[i]);
                }
            }
        }
    }

    private static Tree tree(int nodes) {
        return Tree.of(Tree.published().subList(0, nodes - 1));
    }

    private static List<int[]> bytePrompts() {
        List<int[]> prompts = new ArrayList<>();
        for (String text : TestData.heldOutPrompts()) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            prompts.add(
                    IntStream.range(0, bytes.length).map(i -> bytes[i] & 0xFF).toArray());
        }
        return prompts;
    }

    private static List<int[]> javaPrompts(int count) {
        try (Tokenizer tokenizer = Tokenizer.fromJson(TestData.shared("models/javalm-19m/tokenizer.json"))) {
            return TestData.heldOutPrompts().stream()
                    .limit(count)
                    .map(text -> Arrays.stream(tokenizer.encode(text)).limit(48).toArray())
                    .toList();
        }
    }

    private static Stream<Arguments> tinyProduct() {
        return product(Original.HEADS);
    }

    private static Stream<Arguments> javalmProduct() {
        return product(JAVALM_HEADS);
    }

    private static Stream<Arguments> product(List<String> heads) {
        return Stream.of(WeightType.F32, WeightType.BF16, WeightType.Q8_0, WeightType.Q4_0)
                .flatMap(type -> heads.stream()
                        .flatMap(name -> Stream.of(1, 2).map(threads -> Arguments.of(type, name, threads))));
    }

    @ParameterizedTest
    @MethodSource("tinyProduct")
    void speculationEqualsPlainDecodingToTheBit(WeightType type, String heads, int threads) {
        List<int[]> prompts = bytePrompts();
        assertTrue(prompts.size() >= 100);
        check(Original.base(), Original.heads(heads), type, threads, prompts, 8, TREE_SIZES);
    }

    private static Stream<Arguments> javalmSample() {
        return javalmProduct().filter(it -> it.get()[2].equals(2));
    }

    @ParameterizedTest
    @MethodSource("javalmSample")
    void speculationEqualsPlainDecodingToTheBitOnASampleOfTheJavaModel(WeightType type, String heads, int threads) {
        Path model = TestData.shared("models/javalm-19m");
        check(model, model.resolve(heads), type, threads, javaPrompts(2), 8, new int[] {4, 64});
    }

    @ParameterizedTest
    @MethodSource("javalmProduct")
    @Tag("long")
    void speculationEqualsPlainDecodingToTheBitOnTheJavaModel(WeightType type, String heads, int threads) {
        Path model = TestData.shared("models/javalm-19m");
        check(model, model.resolve(heads), type, threads, javaPrompts(100), 16, TREE_SIZES);
    }

    /** Plain decoding is computed with one thread and without heads. */
    private static void check(
            Path model, Path heads, WeightType type, int threads, List<int[]> prompts, int tokens, int[] sizes) {
        long emitted = 0;
        long steps = 0;
        try (Loaded alone = Loaded.open(model, null, type);
                Loaded drafting = Loaded.open(model, heads, type, threads, InstructionSet.AUTO);
                Session plain = alone.session(Tree.ROOT);
                Session session = drafting.session(Tree.ROOT)) {
            for (int[] prompt : prompts) {
                Plain expected = Plain.of(plain, prompt, tokens);
                for (int size : sizes) {
                    session.resetStatistics();
                    expected.assertSame(session, tree(size));
                    emitted += size == 1 ? 0 : session.statistics().tokens();
                    steps += size == 1 ? 0 : session.statistics().steps();
                }
            }
        }
        assertTrue(emitted > 1.2 * steps, "guesses must be accepted for this test to mean anything");
    }

    @ParameterizedTest
    @EnumSource(
            value = InstructionSet.class,
            names = {"AVX512", "AVX2"})
    void everyInstructionSetGivesTheBitsOfThePortableCode(InstructionSet isa) {
        Isa.assumeThatItRuns(isa);
        List<int[]> prompts = bytePrompts().subList(0, 3);
        List<WeightType> types =
                Stream.of(WeightType.values()).filter(WeightType::hasKernel).toList();
        for (WeightType type : types) {
            for (String heads : Original.HEADS) {
                Path folder = Original.heads(heads);
                try (Loaded portable = Loaded.open(Original.base(), null, type, 1, InstructionSet.PORTABLE);
                        Loaded fast = Loaded.open(Original.base(), folder, type, 1, isa);
                        Session plain = portable.session(Tree.ROOT);
                        Session session = fast.session(Tree.ROOT)) {
                    for (int[] prompt : prompts) {
                        Plain expected = Plain.of(plain, prompt, 8);
                        expected.assertSame(session, Tree.ROOT);
                        expected.assertSame(session, Tree.DEFAULT);
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = InstructionSet.class,
            names = {"AVX512", "AVX2"})
    void everyInstructionSetGivesTheBitsOfThePortableCodeWithSizesThatAreMultiplesOfNothing(InstructionSet isa) {
        Isa.assumeThatItRuns(isa);
        Path odd = TestData.committed("golden/families/odd");
        int[] prompt = IntStream.range(0, 100).map(i -> i * 37 % 517).toArray();
        try (Loaded portable = Loaded.open(odd, null, null, 1, InstructionSet.PORTABLE);
                Loaded fast = Loaded.open(odd, null, null, 1, isa);
                Session plain = portable.session(Tree.ROOT);
                Session session = fast.session(Tree.ROOT)) {
            Plain.of(plain, prompt, 32).assertSame(session, Tree.ROOT);
        }
    }

    @Test
    void sessionsThatTakeTurnsDoNotDisturbEachOther() {
        List<int[]> prompts = bytePrompts();
        int count = 6;
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads("hydra-plus-plus"), null);
                Session plain = loaded.session(Tree.ROOT)) {
            List<Plain> expected = new ArrayList<>();
            List<Session> sessions = new ArrayList<>();
            int[] done = new int[count];
            try {
                for (int i = 0; i < count; i++) {
                    expected.add(Plain.of(plain, prompts.get(i), 48));
                    sessions.add(loaded.session(tree(TREE_SIZES[i])));
                    sessions.get(i).prefill(prompts.get(i));
                }
                while (Arrays.stream(done).anyMatch(length -> length < 48)) {
                    for (int i = 0; i < count; i++) {
                        Step step = sessions.get(i).step();
                        for (int k = 0; k < step.tokens().length && done[i] < 48; k++) {
                            assertEquals(expected.get(i).tokens()[done[i]], step.tokens()[k]);
                            assertArrayEquals(
                                    expected.get(i).logits()[done[i] + 1],
                                    sessions.get(i).logits(step.path()[k]));
                            done[i]++;
                        }
                    }
                }
            } finally {
                sessions.forEach(Session::close);
            }
        }
    }

    @Test
    void threadsThatGenerateAtOnceDoNotDisturbEachOther() throws Exception {
        List<int[]> prompts = bytePrompts();
        ExecutorService threads = Executors.newFixedThreadPool(3);
        try (Loaded loaded =
                        Loaded.open(Original.base(), Original.heads("hydra-plus-plus"), null, 2, InstructionSet.AUTO);
                Session plain = loaded.session(Tree.ROOT)) {
            List<Plain> expected = new ArrayList<>();
            for (int[] prompt : prompts.subList(0, 12)) {
                expected.add(Plain.of(plain, prompt, 32));
            }
            List<Future<?>> running = new ArrayList<>();
            for (int t = 0; t < 3; t++) {
                Tree tree = tree(TREE_SIZES[t + 3]);
                running.add(threads.submit(() -> {
                    for (Plain one : expected) {
                        // A session each time, so that pages change hands between threads.
                        try (Session session = loaded.session(tree)) {
                            one.assertSame(session, tree);
                        }
                    }
                }));
            }
            for (Future<?> future : running) {
                future.get();
            }
        } finally {
            threads.shutdownNow();
        }
    }
}
