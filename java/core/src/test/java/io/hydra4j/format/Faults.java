package io.hydra4j.format;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrowsExactly;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.FormatException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.function.Executable;

/** Asserts that reading fails as promised: soon, with the exact kind of fault, and with a line that says all. */
public final class Faults {
    private Faults() {}

    /**
     * @param file the file that the error must name
     * @param field text that the field must contain
     * @param found text that the value found must contain
     */
    public static void assertFault(
            Class<? extends FormatException> kind, Path file, String field, String found, Executable reading) {
        var fault = assertTimeoutPreemptively(Duration.ofSeconds(20), () -> assertThrowsExactly(kind, reading));
        assertAll(
                () -> assertEquals(file, fault.file()),
                () -> assertTrue(fault.field().contains(field), () -> "field: " + fault.field()),
                () -> assertTrue(fault.found().contains(found), () -> "found: " + fault.found()),
                () -> assertFalse(fault.expected().isBlank()),
                () -> assertTrue(fault.getMessage()
                        .startsWith(file + ": " + fault.field() + ": found " + fault.found() + ", expected "
                                + fault.expected())),
                () -> assertEquals(1, fault.getMessage().lines().count()));
    }
}
