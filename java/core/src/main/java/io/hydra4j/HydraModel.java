package io.hydra4j;

import io.hydra4j.decode.AdaptiveTree;
import io.hydra4j.decode.BatchOptions;
import io.hydra4j.decode.BatchSession;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.StepCosts;
import io.hydra4j.decode.Tree;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.heads.HeadsTensors;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.InsufficientMemoryException;
import io.hydra4j.model.MemoryNeed;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.Backends;
import io.hydra4j.runtime.Resources;
import io.hydra4j.text.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;

/**
 * A model with its draft heads, ready to generate text.
 *
 * <pre>{@code
 * try (HydraModel model = HydraModel.open(Path.of("model.gguf"), OpenOptions.DEFAULT.withHeads(Path.of("heads")))) {
 *     GenerationResult result = model.generate("public class ", GenerationOptions.DEFAULT.withMaxTokens(64));
 *     System.out.println(result.text());
 * }
 * }</pre>
 *
 * <p>The output is that of greedy one-token decoding, to the bit, with every kind of heads and every tree. Thread-safe:
 * generations from several threads share the weights and take turns on the processor. {@link #close()} is idempotent; close
 * streams before the model.
 */
public final class HydraModel implements AutoCloseable {
    private final ModelFiles files;
    private final Backend backend;
    private final DecoderModel base;
    private final DraftHeads heads;
    private final Tokenizer tokenizer;
    private StepCosts costs;
    private double plainStepNanos;
    private AdaptiveTree learned;
    private boolean closed;

    private HydraModel(ModelFiles files, Backend backend, DecoderModel base, DraftHeads heads, Tokenizer tokenizer) {
        this.files = files;
        this.backend = backend;
        this.base = base;
        this.heads = heads;
        this.tokenizer = tokenizer;
    }

    /** Opens a GGUF file or Hugging Face folder without draft heads. */
    public static HydraModel open(Path path) {
        return open(path, OpenOptions.DEFAULT);
    }

    /**
     * Opens a model.
     *
     * @param path a GGUF file or a Hugging Face folder
     * @throws io.hydra4j.format.FormatException if a file is damaged or of an unknown kind, or the heads do not fit the base
     * @throws io.hydra4j.model.InsufficientMemoryException if CUDA was asked for and the GPU has not the memory
     * @throws HydraException if the backend cannot run or cannot keep keys and values as asked, or memory is short; nothing stays
     *     open then
     */
    public static HydraModel open(Path path, OpenOptions options) {
        ModelFiles files = ModelFiles.open(path);
        var headTensors = options.heads() == null ? null : HeadsFiles.open(options.heads(), files.config());
        // Reading a vocabulary takes about as long as loading the weights of a small model.
        CompletableFuture<Tokenizer> tokenizer = CompletableFuture.supplyAsync(
                () -> Tokenizer.of(files.path(), files::metadata).orElse(null));
        Resources opened = new Resources();
        try {
            Backend backend = opened.own(backend(options, files, headTensors));
            double share = headTensors == null ? 1.0 : 0.8;
            long reserve = need(backend, options, files, headTensors).headsBytes();
            DecoderModel base = DecoderModel.load(
                    backend, files, options.weights(), options.kv(), reserve, fraction -> options.progress()
                            .accept(fraction * share));
            opened.own(base);
            DraftHeads heads = null;
            if (headTensors != null) {
                heads = DraftHeads.load(base, headTensors, options.headWeights(), 0, fraction -> options.progress()
                        .accept(share + fraction * (1 - share)));
                opened.own(heads);
                if (options.draftTables()) {
                    heads.makeTables();
                }
            }
            return new HydraModel(files, backend, base, heads, await(tokenizer));
        } catch (RuntimeException | Error e) {
            opened.close();
            tokenizer.thenAccept(HydraModel::closeTokenizer);
            throw e;
        }
    }

    /** A GPU without the memory is no reason to fail where another backend may compute. */
    private static Backend backend(OpenOptions options, ModelFiles files, HeadsTensors heads) {
        Backend backend = Backends.open(options.backend(), options.threads());
        try {
            need(backend, options, files, heads).require();
            return backend;
        } catch (InsufficientMemoryException e) {
            backend.close();
            if (options.backend() != BackendKind.AUTO) {
                throw e;
            }
            return Backends.openCpu(options.threads(), e.getMessage());
        } catch (RuntimeException | Error e) {
            backend.close();
            throw e;
        }
    }

    private static MemoryNeed need(Backend backend, OpenOptions options, ModelFiles files, HeadsTensors heads) {
        MemoryNeed need = MemoryNeed.of(backend, files, options.weights(), options.kv());
        if (heads == null) {
            return need;
        }
        long tables = options.draftTables() ? DraftHeads.tableBytes(heads.config(), files.config()) : 0;
        return need.addHeads(heads.all(), options.headWeights(), files.config()).addDraftTables(tables);
    }

