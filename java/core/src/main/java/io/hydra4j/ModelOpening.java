package io.hydra4j;

import io.hydra4j.format.Tensor;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsConfig;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.heads.HeadsTensors;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.MemoryNeed;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.model.WeightLoader;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.Backends;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.WeightType;
import io.hydra4j.text.ChatTemplates;
import io.hydra4j.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.DoubleConsumer;
import java.util.function.Supplier;

/** Opens a model: files, backend, weights, heads and tokenizer, all of it or none. */
final class ModelOpening {
    /** The part of the progress that loading the base makes up where heads follow. */
    private static final double BASE_SHARE = 0.8;

    private final OpenOptions options;
    private final ModelFiles files;
    private final HeadsTensors headTensors;
    private final Resources opened;
    private MemoryNeed need;

    private ModelOpening(Path path, OpenOptions options) {
        this.options = options;
        files = ModelFiles.open(path, options.context());
        headTensors = options.heads()
                .map(heads -> HeadsFiles.open(heads, files.config()))
                .orElse(null);
        // Last, for what is made before a failure here would count as lost.
        opened = new Resources("model");
    }

    static HydraModel open(Path path, OpenOptions options) {
        return new ModelOpening(path, options).open();
    }

    /** A model of parts that were loaded, which it does not close. */
    static HydraModel of(
            ModelFiles files, DecoderModel base, HeadsTensors tensors, DraftHeads heads, Tokenizer tokenizer) {
        return new HydraModel(
                base,
                heads,
                tokenizer,
                info(files, null, base, tensors, heads),
                null,
                templates(files.path(), files.metadata()),
                new Resources("model"));
    }

    private HydraModel open() {
        // Reading a vocabulary takes about as long as loading the weights of a small model.
        CompletableFuture<Tokenizer> tokenizer = CompletableFuture.supplyAsync(
                () -> Tokenizer.of(files.path(), files::metadata, files.config().vocabulary())
                        .orElse(null));
        try {
            Backend backend = openBackend();
            DecoderModel base = loadBase(backend);
            DraftHeads heads = headTensors == null ? null : loadHeads(base);
            Tokenizer read = await(tokenizer);
            if (read != null) {
                opened.own(read);
            }
            return new HydraModel(
                    base,
                    heads,
                    read,
                    info(files, options.weights().orElse(null), base, headTensors, heads),
                    options.calibration().orElse(null),
                    templates(files.path(), files.metadata()),
                    opened);
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, opened);
            tokenizer.thenAccept(ModelOpening::closeTokenizer);
            throw e;
        }
    }

    /** Of a GGUF file what it has of them at once, so that its vocabulary is not kept for them. */
    private static Supplier<ChatTemplates> templates(Path path, Map<String, Object> metadata) {
        if (Files.isDirectory(path)) {
            return () -> ChatTemplates.ofFolder(path);
        }
        ChatTemplates templates = ChatTemplates.ofGguf(path, metadata);
        return () -> templates;
    }

    /** A GPU without the memory is no reason to fail where another backend may compute. */
    private Backend openBackend() {
        Backend backend = opened.own(Backends.open(options.backend(), options.threads()));
        try {
            need = need(backend);
            need.require();
            return backend;
        } catch (InsufficientMemoryException e) {
            if (options.backend() != BackendKind.AUTO) {
                throw e;
            }
            backend.close();
            backend = opened.own(Backends.openCpu(options.threads(), e.getMessage()));
            need = need(backend);
            return backend;
        }
    }

    private MemoryNeed need(Backend backend) {
        MemoryNeed base =
                MemoryNeed.of(backend, files, options.weights().orElse(null), options.kv(), options.kvTokens());
        if (headTensors == null) {
            return base;
        }
        long tables = options.draftTables() ? DraftHeads.tableBytes(headTensors.config(), files.config()) : 0;
        return base.addHeads(headTensors.all(), headWeights(backend), files.config())
                .addDraftTables(tables);
    }

    private DecoderModel loadBase(Backend backend) {
        double share = headTensors == null ? 1.0 : BASE_SHARE;
        return opened.own(DecoderModel.load(
                backend,
                files,
                options.weights().orElse(null),
                options.kv(),
                options.kvTokens(),
                need.headsBytes(),
                part(options.progress(), 0, share)));
    }

    private DraftHeads loadHeads(DecoderModel base) {
        DraftHeads heads = opened.own(DraftHeads.load(
                base,
                headTensors,
                headWeights(base.backend()),
                0,
                part(options.progress(), BASE_SHARE, 1 - BASE_SHARE)));
        if (options.draftTables()) {
            heads.makeTables();
        }
        return heads;
    }

    private WeightType headWeights(Backend backend) {
        return options.headWeights()
                .orElseGet(() -> options.eightBitHeads() ? headTensors.eightBitType(backend.kind()) : null);
    }

    /** Static: what is opened keeps its consumer, and must not refer to the resources that own it. */
    private static DoubleConsumer part(DoubleConsumer progress, double from, double share) {
        return fraction -> progress.accept(from + fraction * share);
    }

    private static ModelInfo info(
            ModelFiles files, WeightType convertTo, DecoderModel base, HeadsTensors headTensors, DraftHeads heads) {
        ModelInfo.Builder info = new ModelInfo.Builder();
        info.path = files.path();
        info.architecture = files.family().id();
        info.layers = files.config().layers();
        info.hidden = files.config().hidden();
        info.context = files.config().context();
        info.vocabulary = files.config().vocabulary();
        info.bosId = files.config().bosId();
        info.eosIds =
                files.config().eosIds().stream().mapToInt(Integer::intValue).toArray();
        info.weightTypes = weightTypes(files, convertTo);
        info.kvType = base.pool().type();
        info.bytesPerPass = base.bytesPerPass();
        info.weightBytes = base.bytesPerPass()
                + (base.embedding() == base.lmHead() ? 0 : base.embedding().bytes());
        info.backend = new BackendInfo(base.backend());
        info.heads = heads == null ? null : headsInfo(files, headTensors, heads);
        info.notices = List.copyOf(base.notices());
        return new ModelInfo(info);
    }

    private static Set<WeightType> weightTypes(ModelFiles files, WeightType convertTo) {
        Set<WeightType> types = new LinkedHashSet<>();
        for (Tensor tensor : files.tensors().all()) {
            if (tensor.shape().size() > 1) {
                types.add(WeightLoader.typeOf(tensor, convertTo));
            }
        }
        return types;
    }

    private static HeadsInfo headsInfo(ModelFiles files, HeadsTensors headTensors, DraftHeads heads) {
        HeadsConfig config = heads.config();
        String kind = config.kind() == HeadsConfig.Kind.HYDRA_PLUS_PLUS
                ? "hydra++"
                : config.kind().name().toLowerCase(Locale.ROOT);
        List<Integer> draft = headTensors.draftVocabulary();
        return new HeadsInfo(
                kind, config.heads(), draft == null ? files.config().vocabulary() : draft.size(), heads.bytesPerStep());
    }

    private static Tokenizer await(CompletableFuture<Tokenizer> tokenizer) {
        try {
            return tokenizer.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            if (e.getCause() instanceof Error cause) {
                throw cause;
            }
            throw e;
        }
    }

    private static void closeTokenizer(Tokenizer tokenizer) {
        if (tokenizer != null) {
            tokenizer.close();
        }
    }
}
