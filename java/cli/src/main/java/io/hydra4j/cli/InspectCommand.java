package io.hydra4j.cli;

import io.hydra4j.HydraException;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.runtime.BackendKind;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shows what a file says of itself. */
@Command(
        name = "inspect",
        description = "Shows metadata and tensors of a model or of draft heads without loading them: a GGUF file, a "
                + "safetensors file, a .pt file, or a folder; of a model also what memory it needs here, and which kernels"
                + " would run.")
final class InspectCommand implements Callable<Integer> {
    private final Console console;

    @Parameters(index = "0", paramLabel = "FILE", description = "The file or folder.")
    private Path file;

    @Option(
            names = "--heads",
            paramLabel = "PATH",
            description = "Say whether these draft heads fit the model, and count the memory that they need.")
    private Path heads;

    @Option(
            names = "--backend",
            paramLabel = "BACKEND",
            converter = BackendName.class,
            defaultValue = "auto",
            description = "What a model would be computed with here: cpu, cuda, or auto. Default: auto.")
    private BackendKind backend;

    @Option(
            names = "--context",
            paramLabel = "N",
            description =
                    "Count the memory of a model for so many tokens of prompt and answer. Default: all that it has.")
    private Integer context;

    @Option(names = "--json", description = "Write one JSON object, arrays in full.")
    private boolean json;

    InspectCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (context != null) {
            UsageException.requireRange("--context", context, 1, DecoderConfig.MAX_CONTEXT);
        }
        Inspection inspection = Inspection.of(file);
        if (inspection.isModel()) {
            inspection = inspection.with(Here.of(file, context == null ? 0 : context, heads, backend));
        } else if (heads != null) {
            throw new HydraException(file + ": " + inspection.use() + ": give --heads with a model that can be opened");
        }
        console.print(
                json ? InspectionJson.line(inspection, console.outTerminal()) + "\n" : InspectionTable.of(inspection));
        return Main.OK;
    }
}
