package io.hydra4j.text;

import io.hydra4j.format.Fields;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * Derives merges from scores. SentencePiece joins the two neighbours whose joint piece has the best score; BPE joins
 * by the order of a list of pairs. So each piece stands in that list once for each way to divide it into two pieces,
 * in the order of the scores, and where those are equal shorter left parts first, as Hugging Face's converter does.
 */
final class ScoredMerges {
    /** Substrings that are looked up before a table is given up as absurd: some seconds of work are never needed. */
    private static final long MOST_CHARACTERS = 1L << 27;

    private record Candidate(TokenizerSpec.Merge merge, double score, int left, int right) {}

    private final Fields fields;
    private final Map<String, Integer> vocabulary;
    private final double[] scores;

    /**
     * @param fields for messages
     * @param vocabulary ids by token
     * @param scores by id, finite
     */
    ScoredMerges(Fields fields, Map<String, Integer> vocabulary, double[] scores) {
        this.fields = fields;
        this.vocabulary = vocabulary;
        this.scores = scores;
    }

    List<TokenizerSpec.Merge> merges() {
        List<Candidate> all = new ArrayList<>();
        long work = 0;
        for (Map.Entry<String, Integer> piece : vocabulary.entrySet()) {
            String text = piece.getKey();
            work += (long) text.length() * text.length();
            if (work > MOST_CHARACTERS) {
                throw fields.unfit("tokens", "tokens of more than " + text.length() + " characters", "shorter tokens");
            }
            List<Candidate> own = new ArrayList<>();
            for (int at = 1; at < text.length(); at++) {
                Integer left = vocabulary.get(text.substring(0, at));
                Integer right = left == null ? null : vocabulary.get(text.substring(at));
                if (right != null) {
                    TokenizerSpec.Merge merge = new TokenizerSpec.Merge(text.substring(0, at), text.substring(at));
                    own.add(new Candidate(merge, scores[piece.getValue()], left, right));
                }
            }
            own.sort(Comparator.comparingInt(Candidate::left).thenComparingInt(Candidate::right));
            all.addAll(own);
        }
        all.sort(Comparator.comparingDouble(Candidate::score)
                .thenComparingInt(candidate -> candidate.merge().left().length())
                .thenComparingInt(candidate -> candidate.merge().right().length())
                .reversed());
        return all.stream().map(Candidate::merge).toList();
    }
}
