package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ProcessorTest {
    @Test
    void theFirstProcessorIsNamedWithItsNumbers() {
        assertEquals(
                "Some(R) Processor, family 6 model 207",
                Processor.description(Stream.of(
                        "processor\t: 0",
                        "cpu family\t: 6",
                        "model\t\t: 207",
                        "model name\t: Some(R) Processor",
                        "flags\t:",
                        "",
                        "processor\t: 1",
                        "model name\t: Another")));
    }

    @Test
    void whatTheSystemLeavesOutIsLeftOut() {
        assertEquals("Name", Processor.description(Stream.of("model name : Name")));
        assertEquals("family 15 model 1", Processor.description(Stream.of("cpu family : 15", "model : 1")));
        assertEquals("unknown", Processor.description(Stream.of("no such lines", ": 1")));
        assertFalse(Processor.description().isEmpty());
    }
}
