package io.hydra4j.tuning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** A machine and a text that are made up: nothing is timed. */
class GrowthChoiceTest {
    private static final long PLAIN = 1_000_000;

    /** What steps cost and emit. */
    private static final class Machine {
        final Random random = new Random(5);
        double row = 0.1;
        double heads = 0.3;
        /** Tokens beside the root that heads bring, by nodes: at most. */
        double found = 2;
        /** How often the lookup knows on, and with how many tokens. */
        double known = 0;

        long spent;
        long emitted;
        int withHeads;
        int steps;

        void step(GrowthChoice choice) {
            Tree tree = choice.tree();
            boolean drafts = tree.isDynamic() && tree.levels() > 0;
            boolean knows = tree.isDynamic() && random.nextDouble() < known;
            int nodes = drafts ? tree.nodes() : knows ? 5 : 1;
            double tokens = 1 + (knows ? 3 : drafts ? found * Math.min(1, tree.nodes() / 16.0 + 0.4) : 0);
            int whole = (int) (tokens + random.nextDouble());
            double draft = drafts ? heads * PLAIN : 0;
            double noise = 0.95 + 0.1 * random.nextDouble();
            long nanos = (long) ((PLAIN * (1 + row * (nodes - 1)) + draft) * noise);
            spent += nanos;
            emitted += whole;
            steps++;
            withHeads += drafts ? 1 : 0;
            choice.observe(new Step(new int[whole], new int[whole], nodes), nanos, (long) (draft * noise));
        }

        /** Tokens in the time of a plain step. */
        double rate(GrowthChoice choice, int count) {
            spent = 0;
            emitted = 0;
            steps = 0;
            withHeads = 0;
            for (int i = 0; i < count; i++) {
                step(choice);
            }
            return (double) emitted / spent * PLAIN;
        }
    }

    @Test
    void headsThatCostMoreThanTheyBringCostNextToNothing() {
        Machine machine = new Machine();
        machine.found = 0.3;
        machine.heads = 1.5;
        GrowthChoice choice = new GrowthChoice(true);
        double rate = machine.rate(choice, 400);
        assertTrue(rate > 0.97, rate + " of plain decoding");
        // Another text goes on with what this one has learned.
        double later = machine.rate(choice.next(), 400);
        assertTrue(later > 0.985, later + " of plain decoding");
    }

    @Test
    void headsThatPayAreUsed() {
        Machine machine = new Machine();
        machine.row = 0.02;
        double rate = machine.rate(new GrowthChoice(true), 400);
        assertTrue(machine.withHeads > 300, machine.withHeads + " steps with heads");
        assertTrue(rate > 1.6, rate + " of plain decoding");
    }

    @Test
    void aTextThatChangesChangesTheWay() {
        Machine machine = new Machine();
        machine.row = 0.02;
        machine.found = 0.1;
        machine.heads = 1;
        GrowthChoice choice = new GrowthChoice(true);
        machine.rate(choice, 400);
        assertTrue(machine.withHeads < 40, machine.withHeads + " steps with heads that do not pay");
        machine.found = 3;
        machine.rate(choice, 1500);
        double rate = machine.rate(choice, 400);
        assertTrue(rate > 1.5, rate + " of plain decoding");
        machine.found = 0;
        machine.rate(choice, 400);
        double back = machine.rate(choice, 400);
        assertTrue(back > 0.97, back + " of plain decoding");
    }

    @Test
    void theDearerARowTheLikelierMustANodeBe() {
        double[] least = new double[2];
        for (int i = 0; i < 2; i++) {
            Machine machine = new Machine();
            machine.known = 0.5;
            machine.found = 0;
            machine.row = i == 0 ? 0.02 : 0.25;
            GrowthChoice choice = new GrowthChoice(false);
            machine.rate(choice, 300);
            least[i] = choice.tree().least();
        }
        assertTrue(least[0] < 0.1 && least[1] > 0.2, least[0] + ", " + least[1]);
    }

    @Test
    void theFirstStepsArePlain() {
        GrowthChoice choice = new GrowthChoice(true);
        for (int i = 0; i < 3; i++) {
            assertEquals(Tree.ROOT, choice.tree());
            choice.observe(new Step(new int[1], new int[1], 1), PLAIN, 0);
        }
        assertTrue(choice.tree().isDynamic());
    }
}
