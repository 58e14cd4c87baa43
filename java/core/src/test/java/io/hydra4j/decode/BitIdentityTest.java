package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.golden.Isa;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import io.hydra4j.runtime.InstructionSet;
import io.hydra4j.runtime.WeightType;
import io.hydra4j.text.Tokenizer;
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
 * bit. A tiny model carries the whole product of prompts, trees, weight types and heads in the default run, with one and two
 * threads in turn; the Java model a sample of it. All products with all threads have the tag {@code long}.
 */
class BitIdentityTest {
    private static final int[] TREE_SIZES = {1, 4, 8, 16, 32, 64};
    private static final List<String> JAVALM_HEADS = List.of("heads-medusa", "heads-hydra", "heads-hydra-plus-plus");

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
        return Stream.of(WeightType.F32, WeightType.BF16, WeightType.Q8_0, WeightType.Q4_0, WeightType.R8)
                .flatMap(type -> heads.stream()
                        .flatMap(name -> Stream.of(1, 2).map(threads -> Arguments.of(type, name, threads))));
    }

    /** Each type of weights with all kinds of heads, with one thread and with two in turn. */
    private static Stream<Arguments> tinySample() {
        return tinyProduct().filter(it -> {
            int type = ((WeightType) it.get()[0]).ordinal();
            return it.get()[2].equals(1 + (type + Original.HEADS.indexOf(it.get()[1])) % 2);
        });
    }

    @ParameterizedTest
    @MethodSource("tinySample")
    void speculationEqualsPlainDecodingToTheBit(WeightType type, String heads, int threads) {
        checkTiny(type, heads, threads);
    }

    @ParameterizedTest
    @MethodSource("tinyProduct")
    @Tag("long")
    void speculationEqualsPlainDecodingToTheBitWithAllThreads(WeightType type, String heads, int threads) {
        checkTiny(type, heads, threads);
    }

    private static void checkTiny(WeightType type, String heads, int threads) {
        List<int[]> prompts = BitIdentity.bytePrompts();
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
        try (Loaded alone = Loaded.open(model, null, type);
                Loaded drafting = Loaded.open(model, heads, type, threads, InstructionSet.AUTO)) {
            BitIdentity.assertSpeculationEqualsPlain(alone, drafting, prompts, tokens, sizes);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = InstructionSet.class,
            names = {"AMX", "AVX512", "AVX2"})
    void everyInstructionSetGivesTheBitsOfThePortableCode(InstructionSet isa) {
        Isa.assumeThatItRuns(isa);
        List<int[]> prompts = BitIdentity.bytePrompts().subList(0, 3);
        List<WeightType> types =
                Stream.of(WeightType.values()).filter(WeightType::isTarget).toList();
        for (WeightType type : types) {
            for (String heads : Original.HEADS) {
                Path folder = Original.heads(heads);
                try (Loaded portable = Loaded.open(Original.base(), null, type, 1, InstructionSet.PORTABLE);
                        Loaded fast = Loaded.open(Original.base(), folder, type, 1, isa);
                        Session plain = portable.session(Tree.ROOT);
                        Session session = fast.session(Tree.ROOT)) {
                    for (int[] prompt : prompts) {
                        PlainDecoding expected = PlainDecoding.of(plain, prompt, 8);
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
            names = {"AMX", "AVX512", "AVX2"})
    void everyInstructionSetGivesTheBitsOfThePortableCodeWithSizesThatAreMultiplesOfNothing(InstructionSet isa) {
        Isa.assumeThatItRuns(isa);
        Path odd = TestData.odd();
        int[] prompt = IntStream.range(0, 100).map(i -> i * 37 % 517).toArray();
        try (Loaded portable = Loaded.open(odd, null, null, 1, InstructionSet.PORTABLE);
                Loaded fast = Loaded.open(odd, null, null, 1, isa);
                Session plain = portable.session(Tree.ROOT);
                Session session = fast.session(Tree.ROOT)) {
            PlainDecoding.of(plain, prompt, 32).assertSame(session, Tree.ROOT);
        }
    }

    @Test
    void sessionsThatTakeTurnsDoNotDisturbEachOther() {
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads("hydra-plus-plus"), null)) {
            BitIdentity.assertTurnsDoNotDisturb(loaded, BitIdentity.bytePrompts(), 48, TREE_SIZES);
        }
    }

    @Test
    void threadsThatGenerateAtOnceDoNotDisturbEachOther() throws Exception {
        List<int[]> prompts = BitIdentity.bytePrompts();
        ExecutorService threads = Executors.newFixedThreadPool(3);
        try (Loaded loaded =
                        Loaded.open(Original.base(), Original.heads("hydra-plus-plus"), null, 2, InstructionSet.AUTO);
                Session plain = loaded.session(Tree.ROOT)) {
            List<PlainDecoding> expected = new ArrayList<>();
            for (int[] prompt : prompts.subList(0, 12)) {
                expected.add(PlainDecoding.of(plain, prompt, 32));
            }
            List<Future<?>> running = new ArrayList<>();
            for (int t = 0; t < 3; t++) {
                Tree tree = BitIdentity.tree(TREE_SIZES[t + 3]);
                running.add(threads.submit(() -> {
                    for (PlainDecoding one : expected) {
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
