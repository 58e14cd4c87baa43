package io.hydra4j.tuning;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.draft.Drafter;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.TeacherForcing;
import io.hydra4j.model.DecoderModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleConsumer;
import java.util.stream.IntStream;

/**
 * Greedy continuations of prompts, on which trees are tuned and heads compared. Heads make them sooner, not different.
 * The arrays are not copied: do not change them.
 *
 * @param texts {@code [prompt + continuation]} each, tokens
 * @param promptLengths {@code [texts]}: how many of them are the prompt, at least 1
 */
public record GreedyContinuations(List<int[]> texts, int[] promptLengths) {
    /** The most nodes of a step. */
    private static final int NODES = 32;
    /** Continuations of fewer tokens tell too little. */
    private static final int TOO_SHORT = 16;

    /**
     * Continues prompts from a text; where one is a whole document, to which nothing is to be added, its first half as well.
     *
     * @param heads heads to decode with, or null
     * @param prompts about how many
     * @param tokens most tokens of one continuation
     * @param progress gets the finished fraction, 0 to 1
     */
    public static GreedyContinuations of(
            DecoderModel model,
            DraftHeads heads,
            ConversionText text,
            int prompts,
            int tokens,
            DoubleConsumer progress) {
        List<int[]> wholes = text.prompts(prompts, Math.max(1, model.config().context() / 2));
        GreedyContinuations written = of(model, heads, wholes, tokens, part -> progress.accept(0.8 * part));
        List<int[]> halves = IntStream.range(0, wholes.size())
                .filter(i -> written.continuation(i).length < TOO_SHORT && wholes.get(i).length > 1)
                .mapToObj(i -> Arrays.copyOf(wholes.get(i), wholes.get(i).length / 2))
                .toList();
        return written.and(of(model, heads, halves, tokens, part -> progress.accept(0.8 + 0.2 * part)));
    }

    /**
     * Continues prompts, each to its end-of-sequence token, or the full context, or so many tokens.
     *
     * @param heads heads to decode with, or null
     * @param prompts token ids, at least one each, fewer than the context
     * @param tokens most tokens of one continuation
     * @param progress gets the finished fraction, 0 to 1
     */
    public static GreedyContinuations of(
            DecoderModel model, DraftHeads heads, List<int[]> prompts, int tokens, DoubleConsumer progress) {
        List<int[]> texts = new ArrayList<>();
        Drafter lookup = Drafter.lookup(NODES - 1);
        Drafter drafter = heads == null ? lookup : heads.withChains(lookup);
        try (Session session = Sessions.session(model, drafter, SessionOptions.of(Tree.dynamic(NODES)))) {
            session.setGrowthPolicy(
                    new GrowthChoice(heads == null ? 0 : heads.config().heads()));
            for (int[] prompt : prompts) {
                session.rewind(0);
                session.prefill(prompt);
                boolean ended = false;
                while (!ended && session.length() < prompt.length + tokens && session.remainingContext() > 0) {
                    Step step = session.step();
                    ended = Arrays.stream(step.tokens()).anyMatch(model.config().eosIds()::contains);
                }
                int[] all = session.tokens();
                texts.add(Arrays.copyOf(all, end(model, all, prompt.length, tokens)));
                progress.accept((double) texts.size() / prompts.size());
            }
        }
        return new GreedyContinuations(
                texts, prompts.stream().mapToInt(prompt -> prompt.length).toArray());
    }

    /** These and then the others. */
    public GreedyContinuations and(GreedyContinuations others) {
        List<int[]> all = new ArrayList<>(texts);
        all.addAll(others.texts);
        int[] lengths = Arrays.copyOf(promptLengths, all.size());
        System.arraycopy(others.promptLengths, 0, lengths, texts.size(), others.promptLengths.length);
        return new GreedyContinuations(all, lengths);
    }

    /** After the first end-of-sequence token, or the last that is wanted. */
    private static int end(DecoderModel model, int[] all, int prompt, int tokens) {
        int limit = Math.min(all.length, prompt + tokens);
        for (int i = prompt; i < limit; i++) {
            if (model.config().eosIds().contains(all[i])) {
                return i + 1;
            }
        }
        return limit;
    }

    /** Tokens that were written, without prompts. */
    public long tokens() {
        return IntStream.range(0, texts.size())
                .mapToLong(text -> texts.get(text).length - promptLengths[text])
                .sum();
    }

    /** The continuation of a text, without its prompt. */
    public int[] continuation(int text) {
        int[] all = texts.get(text);
        return Arrays.copyOfRange(all, promptLengths[text], all.length);
    }

    /**
     * What each of these heads would have guessed at every step that could begin in the continuations.
     *
     * @param heads heads of one base
     * @param progress gets the finished fraction, 0 to 1
     * @return samples for each of the heads, with one continuation for each text, perhaps empty
     */
    public List<RankSamples> ranks(List<DraftHeads> heads, DoubleConsumer progress) {
        List<RankSamples> samples = new ArrayList<>();
        SessionOptions options = SessionOptions.of(Tree.ROOT).withCandidates(1);
        try (Session session = Sessions.session(heads.get(0).base(), heads.get(0), options)) {
            List<TeacherForcing> forced = new ArrayList<>();
            try {
                for (DraftHeads each : heads) {
                    forced.add(new TeacherForcing(each, session.promptRows(), session.hidden()));
                    samples.add(new RankSamples());
                }
                for (int i = 0; i < texts.size(); i++) {
                    follow(session, forced, samples, i);
                    progress.accept((i + 1.0) / texts.size());
                }
            } finally {
                forced.forEach(TeacherForcing::close);
            }
        }
        return samples;
    }

    private void follow(Session session, List<TeacherForcing> forced, List<RankSamples> samples, int text) {
        int[] tokens = texts.get(text);
        int first = promptLengths[text] - 1;
        int[][][] ranks = new int[forced.size()][tokens.length][];
        session.rewind(0);
        session.prefill(tokens, (from, count) -> {
            for (int h = 0; h < ranks.length; h++) {
                int[][] part = forced.get(h).ranks(tokens, from, count, first);
                System.arraycopy(part, 0, ranks[h], from, count);
            }
        });
        for (int h = 0; h < ranks.length; h++) {
            int last = first;
            while (last < tokens.length && ranks[h][last] != null) {
                last++;
            }
            samples.get(h).add(Arrays.copyOfRange(ranks[h], first, last));
        }
    }
}
