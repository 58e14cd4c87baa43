package io.hydra4j.format;

import io.hydra4j.FormatException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * Reads the weights of a Hugging Face folder as one table: a single file, or shards with their index. Those of safetensors
 * ({@code model.safetensors}) are taken first, then what torch saves ({@code pytorch_model.bin}).
 */
public final class FolderWeights {
    /** The most shards of a model. */
    public static final int MAX_SHARDS = 1024;

    /** A kind of weight files: the single one's name, how names of shards end, and what reads one. */
    private record Kind(String single, String suffix, Function<Path, TensorTable> reader) {}

    private static final List<Kind> KINDS = List.of(
            new Kind("model.safetensors", ".safetensors", path -> SafetensorsFile.read(path)
                    .table()),
            new Kind("pytorch_model.bin", ".bin", TorchFile::read));

    private final Path folder;
    private final Kind kind;
    private final Path index;

    private FolderWeights(Path folder, Kind kind, Path index) {
        this.folder = folder;
        this.kind = kind;
        this.index = index;
    }

    /**
     * Reads a single file, or if there is none the shards that an index ({@code model.safetensors.index.json}) lists. Index and
     * shards must name the same tensors.
     *
     * @throws FormatException its nested classes, one for each kind of fault
     */
    public static TensorTable read(Path folder) {
        return find(folder)
                .orElseThrow(() -> new FormatException.Unreadable(
                        folder,
                        "weights",
                        "neither model.safetensors nor pytorch_model.bin, nor an index of one",
                        "one of them",
                        "download the folder again; if it has a .gguf file, give that file itself"));
    }

    /** As {@link #read}, or empty where there are no weights. */
    public static Optional<TensorTable> find(Path folder) {
        for (Kind kind : KINDS) {
            var single = folder.resolve(kind.single());
            if (Files.exists(single)) {
                return Optional.of(kind.reader().apply(single));
            }
            var index = folder.resolve(kind.single() + ".index.json");
            if (Files.exists(index)) {
                return Optional.of(new FolderWeights(folder, kind, index).shards());
            }
        }
        return Optional.empty();
    }

    private TensorTable shards() {
        var weightMap = StrictJson.read(index).object("weight_map");
        var shards = new LinkedHashMap<String, TensorTable>();
        for (String name : weightMap.names()) {
            var shard = weightMap.string(name);
            if (!shards.containsKey(shard)) {
                if (shards.size() == MAX_SHARDS) {
                    throw new FormatException.TooLarge(index, "weight_map", "more files", "at most " + MAX_SHARDS);
                }
                shards.put(shard, kind.reader().apply(shardPath(shard)));
            }
            var file = shards.get(shard);
            if (!file.has(name)) {
                throw new FormatException.MissingField(file.source(), name, "a tensor, as the index says");
            }
        }
        if (shards.isEmpty()) {
            throw new FormatException.MissingField(index, "weight_map", "tensor names and their files");
        }
        var tensors = new LinkedHashMap<String, Tensor>();
        var otherTypes = new LinkedHashMap<String, String>();
        shards.forEach((shard, file) -> {
            merge(file.source(), file.tensors(), tensors, shard, weightMap);
            merge(file.source(), file.otherTypes(), otherTypes, shard, weightMap);
        });
        return new TensorTable(index, tensors, otherTypes);
    }

    private static <T> void merge(Path file, Map<String, T> from, Map<String, T> to, String shard, Fields weightMap) {
        from.forEach((name, value) -> {
            if (!weightMap.has(name)) {
                throw new FormatException.InvalidValue(file, name, "a tensor", "none, for the index has none");
            }
            if (!weightMap.string(name).equals(shard)) {
                throw new FormatException.DuplicateKey(file, name);
            }
            to.put(name, value);
        });
    }

    /** A shard lies beside its index: its name may not lead out of the folder. */
    private Path shardPath(String shard) {
        try {
            var path = Path.of(shard);
            if (path.getNameCount() == 1 && !path.isAbsolute() && shard.endsWith(kind.suffix())) {
                return folder.resolve(path);
            }
        } catch (InvalidPathException e) {
            // told below, as any other name that cannot be
        }
        throw new FormatException.InvalidValue(
                index, "weight_map", '"' + shard + '"', "the name of a " + kind.suffix() + " file in the same folder");
    }
}
