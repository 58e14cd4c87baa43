package io.hydra4j.tuning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class DraftExcessTest {
    @Test
    void stepsOfBothKindsAreHeldAgainstEachOther() {
        DraftExcess excess = new DraftExcess();
        for (int i = 0; i < 100; i++) {
            excess.note(false, 1);
            excess.note(true, 1.5);
            excess.compare();
        }
        assertEquals(1.5, excess.of(true, 1), 1e-6);
        assertEquals(1, excess.of(false, 1));
    }

    /** A server makes as many in some weeks. */
    @Test
    @Tag("long")
    void moreStepsAreNotedThanAnIntCounts() {
        DraftExcess excess = new DraftExcess();
        for (long i = 0; i < (1L << 31) + 8; i++) {
            excess.note(false, 1);
        }
        for (int i = 0; i < 8; i++) {
            excess.note(true, 1.5);
        }
        excess.compare();
        assertTrue(excess.of(true, 1) > 1.1);
    }
}
