package io.hydra4j.cli;

import io.hydra4j.HydraException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.function.BooleanSupplier;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Tells failures: one line each, and the stack trace if it is asked for. */
final class Failures {
    private final Console console;
    private final BooleanSupplier verbose;

    Failures(Console console, BooleanSupplier verbose) {
        this.console = console;
        this.verbose = verbose;
    }

    /** Arguments that make no sense. */
    int usage(ParameterException e) {
        String hint = "";
        if (e instanceof UnmatchedArgumentException unmatched) {
            List<String> suggestions = unmatched.getSuggestions();
            if (!suggestions.isEmpty()) {
                hint = "did you mean '" + suggestions.get(0) + "'? ";
            }
        }
        return usage(e, hint, e.getCommandLine());
    }

    private int usage(Exception e, String hint, CommandLine command) {
        String name = command.getCommandSpec().qualifiedName();
        console.message(e.getMessage() + " (" + hint + "see '" + name + " --help')");
        return Main.USAGE;
    }

    /** What went wrong while a command ran. */
    int failure(Exception e, CommandLine command) {
        return e instanceof UsageException ? usage(e, "", command) : failure(e);
    }

    /** What went wrong. */
    int failure(Throwable e) {
        if (e instanceof UncheckedIOException output && isClosedPipe(output.getCause())) {
            return Main.OK;
        }
        console.message(line(e));
        trace(e);
        return Main.FAILURE;
    }

    private static boolean isClosedPipe(IOException e) {
        return e.getMessage() != null && e.getMessage().contains("Broken pipe");
    }

    private static String line(Throwable e) {
        if (e instanceof HydraException || e instanceof IllegalArgumentException) {
            return String.valueOf(e.getMessage());
        }
        if (e instanceof UncheckedIOException output) {
            return "the output cannot be written: " + output.getCause().getMessage();
        }
        if (e instanceof OutOfMemoryError) {
            return "not enough memory for the Java heap: raise it with java -Xmx";
        }
        return "internal error, please report it with the output of --verbose: " + e;
    }

    private void trace(Throwable e) {
        if (!verbose.getAsBoolean()) {
            return;
        }
        StringWriter trace = new StringWriter();
        e.printStackTrace(new PrintWriter(trace, true));
        console.complain(Printable.text(trace.toString()));
    }
}
