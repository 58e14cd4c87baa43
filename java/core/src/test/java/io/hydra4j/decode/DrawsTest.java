package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Batch;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.KvPool;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.TopK;
import io.hydra4j.runtime.TreeTopology;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** That what is drawn is distributed as the probabilities that the filters leave: 200,000 draws from a small vocabulary. */
class DrawsTest {
    private static final int DRAWS = 200_000;
    private static final int SEQUENCES = 32;
    private static final int NODES = TreeTopology.MAX_NODES;

    private static final float[] LOGITS = {0.3f, 2, -1.5f, 1, 1, 2.5f, -0.7f, 0, 1.8f, -2, 0.9f, 1.2f, 0.1f};

    private static Stream<Sampling> options() {
        return Stream.of(
                Sampling.of(1, 1),
                Sampling.of(0.7f, 2),
                Sampling.of(1.8f, 3),
                Sampling.of(1, 4).withTopK(4),
                Sampling.of(1, 5).withTopP(0.75f),
                Sampling.of(1, 6).withMinP(0.3f),
                Sampling.of(1.4f, 7).withTopK(9).withTopP(0.9f).withMinP(0.15f));
    }

    /** Chains of nodes that all have the same logits: a token is drawn at each of 64 positions for each of 32 seeds at once. */
    @ParameterizedTest
    @MethodSource("options")
    void drawsAreDistributedAsTheProbabilities(Sampling options) {
        DrawCounts counts = new DrawCounts(LOGITS, options);
        Resources owned = new Resources();
        try {
            Backend backend = owned.own(Backend.openCpu(1));
            Batch batch = owned.own(Batch.create(backend, SEQUENCES, 4));
            PassRows rows = owned.own(PassRows.create(batch, SEQUENCES * NODES));
            TreeTopology tree = owned.own(TreeTopology.create(batch));
            Tree chain = Tree.chain(NODES - 1);
            tree.set(TreeTopology.ALL, chain.parents(), chain.ranks());
            for (int s = 0; s < SEQUENCES; s++) {
                batch.setPages(s, new int[NODES / KvPool.PAGE_POSITIONS + 1]); // there is no pool: any will do
                batch.setRoot(s, 0);
            }
            var sampling = owned.own(io.hydra4j.runtime.Sampling.create(batch, LOGITS.length, NODES - 1));
            TopK best = owned.own(TopK.create(backend, 1, SEQUENCES * NODES));
            Buffer selection = owned.own(Buffer.ints(backend, (long) SEQUENCES * NODES));
            Buffer logits = owned.own(Buffer.floats(backend, (long) SEQUENCES * NODES * LOGITS.length));
            for (int row = 0; row < SEQUENCES * NODES; row++) {
                logits.write((long) row * LOGITS.length, LOGITS);
            }
            Program program = owned.own(Program.create(backend));
            program.expand(tree, null, rows);
            program.prepareSelection(rows, sampling);
            program.select(rows, best, logits, LOGITS.length, sampling, selection, null);
            int[] selected = new int[SEQUENCES * NODES];
            long seed = options.seed() << 32;
            for (int drawn = 0; drawn < DRAWS; ) {
                for (int s = 0; s < SEQUENCES; s++) {
                    sampling.set(s, options.withSeed(seed++).values());
                }
                program.run();
                selection.read(0, selected);
                for (int i = 0; i < selected.length && drawn < DRAWS; i++, drawn++) {
                    counts.add(selected[i]);
                }
            }
            assertEquals(SEQUENCES * NODES, rows.count());
        } finally {
            owned.close();
        }
        counts.assertDistributed();
    }

    @Test
    void theFiltersOfThisTestLeaveSomethingOut() {
        List<Integer> left = options()
                .map(options -> SamplingReference.kept(
                                SamplingReference.distances(LOGITS, options.temperature()), options)
                        .size())
                .toList();
        assertEquals(List.of(13, 13, 13, 4, 5, 3, 7), left);
    }
}
