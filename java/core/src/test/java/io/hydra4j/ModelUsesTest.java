package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ModelUsesTest {
    private final List<String> events = new ArrayList<>();
    private final ModelUses uses = new ModelUses(() -> events.add("freed"));

    private AutoCloseable failing(String name) {
        AutoCloseable stream = () -> {
            events.add(name);
            throw new IllegalStateException(name);
        };
        uses.add(stream);
        return stream;
    }

    @Test
    void aStreamThatFailsToCloseKeepsNeitherTheOthersNorTheModel() {
        List<AutoCloseable> streams = List.of(failing("closed"), failing("closed"), failing("closed"));
        IllegalStateException first = assertThrows(IllegalStateException.class, uses::close);
        assertEquals(List.of("closed", "closed", "closed", "freed"), events);
        assertEquals(streams.size() - 1, first.getSuppressed().length);
        uses.close();
        assertEquals(4, events.size());
    }

    @Test
    void theLastSessionFreesAClosedModel() {
        uses.begin();
        uses.close();
        assertEquals(List.of(), events);
        uses.end();
        assertEquals(List.of("freed"), events);
        assertThrows(IllegalStateException.class, uses::begin);
    }
}
