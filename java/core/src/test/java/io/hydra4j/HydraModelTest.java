package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.format.FormatException;
import io.hydra4j.golden.Json;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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

    @ParameterizedTest
    @CsvSource({"hydra-ungrounded, MEDUSA", "hydra, HYDRA", "hydra-plus-plus, HYDRA_PLUS_PLUS"})
    void theHeadsDecideOnTheMethod(String heads, Method method) {
        try (HydraModel model = HydraModel.open(Original.base(), ONE_THREAD.withHeads(Original.heads(heads)))) {
            assertEquals(method, model.method());
            assertEquals(Tree.DEFAULT, model.tree());
            assertTrue(model.heads().isPresent());
            assertTrue(model.tokenizer().isEmpty());
            assertEquals(1, model.backend().threads());
            assertEquals(List.of(), model.notices());
        }
    }

    @Test
    void withoutHeadsTheMethodIsPlain() {
        try (HydraModel model = HydraModel.open(TestData.committed("golden/families/odd"), ONE_THREAD)) {
            assertEquals(Method.PLAIN, model.method());
            assertEquals(Tree.ROOT, model.tree());
            assertTrue(model.heads().isEmpty());
            assertTrue(model.tokenizer().isPresent());
            GenerationOptions options =
                    GenerationOptions.DEFAULT.withMaxTokens(5).withIgnoreEnd(true);
            assertEquals(5, model.generate("x", options).ids().size());
            assertThrows(HydraException.class, () -> model.generate("x", options.withMethod(Method.HYDRA)));
            assertThrows(HydraException.class, () -> model.generate("x", options.withTree(Tree.chain(1))));
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
                assertEquals(
                        greedy, model.generate(prompt, options, chunk -> {}).ids(), type.toString());
            }
        }
    }

    @Test
    void headsOfAnotherBaseAreRefusedWithTheReason() {
        OpenOptions options = ONE_THREAD.withHeads(Original.heads("hydra"));
        assertThrows(
                FormatException.HeadsMismatch.class,
                () -> HydraModel.open(TestData.committed("golden/families/odd"), options));
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
        HydraModel model = HydraModel.open(TestData.committed("golden/families/odd"), ONE_THREAD);
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
                results.add(threads.submit(
                        () -> model.generate(prompt, options, chunk -> {}).ids()));
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
}
