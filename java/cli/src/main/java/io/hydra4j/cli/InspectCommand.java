package io.hydra4j.cli;

import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shows what a file says of itself. */
@Command(
        name = "inspect",
        description = "Shows metadata and tensors of a model or of draft heads without loading them: a GGUF file, a "
                + "safetensors file, a .pt file, or a folder.")
final class InspectCommand implements Callable<Integer> {
    private final Console console;

    @Parameters(index = "0", paramLabel = "FILE", description = "The file or folder.")
    private Path file;

    @Option(names = "--json", description = "Write one JSON object, arrays in full.")
    private boolean json;

    InspectCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        Inspection inspection = Inspection.of(file);
        console.print(
                json ? InspectionJson.line(inspection, console.outTerminal()) + "\n" : InspectionTable.of(inspection));
        return Main.OK;
    }
}
