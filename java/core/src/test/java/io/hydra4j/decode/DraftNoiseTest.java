package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.draft.Drafter;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsConfig;
import io.hydra4j.heads.HeadsConfig.Kind;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.runtime.Activation;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.WeightType;
import io.hydra4j.tuning.Noiseless;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Heads that guess by the noise with which tokens are drawn. */
class DraftNoiseTest {
    private static final Tree TREE = BitIdentity.tree(16);

    private static double acceptance(DecoderModel base, Drafter drafter, Tree tree, Sampling sampling, int prompts) {
        try (Session session =
                Sessions.session(base, drafter, SessionOptions.of(tree).withSampling(sampling))) {
            for (int i = 0; i < prompts; i++) {
                SampledText.of(session, BitIdentity.bytePrompts().get(i), sampling.withSeed(i), 40);
            }
            return session.statistics().acceptanceLength();
        }
    }

    private static Stream<String> heads() {
        return Original.HEADS.stream();
    }

    @ParameterizedTest
    @MethodSource("heads")
    void moreGuessesAreAcceptedThanWithoutTheNoise(String name) {
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads(name), null)) {
            Sampling sampling = Sampling.of(1.6f, 0); // much of what is drawn is not the likeliest
            double shared = acceptance(loaded.base(), loaded.heads(), TREE, sampling, 10);
            double apart = acceptance(loaded.base(), new Noiseless(loaded.heads()), TREE, sampling, 10);
            assertTrue(shared > 1.1 * apart, shared + " tokens a step, without the noise " + apart);
        }
    }

    private static Stream<Arguments> kinds() {
        return Stream.of(Kind.values()).flatMap(kind -> Stream.of(true, false)
                .flatMap(base -> Stream.of(0, 100).map(draft -> Arguments.of(kind, base, draft))));
    }

    /** A vocabulary of its own that is smaller than the model's has other columns than tokens: their noise is the tokens'. */
    @ParameterizedTest
    @MethodSource("kinds")
    void headsOfEveryKindAndVocabularyGuessByIt(Kind kind, boolean baseLmHead, int draftVocabulary) {
        DecoderConfig config =
                new DecoderConfig(2, 64, 4, 2, 16, 128, 500, 256, 10000, 1e-5f, Activation.SILU, true, -1, List.of());
        int[] prompt = IntStream.range(0, 40).map(i -> i * 37 % 500).toArray();
        // The noise is nearly all of the score: even random heads guess most of what is drawn.
        Sampling hot = Sampling.of(20, 5);
        Tree tree = Tree.chain(3);
        try (Backend backend = Backend.openCpu(1);
                DecoderModel model = DecoderModel.random(backend, config, WeightType.Q8_0, 1);
                DraftHeads heads = DraftHeads.random(
                        model, new HeadsConfig(kind, 3, 2, baseLmHead, ""), WeightType.Q8_0, draftVocabulary, 2);
                Session plain = Sessions.session(
                        model, null, SessionOptions.of(Tree.ROOT).withSampling(hot));
                Session session =
                        Sessions.session(model, heads, SessionOptions.of(tree).withSampling(hot))) {
            assertArrayEquals(SampledText.of(plain, prompt, hot, 60), SampledText.of(session, prompt, hot, 60));
            double accepted = session.statistics().acceptanceLength();
            double least = draftVocabulary == 0 ? 3 : 1.1;
            assertTrue(accepted > least, accepted + " tokens a step");
            int most = draftVocabulary == 0 ? 500 : draftVocabulary;
            int[] drafted = Arrays.copyOfRange(session.nodeTokens(), 1, tree.nodes());
            assertTrue(IntStream.of(drafted).allMatch(token -> token < most), Arrays.toString(drafted));
        }
    }
}
