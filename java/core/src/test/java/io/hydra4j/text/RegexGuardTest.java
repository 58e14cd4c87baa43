package io.hydra4j.text;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.hydra4j.format.Fields;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RegexGuardTest {
    private static final String LETTERS = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*"
            + "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?";

    @Test
    void theExpressionsOfPublishedTokenizersPass() throws RegexGuard.Refused {
        assertEquals(
                1,
                RegexGuard.stepsPerCharacter(
                        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"));
        assertEquals(
                2,
                RegexGuard.stepsPerCharacter(
                        "(?i:'s|'t)|\\p{N}{1,3}| ?[^\\s]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"));
        assertEquals(2, RegexGuard.stepsPerCharacter(LETTERS));
        assertEquals(1, RegexGuard.stepsPerCharacter("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"));
        assertEquals(1, RegexGuard.stepsPerCharacter("\\s?[[:alpha:]\\u4e00-\\u9fa5]++"));
    }

    @Test
    void allPreTokenizersOfGgufFilesPass() {
        assertAll(Arrays.stream(GgufPreTokenizer.values())
                .map(kind ->
                        () -> new TextComponents().preTokenizer(new Fields(Path.of("file"), kind.preTokenizer()))));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(a+)+c",
                "(?:a|a)*b",
                "(?:a|b)+c",
                "a*a*b",
                "a*(?:b*c)",
                "(?:a*b|a*c)*d",
                "(a?){64}",
                "(?=a*)b",
                "a{1,64}a{1,64}a{1,64}b",
                "a{100000}",
                "a{2,1}",
                "(.)\\1",
                "\\k<x>",
                "\\g<0>",
                "(?<x>a)",
                "(?#a)",
                "\\X+",
                "a**",
                "a{2}{3}",
                "a{1,2}+",
                "*a",
                "[a",
                "[[a]",
                "a(",
                "a)",
                "\\",
                "a{",
                "a{1",
                "a{1,",
                "(?",
                "\\p{",
                ""
            })
    void anExpressionThatMayRunAwayOrIsBrokenIsRefused(String regex) {
        assertThrows(RegexGuard.Refused.class, () -> RegexGuard.stepsPerCharacter(regex));
    }

    @Test
    void deepAndLongExpressionsAreRefusedAtOnce() {
        assertTimeoutPreemptively(
                Duration.ofSeconds(20),
                () -> assertAll(Stream.of("(".repeat(4000), "(?:".repeat(1000), "a?".repeat(2000), "a".repeat(1 << 20))
                        .map(regex -> () ->
                                assertThrows(RegexGuard.Refused.class, () -> RegexGuard.stepsPerCharacter(regex)))));
    }
}
