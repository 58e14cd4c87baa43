package io.hydra4j.tuning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.GrowthPolicy.Growth;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** A machine and texts that are made up: nothing is timed. */
class GrowthChoiceTest {
    private static final double PLAIN = 1_000_000;
    private static final int LEVELS = 4;

    /** What steps cost and emit. */
    private static final class Machine {
        final Random random = new Random(5);
        int sequences = 1;
        /** What a row costs more, and a level of the draft, in plain passes. */
        double row = 0.1;

        double level = 0.1;
        /** How often a level of heads is right where the one before it is. */
        double right = 0.6;
        /** How often the lookup knows on, with how many guesses, and how often each is right. */
        double known = 0;

        int guesses = 15;
        double chance = 0.9;
        /** How often a step is interrupted, which takes so many plain steps. */
        double interrupted = 0.03;

        double interruption = 5;
        /** How often several steps in a row take a multiple, as where others use the processors. */
        double disturbed = 0;
        /** What the pass of a step with a draft takes more, and half of it each of the two after it: caches are cold. */
        double cold = 0;

        /** What a draft takes more for each step without one before it. */
        double behind = 0;
        /** What the first draft of all takes more, and half of it the second one. */
        double firstDraft = 0;
        /** How many times what they take later the first six steps of all take. */
        double start = 1;

        int all;
        int drafts;
        int disturbance;
        int warming;
        int undrafted;

        double spent;
        long emitted;
        int withHeads;
        int steps;
        double nodes;
        double least;

        void step(GrowthChoice choice) {
            float[][] chances = new float[sequences][];
            for (int s = 0; s < sequences; s++) {
                chances[s] = new float[random.nextDouble() < known ? guesses : 0];
                Arrays.fill(chances[s], (float) chance);
            }
            Growth growth = choice.choose(chances, LEVELS);
            least = growth.least();
            int rows = 0;
            int[] tokens = new int[sequences];
            for (int s = 0; s < sequences; s++) {
                int chain = 0;
                double likely = 1;
                while (chain < Math.min(chances[s].length, growth.nodes() - 1) && likely * chance >= growth.least()) {
                    likely *= chance;
                    chain++;
                }
                int levels = 0;
                likely = 1;
                while (levels < growth.levels() && likely * right >= growth.least()) {
                    likely *= right;
                    levels++;
                }
                rows += 1 + Math.min(chain + 2 * levels, growth.nodes() - 1);
                tokens[s] = 1 + Math.max(emitted(chain, chance), emitted(levels, right));
            }
            double draft = growth.levels() * level * (0.5 + 0.5 * sequences);
            draft += growth.levels() > 0 ? behind * undrafted : 0;
            drafts += growth.levels() > 0 ? 1 : 0;
            draft += growth.levels() > 0 && drafts <= 2 ? firstDraft / drafts : 0;
            undrafted = growth.levels() > 0 ? 0 : undrafted + 1;
            double noise = 0.9 + 0.2 * random.nextDouble();
            double slower = growth.levels() > 0 ? cold : warming > 0 ? cold / 2 : 0;
            warming = growth.levels() > 0 ? 2 : Math.max(0, warming - 1);
            double time = (1 + row * (rows - 1) + slower + draft) * noise * PLAIN * (all++ < 6 ? start : 1);
            spent += time;
            if (disturbed > 0) {
                disturbance =
                        disturbance > 0 ? disturbance - 1 : random.nextDouble() < disturbed ? 1 + random.nextInt(8) : 0;
                time *= disturbance > 0 ? 2 + 4 * random.nextDouble() : 1;
            }
            time += random.nextDouble() < interrupted ? interruption * PLAIN : 0;
            emitted += Arrays.stream(tokens).sum();
            steps++;
            withHeads += growth.levels() > 0 ? 1 : 0;
            nodes += rows;
            choice.observe(tokens, rows, (long) time, (long) (draft * noise * PLAIN));
        }

        private int emitted(int guesses, double chance) {
            int right = 0;
            while (right < guesses && random.nextDouble() < chance) {
                right++;
            }
            return right;
        }

        /** Tokens of a sequence in the time that plain decoding would take for one; interruptions left out. */
        double speed(GrowthChoice choice, int count) {
            spent = 0;
            emitted = 0;
            steps = 0;
            withHeads = 0;
            nodes = 0;
            for (int i = 0; i < count; i++) {
                step(choice);
            }
            double plain = 1 + row * (sequences - 1);
            return emitted / (spent / PLAIN) * plain / sequences;
        }
    }

    /** Twenty machines of a kind, which differ in their random numbers alone. */
    private static List<Machine> machines(Consumer<Machine> kind) {
        return IntStream.range(0, 20)
                .mapToObj(seed -> {
                    Machine machine = new Machine();
                    machine.random.setSeed(seed);
                    kind.accept(machine);
                    return machine;
                })
                .toList();
    }

