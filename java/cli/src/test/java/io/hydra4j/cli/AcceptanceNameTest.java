package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.hydra4j.decode.Acceptance;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

class AcceptanceNameTest {
    private static Acceptance read(String name) {
        return new AcceptanceName().convert(name);
    }

    @Test
    void namesAcceptance() {
        assertEquals(Acceptance.exact(), read("exact"));
        assertEquals(Acceptance.typical(), read("typical"));
        assertEquals(Acceptance.typical(0.25f, 0.5f), read("typical:0.25"));
        assertEquals(Acceptance.typical(0.2f, 0.1f), read("typical:0.2,0.1"));
        assertEquals(Acceptance.typical(1, 1), read("typical:1,1"));
        assertEquals("exact", AcceptanceName.of(Acceptance.exact()));
        assertEquals("typical", AcceptanceName.of(Acceptance.typical(0.2f, 0.1f)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "lossy", "Typical", "typical0.1", "exact:0.1", "typical,0.1"})
    void refusesOtherNames(String name) {
        assertEquals("'" + name + "' must be exact, typical, typical:EPSILON or typical:EPSILON,ALPHA", message(name));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "typical:            | epsilon | ''",
                "typical:x           | epsilon | x",
                "typical:0           | epsilon | 0",
                "typical:-0.1        | epsilon | -0.1",
                "typical:1.5         | epsilon | 1.5",
                "typical:NaN         | epsilon | NaN",
                "typical:Infinity    | epsilon | Infinity",
                "typical:0.1:0.2     | epsilon | 0.1:0.2",
                "typical:,0.2        | epsilon | ''",
                "typical:0.1,        | alpha   | ''",
                "typical:0.1,x       | alpha   | x",
                "typical:0.1,0       | alpha   | 0",
                "typical:0.1,2       | alpha   | 2",
                "typical:0.1,NaN     | alpha   | NaN",
                "typical:0.1,0.2,0.3 | alpha   | 0.2,0.3",
            })
    void saysWhichNumberIsWrong(String name, String number, String value) {
        assertEquals(number + " of typical is '" + value + "', must be a number above 0, at most 1", message(name));
    }

    private static String message(String name) {
        return assertThrows(TypeConversionException.class, () -> read(name)).getMessage();
    }
}
