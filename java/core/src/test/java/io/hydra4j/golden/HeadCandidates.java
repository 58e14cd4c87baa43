package io.hydra4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.Tree;
import io.hydra4j.heads.HeadsDraft;
import io.hydra4j.runtime.TopK;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Compares the ten best tokens of each head at the end of a prompt, each given the greedy tokens before it. */
final class HeadCandidates {
    private HeadCandidates() {}

    /**
     * @param session with {@link Tree#MAX_RANKS} candidates
     * @param expected has {@code prompt_ids}, {@code greedy_ids} and {@code [heads].top10_first_step}
     * @return heads that were compared: those up to the first whose condition is not among the candidates before it
     */
    static int assertTenBest(Session session, Json expected, String heads) {
        int[] prompt = expected.get("prompt_ids").ints();
        int[] greedy = expected.get("greedy_ids").ints();
        List<Json> tens = expected.get(heads).get("top10_first_step").list();
        List<Integer> ranks = new ArrayList<>();
        for (int head = 0; head < tens.size(); head++) {
            session.setTree(Tree.of(along(ranks)));
            // Only the first time is all of the prompt taken in.
            int kept = head == 0 ? 0 : prompt.length - 1;
            session.rewind(kept);
            session.prefill(Arrays.copyOfRange(prompt, kept, prompt.length));
            session.step();
            HeadsDraft drafter = (HeadsDraft) session.draftState();
            TopK top = drafter.top(head);
            // Of grounded heads row 0 is the one parent at this level; heads that share the base's LM head have a row
            // each.
            int row = drafter.sharesLmHead() ? head : 0;
            for (int i = 0; i < 10; i++) {
                assertEquals(tens.get(head).at(i).integer(), top.id(row, i), "entry " + i + " of head " + head);
            }
            if (head + 1 == tens.size() || head + 1 >= greedy.length) {
                return head + 1;
            }
            int rank = rank(top, row, greedy[head + 1]);
            if (rank < 0) {
                return head + 1;
            }
            ranks.add(rank);
        }
        return tens.size();
    }

    /** Paths of a chain with these ranks and one more node, the best. */
    private static List<List<Integer>> along(List<Integer> ranks) {
        List<Integer> path = new ArrayList<>(ranks);
        path.add(0);
        List<List<Integer>> paths = new ArrayList<>();
        for (int i = 1; i <= path.size(); i++) {
            paths.add(path.subList(0, i));
        }
        return paths;
    }

    private static int rank(TopK top, int row, int token) {
        for (int i = 0; i < top.k(); i++) {
            if (top.id(row, i) == token) {
                return i;
            }
        }
        return -1;
    }
}