    private static double mean(List<Machine> machines, ToDoubleFunction<Machine> figure) {
        return machines.stream().mapToDouble(figure).average().orElseThrow();
    }

    /** The mean speed of {@code count} steps in a text that follows one of 300. */
    private static double laterSpeed(List<Machine> machines, int count) {
        return mean(machines, machine -> {
            GrowthChoice choice = new GrowthChoice(LEVELS);
            machine.speed(choice, 300);
            return machine.speed(choice.next(), count);
        });
    }

    private static double shareWithHeads(List<Machine> machines) {
        return mean(machines, machine -> (double) machine.withHeads / machine.steps);
    }

    @Test
    void headsThatCostMoreThanTheyBringCostNextToNothing() {
        Machine machine = new Machine();
        machine.right = 0.2;
        machine.level = 0.4;
        GrowthChoice choice = new GrowthChoice(LEVELS);
        double first = machine.speed(choice, 300);
        assertTrue(first > 0.97, first + " of plain decoding");
        double later = machine.speed(choice.next(), 1000);
        assertTrue(later > 0.975, later + " of plain decoding");
    }

    @Test
    void aStepWithoutGuessesHasOnlyItsRoot() {
        GrowthChoice choice = new GrowthChoice(0);
        for (int step = 0; step < 20; step++) {
            assertEquals(new Growth(1, 0, 0), choice.choose(new float[][] {{}, {0.001f}}, 0));
            choice.observe(new int[] {1, 1}, 2, 1_000_000, 0);
        }
        assertTrue(choice.choose(new float[][] {{}, {0.9f}}, 0).nodes() > 1);
    }

    @Test
    void headsThatDoNotPayCostLittleOnADisturbedMachine() {
        List<Machine> machines = machines(machine -> {
            machine.row = 0.65;
            machine.right = 0.45;
            machine.level = 0.2;
            machine.cold = 0.4;
            machine.behind = 0.02;
            machine.disturbed = 0.05;
        });
        double speed = mean(machines, machine -> {
            double sum = 0;
            GrowthChoice choice = new GrowthChoice(LEVELS);
            for (int text = 0; text < 5; text++) {
                choice = choice.next();
                sum += machine.speed(choice, 128);
            }
            return sum / 5;
        });
        assertTrue(speed > 0.97, speed + " of plain decoding");
    }

    @Test
    void headsThatPayAreUsed() {
        List<Machine> machines = machines(machine -> {
            machine.row = 0.03;
            machine.right = 0.75;
        });
        double speed = mean(machines, machine -> machine.speed(new GrowthChoice(LEVELS), 300));
        double share = shareWithHeads(machines);
        assertTrue(share > 0.9, share + " of all steps with heads, " + speed);
        assertTrue(speed > 1.7, speed + " of plain decoding");
    }

    @Test
    void headsWhoseFirstDraftsAreSlowAreUsed() {
        List<Machine> machines = machines(machine -> {
            machine.row = 0.03;
            machine.right = 0.75;
            machine.firstDraft = 15;
        });
        double speed = laterSpeed(machines, 300);
        assertTrue(speed > 1.7, speed + " of plain decoding");
    }

    @Test
    void stepsWithoutHeadsThatWereSlowAtFirstAreTriedAgain() {
        List<Machine> machines = machines(machine -> {
            machine.row = 0.5;
            machine.level = 0.2;
            machine.start = 2;
        });
        double speed = laterSpeed(machines, 1000);
        assertTrue(speed > 0.97, speed + " of plain decoding");
    }

    @Test
    void headsThatPayALittleAreUsed() {
        List<Machine> machines = machines(machine -> {
            machine.right = 0.5;
            machine.level = 0.15;
        });
        double speed = mean(machines, machine -> machine.speed(new GrowthChoice(LEVELS), 4000));
        double share = shareWithHeads(machines);
        assertTrue(share > 0.8, share + " of all steps with heads, " + speed);
        assertTrue(speed > 1.07, speed + " of plain decoding");
    }

    @Test
    void onlyTheLevelsThatPayAreDrafted() {
        Machine machine = new Machine();
        machine.right = 0.7;
        machine.level = 0.25;
        machine.row = 0.02;
        GrowthChoice choice = new GrowthChoice(LEVELS);
        machine.speed(choice, 600);
        double speed = machine.speed(choice, 600);
        // By one level 1.7 / 1.29, by two 2.19 / 1.58, by four 2.77 / 2.16.
        assertTrue(speed > 1.3, speed + " of plain decoding");
    }

