package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ResourcesTest {
    private final List<String> closed = new ArrayList<>();
    private final Resources resources = new Resources();

    private void own(String name, Exception failure) {
        AutoCloseable resource = () -> {
            closed.add(name);
            if (failure != null) {
                throw failure;
            }
        };
        resources.own(resource);
    }

    @Test
    void allAreClosedInReverseOrderAndOnce() {
        own("first", null);
        own("second", null);
        resources.close();
        resources.close();
        assertEquals(List.of("second", "first"), closed);
    }

    @Test
    void allAreClosedWhereSomeFailAndTheFirstFailureTellsOfTheOthers() {
        IllegalStateException early = new IllegalStateException("early");
        IOException late = new IOException("late");
        own("first", late);
        own("second", null);
        own("third", early);
        assertSame(early, assertThrows(IllegalStateException.class, resources::close));
        assertEquals(List.of("third", "second", "first"), closed);
        assertSame(late, early.getSuppressed()[0]);
    }

    @Test
    void aCheckedFailureIsTheCauseOfAnUncheckedOne() {
        IOException failure = new IOException("no");
        own("only", failure);
        assertSame(
                failure,
                assertThrows(IllegalStateException.class, resources::close).getCause());
    }

    @Test
    void whatClosingThrowsDoesNotHideTheFailureBefore() {
        IllegalStateException failure = new IllegalStateException("first");
        IOException late = new IOException("late");
        Resources.closeAfter(failure, () -> {
            throw late;
        });
        assertSame(late, failure.getSuppressed()[0]);
        Resources.closeAfter(failure, () -> {
            throw failure;
        });
        Resources.closeAfter(failure, () -> {});
        assertEquals(1, failure.getSuppressed().length);
    }
}
