package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.draft.Drafter;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The lossless rule with sampling: the text sampled with guesses, of all kinds of heads and of the lookup, along every tree, is the
 * text sampled without, to the bit; and that is what a plain reference makes of plain decoding's logits.
 */
class SamplingIdentityTest {
    private static final int TOKENS = 12;
    private static final int[] SIZES = {64, 4, 16};
    private static final List<Tree> TREES =
            List.of(BitIdentity.tree(64), BitIdentity.tree(4), Tree.dynamic(16), BitIdentity.tree(16));

    private static Loaded plainModel;
    private static Session plain;
    private static final List<Loaded> MODELS = new ArrayList<>();
    /** With heads of every kind, with heads and lookup in one tree, and last with the lookup alone. */
    private static final List<Session> SESSIONS = new ArrayList<>();

    @BeforeAll
    static void open() {
        plainModel = Loaded.open(Original.base(), null, null);
        SessionOptions options = SessionOptions.of(Tree.ROOT).withSampling(Sampling.GREEDY);
        plain = Sessions.session(plainModel.base(), null, options.withLogits());
        for (String heads : Original.HEADS) {
            Loaded loaded = Loaded.open(Original.base(), Original.heads(heads), null);
            MODELS.add(loaded);
            SESSIONS.add(Sessions.session(loaded.base(), loaded.heads(), options));
        }
        Loaded best = MODELS.get(MODELS.size() - 1);
        SESSIONS.add(Sessions.session(best.base(), best.heads().withChains(Drafter.lookup(8)), options));
        SESSIONS.add(Sessions.session(plainModel.base(), Drafter.lookup(8), options));
    }

    @AfterAll
    static void close() {
        SESSIONS.forEach(Session::close);
        MODELS.forEach(Loaded::close);
        plain.close();
        plainModel.close();
    }

    private static Stream<Arguments> options() {
        return SampledText.options().entrySet().stream()
                .map(option -> Arguments.of(option.getKey(), option.getValue()));
    }

