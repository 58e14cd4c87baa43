package io.hydra4j.format;

import io.hydra4j.FormatException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Reads the safetensors files of a folder as one table: a single file, or shards with their index. */
public final class Safetensors {
    /** The most shards of a model. */
    public static final int MAX_SHARDS = 1024;

    private Safetensors() {}

    /**
     * Reads {@code singleName}, or if there is no such file the shards that {@code singleName.index.json} lists. Index and
     * shards must name the same tensors.
     *
     * @param singleName such as {@code model.safetensors}
     * @throws FormatException its nested classes, one for each kind of fault
     */
    public static TensorTable readFolder(Path folder, String singleName) {
        var single = folder.resolve(singleName);
        if (Files.exists(single)) {
            var file = SafetensorsFile.read(single);
            return new TensorTable(single, file.tensors(), file.otherTypes());
        }
        var index = folder.resolve(singleName + ".index.json");
        if (!Files.exists(index)) {
            throw new FormatException.Unreadable(
                    folder,
                    "weights",
                    "neither " + singleName + " nor its index",
                    "one of them",
                    "if the folder has PyTorch files (.bin, .pt), convert them to safetensors");
        }
        return readShards(folder, index);
    }

    private static TensorTable readShards(Path folder, Path index) {
        var root = StrictJson.read(index);
        var weightMap = root.object("weight_map");
        var shards = new LinkedHashMap<String, SafetensorsFile>();
        for (String name : weightMap.names()) {
            var shard = weightMap.string(name);
            if (!shards.containsKey(shard)) {
                if (shards.size() == MAX_SHARDS) {
                    throw new FormatException.TooLarge(index, "weight_map", "more files", "at most " + MAX_SHARDS);
                }
                shards.put(shard, SafetensorsFile.read(shardPath(folder, index, shard)));
            }
            var file = shards.get(shard);
            if (!file.tensors().containsKey(name) && !file.otherTypes().containsKey(name)) {
                throw new FormatException.MissingField(file.path(), name, "a tensor, as the index says");
            }
        }
        if (shards.isEmpty()) {
            throw new FormatException.MissingField(index, "weight_map", "tensor names and their files");
        }
        var tensors = new LinkedHashMap<String, Tensor>();
        var otherTypes = new LinkedHashMap<String, String>();
        shards.forEach((shard, file) -> {
            merge(file, file.tensors(), tensors, shard, weightMap);
            merge(file, file.otherTypes(), otherTypes, shard, weightMap);
        });
        return new TensorTable(index, tensors, otherTypes);
    }

    private static <T> void merge(
            SafetensorsFile file, Map<String, T> from, Map<String, T> to, String shard, Fields weightMap) {
        from.forEach((name, value) -> {
            if (!weightMap.has(name)) {
                throw new FormatException.InvalidValue(file.path(), name, "a tensor", "none, for the index has none");
            }
            if (!weightMap.string(name).equals(shard)) {
                throw new FormatException.DuplicateKey(file.path(), name);
            }
            to.put(name, value);
        });
    }

    /** A shard lies beside its index: its name may not lead out of the folder. */
    private static Path shardPath(Path folder, Path index, String shard) {
        try {
            var path = Path.of(shard);
            if (path.getNameCount() == 1 && !path.isAbsolute() && shard.endsWith(".safetensors")) {
                return folder.resolve(path);
            }
        } catch (InvalidPathException e) {
            // told below, as any other name that cannot be
        }
        throw new FormatException.InvalidValue(
                index, "weight_map", '"' + shard + '"', "the name of a .safetensors file in the same folder");
    }
}
