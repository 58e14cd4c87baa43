package io.hydra4j.text;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.format.Fields;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RegexGuardTest {
    private static final String LETTERS = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*"
            + "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
    private static final String LATE_LETTERS = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+"
            + "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?";

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+; 1",
                "(?i:'s|'t)|\\p{N}{1,3}| ?[^\\s]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+; 2",
                LETTERS + '|' + LATE_LETTERS + "; 2",
                "[!\"#$%&'()*+,\\-./:<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+; 0",
                "\\s?[[:alpha:]\\u4e00-\\u9fa5]++; 0",
            },
            quoteCharacter = '"')
    void theExpressionsOfPublishedTokenizersPassAndCostNoSquare(String regex, long factor) throws RegexGuard.Refused {
        RegexGuard.Cost cost = RegexGuard.cost(regex);
        assertEquals(factor, cost.factor());
        assertFalse(cost.isQuadratic());
    }

    @Test
    void allPreTokenizersOfGgufFilesPassAndTakeMillionsOfCharacters() {
        assertAll(Arrays.stream(GgufPreTokenizer.values())
                .map(kind -> () -> assertTrue(
                        PreTokenizerReader.read(new Fields(Path.of("file"), kind.preTokenizer()))
                                        .longestText()
                                >= 2_000_000,
                        kind.toString())));
    }

    /** What runs over a text in vain, and after which nothing takes what it has run over. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "a*\\b\\B",
                "\\s+$",
                "a*b|.",
                "a*b|a+?",
                "a*b|.|a+",
                "a*b|a+c",
                "(?:a*b|a*)c",
                "(?:a|a*)b|(?:a|a*)?",
                "\\\\s+(?!\\S)",
                "\\s*[\\r\\n]+"
            })
    void anExpressionThatMayNeedTheSquareOfATextTakesOnlyShortOnes(String regex) throws RegexGuard.Refused {
        assertTrue(RegexGuard.cost(regex).isQuadratic());
        RegexBudget budget = new RegexBudget();
        budget.spend(RegexGuard.cost(regex));
        assertTrue(budget.longestText() < 30_000);
        assertTrue(budget.longestText() > 1000);
    }

    @Test
    void aLookAroundCostsWhatIsInIt() throws RegexGuard.Refused {
        assertTrue(RegexGuard.cost("(?=.{0,64}x)a").retries() > 64);
        assertTrue(RegexGuard.cost("(?:(?=.{0,64}x)a)*").factor() > 64);
        assertThrows(RegexGuard.Refused.class, () -> RegexGuard.cost("(?:(?=(?:(?=.{0,64}x)a){0,64}b)c)*"));
        assertThrows(RegexGuard.Refused.class, () -> RegexGuard.cost("(?:(?=.{0,64}.{0,64}x)a)*"));
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
        assertThrows(RegexGuard.Refused.class, () -> RegexGuard.cost(regex));
    }

    @Test
    void deepAndLongExpressionsAreRefusedAtOnce() {
        assertTimeoutPreemptively(
                Duration.ofSeconds(20),
                () -> assertAll(Stream.of("(".repeat(4000), "(?:".repeat(1000), "a?".repeat(2000), "a".repeat(1 << 20))
                        .map(regex -> () -> assertThrows(RegexGuard.Refused.class, () -> RegexGuard.cost(regex)))));
    }
}