    /** Beginnings of the Java files, of different lengths. */
    private static List<int[]> prompts(int count) {
        List<int[]> texts = BitIdentity.bytePrompts();
        return IntStream.range(0, count)
                .mapToObj(i -> Arrays.copyOf(texts.get(i % texts.size()), 10 + 11 * (i / texts.size() % 10)))
                .toList();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("options")
    void theTextWithGuessesIsTheTextWithout(String name, Sampling options) {
        check(prompts(120), options);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("options")
    @Tag("long")
    void theTextWithGuessesIsTheTextWithoutForAThousandPrompts(String name, Sampling options) {
        check(prompts(1000), options);
    }

    /** Each prompt has a seed of its own, and in turn one of the sessions and trees. */
    private static void check(List<int[]> prompts, Sampling options) {
        SESSIONS.forEach(Session::resetStatistics);
        for (int i = 0; i < prompts.size(); i++) {
            Sampling own = options.withSeed(options.seed() + i);
            Session session = SESSIONS.get(i % SESSIONS.size());
            session.setTree(tree(i % SESSIONS.size(), i / SESSIONS.size()));

            int[] expected = SampledText.plain(plain, prompts.get(i), own, TOKENS);

            assertArrayEquals(
                    expected, SampledText.of(session, prompts.get(i), own, TOKENS), "prompt " + i + " with " + own);
        }
        for (Session session : SESSIONS.subList(0, MODELS.size())) {
            SessionStatistics statistics = session.statistics();
            assertTrue(
                    statistics.tokens() > 1.05 * statistics.steps(),
                    "guesses must be accepted for this test to mean anything: " + statistics);
        }
    }

    /** A tree for a session, another one each time. */
    private static Tree tree(int session, int time) {
        return session == SESSIONS.size() - 1 ? Tree.chain(8) : TREES.get(time % TREES.size());
    }

    @Test
    void oneSeedIsOneTextAndAnotherIsAnother() {
        Session session = SESSIONS.get(2);
        session.setTree(BitIdentity.tree(16));
        int[] prompt = prompts(1).get(0);
        int[] text = SampledText.of(session, prompt, Sampling.of(1, 1), 40);

        assertArrayEquals(text, SampledText.of(session, prompt, Sampling.of(1, 1), 40));
        assertFalse(Arrays.equals(text, SampledText.of(session, prompt, Sampling.of(1, 2), 40)));
        assertFalse(Arrays.equals(text, SampledText.of(session, prompt, Sampling.of(1, 1L << 32 | 1), 40)));
    }

    @Test
    void aLowTemperatureSelectsTheBestTokens() {
        for (int[] prompt : prompts(8)) {
            assertArrayEquals(
                    SampledText.of(plain, prompt, Sampling.GREEDY, 20),
                    SampledText.of(plain, prompt, Sampling.of(Sampling.MIN_TEMPERATURE, 3), 20));
        }
    }

    /** More of a prompt, a rewind into what was generated, and more again: what was generated is told from what was given. */
    @ParameterizedTest(name = "{0}")
    @MethodSource("options")
    void conversationsKeepTheirHistory(String name, Sampling options) {
        byte[] more = "public int e".getBytes(StandardCharsets.US_ASCII);
        int[] question = IntStream.range(0, more.length).map(i -> more[i]).toArray();
        for (int i = 0; i < SESSIONS.size(); i++) {
            Session session = SESSIONS.get(i);
            session.setTree(tree(i, i + 3));
            plain.rewind(0);
            plain.setSampling(options);
            session.rewind(0);
            session.setSampling(options);
            SampledText text = new SampledText();
            int[] prompt = prompts(20).get(i);

            float[] logits = text.prefill(plain, prompt);
            session.prefill(prompt);
            turn(text, logits, session);
            logits = text.prefill(plain, question);
            session.prefill(question);
            turn(text, logits, session);
            text.rewind(plain, plain.length() - 20);
            session.rewind(session.length() - 20);
            logits = text.prefill(plain, question);
            session.prefill(question);
            turn(text, logits, session);
        }
    }

    /** Both emit the same tokens; then both are as long. */
    private static void turn(SampledText text, float[] logits, Session session) {
        int before = session.length();
        int[] expected = text.generate(plain, logits, 15);
        while (session.length() < before + expected.length) {
            session.step();
        }
        assertArrayEquals(expected, Arrays.copyOfRange(session.tokens(), before, before + expected.length));
        session.rewind(plain.length());
    }

    @Test
    void optionsMayChangeBetweenSteps() {
        Session session = SESSIONS.get(2);
        session.setTree(BitIdentity.tree(16));
        int[] prompt = prompts(1).get(0);
        plain.rewind(0);
        session.rewind(0);
        plain.setSampling(Sampling.GREEDY);
        session.setSampling(Sampling.GREEDY);
        plain.prefill(prompt);
        session.prefill(prompt);
        for (Sampling options : SampledText.options().values()) {
            // The root was selected before: the options concern the tokens after it.
            int[] expected = new int[9];
            plain.setSampling(options);
            session.setSampling(options);
            for (int i = 0; i < expected.length; i++) {
                expected[i] = plain.step().tokens()[0];
            }
            int before = session.length();
            while (session.length() < plain.length()) {
                session.step();
            }
            assertArrayEquals(expected, Arrays.copyOfRange(session.tokens(), before, plain.length()));
            // What was selected beyond had the old options, too; the last token goes in again.
            int last = expected[expected.length - 1];
            plain.rewind(plain.length() - 1);
            session.rewind(plain.length());
            plain.prefill(last);
            session.prefill(last);
        }
        assertEquals(plain.root(), session.root());
    }

    /** Sequences of different options and trees, whose prompts come beside the steps of others. */
    @Test
    void sequencesOfABatchSampleAsAlone() {
        List<Sampling> all = new ArrayList<>(SampledText.options().values());
        List<int[]> prompts = prompts(400);
        int size = 5;
        for (int m = 0; m < MODELS.size(); m++) {
            Loaded loaded = MODELS.get(m);
            BatchOptions options = BatchOptions.of(size, BitIdentity.tree(64))
                    .withPrefillTokens(16)
                    .withSampling(Sampling.GREEDY);
            try (BatchSession batch = Sessions.batch(loaded.base(), loaded.heads(), options)) {
                int[] running = new int[size];
                Arrays.fill(running, -1);
                int next = 0;
                int done = 0;
                while (done < 3 * all.size()) {
                    for (int s = 0; s < size; s++) {
                        if (running[s] < 0 && next < 3 * all.size()) {
                            running[s] = next++;
                            batch.setSampling(
                                    s, all.get(running[s] % all.size()).withSeed(running[s]));
                            batch.setTree(s, BitIdentity.tree(SIZES[running[s] % SIZES.length]));
                            batch.enqueuePrompt(s, prompts.get(40 * m + running[s]));
                            break;
                        }
                    }
                    batch.step();
                    for (int s = 0; s < size; s++) {
                        if (running[s] < 0) {
                            continue;
                        }
                        int[] prompt = prompts.get(40 * m + running[s]);
                        if (batch.length(s) >= prompt.length + TOKENS) {
                            int[] expected = SampledText.plain(plain, prompt, batch.sampling(s), TOKENS);
                            assertArrayEquals(
                                    expected,
                                    Arrays.copyOfRange(batch.tokens(s), prompt.length, prompt.length + TOKENS),
                                    "sequence " + s + " with " + batch.sampling(s));
                            batch.clear(s);
                            running[s] = -1;
                            done++;
                        }
                    }
                }
            }
        }
    }

    @Test
    void stepsInPartsSampleAsWholeOnes() {
        Sampling options = SampledText.options().get("all");
        for (int i = 0; i < SESSIONS.size(); i++) {
            Session session = SESSIONS.get(i);
            session.setTree(tree(i, i + 3));
            int[] prompt = prompts(20).get(i);
            int[] expected = SampledText.plain(plain, prompt, options, 20);
            session.rewind(0);
            session.setSampling(options);
            session.prefill(prompt);
            while (session.length() < prompt.length + expected.length) {
                session.draft();
                session.verify();
                session.accept();
            }
            assertArrayEquals(
                    expected, Arrays.copyOfRange(session.tokens(), prompt.length, prompt.length + expected.length));
        }
    }
}
