package io.hydra4j.heads;

import io.hydra4j.format.Fields;
import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorTable;
import io.hydra4j.heads.HeadsConfig.Kind;
import io.hydra4j.heads.HeadsFiles.Opened;
import io.hydra4j.model.DecoderConfig;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads heads that are named as the Hydra code does. */
final class HydraHeads {
    private static final String ARCHITECTURE = "hydra";
    private static final String PREFIX_ARCH = "prefix-mlp";
    private static final String FOLDER_DRAFT_VOCABULARY = "draft_vocabulary";
    /** Names of tensors that a compact file has no bytes for, each before the name of the one that it is. */
    static final String SAME_TENSORS = "hydra.same_tensors";

    static final String FOLDER_VOCABULARY = "vocab_size";

    private final TensorTable tensors;
    private final HeadsConfig config;
    /** Whether dropout has every second index, beginning with the first. */
    private final boolean hasDropoutGaps;

    private HydraHeads(TensorTable tensors, HeadsConfig config, boolean hasDropoutGaps) {
        this.tensors = tensors;
        this.config = config;
        this.hasDropoutGaps = hasDropoutGaps;
    }

    /** Reads a folder as the Hydra code publishes it. */
    static Opened readFolder(Fields json, TensorTable tensors) {
        if (json.integer("hidden_state_offset", 0, 0, DecoderConfig.MAX_LAYERS) != 0) {
            throw json.unsupported("hidden_state_offset", "0", "give heads that were trained with offset 0");
        }
        var config = new HeadsConfig(
                kind(json, "hydra_head_arch", "grounded_heads"),
                json.integer("hydra_num_heads", 1, HeadsConfig.MAX_HEADS),
                json.integer("hydra_num_layers", 1, HeadsConfig.MAX_LAYERS),
                usesBaseLmHead(json, "lm_head", "private"),
                json.string("base_model_name_or_path", ""));
        var heads = new HydraHeads(tensors, config, config.kind() == Kind.HYDRA_PLUS_PLUS);
        long hidden =
                tensors.requireMatrix(heads.block(0, 0) + ".linear.weight").rows();
        var draft = folderDraftVocabulary(json);
        if (draft != null) {
            int vocabulary = json.integer(FOLDER_VOCABULARY, 1, DecoderConfig.MAX_VOCABULARY);
            return heads.bind(heads.sizes(hidden, vocabulary), draft.size(), draft, null);
        }
        long vocabulary = config.baseLmHead()
                ? 0
                : tensors.requireMatrix(heads.lmHead(0) + ".weight").rows();
        return heads.bind(heads.sizes(hidden, vocabulary), vocabulary, null, null);
    }

    /** Reads a compact file. */
    static Opened readCompact(Fields metadata, TensorTable tensors) {
        if (!metadata.string("general.architecture").equals(ARCHITECTURE)) {
            throw metadata.unknownArchitecture("general.architecture", ARCHITECTURE);
        }
        var config = new HeadsConfig(
                kind(metadata, "hydra.head_arch", "hydra.grounded"),
                metadata.integer("hydra.head_count", 1, HeadsConfig.MAX_HEADS),
                metadata.integer("hydra.layer_count", 1, HeadsConfig.MAX_LAYERS),
                usesBaseLmHead(metadata, "hydra.lm_head", null),
                metadata.string("hydra.base_model", ""));
        int vocabulary = metadata.integer("hydra.vocabulary_size", 1, DecoderConfig.MAX_VOCABULARY);
        var draft = draftVocabulary(metadata, "hydra.draft_vocabulary", vocabulary);
        int hidden = metadata.integer("hydra.embedding_length", 1, DecoderConfig.MAX_HIDDEN);
        var heads = new HydraHeads(tensors.withSame(sameTensors(metadata, tensors)), config, false);
        return heads.bind(
                heads.sizes(hidden, vocabulary),
                draft == null ? vocabulary : draft.size(),
                draft,
                TreeOrder.read(metadata, config.heads()));
    }

    /**
     * Binds heads for a base to tensors that need no file.
     *
     * @param any as {@link TensorTable#ofAny} makes it
     * @param draftVocabulary null for the whole vocabulary
     */
    static HeadsTensors bindAny(
            TensorTable any, HeadsConfig config, DecoderConfig base, List<Integer> draftVocabulary) {
        return new HydraHeads(any, config, false)
                .bind(
                        HeadsSizes.of(base),
                        draftVocabulary == null ? base.vocabulary() : draftVocabulary.size(),
                        draftVocabulary,
                        null)
                .tensors();
    }

    private static Map<String, String> sameTensors(Fields metadata, TensorTable tensors) {
        var same = new LinkedHashMap<String, String>();
        String[] names = metadata.has(SAME_TENSORS) ? metadata.strings(SAME_TENSORS) : new String[0];
        for (int i = 0; i < names.length; i += 2) {
            boolean isPair = i + 1 < names.length && tensors.tensors().containsKey(names[i + 1]);
            if (!isPair || tensors.has(names[i]) || same.put(names[i], names[i + 1]) != null) {
                throw metadata.invalid(
                        SAME_TENSORS, names[i], "names that the file does not have, each before one that it has");
            }
        }
        return same;
    }

