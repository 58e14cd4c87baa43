package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Original;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.NativeAllocations;
import io.hydra4j.runtime.OutOfNativeMemoryException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Whichever native allocation fails between opening a model and its last step, the failure says so and leaks nothing. */
class AllocationFailureTest {
    private static final Tree TREE = Tree.of(List.of(List.of(0), List.of(1), List.of(0, 0)));

    @AfterEach
    void failNoMore() {
        NativeAllocations.fail(0);
    }

    @Test
    void everyFailedAllocationIsToldAndLeaksNothing() {
        List<Integer> expected = decode();
        boolean failed = true;
        long k = 0;
        while (failed) {
            k++;
            long live = NativeAllocations.live();
            NativeAllocations.fail(k);
            try {
                assertEquals(expected, decode());
            } catch (OutOfNativeMemoryException e) {
                assertTrue(e.getMessage().contains("out of memory"), e.getMessage());
            } catch (RuntimeException e) {
                fail("allocation " + k + " failed with something else", e);
            }
            failed = NativeAllocations.fail(0) == 0;
            // Less where the garbage collector has come to what another test lost.
            assertTrue(NativeAllocations.live() <= live, "allocation " + k + " left something after");
        }
        assertTrue(k > 300, "only " + k + " allocations: they are not counted");
        assertEquals(expected, decode());
    }

    /** Opens a model with Hydra++ heads and a session, takes in a prompt, makes two steps, and closes all. */
    private static List<Integer> decode() {
        ModelFiles files = ModelFiles.open(Original.base());
        try (Backend backend = Backend.openCpu(2);
                DecoderModel model = DecoderModel.load(backend, files, null, KvType.AUTO, 0, 0, fraction -> {});
                DraftHeads heads = DraftHeads.load(
                        model,
                        HeadsFiles.open(Original.heads("hydra-plus-plus"), files.config()),
                        null,
                        0,
                        fraction -> {});
                Session session = Sessions.session(model, heads, SessionOptions.of(TREE))) {
            session.prefill(256, 'p', 'u', 'b');
            List<Integer> tokens = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                for (int token : session.step().tokens()) {
                    tokens.add(token);
                }
            }
            return tokens;
        }
    }
}
