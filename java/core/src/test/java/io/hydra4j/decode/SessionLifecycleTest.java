package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.hydra4j.KvPagesExhaustedException;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Original;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.KvPages;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Warnings;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Sessions whose model is closed before them, and sessions that nobody closes. */
class SessionLifecycleTest {
    private final Backend backend = Backend.openCpu(1);
    private final ModelFiles files = ModelFiles.open(Original.base());
    private final DecoderModel model = DecoderModel.load(backend, files, null, fraction -> {});
    private final DraftHeads heads = DraftHeads.load(
            model, HeadsFiles.open(Original.heads("hydra-plus-plus"), files.config()), null, 0, fraction -> {});

    private void closeModel() {
        heads.close();
        model.close();
        backend.close();
    }

    @Test
    void aSessionThatOutlivesItsModelIsClosedWithoutAFailure() {
        Session session = Sessions.session(model, heads, SessionOptions.of(Tree.chain(3)));
        session.prefill(1, 2, 3);
        closeModel();
        session.step();
        session.close();
        requireAllPagesFree();
    }

    @Test
    void allSequencesOfABatchThatOutlivesItsModelAreReleased() {
        BatchSession batch = Sessions.batch(model, heads, BatchOptions.of(3, Tree.chain(3)));
        batch.prefill(Map.of(0, new int[] {1, 2}, 1, new int[] {3}, 2, new int[] {4}));
        closeModel();
        batch.close();
        requireAllPagesFree();
    }

    @Test
    @Timeout(60)
    void aLostSessionIsReportedInOneLineAndGivesItsPagesBack() throws InterruptedException {
        try (Warnings warnings = new Warnings()) {
            lose();
            warnings.await("a session made at io.hydra4j.decode.SessionLifecycleTest.lose(");
            while (free() < model.pages().count()) {
                Thread.sleep(1);
            }
            assertEquals(1, warnings.count("SessionLifecycleTest.lose("), warnings.toString());
            assertEquals(0, warnings.count("batch of 1 sequences"), warnings.toString());
        } finally {
            closeModel();
        }
    }

    private void lose() {
        Sessions.session(model, heads, SessionOptions.of(Tree.chain(3))).prefill(1, 2, 3);
    }

    private void requireAllPagesFree() {
        assertEquals(model.pages().count(), free());
    }

    private int free() {
        try (KvPages.Lease all = model.pages().lease()) {
            int free = 0;
            while (true) {
                try {
                    all.take(1);
                    free++;
                } catch (KvPagesExhaustedException none) {
                    return free;
                }
            }
        }
    }

    /** Another thread may close a session during its step; pages that are being written must not be taken. */
    @Test
    void pagesAreReleasedWhenThePassOverThemHasEnded() {
        KvPages.Lease lease = model.pages().lease();
        lease.take(3);
        lease.run(() -> {
            lease.close();
            assertEquals(model.pages().count() - 3, free());
            assertThrows(IllegalStateException.class, () -> lease.take(1));
        });
        requireAllPagesFree();
        assertThrows(IllegalStateException.class, () -> lease.run(() -> {}));
        closeModel();
    }
}
