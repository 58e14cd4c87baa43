package io.hydra4j.model;

import io.hydra4j.FormatException;
import io.hydra4j.format.Fields;
import io.hydra4j.format.FolderWeights;
import io.hydra4j.format.GgufFile;
import io.hydra4j.format.GgufVocabulary;
import io.hydra4j.format.StrictJson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * A model on disk, with everything about it checked and nothing of its weights read: a GGUF file, or a Hugging Face folder of
 * config.json, weights ({@link FolderWeights}) and, as a rule, tokenizer.json and generation_config.json. Immutable, so safe to share between
 * threads; holds no file open.
 *
 * @param path the GGUF file or the folder
 * @param family what the file says that it is
 * @param config sizes and constants
 * @param tensors where each weight lies
 * @param tokenizerJson the folder's tokenizer.json; empty for a GGUF file, and for a folder that has none
 * @param metadata the metadata of the GGUF file, its vocabulary tables checked; empty for a folder
 */
public record ModelFiles(
        Path path,
        DecoderFamily family,
        DecoderConfig config,
        DecoderTensors tensors,
        Optional<Path> tokenizerJson,
        Map<String, Object> metadata) {
    /**
     * Opens a GGUF file or a Hugging Face folder.
     *
     * @throws FormatException its nested classes, one for each kind of fault; an error that names the file and the field
     */
    public static ModelFiles open(Path path) {
        return open(path, 0);
    }

    /**
     * Opens a GGUF file or a Hugging Face folder; as {@link #open(Path)}.
     *
     * @param context the most tokens of a sequence; 0 for all that the model has
     * @throws IllegalArgumentException if it is more than the model has
     */
    public static ModelFiles open(Path path, int context) {
        return Files.isDirectory(path) ? openFolder(path, context) : openGguf(path, context);
    }

    private static ModelFiles openGguf(Path path, int context) {
        var file = GgufFile.read(path);
        var family = DecoderFamily.ofGguf(file.fields());
        var config = GgufConfig.read(file.fields(), file.table(), family, context);
        var tensors = DecoderTensors.fromGguf(file.table(), config, family, file.fields());
        GgufVocabulary.check(file.fields(), config.vocabulary());
        return new ModelFiles(path, family, config, tensors, Optional.empty(), file.metadata());
    }

    private static ModelFiles openFolder(Path folder, int context) {
        var configFile = folder.resolve("config.json");
        if (!Files.exists(configFile)) {
            throw new FormatException.Unreadable(
                    folder,
                    "config.json",
                    "no such file",
                    "a folder with config.json and weights",
                    "if the folder has a .gguf file, give that file itself");
        }
        var part = new TextPart(StrictJson.read(configFile));
        var json = part.config();
        var generationFile = folder.resolve("generation_config.json");
        var generation =
                Files.exists(generationFile) ? StrictJson.read(generationFile) : new Fields(generationFile, Map.of());
        var family = DecoderFamily.ofHuggingFace(json);
        var config = HuggingFaceConfig.read(json, generation, family, context);
        var all = FolderWeights.read(folder);
        var tensors = DecoderTensors.fromHuggingFace(
                part.tensors(all), config, family, json.flag("attention_bias", false), part.skipped(all));
        var tokenizer = folder.resolve("tokenizer.json");
        return new ModelFiles(
                folder,
                family,
                config,
                tensors,
                Files.exists(tokenizer) ? Optional.of(tokenizer) : Optional.empty(),
                Map.of());
    }
}
