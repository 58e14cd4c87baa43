package io.hydra4j.cli;

import io.hydra4j.HydraException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.TypeConversionException;

/** The command line's entry: one command line in, one exit code out. */
@Command(
        name = "hydra4j",
        description = "Generates text with Llama-family models and draft heads: several tokens a step, and the output "
                + "of plain decoding to the bit.",
        mixinStandardHelpOptions = true,
        scope = ScopeType.INHERIT,
        versionProvider = Main.Version.class,
        sortOptions = false,
        synopsisSubcommandLabel = "COMMAND",
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:all went well", "1:a failure, told in one line", "2:wrong usage", "130:ended by Ctrl-C"})
public final class Main implements Runnable {
    /** Exit code: all went well. */
    public static final int OK = 0;
    /** Exit code: a failure, told in one line. */
    public static final int FAILURE = 1;
    /** Exit code: wrong usage. */
    public static final int USAGE = 2;

    private static final int HELP_WIDTH = 100;
    private static final int LEAST_HELP_WIDTH = 55;

    private final Console console;

    @Option(names = "--verbose", scope = ScopeType.INHERIT, description = "Show the stack trace of a failure.")
    private boolean verbose;

    private Main(Console console) {
        this.console = console;
    }

    /** Runs the arguments and ends the process. */
    public static void main(String[] args) {
        // Plots are drawn into files; a display that is there is none of ours.
        System.setProperty("java.awt.headless", "true");
        System.exit(run(Console.ofProcess(), args));
    }

    /**
     * Runs one command line, without ending the process. Never throws.
     *
     * @return the exit code
     */
    public static int run(Console console, String... args) {
        Main main = new Main(console);
        Failures failures = new Failures(console, () -> main.verbose);
        try {
            PrintWriter out = new PrintWriter(new OutputStreamWriter(console.out(), StandardCharsets.UTF_8));
            int code = commands(main, args)
                    // Prompts and texts begin with an at sign too.
                    .setExpandAtFiles(false)
                    .setUsageHelpWidth(helpWidth(System.getenv("COLUMNS")))
                    .registerConverter(Path.class, Main::path)
                    .setOut(out)
                    .setColorScheme(Help.defaultColorScheme(console.colour() ? Help.Ansi.ON : Help.Ansi.OFF))
                    .setParameterExceptionHandler((e, arguments) -> failures.usage(e))
                    .setExecutionExceptionHandler((e, command, parsed) -> failures.failure(e, command))
                    .execute(args);
            out.flush();
            return code;
        } catch (Throwable e) {
            return failures.failure(e);
        }
    }

    /** Reading a command's options takes a while: where the first argument names one, the others are left out. */
    private static CommandLine commands(Main main, String[] args) {
        CommandLine line = new CommandLine(main);
        Map<String, Supplier<Object>> all = new LinkedHashMap<>();
        all.put("generate", () -> new GenerateCommand(main.console));
        all.put("chat", () -> new ChatCommand(main.console));
        all.put("template", () -> new TemplateCommand(main.console));
        all.put("tokenize", () -> new TokenizeCommand(main.console));
        all.put("inspect", () -> new InspectCommand(main.console));
        all.put("convert", () -> new ConvertCommand(main.console));
        all.put("devices", () -> new DevicesCommand(main.console));
        all.put("tune-tree", () -> new TuneTreeCommand(main.console));
        all.put("train", () -> new TrainCommand(main.console));
        all.put("bench", () -> new BenchCommand(main.console));
        all.put("help", HelpCommand::new);
        if (args.length > 0 && !args[0].equals("help") && all.containsKey(args[0])) {
            all.keySet().retainAll(List.of(args[0]));
        }
        all.forEach((name, command) -> line.addSubcommand(name, command.get()));
        return line;
    }

    /** Columns of the help: those of the terminal where they are known and picocli can keep to them. */
    static int helpWidth(String columns) {
        try {
            return columns == null
                    ? HELP_WIDTH
                    : Math.max(LEAST_HELP_WIDTH, Math.min(HELP_WIDTH, Integer.parseInt(columns)));
        } catch (NumberFormatException e) {
            return HELP_WIDTH;
        }
    }

    private static Path path(String argument) {
        if (argument.isEmpty()) {
            // Java would take it for the current folder; it comes of variables of a shell that are not set.
            throw new TypeConversionException("'' cannot be the name of a file: it is empty");
        }
        try {
            return Path.of(TextSource.argument(argument));
        } catch (InvalidPathException e) {
            throw new TypeConversionException("'" + argument + "' cannot be the name of a file: " + e.getReason());
        } catch (HydraException e) {
            throw new TypeConversionException(e.getMessage());
        }
    }

    /** Without a command. */
    @Override
    public void run() {
        throw new UsageException("no command: give one, such as generate");
    }

    /** The version that the jar states. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Main.class.getPackage().getImplementationVersion();
            return new String[] {"hydra4j " + (version == null ? "development build" : version)};
        }
    }
}
