package io.hydra4j.heads;

import io.hydra4j.FormatException;
import io.hydra4j.format.FolderWeights;
import io.hydra4j.format.GgufFile;
import io.hydra4j.format.SafetensorsFile;
import io.hydra4j.format.StrictJson;
import io.hydra4j.format.TensorTable;
import io.hydra4j.format.TorchFile;
import io.hydra4j.model.DecoderConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Opens draft heads. Nothing of their weights is read; everything about them is checked. Four layouts are known:
 *
 * <ul>
 *   <li>a folder as the Hydra code publishes it: config.json and hydra_lm_head.safetensors or, as torch saves it,
 *       hydra_lm_head.pt. {@code "lm_head": "base"} in
 *       config.json means that the heads use the base's LM head. Blocks of {@code prefix-mlp} have the odd indices
 *       {@code hydra_mlp.i.1, .3, ...} and LM heads are {@code hydra_lm_head.i.1}, for dropout has the even ones; of {@code mlp}
 *       {@code hydra_mlp.i.0, .1, ...} and {@code hydra_lm_head.i}. Copies of the base's embedding and {@code inv_freq} tables
 *       are ignored.
 *   <li>a folder as Medusa v0.1 publishes it: config.json and medusa_lm_head.safetensors or .pt with {@code i.j.linear} for block j
 *       of head i and, after the last block, {@code i.L.weight} for the LM head; without these the base's is used. The counts
 *       are taken from the tensors, for published config.json files state wrong ones.
 *       A folder of either kind may have a draft vocabulary: {@code "draft_vocabulary"}, distinct token ids, the most frequent first,
 *       and {@code "vocab_size"}, the base's; private LM heads have a row for each of the ids then.
 *   <li>the folder of a base model as Medusa-2 publishes it, with heads of v0.1's names after {@code medusa_head.} among its
 *       own tensors.
 *   <li>a compact GGUF file: {@code general.architecture} is {@code hydra}; {@code hydra.head_arch} ({@code mlp} or
 *       {@code prefix-mlp}), {@code hydra.grounded}, {@code hydra.head_count}, {@code hydra.layer_count}, {@code hydra.lm_head}
 *       ({@code base} or {@code private}), {@code hydra.embedding_length}, {@code hydra.vocabulary_size}, and optionally
 *       {@code hydra.base_model} and {@code hydra.draft_vocabulary}, an array of distinct token ids, the most frequent first,
 *       and {@code hydra.tree_paths} with {@code hydra.tree_gains} ({@link TreeOrder}). The tensors have the
 *       published names without dropout's gaps, whatever the kind: {@code hydra_mlp.i.j.linear.weight} and {@code .bias},
 *       {@code hydra_mlp.i.0.res_connection.weight} and {@code .bias} (grounded), {@code hydra_lm_head.i.weight} and optionally
 *       {@code .bias} (private), {@code prefix_embeding_layer.layers.0.*} and {@code prefix_embeding_layer.norm.weight}
 *       (prefix-mlp). Rows of q and k keep the order of Hugging Face.
 * </ul>
 */
public final class HeadsFiles {
    private static final String HYDRA_FILE = "hydra_lm_head";
    private static final String MEDUSA_FILE = "medusa_lm_head";
    private static final String SAFETENSORS = ".safetensors";
    private static final String TORCH = ".pt";

    private HeadsFiles() {}

    /**
     * Opens draft heads for a base model.
     *
     * @param path a folder, or a compact GGUF file
     * @throws FormatException.HeadsMismatch if they were made for a base of other sizes
     * @throws FormatException its other nested classes, one for each kind of fault
     */
    public static HeadsTensors open(Path path, DecoderConfig base) {
        var opened = read(path);
        opened.sizes().requireFit(path, base);
        return opened.tensors();
    }

    /**
     * Opens draft heads without a base: everything is checked but whether they fit one.
     *
     * @param path a folder, or a compact GGUF file
     * @throws FormatException its nested classes, one for each kind of fault
     */
    public static HeadsTensors open(Path path) {
        return read(path).tensors();
    }

    /** Heads and the sizes that a base must have for them. */
    record Opened(HeadsTensors tensors, HeadsSizes sizes) {}

    private static Opened read(Path path) {
        if (!Files.isDirectory(path)) {
            var file = GgufFile.read(path);
            return HydraHeads.readCompact(file.fields(), file.table());
        }
        var config = path.resolve("config.json");
        var hydra = table(path, HYDRA_FILE);
        if (hydra.isPresent()) {
            return HydraHeads.readFolder(StrictJson.read(config), hydra.get());
        }
        var medusa = table(path, MEDUSA_FILE);
        if (medusa.isPresent()) {
            return MedusaHeads.readFolder(StrictJson.read(config), medusa.get());
        }
        var base = FolderWeights.find(path).filter(MedusaHeads::areIn);
        if (base.isPresent()) {
            return MedusaHeads.readBase(StrictJson.read(config), base.get());
        }
        throw new FormatException.Unreadable(
                path,
                "heads",
                "neither " + HYDRA_FILE + " nor " + MEDUSA_FILE + ", nor a base with Medusa-2's heads",
                "one of them, " + SAFETENSORS + " or " + TORCH,
                "if the folder has a .gguf file, give that file itself");
    }

    /** The tensors of a folder's heads, whatever they are; empty where it has none. */
    public static Optional<TensorTable> table(Path folder) {
        return table(folder, HYDRA_FILE).or(() -> table(folder, MEDUSA_FILE));
    }

    private static Optional<TensorTable> table(Path folder, String name) {
        var safetensors = folder.resolve(name + SAFETENSORS);
        if (Files.exists(safetensors)) {
            return Optional.of(SafetensorsFile.read(safetensors).table());
        }
        var torch = folder.resolve(name + TORCH);
        return Files.exists(torch) ? Optional.of(TorchFile.read(torch)) : Optional.empty();
    }
}
