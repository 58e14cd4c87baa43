package io.hydra4j.tuning;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import io.hydra4j.heads.CompactHeads;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.heads.HeadsTensors;
import io.hydra4j.runtime.WeightType;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GreedyContinuationsTest {
    private static final int TOKENS = 90;

    private static List<int[]> prompts() {
        return List.of(
                        "public class Main {",
                        "a",
                        "import java.util.List;\\n\\n/** A long prompt, longer than sixty-four. */ x")
                .stream()
                .map(text -> text.getBytes(StandardCharsets.US_ASCII))
                .map(bytes ->
                        IntStream.range(0, bytes.length).map(i -> bytes[i]).toArray())
                .toList();
    }

    private static Loaded open(String heads) {
        return Loaded.open(Original.base(), Original.heads(heads), WeightType.F32);
    }

    private static GreedyContinuations continuations(Loaded loaded) {
        return GreedyContinuations.of(loaded.base(), loaded.heads(), prompts(), TOKENS, fraction -> {});
    }

    @Test
    void areThoseOfPlainDecoding() {
        try (Loaded loaded = open("hydra")) {
            GreedyContinuations guessed = continuations(loaded);
            GreedyContinuations plain = GreedyContinuations.of(loaded.base(), null, prompts(), TOKENS, fraction -> {});
            for (int i = 0; i < prompts().size(); i++) {
                assertArrayEquals(plain.texts().get(i), guessed.texts().get(i));
                assertTrue(guessed.continuation(i).length <= TOKENS);
                assertEquals(prompts().get(i).length, guessed.promptLengths()[i]);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void ranksTellWhatEveryStepEmitsWithAnyTree(String heads) {
        try (Loaded loaded = open(heads)) {
            GreedyContinuations written = continuations(loaded);
            RankSamples samples =
                    written.ranks(List.of(loaded.heads()), fraction -> {}).get(0);
            for (Tree tree : List.of(Tree.DEFAULT, Tree.chain(3), Tree.of(List.of(List.of(1), List.of(31))))) {
                for (int text = 0; text < prompts().size(); text++) {
                    assertStepsAsForetold(loaded, written, samples, tree, text);
                }
            }
        }
    }

    private static void assertStepsAsForetold(
            Loaded loaded, GreedyContinuations written, RankSamples samples, Tree tree, int text) {
        int[][] ranks = samples.continuations().get(text);
        SessionOptions options = SessionOptions.of(
                        tree.truncated(loaded.heads().config().heads()))
                .withCandidates(32);
        var paths = new HashSet<>(options.tree().paths());
        try (Session session = Sessions.session(loaded.base(), loaded.heads(), options)) {
            session.prefill(prompts().get(text));
            for (int position = 0; position < ranks.length; ) {
                int emitted = session.step().tokens().length;
                assertEquals(RankSamples.emitted(paths, ranks[position]), emitted);
                position += emitted;
            }
        }
    }

    @Test
    void headsOfSeveralVocabulariesAreJudgedTogether(@TempDir Path folder) {
        try (Loaded loaded = open("hydra-plus-plus")) {
            GreedyContinuations written = continuations(loaded);
            HeadsTensors tensors = HeadsFiles.open(
                    Original.heads("hydra-plus-plus"), loaded.base().config());
            List<Integer> ids = IntStream.range(0, loaded.base().config().vocabulary())
                    .boxed()
                    .toList();
            Path file = folder.resolve("heads.gguf");
            CompactHeads.write(file, tensors, loaded.base().config(), "", WeightType.F32, ids, null);
            HeadsTensors compact = HeadsFiles.open(file, loaded.base().config());
            List<DraftHeads> all = new ArrayList<>(List.of(loaded.heads()));
            try (DraftHeads whole = DraftHeads.load(loaded.base(), compact, null, 0, fraction -> {});
                    DraftHeads half = DraftHeads.load(loaded.base(), compact, null, 110, fraction -> {})) {
                all.add(whole);
                all.add(half);
                List<RankSamples> samples = written.ranks(all, fraction -> {});
                double original = samples.get(0).acceptanceLength(Tree.chain(4));
                assertEquals(original, samples.get(1).acceptanceLength(Tree.chain(4)));
                assertTrue(samples.get(2).acceptanceLength(Tree.chain(4)) < original);
                assertTrue(samples.get(2).acceptanceLength(Tree.chain(4)) > 1);
            }
        }
    }
}
