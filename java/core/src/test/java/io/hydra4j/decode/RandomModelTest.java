package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.HydraException;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsConfig;
import io.hydra4j.heads.HeadsConfig.Kind;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.runtime.Activation;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.WeightType;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Models and heads whose weights come from a seed. */
class RandomModelTest {
    private static final int[] PROMPT =
            IntStream.range(0, 70).map(i -> i * 37 % 500).toArray();

    private final Backend backend = Backend.openCpu(1);

    @AfterEach
    void close() {
        backend.close();
    }

    private static DecoderConfig config(int layers, int hidden, boolean tied) {
        return new DecoderConfig(
                layers, hidden, 4, 2, 16, 2 * hidden, 500, 256, 10000, 1e-5f, Activation.SILU, tied, -1, List.of());
    }

    private static float[] logits(DecoderModel model) {
        try (Session session =
                Sessions.session(model, null, SessionOptions.of(Tree.ROOT).withLogits())) {
            session.prefill(PROMPT);
            return session.logits(0);
        }
    }

    private static int[] decoded(DecoderModel model, DraftHeads heads, Tree tree) {
        try (Session session = Sessions.session(model, heads, SessionOptions.of(tree))) {
            session.prefill(PROMPT);
            while (session.length() < PROMPT.length + 40) {
                session.step();
            }
            return Arrays.copyOfRange(session.tokens(), PROMPT.length, PROMPT.length + 40);
        }
    }

    @Test
    void oneSeedIsOneModel() {
        try (DecoderModel model = DecoderModel.random(backend, config(2, 64, true), WeightType.BF16, 1);
                DecoderModel same = DecoderModel.random(backend, config(2, 64, true), WeightType.BF16, 1);
                DecoderModel other = DecoderModel.random(backend, config(2, 64, true), WeightType.BF16, 2)) {
            assertArrayEquals(logits(model), logits(same));
            assertFalse(Arrays.equals(logits(model), logits(other)));
        }
    }

    @Test
    void everyMatrixHasWeightsOfItsOwn() {
        try (DecoderModel model = DecoderModel.random(backend, config(1, 64, false), WeightType.F32, 1)) {
            assertFalse(Arrays.equals(model.embedding().read(0), model.lmHead().read(0)));
        }
        try (DecoderModel model = DecoderModel.random(backend, config(1, 64, true), WeightType.F32, 1)) {
            assertEquals(model.embedding(), model.lmHead());
        }
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "R8")
    void logitsAreOfOrdinarySizeBehindManyLayers(WeightType type) {
        try (DecoderModel model = DecoderModel.random(backend, config(40, 256, false), type, 3)) {
            float[] logits = logits(model);
            double square = 0;
            for (float logit : logits) {
                square += (double) logit * logit / logits.length;
            }
            assertTrue(square > 0.5 && square < 2, "mean square of logits " + square);
        }
    }

    @Test
    void aModelHasTheBytesOfItsShape() {
        try (DecoderModel model = DecoderModel.random(backend, config(2, 64, false), WeightType.BF16, 1)) {
            long layer = 64 * (64 + 32 + 32) + 64 * 64 + 3 * 64 * 128;
            // The CPU packs rows by 16.
            assertEquals(2 * (2 * layer + 512 * 64), model.bytesPerPass());
            assertEquals(List.of(), model.notices());
        }
    }

    private static Stream<Arguments> heads() {
        return Stream.of(Kind.values()).flatMap(kind -> Stream.of(true, false)
                .flatMap(base -> Stream.of(0, 100).map(draft -> Arguments.of(kind, base, draft))));
    }

    @ParameterizedTest
    @MethodSource("heads")
    void headsOfEveryKindDraftForARandomModel(Kind kind, boolean baseLmHead, int draftVocabulary) {
        HeadsConfig config = new HeadsConfig(kind, 3, 2, baseLmHead, "");
        Tree tree = Tree.DEFAULT.truncated(3);
        try (DecoderModel model = DecoderModel.random(backend, config(2, 64, true), WeightType.Q8_0, 1);
                DraftHeads heads = DraftHeads.random(model, config, WeightType.Q8_0, draftVocabulary, 2)) {
            assertEquals(config, heads.config());
            assertArrayEquals(decoded(model, null, Tree.ROOT), decoded(model, heads, tree));
            try (Session session = Sessions.session(model, heads, SessionOptions.of(tree))) {
                session.prefill(PROMPT);
                session.step();
                int most = draftVocabulary == 0 ? 500 : draftVocabulary;
                int[] drafted = Arrays.copyOfRange(session.nodeTokens(), 1, tree.nodes());
                assertTrue(IntStream.of(drafted).allMatch(token -> token < most), Arrays.toString(drafted));
                assertTrue(IntStream.of(drafted).distinct().count() > 5, Arrays.toString(drafted));
            }
        }
    }

    @Test
    void whatDoesNotFitIsRefused() {
        var unknown = assertThrows(
                HydraException.class, () -> DecoderModel.random(backend, config(1, 64, true), WeightType.R8, 1));
        assertTrue(unknown.getMessage().contains("R8, which no file has"), unknown.getMessage());
        HeadsConfig config = new HeadsConfig(Kind.MEDUSA, 3, 1, true, "");
        try (DecoderModel model = DecoderModel.random(backend, config(1, 64, true), WeightType.BF16, 1)) {
            var tooMany =
                    assertThrows(HydraException.class, () -> DraftHeads.random(model, config, WeightType.BF16, 501, 1));
            assertTrue(tooMany.getMessage().contains("draftVocabulary is 501"), tooMany.getMessage());
        }
    }
}