    private static Tokenizer await(CompletableFuture<Tokenizer> tokenizer) {
        try {
            return tokenizer.join();
        } catch (CompletionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : e;
        }
    }

    private static void closeTokenizer(Tokenizer tokenizer) {
        if (tokenizer != null) {
            tokenizer.close();
        }
    }

    /**
     * Generates behind a text.
     *
     * @throws HydraException if the model has no tokenizer, the prompt is empty or longer than the context, or the options do
     *     not fit the model
     */
    public GenerationResult generate(String prompt, GenerationOptions options) {
        return generate(prompt, options, chunk -> {});
    }

    /** Generates behind a text and shows each step's tokens and text to the listener, in the calling thread. */
    public GenerationResult generate(String prompt, GenerationOptions options, Consumer<Chunk> listener) {
        return generate(requireTokenizer().encode(prompt), options, listener);
    }

    /** Generates behind token ids and shows each step's tokens and text to the listener, in the calling thread. */
    public GenerationResult generate(int[] promptIds, GenerationOptions options, Consumer<Chunk> listener) {
        try (TokenStream stream = stream(promptIds, options)) {
            stream.forEachRemaining(listener);
            return stream.result();
        }
    }

    /** As {@link #stream(int[], GenerationOptions)}, behind a text. */
    public TokenStream stream(String prompt, GenerationOptions options) {
        return stream(requireTokenizer().encode(prompt), options);
    }

    /**
     * Generates as its caller asks: a step is computed when the next chunk is wanted, and not before.
     *
     * @param promptIds token ids, at least one
     */
    public TokenStream stream(int[] promptIds, GenerationOptions options) {
        return new TokenStream(this, promptIds, options);
    }

    /** A session for a loop of one's own, with the heads if there are any. */
    public Session session(SessionOptions options) {
        return new Session(base, heads, options);
    }

    /** Several sequences decoded side by side, with the heads if there are any. */
    public BatchSession batch(BatchOptions options) {
        return new BatchSession(base, heads, options);
    }

    /** What steps cost here, measured at the first call. */
    public synchronized StepCosts costs() {
        if (costs == null) {
            costs = StepCosts.measure(base, heads);
        }
        return costs;
    }

    /** Time of a one-token step here, in nanoseconds, measured at the first call. */
    public synchronized double plainStepNanos() {
        if (costs != null) {
            return costs.plainNanos();
        }
        if (plainStepNanos == 0) {
            plainStepNanos = StepCosts.measure(base, null).plainNanos();
        }
        return plainStepNanos;
    }

    /** A choice of trees that begins with what earlier generations have learned. */
    synchronized AdaptiveTree adaptiveTree() {
        return learned == null ? new AdaptiveTree(costs()) : learned.next();
    }

    /** Keeps what a generation that has ended has learned. */
    synchronized void learned(AdaptiveTree tree) {
        learned = tree;
    }

    /** The default tree, cut to the depth of the heads; the root alone without heads. */
    public Tree tree() {
        return heads == null ? Tree.ROOT : Tree.DEFAULT.truncated(heads.config().heads());
    }

    /** The decoding method that the heads are for; {@link Method#PLAIN} without heads. */
    public Method method() {
        return heads == null
                ? Method.PLAIN
                : Method.valueOf(heads.config().kind().name());
    }

    /** The base model and its weights. */
    public DecoderModel base() {
        return base;
    }

    /** The draft heads. */
    public Optional<DraftHeads> heads() {
        return Optional.ofNullable(heads);
    }

    /** What the files say. */
    public ModelFiles files() {
        return files;
    }

    /** The tokenizer, if the model has one. */
    public Optional<Tokenizer> tokenizer() {
        return Optional.ofNullable(tokenizer);
    }

    /** The backend that computes. */
    public Backend backend() {
        return backend;
    }

    /** One line for each thing about the loaded weights that is not as the files have it. */
    public List<String> notices() {
        List<String> notices = new ArrayList<>(List.of(base.notice()));
        heads().ifPresent(loaded -> notices.add(loaded.notice()));
        notices.removeIf(String::isEmpty);
        return notices;
    }

    private Tokenizer requireTokenizer() {
        if (tokenizer == null) {
            throw new HydraException(files.path() + " has no tokenizer: give token ids instead of text");
        }
        return tokenizer;
    }

    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        Resources all = new Resources();
        all.own(backend);
        all.own(base);
        heads().ifPresent(all::own);
        tokenizer().ifPresent(all::own);
        all.close();
    }
}
