package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.golden.Json;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import io.hydra4j.heads.CompactHeads;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HydraModelTest {
    private static final OpenOptions ONE_THREAD =
            OpenOptions.DEFAULT.withBackend(BackendKind.CPU).withThreads(1);

    private static List<Integer> ids(GenerationResult result) {
        return Arrays.stream(result.ids()).boxed().toList();
    }

    @ParameterizedTest
    @CsvSource({"hydra-ungrounded, medusa", "hydra, hydra", "hydra-plus-plus, hydra++"})
    void factsAboutTheModelAreThoseOfItsFiles(String heads, String kind) {
        try (HydraModel model = HydraModel.open(Original.base(), ONE_THREAD.withHeads(Original.heads(heads)))) {
            ModelInfo info = model.info();
            assertEquals(Original.base(), info.path());
            assertEquals("llama", info.architecture());
            assertEquals(260, info.vocabulary());
            assertEquals(1024, info.context());
            assertArrayEquals(new int[] {257}, info.eosIds());
            assertEquals(Set.of(WeightType.F32), info.weightTypes());
            assertEquals(WeightType.F32, info.kvType());
            assertTrue(info.bytesPerPass() > 0 && info.bytesPerPass() <= info.weightBytes());
            assertEquals(kind, info.heads().orElseThrow().kind());
            assertEquals(4, info.heads().orElseThrow().count());
            assertEquals(260, info.heads().orElseThrow().draftVocabulary());
            assertTrue(info.heads().orElseThrow().bytesPerStep() > 0);
            assertEquals(BackendKind.CPU, info.backend().kind());
            assertEquals(1, info.backend().threads());
            assertTrue(info.backend().isa().isPresent());
            assertEquals(List.of(), info.notices());
            assertEquals(Tree.DEFAULT, model.tree());
            assertEquals(7, model.tree(7).nodes());
            assertTrue(model.tokenizer().isEmpty());
        }
    }

    @Test
    void headsOfSixteenBitsAreComputedInEightWhereThatIsAskedFor(@TempDir Path folder) {
        DecoderConfig base = ModelFiles.open(Original.base()).config();
        Path heads = folder.resolve("heads.gguf");
        CompactHeads.write(
                heads, HeadsFiles.open(Original.heads("hydra-plus-plus"), base), base, "", WeightType.BF16, null, null);
        OpenOptions options = ONE_THREAD.withHeads(heads);
        OpenOptions eight = options.withEightBitHeads(true);
        assertEquals(headsBytes(options.withHeadWeights(WeightType.Q8_0)), headsBytes(eight));
        assertTrue(headsBytes(eight) < 0.6 * headsBytes(options));
        assertEquals(headsBytes(options), headsBytes(eight.withHeadWeights(WeightType.BF16)));
    }

    private static long headsBytes(OpenOptions options) {
        try (HydraModel model = HydraModel.open(Original.base(), options)) {
            return model.info().heads().orElseThrow().bytesPerStep();
        }
    }

    @Test
    void withoutHeadsThereAreNoTreesButChainsToLookUp() {
        try (HydraModel model = HydraModel.open(TestData.odd(), ONE_THREAD)) {
            assertEquals(Tree.ROOT, model.tree());
            assertEquals(Tree.ROOT, model.tree(16));
            assertTrue(model.info().heads().isEmpty());
            assertTrue(model.tokenizer().isPresent());
            GenerationOptions options =
                    GenerationOptions.DEFAULT.withMaxTokens(5).withIgnoreEnd(true);
            GenerationResult plain = model.generate("x", options.withSpeculation(Speculation.OFF));
            assertEquals(5, plain.completionTokens());
            assertEquals(Optional.empty(), plain.drafter());
            assertArrayEquals(plain.ids(), model.generate("x", options).ids());
            assertArrayEquals(
                    plain.ids(),
                    model.generate("x", options.withTree(Tree.chain(1))).ids());
            assertEquals("x", model.decode(model.encode("x")));
            assertThrows(IllegalArgumentException.class, () -> model.generate("x", options.withTree(Tree.DEFAULT)));
        }
    }

    @Test
    void withoutHeadsGuessesAreLookedUpInTheText() {
        GenerationOptions options = GenerationOptions.DEFAULT.withMaxTokens(200).withIgnoreEnd(true);
        try (HydraModel model = HydraModel.open(Original.base(), ONE_THREAD)) {
            int[] prompt = {256, 'c', 'l', 'a', 's', 's', ' '};
            GenerationResult plain = model.generate(prompt, options.withSpeculation(Speculation.OFF));
            GenerationResult looked = model.generate(prompt, options.withSpeculation(Speculation.ON));
            assertArrayEquals(plain.ids(), looked.ids());
            assertEquals(Optional.of("lookup"), looked.drafter());
            assertTrue(looked.statistics().steps() < plain.statistics().steps() * 3 / 4);
            // How often depends on what steps take here; a trial there is.
            for (int i = 0; i < 3; i++) {
                GenerationResult chosen = model.generate(prompt, options);
                assertArrayEquals(plain.ids(), chosen.ids());
                assertTrue(i > 0 || chosen.drafter().equals(Optional.of("lookup")), "no trial");
            }
        }
    }

    @Test
    void progressGrowsFromBeginningToEnd() {
        List<Double> seen = new ArrayList<>();
        OpenOptions options =
                ONE_THREAD.withHeads(Original.heads("hydra-plus-plus")).withProgress(seen::add);
        HydraModel.open(Original.base(), options).close();
        assertEquals(seen.stream().sorted().toList(), seen);
        assertTrue(seen.get(0) > 0);
        assertEquals(1.0, seen.get(seen.size() - 1), 1e-9);
    }

    @Test
    void aProgressListenerThatThrowsLeavesNothingOpenAndComesThrough() {
        IllegalStateException enough = new IllegalStateException("enough");
        OpenOptions options = ONE_THREAD.withProgress(fraction -> {
            throw enough;
        });
        assertSame(enough, assertThrows(IllegalStateException.class, () -> HydraModel.open(Original.base(), options)));
    }

    @Test
    void weightsAreConvertedAsAsked() {
        Json golden = Original.golden("golden-hydra").get("cases").at(0);
        int[] prompt = golden.get("prompt_ids").ints();
        List<Integer> greedy = golden.get("greedy_ids").integers().subList(0, 10);
        GenerationOptions options = GenerationOptions.DEFAULT.withMaxTokens(10);
        for (WeightType type : new WeightType[] {WeightType.F32, WeightType.F16, WeightType.BF16, WeightType.Q8_0}) {
            OpenOptions converting = ONE_THREAD
                    .withHeads(Original.heads("hydra"))
                    .withWeights(type)
                    .withHeadWeights(WeightType.Q4_0);
            try (HydraModel model = HydraModel.open(Original.base(), converting)) {
                assertEquals(greedy, ids(model.generate(prompt, options)), type.toString());
            }
        }
    }

    @Test
    void headsOfAnotherBaseAreRefusedWithTheReason() {
        OpenOptions options = ONE_THREAD.withHeads(Original.heads("hydra"));
        assertThrows(FormatException.HeadsMismatch.class, () -> HydraModel.open(TestData.odd(), options));
    }

    @Test
    void whatIsNoModelIsRefusedWithItsPath(@TempDir Path folder) {
        for (Path path : List.of(folder, folder.resolve("none"), folder.resolve("none.gguf"))) {
            FormatException refused = assertThrows(FormatException.class, () -> HydraModel.open(path));
            assertTrue(refused.getMessage().contains(folder.toString()), refused.getMessage());
        }
    }

    @Test
    void closingTwiceIsClosingOnceAndAClosedModelRefusesToWork() {
        HydraModel model = HydraModel.open(TestData.odd(), ONE_THREAD);
        model.close();
        model.close();
        assertThrows(IllegalStateException.class, () -> model.session(SessionOptions.of(Tree.ROOT))
                .close());
    }

    @Test
    void generationsFromSeveralThreadsShareTheModel() throws Exception {
        List<Json> cases =
                Original.golden("golden-hydra-plus-plus").get("cases").list();
        ExecutorService threads = Executors.newFixedThreadPool(3);
        try (HydraModel model =
                HydraModel.open(Original.base(), ONE_THREAD.withHeads(Original.heads("hydra-plus-plus")))) {
            List<Future<List<Integer>>> results = new ArrayList<>();
            for (Json it : cases) {
                int[] prompt = it.get("prompt_ids").ints();
                GenerationOptions options = GenerationOptions.DEFAULT.withMaxTokens(60);
                results.add(threads.submit(() -> ids(model.generate(prompt, options))));
            }
            for (int i = 0; i < cases.size(); i++) {
                assertEquals(
                        cases.get(i).get("greedy_ids").integers().subList(0, 60),
                        results.get(i).get());
            }
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void factsAboutTheSameModelAreEqual() {
        OpenOptions hydra = ONE_THREAD.withHeads(Original.heads("hydra"));
        try (HydraModel one = HydraModel.open(Original.base(), hydra);
                HydraModel same = HydraModel.open(Original.base(), hydra);
                HydraModel other = HydraModel.open(Original.base(), hydra.withThreads(2))) {
            assertEquals(one.info(), same.info());
            assertEquals(one.info().hashCode(), same.info().hashCode());
            assertEquals(one.info().heads(), other.info().heads());
            assertNotEquals(one.info().backend(), other.info().backend());
            assertNotEquals(one.info(), other.info());
        }
    }
}
