package io.hydra4j;

import io.hydra4j.runtime.Processor;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;

/** Facts about an open model. Immutable; two are equal if their values are. */
public final class ModelInfo {
    private final Path path;
    private final String architecture;
    private final int layers;
    private final int hidden;
    private final int context;
    private final int vocabulary;
    private final int bosId;
    private final int[] eosIds;
    private final Set<WeightType> weightTypes;
    private final WeightType kvType;
    private final long weightBytes;
    private final long bytesPerPass;
    private final HeadsInfo heads;
    private final BackendInfo backend;
    private final List<String> notices;

    ModelInfo(Builder from) {
        path = from.path;
        architecture = from.architecture;
        layers = from.layers;
        hidden = from.hidden;
        context = from.context;
        vocabulary = from.vocabulary;
        bosId = from.bosId;
        eosIds = from.eosIds.clone();
        weightTypes = Set.copyOf(from.weightTypes);
        kvType = from.kvType;
        weightBytes = from.weightBytes;
        bytesPerPass = from.bytesPerPass;
        heads = from.heads;
        backend = from.backend;
        notices = List.copyOf(from.notices);
    }

    /** Collects facts. */
    static final class Builder {
        Path path;
        String architecture;
        int layers;
        int hidden;
        int context;
        int vocabulary;
        int bosId = -1;
        int[] eosIds = {};
        Set<WeightType> weightTypes = Set.of();
        WeightType kvType;
        long weightBytes;
        long bytesPerPass;
        HeadsInfo heads;
        BackendInfo backend;
        List<String> notices = List.of();
    }

    /** {@return the file or folder that it was opened from} */
    public Path path() {
        return path;
    }

    /** {@return the architecture, as files name it} */
    public String architecture() {
        return architecture;
    }

    /** {@return the number of transformer layers} */
    public int layers() {
        return layers;
    }

    /** {@return the number of values of a hidden state} */
    public int hidden() {
        return hidden;
    }

    /** {@return the most tokens of a sequence, prompt and generated ones together} */
    public int context() {
        return context;
    }

    /** {@return the number of tokens: ids run from 0 to one less} */
    public int vocabulary() {
        return vocabulary;
    }

    /** {@return the token that begins a text, if there is one} */
    public OptionalInt bosId() {
        return bosId < 0 ? OptionalInt.empty() : OptionalInt.of(bosId);
    }

    /** {@return the tokens that end a text, any of them; may be empty} A copy. */
    public int[] eosIds() {
        return eosIds.clone();
    }

    /** {@return the types that the matrices have as loaded} Unmodifiable. */
    public Set<WeightType> weightTypes() {
        return weightTypes;
    }

    /** {@return the type that keys and values are kept in} */
    public WeightType kvType() {
        return kvType;
    }

    /** {@return the number of bytes of the base's matrices as loaded} */
    public long weightBytes() {
        return weightBytes;
    }

    /** {@return the number of bytes of weights that one pass over few rows reads: what bounds the speed of plain decoding} */
    public long bytesPerPass() {
        return bytesPerPass;
    }

    /** {@return the draft heads, if there are any} */
    public Optional<HeadsInfo> heads() {
        return Optional.ofNullable(heads);
    }

    /** {@return what computes} */
    public BackendInfo backend() {
        return backend;
    }

    /** {@return one line for each thing in the files that is not used, or used in one of two ways} Unmodifiable. */
    public List<String> notices() {
        return notices;
    }

    /** What the cost of a step depends on, by name. */
    Map<String, String> calibrationFacts() {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("architecture", architecture);
        facts.put("layers", String.valueOf(layers));
        facts.put("hidden", String.valueOf(hidden));
        facts.put("vocabulary", String.valueOf(vocabulary));
        facts.put("weights", new TreeSet<>(weightTypes).toString());
        facts.put("weight_bytes", String.valueOf(weightBytes));
        facts.put("kv", String.valueOf(kvType));
        facts.put("heads", heads == null ? "none" : heads.count() + " " + heads.kind());
        facts.put("heads_bytes", heads == null ? "0" : String.valueOf(heads.bytesPerStep()));
        facts.put("backend", String.valueOf(backend.kind()));
        facts.put("threads", String.valueOf(backend.threads()));
        facts.put("device", backend.description());
        return facts;
    }

    /** Where a tuned tree comes from, by name: what its costs depend on, the files and the machine. */
    Map<String, String> tuningFacts() {
        Map<String, String> facts = calibrationFacts();
        facts.put("model", String.valueOf(path.getFileName()));
        facts.put("draft_vocabulary", heads == null ? "0" : String.valueOf(heads.draftVocabulary()));
        facts.put("processor", Processor.description());
        return facts;
    }

    private List<Object> values() {
        return Arrays.asList(
                path,
                architecture,
                layers,
                hidden,
                context,
                vocabulary,
                bosId,
                Arrays.stream(eosIds).boxed().toList(),
                weightTypes,
                kvType,
                weightBytes,
                bytesPerPass,
                heads,
                backend,
                notices);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ModelInfo info && values().equals(info.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "ModelInfo[path=" + path + ", architecture=" + architecture + ", layers=" + layers + ", hidden=" + hidden
                + ", context=" + context + ", vocabulary=" + vocabulary + ", weightTypes=" + weightTypes + ", heads="
                + heads + ", backend=" + backend + "]";
    }
}
