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
        return Files.isDirectory(path) ? openFolder(path) : openGguf(path);
    }

    private static ModelFiles openGguf(Path path) {
        var file = GgufFile.read(path);
        var family = DecoderFamily.ofGguf(file.fields());
        var config = GgufConfig.read(file.fields(), file.table(), family);
        var tensors = DecoderTensors.fromGguf(file.table(), config, family, file.fields());
        GgufVocabulary.check(file.fields(), config.vocabulary());
        return new ModelFiles(path, family, config, tensors, Optional.empty(), file.metadata());
    }

    private static ModelFiles openFolder(Path folder) {
        var configFile = folder.resolve("config.json");
        if (!Files.exists(configFile)) {
            throw new FormatException.Unreadable(
                    folder,
                    "config.json",
                    "no such file",
                    "a folder with config.json and weights",
                    "if the folder has a .gguf file, give that file itself");
        }
        var json = StrictJson.read(configFile);
        var generationFile = folder.resolve("generation_config.json");
        var generation =
                Files.exists(generationFile) ? StrictJson.read(generationFile) : new Fields(generationFile, Map.of());
        var family = DecoderFamily.ofHuggingFace(json);
        var config = HuggingFaceConfig.read(json, generation, family);
        var table = FolderWeights.read(folder);
        var tensors = DecoderTensors.fromHuggingFace(table, config, family, json.flag("attention_bias", false));
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
