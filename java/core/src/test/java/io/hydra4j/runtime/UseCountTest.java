package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class UseCountTest {
    private final AtomicInteger destroyed = new AtomicInteger();
    private final UseCount count = new UseCount("thing", destroyed::incrementAndGet);

    @Test
    void whatNobodyUsesIsDestroyedWhenItIsClosed() {
        assertTrue(count.close());
        assertFalse(count.close());
        assertEquals(1, destroyed.get());
        assertTrue(count.isClosed());
    }

    @Test
    void whatIsInUseIsDestroyedWhenItsLastUserReleasesIt() {
        count.acquire();
        count.acquire();
        count.close();
        count.release();
        assertEquals(0, destroyed.get());
        count.release();
        assertEquals(1, destroyed.get());
    }

    @Test
    void whatIsClosedIsNotPutInUse() {
        count.acquire();
        count.close();
        IllegalStateException refused = assertThrows(IllegalStateException.class, count::acquire);
        assertEquals("the thing is closed", refused.getMessage());
        assertFalse(count.tryAcquire());
        count.release();
        assertEquals(1, destroyed.get());
    }

    @Test
    void aReleaseTooMuchIsRefusedAndDestroysNothing() {
        assertThrows(IllegalStateException.class, count::release);
        count.close();
        assertThrows(IllegalStateException.class, count::release);
        assertEquals(1, destroyed.get());
    }
}
