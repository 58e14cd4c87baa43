package io.hydra4j.cli;

import io.hydra4j.format.GgufFile;
import io.hydra4j.text.EncodeOptions;
import io.hydra4j.text.Tokenizer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Turns text into token ids, and back. */
@Command(
        name = "tokenize",
        description =
                "Turns text into token ids, written as a JSON array; with --decode or --ids, arrays of ids into text.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  hydra4j tokenize \"int i = 0;\"",
            "  hydra4j tokenize --model model.gguf --file prompt.txt",
            "  hydra4j tokenize --ids \"[325, 274]\"",
            "  hydra4j tokenize \"int i\" | hydra4j tokenize --decode"
        })
final class TokenizeCommand implements Callable<Integer> {
    private final Console console;

    @Parameters(
            index = "0",
            arity = "0..1",
            paramLabel = "TEXT",
            description = "The text; - or nothing for standard input.")
    private String argument;

    @Option(
            names = "--model",
            paramLabel = "PATH",
            description =
                    "A GGUF file, a Hugging Face folder or a tokenizer.json. Without it: the small model of Java code.")
    private Path model;

    @Option(names = "--file", paramLabel = "FILE", description = "Read the text, or the arrays, from a file.")
    private Path file;

    @Option(names = "--ids", paramLabel = "ARRAY", description = "Turn this JSON array of ids into text.")
    private String ids;

    @Option(names = "--decode", description = "Read JSON arrays of ids, one a line, and turn each into text.")
    private boolean decode;

    @Option(
            names = "--no-special",
            description =
                    "Leave out the tokens that the tokenizer adds to a text; special tokens in ids are left out of the "
                            + "text in any case.")
    private boolean noSpecial;

    @Option(
            names = "--special-as-text",
            description =
                    "Take special tokens that are written in the text as text, as what a user has typed should be.")
    private boolean specialAsText;

    TokenizeCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if ((argument != null ? 1 : 0) + (file != null ? 1 : 0) + (ids != null ? 1 : 0) > 1) {
            throw new UsageException("several inputs: give only one of TEXT, --file and --ids");
        }
        String input = input();
        try (Tokenizer tokenizer = open()) {
            if (decode || ids != null) {
                for (TokenIds.Line line : TokenIds.parse(source(), input)) {
                    line.require(source(), id -> tokenizer.token(id).isPresent(), "ids of the tokenizer");
                    print(tokenizer.decode(line.ids(), true));
                }
            } else {
                EncodeOptions options =
                        EncodeOptions.PROMPT.withBeginAndEnd(!noSpecial).withSpecialTokens(!specialAsText);
                console.print(Arrays.toString(tokenizer.encode(input, options)) + "\n");
            }
        }
        return Main.OK;
    }

    private String input() {
        if (ids != null) {
            return ids;
        }
        if (file != null) {
            return TextSource.read(file, console);
        }
        if (argument != null && !argument.equals(TextSource.STANDARD_INPUT)) {
            return TextSource.argument(argument);
        }
        if (argument == null && console.inTerminal()) {
            throw new UsageException("no text: give it as an argument, in a file, or on standard input");
        }
        return TextSource.readInput(console);
    }

    private Path source() {
        return file != null ? file : Path.of(ids != null ? "--ids" : argument != null ? "argument" : "standard input");
    }

    private Tokenizer open() {
        if (model != null) {
            return open(model);
        }
        try (DefaultModel found = DefaultModel.open()) {
            return open(found.model());
        }
    }

    private static Tokenizer open(Path path) {
        return Tokenizer.of(path, () -> GgufFile.read(path).metadata())
                .orElseThrow(() -> NoTokenizer.in(path, "give a model that has one"));
    }

    private void print(String text) {
        console.print((console.outTerminal() ? Printable.text(text) : text) + "\n");
    }
}
