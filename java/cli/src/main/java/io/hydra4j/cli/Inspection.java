package io.hydra4j.cli;

import io.hydra4j.HydraException;
import io.hydra4j.format.Fields;
import io.hydra4j.format.FolderWeights;
import io.hydra4j.format.GgufFile;
import io.hydra4j.format.SafetensorsFile;
import io.hydra4j.format.StrictJson;
import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorTable;
import io.hydra4j.format.TorchFile;
import io.hydra4j.heads.HeadsConfig;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.ModelFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * What a model or heads file says of itself; no weights are read. Text in it is as the file has it.
 *
 * @param path the file or folder
 * @param format what kind of file it is
 * @param use what it can be opened as, or why it cannot
 * @param metadata values by key: those of a GGUF header, or of a folder's config.json
 * @param tensors tensors by name
 * @param isModel whether it can be opened as a model
 * @param here how it would run on this machine, where that is known
 */
record Inspection(
        Path path,
        String format,
        String use,
        Map<String, Object> metadata,
        Map<String, Tensor> tensors,
        boolean isModel,
        Optional<Here> here) {
    private static final String GGUF_HEADS = "hydra";
    private static final String NO_MODEL = "not as a model: ";

    private Inspection(
            Path path,
            String format,
            String use,
            Map<String, Object> metadata,
            Map<String, Tensor> tensors,
            boolean isModel) {
        this(path, format, use, metadata, tensors, isModel, Optional.empty());
    }

    /** This inspection, of a model about which more is known. */
    Inspection with(Here found) {
        return new Inspection(path, format, use, metadata, tensors, isModel, Optional.of(found));
    }

    /**
     * Reads headers.
     *
     * @throws HydraException if the file is of no known kind, or damaged
     */
    static Inspection of(Path path) {
        if (Files.isDirectory(path)) {
            return ofFolder(path);
        }
        Path name = path.getFileName();
        if (name != null && name.toString().endsWith(".safetensors")) {
            return ofFile("safetensors file", SafetensorsFile.read(path).table());
        }
        if (name != null && (name.toString().endsWith(".pt") || name.toString().endsWith(".bin"))) {
            return ofFile("torch checkpoint", TorchFile.read(path));
        }
        GgufFile file = GgufFile.read(path);
        boolean heads = GGUF_HEADS.equals(file.metadata().get("general.architecture"));
        String use = heads ? headsUse(path) : modelUse(path);
        return new Inspection(
                path,
                "GGUF file, version " + file.version(),
                use,
                file.metadata(),
                file.tensors(),
                !heads && !use.startsWith(NO_MODEL));
    }

    private static Inspection ofFile(String format, TensorTable table) {
        Map<String, Object> others = new LinkedHashMap<>();
        table.otherTypes().forEach((tensor, type) -> others.put(tensor, "a tensor of type " + type));
        return new Inspection(
                table.source(), format, "tensors; open the folder that it is in", others, table.tensors(), false);
    }

    private static Inspection ofFolder(Path folder) {
        Optional<TensorTable> heads = HeadsFiles.table(folder);
        if (heads.isPresent()) {
            return new Inspection(
                    folder,
                    "folder of draft heads",
                    headsUse(folder),
                    config(folder),
                    heads.get().tensors(),
                    false);
        }
        TensorTable table = FolderWeights.read(folder);
        String use = modelUse(folder);
        return new Inspection(
                folder, "Hugging Face folder", use, config(folder), table.tensors(), !use.startsWith(NO_MODEL));
    }

    private static Map<String, Object> config(Path folder) {
        Path file = folder.resolve("config.json");
        Map<String, Object> values = new LinkedHashMap<>();
        if (Files.exists(file)) {
            Fields fields = StrictJson.read(file);
            fields.names().forEach(name -> values.put(name, fields.value(name)));
        }
        return values;
    }

    private static String modelUse(Path path) {
        try {
            ModelFiles files = ModelFiles.open(path);
            DecoderConfig config = files.config();
            return String.format(
                    Locale.ROOT,
                    "%s model: %d layers, hidden %d, %d query and %d KV heads of %d, vocabulary %d, context %d",
                    files.family(),
                    config.layers(),
                    config.hidden(),
                    config.heads(),
                    config.kvHeads(),
                    config.headSize(),
                    config.vocabulary(),
                    config.context());
        } catch (HydraException e) {
            return NO_MODEL + e.getMessage();
        }
    }

    private static String headsUse(Path path) {
        try {
            HeadsConfig config = HeadsFiles.open(path).config();
            return String.format(
                    Locale.ROOT,
                    "%s heads: %d heads of %d layers, %s",
                    switch (config.kind()) {
                        case MEDUSA -> "Medusa";
                        case HYDRA -> "Hydra";
                        case HYDRA_PLUS_PLUS -> "Hydra++";
                    },
                    config.heads(),
                    config.layers(),
                    config.baseLmHead() ? "the base's LM head" : "LM heads of their own");
        } catch (HydraException e) {
            return "not as heads: " + e.getMessage();
        }
    }

    /** Values of all tensors. */
    long parameters() {
        return tensors.values().stream().mapToLong(Tensor::values).sum();
    }

    /** Bytes of all tensors. */
    long bytes() {
        return tensors.values().stream().mapToLong(Tensor::bytes).sum();
    }
}