    @Test
    void headsAreLeftOutOfStepsForWhichTheLookupHasEnough() {
        Machine machine = new Machine();
        machine.known = 0.5;
        machine.chance = 0.95;
        machine.right = 0.85;
        machine.level = 0.05;
        machine.row = 0.02;
        GrowthChoice choice = new GrowthChoice(LEVELS);
        machine.speed(choice, 400);
        machine.speed(choice, 400);
        assertTrue(machine.withHeads > 100 && machine.withHeads < 280, machine.withHeads + " of 400 steps with heads");
    }

    @Test
    void headsThatHaveLostClearlyAreTriedMoreRarely() {
        Machine machine = new Machine();
        machine.known = 0.5;
        machine.right = 0.2;
        machine.level = 0.12;
        machine.row = 0.03;
        GrowthChoice choice = new GrowthChoice(LEVELS);
        machine.speed(choice, 400);
        machine.speed(choice, 2000);
        // What the lookup gains pays for seven times as many.
        assertTrue(machine.withHeads < 80, machine.withHeads + " of 2000 steps with heads that do not pay");
        assertTrue(machine.withHeads > 12, machine.withHeads + " of 2000 steps to see whether heads pay now");
    }

    @Test
    void aTextThatChangesChangesTheWay() {
        Machine machine = new Machine();
        machine.row = 0.03;
        machine.right = 0.05;
        machine.level = 0.3;
        GrowthChoice choice = new GrowthChoice(LEVELS);
        machine.speed(choice, 400);
        assertTrue(machine.withHeads < 40, machine.withHeads + " steps with heads that do not pay");
        machine.right = 0.95;
        machine.speed(choice, 1500);
        double speed = machine.speed(choice, 400);
        assertTrue(speed > 1.5, speed + " of plain decoding");
        machine.right = 0;
        machine.speed(choice, 400);
        double back = machine.speed(choice, 400);
        assertTrue(back > 0.96, back + " of plain decoding");
    }

    @Test
    void aMachineThatSlowsDownForAWhileChangesNothing() {
        Machine machine = new Machine();
        machine.row = 0.03;
        machine.right = 0.75;
        GrowthChoice choice = new GrowthChoice(LEVELS);
        machine.speed(choice, 300);
        machine.interrupted = 0.5;
        machine.interruption = 1;
        machine.speed(choice, 300);
        assertTrue(machine.withHeads > 250, machine.withHeads + " steps with heads");
    }

    @Test
    void theDearerARowTheLikelierMustANodeBe() {
        double[] least = new double[2];
        for (int i = 0; i < 2; i++) {
            Machine machine = new Machine();
            machine.known = 0.5;
            machine.right = 0;
            machine.row = i == 0 ? 0.02 : 0.25;
            GrowthChoice choice = new GrowthChoice(0);
            machine.speed(choice, 310);
            least[i] = machine.least;
        }
        assertTrue(least[0] < 0.1 && least[1] > 0.2, least[0] + ", " + least[1]);
    }

    @Test
    void theRowsOfABatchAreThoseThatPay() {
        double[] nodes = new double[2];
        for (int i = 0; i < 2; i++) {
            Machine machine = new Machine();
            machine.sequences = 16;
            machine.known = 0.5;
            machine.chance = 0.8;
            machine.right = 0.3;
            // Of a pass with one row: as if weights were read once for all rows, or as if each row read them for
            // itself.
            machine.row = i == 0 ? 0.01 : 0.9;
            GrowthChoice choice = new GrowthChoice(LEVELS);
            machine.speed(choice, 300);
            double speed = machine.speed(choice, 300);
            nodes[i] = machine.nodes / machine.steps;
            assertTrue(speed > (i == 0 ? 1.5 : 0.97), speed + " of plain decoding");
        }
        assertTrue(nodes[0] > 40 && nodes[1] < 32, nodes[0] + " and " + nodes[1] + " rows");
    }

    @Test
    void whereNoHeadsAreAtHandNoneAreAskedFor() {
        GrowthChoice choice = new GrowthChoice(LEVELS);
        for (int i = 0; i < 300; i++) {
            Growth growth = choice.choose(new float[][] {{0.9f, 0.9f}}, 0);
            assertEquals(0, growth.levels());
            int rows = Math.min(3, growth.nodes());
            choice.observe(new int[] {rows}, rows, (long) (PLAIN * (1 + 0.1 * (rows - 1))), 0);
        }
        assertTrue(choice.choose(new float[][] {{0.9f, 0.9f}}, 0).least() < 0.5);
    }

    @Test
    void theFirstStepsArePlain() {
        GrowthChoice choice = new GrowthChoice(LEVELS);
        for (int i = 0; i < GrowthChoice.PLAIN_STEPS; i++) {
            assertEquals(new Growth(1, 0, 0), choice.choose(new float[][] {{0.9f}}, LEVELS));
            choice.observe(new int[] {1}, 1, (long) PLAIN, 0);
        }
        assertTrue(choice.choose(new float[][] {{0.9f}}, LEVELS).nodes() > 1);
    }
}
