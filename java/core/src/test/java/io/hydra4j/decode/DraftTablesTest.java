package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
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
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Heads whose products with the embedding are tables draft what they draft without. */
class DraftTablesTest {
    private static final int[] PROMPT =
            IntStream.range(0, 30).map(i -> i * 37 % 500).toArray();
    private static final int STEPS = 12;

    private static DecoderConfig config(int hidden) {
        return new DecoderConfig(
                1, hidden, 4, 2, 16, 2 * hidden, 500, 256, 10000, 1e-5f, Activation.SILU, true, -1, List.of());
    }

    private static DraftHeads heads(DecoderModel model, Kind kind, int layers, WeightType type) {
        return DraftHeads.random(model, new HeadsConfig(kind, 3, layers, true, ""), type, 0, 2);
    }

    /** The tokens of all nodes of all steps. */
    private static List<Integer> drafted(DecoderModel model, DraftHeads heads, int steps, List<Integer> emitted) {
        var nodes = new ArrayList<Integer>();
        try (Session session = Sessions.session(model, heads, SessionOptions.of(Tree.DEFAULT.truncated(3)))) {
            session.prefill(PROMPT);
            for (int i = 0; i < steps; i++) {
                for (int token : session.step().tokens()) {
                    emitted.add(token);
                }
                for (int token : session.nodeTokens()) {
                    nodes.add(token);
                }
            }
        }
        return nodes;
    }

    static void expectTheSameDrafts(Backend backend, Kind kind, int layers, WeightType type, int steps) {
        try (DecoderModel model = DecoderModel.random(backend, config(64), type, 1);
                DraftHeads plain = heads(model, kind, layers, type);
                DraftHeads tabled = heads(model, kind, layers, type)) {
            long before = plain.bytesPerStep();
            tabled.makeTables();
            tabled.makeTables();
            var emitted = new ArrayList<Integer>();
            var expected = drafted(model, plain, steps, emitted);
            var emittedWithTables = new ArrayList<Integer>();
            var found = drafted(model, tabled, steps, emittedWithTables);
            assertEquals(emitted, emittedWithTables);
            long same = IntStream.range(0, expected.size())
                    .filter(i -> expected.get(i).equals(found.get(i)))
                    .count();
            // Halves round the tables, and 8 bits the activations otherwise: now and then candidates change places.
            double least = type == WeightType.F32 ? 0.98 : 0.6;
            assertTrue(same >= least * expected.size(), same + " of " + expected.size() + " nodes have the same token");
            assertTrue(
                    tabled.bytesPerStep() < before,
                    tabled.bytesPerStep() + " bytes a step, " + before + " without tables");
        }
    }

    @ParameterizedTest
    @CsvSource({"HYDRA, 1, F32", "HYDRA, 3, F32", "HYDRA_PLUS_PLUS, 2, F32", "HYDRA, 2, Q8_0"})
    void headsGuessTheSame(Kind kind, int layers, WeightType type) {
        try (Backend backend = Backend.openCpu(2)) {
            expectTheSameDrafts(backend, kind, layers, type, STEPS);
        }
    }

    @Test
    void sequencesOfABatchDraftAsAlone() {
        try (Backend backend = Backend.openCpu(2);
                DecoderModel model = DecoderModel.random(backend, config(64), WeightType.F32, 1);
                DraftHeads heads = heads(model, Kind.HYDRA, 2, WeightType.F32)) {
            heads.makeTables();
            Tree tree = Tree.DEFAULT.truncated(3);
            try (Session alone = Sessions.session(model, heads, SessionOptions.of(tree));
                    BatchSession batch = Sessions.batch(model, heads, BatchOptions.of(2, tree))) {
                alone.prefill(PROMPT);
                batch.prefill(0, 3, 1, 4);
                batch.prefill(1, PROMPT);
                for (int i = 0; i < STEPS; i++) {
                    Step expected = alone.step();
                    Step found = batch.step()[1];
                    assertArrayEquals(expected.tokens(), found.tokens());
                    assertArrayEquals(expected.path(), found.path());
                }
            }
        }
    }

    @Test
    void theirSizeIsTwoHalvesForEachHiddenUnitTokenHeadAndDepth() {
        HeadsConfig config = new HeadsConfig(Kind.HYDRA, 3, 2, true, "");
        assertEquals((1 + 2 + 3) * 500L * 2 * 64 * 2, DraftHeads.tableBytes(config, config(64)));
        assertEquals(0, DraftHeads.tableBytes(new HeadsConfig(Kind.MEDUSA, 3, 2, true, ""), config(64)));
    }

    @Test
    void medusaHeadsHaveNone() {
        try (Backend backend = Backend.openCpu(1);
                DecoderModel model = DecoderModel.random(backend, config(64), WeightType.F32, 1);
                DraftHeads heads = heads(model, Kind.MEDUSA, 2, WeightType.F32)) {
            long before = heads.bytesPerStep();
            heads.makeTables();
            assertEquals(before, heads.bytesPerStep());
        }
    }

    @Test
    void aHiddenSizeThatTheyDoNotFitIsRefusedAndTheHeadsStay() {
        try (Backend backend = Backend.openCpu(1);
                DecoderModel model = DecoderModel.random(backend, config(72), WeightType.F32, 1);
                DraftHeads heads = heads(model, Kind.HYDRA, 2, WeightType.F32)) {
            var refused = assertThrows(HydraException.class, heads::makeTables);
            assertTrue(refused.getMessage().contains("multiple of 16, not 72"), refused.getMessage());
            assertEquals(
                    STEPS,
                    drafted(model, heads, STEPS, new ArrayList<>()).size()
                            / Tree.DEFAULT.truncated(3).nodes());
        }
    }
}
