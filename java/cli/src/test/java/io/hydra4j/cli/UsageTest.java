package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.cli.CommandLines.Outcome;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class UsageTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "''                                    | Unmatched argument",
                "genrate                               | did you mean 'generate'?",
                "generate --frobnicate x               | Unknown option: '--frobnicate'",
                "generate x y                          | Unmatched argument",
                "generate x --prompt-file y            | give only one of PROMPT, --prompt-file, --prompt-ids and --messages",
                "generate --prompt-ids x --prompt-file y | give only one of PROMPT, --prompt-file, --prompt-ids and --messages",
                "generate x --messages y               | give only one of PROMPT",
                "generate --chat --prompt-ids y        | --chat with --prompt-ids",
                "generate --chat x --bos               | --bos with --chat",
                "generate --messages x --no-bos        | --bos with --messages",
                "generate x --set a=b                  | --set without --chat or --messages",
                "generate x --chat --set ab            | 'ab' is no NAME=VALUE",
                "generate x --chat-template y          | --chat-template without --chat or --messages",
                "chat                                  | messages without --model: the model that comes with Hydra4J",
                "generate --chat x                     | messages without --model: the model that comes with Hydra4J",
                "chat --max-tokens 0                   | --max-tokens is 0, must be at least 1",
                "chat --temperature -1                 | --temperature is -1",
                "chat --threads 0                      | --threads is 0, must be from 1 to 256",
                "chat --tree chain:64                  | 'chain:64' is no chain",
                "chat --tree chain:1 --speculation off | --tree with --speculation off",
                "chat --draft both                     | must be one of auto, heads, lookup, heads+lookup",
                "chat --accept typical --top-k 2       | --accept typical, which draws nothing",
                "chat --context 0                      | --context is 0, must be from 1 to 2097152",
                "inspect x --context 0                 | --context is 0, must be from 1 to 2097152",
                "template --model x                    | Missing required option: '--messages=FILE'",
                "template --messages x                 | no template: give --model or --chat-template",
                "generate x --max-tokens many          | 'many' is not an int",
                "generate x --max-tokens 0             | --max-tokens is 0, must be at least 1",
                "generate x --threads 0                | --threads is 0, must be from 1 to 256",
                "generate x --threads 257              | --threads is 257, must be from 1 to 256",
                "generate x --kv-tokens 0              | --kv-tokens is 0, must be from 1 to 4294967296",
                "generate x --calibration a --save-calibration b | --calibration with --save-calibration",
                "generate x --speculation maybe        | must be one of auto, on, off",
                "generate x --weights q6_k             | must be one of f32, f16, bf16, q8_0, q4_0, q4_1, r8",
                "generate x --heads-weights int4       | must be one of f32, f16, bf16, q8_0, q4_0, q4_1, r8",
                "generate x --kv q8_0                  | must be one of auto, f32, f16",
                "generate x --backend gpu              | must be one of auto, cpu, cuda",
                "generate x --tree chain:64            | 'chain:64' is no chain",
                "generate x --tree chain:              | 'chain:' is no chain",
                "generate x --tree dynamic:65          | 'dynamic:65' is no dynamic tree: its nodes must be from 1 to 64",
                "generate x --tree dynamic:0           | 'dynamic:0' is no dynamic tree",
                "generate x --tree dynamic:            | 'dynamic:' is no dynamic tree",
                "generate x --draft both               | must be one of auto, heads, lookup, heads+lookup",
                "generate x --draft heads+lookup --tree chain:3 | --draft heads+lookup fills dynamic trees alone",
                "generate x --draft heads --draft-text y | --draft-text with --draft heads, which looks nothing up",
                "generate x --tree default --speculation off | --tree with --speculation off",
                "generate x --temperature warm         | 'warm' is not a float",
                "generate x --temperature -1           | --temperature is -1, must be 0, or from 0.0001 to 100",
                "generate x --temperature 0.00009      | --temperature is 0.00009, must be 0, or from 0.0001 to 100",
                "generate x --temperature 100.5        | --temperature is 100.5, must be 0, or from 0.0001 to 100",
                "generate x --temperature NaN          | --temperature is NaN, must be 0, or from 0.0001 to 100",
                "generate x --top-k few                | 'few' is not an int",
                "generate x --top-k -1                 | --top-k is -1, must be at least 1, or 0 for all tokens",
                "generate x --top-p most               | 'most' is not a float",
                "generate x --top-p 0                  | --top-p is 0, must be above 0 and at most 1",
                "generate x --top-p 1.1                | --top-p is 1.1, must be above 0 and at most 1",
                "generate x --top-p NaN                | --top-p is NaN, must be above 0 and at most 1",
                "generate x --min-p little             | 'little' is not a float",
                "generate x --min-p -0.1               | --min-p is -0.1, must be from 0 to 1",
                "generate x --min-p 1.5                | --min-p is 1.5, must be from 0 to 1",
                "generate x --repetition-penalty high  | 'high' is not a float",
                "generate x --repetition-penalty 0     | --repetition-penalty is 0, must be from 0.01 to 100",
                "generate x --repetition-penalty Infinity | --repetition-penalty is Infinity, must be from 0.01 to 100",
                "generate x --presence-penalty high    | 'high' is not a float",
                "generate x --presence-penalty 101     | --presence-penalty is 101, must be from -100 to 100",
                "generate x --frequency-penalty high   | 'high' is not a float",
                "generate x --frequency-penalty -101   | --frequency-penalty is -101, must be from -100 to 100",
                "generate x --logit-bias 5             | '5' is no ID=VALUE, such as 257=-5",
                "generate x --logit-bias a=1           | 'a' is no token id",
                "generate x --logit-bias -1=1          | '-1' is no token id",
                "generate x --logit-bias 5=much        | 'much' is no number from -10000 to 10000",
                "generate x --logit-bias 5=10001       | '10001' is no number from -10000 to 10000",
                "generate x --logit-bias 5=NaN         | 'NaN' is no number from -10000 to 10000",
                "generate x --logit-bias 5=1 --logit-bias 5=2 | --logit-bias is given twice for token 5",
                "generate x --seed lucky               | 'lucky' is not a long",
                "generate x --json --logprobs some     | 'some' is not an int",
                "generate x --json --logprobs -1       | --logprobs is -1, must be from 0 to 20",
                "generate x --json --logprobs 21       | --logprobs is 21, must be from 0 to 20",
                "generate x --logprobs 5               | --logprobs without --json, which tells them",
                "generate x --accept lossy             | 'lossy' must be exact, typical,",
                "generate x --accept typical:2         | epsilon of typical is '2'",
                "generate x --accept typical:0.1,0     | alpha of typical is '0'",
                "generate x --accept typical --speculation off | --accept typical with --speculation off",
                "generate x --accept typical --temperature 0 | --accept typical at --temperature 0",
                "generate x --accept typical --temperature -1 | --temperature is -1, must be 0, or from 0.0001 to 100",
                "generate x --accept typical --top-k 5 | another option of sampling than --temperature",
                "generate x --accept typical --seed 5  | another option of sampling than --temperature",
                "generate x --accept typical --logit-bias 5=1 | another option of sampling than --temperature",
                "generate x --model                    | Missing required parameter for option '--model'",
                "tokenize x --file y                   | give only one of TEXT, --file and --ids",
                "tune-tree                             | Missing required options: '--text=FILE', '--output=FILE'",
                "tune-tree --text x --output y --nodes 1    | --nodes is 1, must be from 2 to 64",
                "tune-tree --text x --output y --nodes some | must be auto or a positive number",
                "tune-tree --text x --output y --max-nodes 65 | --max-nodes is 65, must be from 2 to 64",
                "tune-tree --text x --output y --tokens 0   | --tokens is 0, must be from 1 to 16777216",
                "tune-tree --text x --output y --max-tokens 0 | --max-tokens is 0, must be from 1 to 16777216",
                "tune-tree --text x --output y --threads 0  | --threads is 0, must be from 1 to 256",
                "tune-tree --text x --output y --plot z.pdf | 'z.pdf' is no plot: its name must end in .png or .svg",
                "bench --ways plain                    | --ways has 'plain' twice: it is always there",
                "bench --ways auto,lookup,auto         | --ways has 'auto' twice: leave out one of them",
                "bench --ways nodes:many               | 'nodes:many' is no number of nodes: give nodes:N",
                "bench --ways nodes:65                 | nodes:N is 65, must be from 2 to 64",
                "bench --ways heads:chain:64           | 'chain:64' is no chain",
                "bench --ways typical:2                | epsilon of typical is '2', must be a number above 0",
                "bench --ways chain:64                 | 'chain:64' is no chain",
                "bench --tokens 7                      | --tokens is 7, must be from 8 to 1048576",
                "bench --runs 0                        | --runs is 0, must be from 1 to 1000",
                "bench --temperature -1                | --temperature is -1, must be 0, or from 0.0001 to 100",
                "bench --plot x                        | 'x' is no plot: its name must end in .png or .svg",
                "inspect                               | Missing required parameter: 'FILE'"
            })
    void wrongUsageIsOneLineThatPointsToTheHelp(String line, String expected) {
        Outcome outcome = CommandLines.run((Object[]) line.split(" "));

        assertEquals(Main.USAGE, outcome.code(), outcome.err());
        assertEquals("", outcome.out());
        assertEquals(1, outcome.err().lines().count(), outcome.err());
        assertTrue(outcome.err().startsWith("hydra4j: "), outcome.err());
        assertTrue(outcome.err().contains(expected), outcome.err());
        assertTrue(outcome.err().endsWith("--help')\n"), outcome.err());
    }

    @Test
    void noCommandIsWrongUsage() {
        Outcome outcome = CommandLines.run();

        assertEquals(Main.USAGE, outcome.code());
        assertEquals("hydra4j: no command: give one, such as generate (see 'hydra4j --help')\n", outcome.err());
    }

    @Test
    void anEmptyStopStringIsWrongUsage() {
        Outcome outcome = CommandLines.run("generate", "x", "--stop", "");

        assertEquals(Main.USAGE, outcome.code());
        assertTrue(outcome.err().contains("--stop is empty"), outcome.err());
    }

    @ParameterizedTest
    @ValueSource(strings = {"--model", "--heads", "--prompt-file", "--save-calibration", "--tree"})
    void theNameOfAFileIsNotEmpty(String option) {
        Outcome outcome = CommandLines.run("generate", "x", option, "");

        assertEquals(Main.USAGE, outcome.code(), outcome.err());
        assertTrue(outcome.err().contains("is empty"), outcome.err());
    }

    @ParameterizedTest
    @ValueSource(strings = {"generate", "tokenize"})
    void nothingToReadIsWrongUsageWhereAPersonTypes(String command) {
        Outcome outcome = CommandLines.runOnTerminal(command);

        assertEquals(Main.USAGE, outcome.code());
        assertTrue(outcome.err().contains("give it as an argument")
                || outcome.err().contains("give one as an argument"));
    }

    @Test
    void helpListsEveryCommand() {
        Outcome outcome = CommandLines.run("--help");

        assertEquals(Main.OK, outcome.code());
        assertEquals("", outcome.err());
        Stream.of(
                        "generate",
                        "chat",
                        "template",
                        "tokenize",
                        "inspect",
                        "convert",
                        "devices",
                        "tune-tree",
                        "train",
                        "bench")
                .forEach(command -> assertTrue(outcome.out().contains("\n  " + command + " "), outcome.out()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "generate",
                "chat",
                "template",
                "tokenize",
                "inspect",
                "convert",
                "devices",
                "tune-tree",
                "train",
                "bench"
            })
    void everyCommandHasHelp(String command) {
        Outcome outcome = CommandLines.run(command, "--help");

        assertEquals(Main.OK, outcome.code());
        assertTrue(outcome.out().startsWith("Usage: hydra4j " + command), outcome.out());
        assertTrue(outcome.out().lines().allMatch(line -> line.length() <= 100), outcome.out());
    }

    @Test
    void helpIsACommandToo() {
        assertEquals(CommandLines.run("--help").out(), CommandLines.run("help").out());
        assertEquals(
                CommandLines.run("generate", "--help").out(),
                CommandLines.run("help", "generate").out());
    }

    @ParameterizedTest
    @CsvSource({"80,80", "40,55", "500,100", "wide,100", ",100"})
    void theHelpKeepsToTheColumnsOfTheTerminal(String columns, int width) {
        assertEquals(width, Main.helpWidth(columns));
    }

    @Test
    void namesThatNoFileCanHaveAreWrongUsage() {
        Outcome outcome = CommandLines.run("inspect", "a\0b");

        assertEquals(Main.USAGE, outcome.code());
        assertTrue(outcome.err().contains("cannot be the name of a file: Nul character not allowed"), outcome.err());
    }

    @Test
    void namesThatTheLocaleLosesAreWrongUsageWithTheRemedy() {
        String before = System.setProperty("sun.jnu.encoding", "ANSI_X3.4-1968");
        try {
            Outcome outcome = CommandLines.run("generate", "--prompt-file", "d\uFFFD\uFFFD.txt");

            assertEquals(Main.USAGE, outcome.code());
            assertTrue(outcome.err().contains("set LC_ALL=C.UTF-8"), outcome.err());
        } finally {
            System.setProperty("sun.jnu.encoding", before);
        }
    }

    @Test
    void theVersionIsOneLine() {
        Outcome outcome = CommandLines.run("--version");

        assertEquals(Main.OK, outcome.code());
        assertTrue(outcome.out().matches("hydra4j .+\n"), outcome.out());
    }

    @Test
    void devicesNameTheProcessor() {
        Outcome outcome = CommandLines.run("devices");

        assertEquals(Main.OK, outcome.code());
        assertTrue(outcome.out().contains("\ncpu: "), outcome.out());
    }
}