    private static Kind kind(Fields fields, String archName, String groundedName) {
        var arch = fields.string(archName);
        boolean isGrounded = fields.flag(groundedName, false);
        if (arch.equals("mlp")) {
            return isGrounded ? Kind.HYDRA : Kind.MEDUSA;
        }
        if (!arch.equals(PREFIX_ARCH)) {
            throw fields.unsupported(
                    archName, "\"mlp\" or \"" + PREFIX_ARCH + '"', "give heads of one of these architectures");
        }
        if (!isGrounded) {
            throw fields.unsupported(groundedName, "true for " + PREFIX_ARCH, "only mlp heads can be independent");
        }
        return Kind.HYDRA_PLUS_PLUS;
    }

    private static boolean usesBaseLmHead(Fields fields, String name, String fallback) {
        var value = fallback == null ? fields.string(name) : fields.string(name, fallback);
        if (!value.equals("base") && !value.equals("private")) {
            throw fields.invalid(name, "\"base\" or \"private\"");
        }
        return value.equals("base");
    }

    /** The draft vocabulary that a folder's config.json states; null for the whole vocabulary. */
    static List<Integer> folderDraftVocabulary(Fields json) {
        if (!json.has(FOLDER_DRAFT_VOCABULARY)) {
            return null;
        }
        return draftVocabulary(
                json, FOLDER_DRAFT_VOCABULARY, json.integer(FOLDER_VOCABULARY, 1, DecoderConfig.MAX_VOCABULARY));
    }

    private static List<Integer> draftVocabulary(Fields metadata, String name, int vocabulary) {
        if (!metadata.has(name)) {
            return null;
        }
        var ids = metadata.ids(name, vocabulary, vocabulary);
        if (ids.stream().distinct().count() != ids.size()) {
            throw metadata.invalid(name, "distinct token ids");
        }
        if (ids.size() < HeadsTensors.MIN_VOCABULARY) {
            throw metadata.unfit(
                    name,
                    ids.size() + " ids",
                    "at least " + HeadsTensors.MIN_VOCABULARY + ": a node of a tree may be asked for as many guesses");
        }
        return ids;
    }

    /** The sizes of the base that the tensors show. */
    private HeadsSizes sizes(long hidden, long vocabulary) {
        var sizes = HeadsSizes.of(hidden, vocabulary);
        return config.kind() == Kind.HYDRA_PLUS_PLUS ? sizes.withPrefixOf(tensors) : sizes;
    }

    private Opened bind(HeadsSizes sizes, long lmHeadRows, List<Integer> draftVocabulary, TreeOrder treeOrder) {
        var prefix = config.kind() == Kind.HYDRA_PLUS_PLUS ? sizes.bindPrefix(tensors) : null;
        var heads = new ArrayList<HeadsTensors.Head>();
        for (int i = 0; i < config.heads(); i++) {
            heads.add(bindHead(i, sizes.hidden(), lmHeadRows));
        }
        var opened = new HeadsTensors(config, prefix, heads, draftVocabulary, treeOrder);
        opened.rejectUnused(tensors);
        return new Opened(opened, sizes);
    }

    private HeadsTensors.Head bindHead(int head, long hidden, long lmHeadRows) {
        var blocks = new ArrayList<HeadsTensors.Block>();
        for (int i = 0; i < config.layers(); i++) {
            blocks.add(bindBlock(head, i, hidden));
        }
        var name = lmHead(head);
        Tensor lmHead = config.baseLmHead() ? null : tensors.require(name + ".weight", lmHeadRows, hidden);
        Tensor bias = config.baseLmHead()
                ? null
                : tensors.findVector(name + ".bias", lmHeadRows).orElse(null);
        return new HeadsTensors.Head(blocks, lmHead, bias);
    }

    private HeadsTensors.Block bindBlock(int head, int index, long hidden) {
        var name = block(head, index);
        var linear = name + ".linear";
        var skip = name + ".res_connection";
        boolean isConditioned = config.kind().isGrounded() && index == 0;
        long width = isConditioned ? (head + 2) * hidden : hidden;
        return new HeadsTensors.Block(
                tensors.require(linear + ".weight", hidden, width),
                tensors.requireVector(linear + ".bias", hidden),
                isConditioned ? tensors.require(skip + ".weight", hidden, width) : null,
                isConditioned ? tensors.requireVector(skip + ".bias", hidden) : null);
    }

    private String block(int head, int index) {
        return "hydra_mlp." + head + "." + (hasDropoutGaps ? 2 * index + 1 : index);
    }

    private String lmHead(int head) {
        return "hydra_lm_head." + head + (hasDropoutGaps ? ".1" : "");
    }
}
