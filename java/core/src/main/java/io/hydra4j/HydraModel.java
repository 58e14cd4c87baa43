package io.hydra4j;

import io.hydra4j.access.Models;
import io.hydra4j.decode.BatchOptions;
import io.hydra4j.decode.BatchSession;
import io.hydra4j.decode.GrowthPolicy;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.draft.Drafter;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.runtime.Resources;
import io.hydra4j.text.ChatTemplate;
import io.hydra4j.text.ChatTemplates;
import io.hydra4j.text.EncodeOptions;
import io.hydra4j.text.PromptText;
import io.hydra4j.text.TextStream;
import io.hydra4j.text.Tokenizer;
import io.hydra4j.tuning.ConversionText;
import io.hydra4j.tuning.FullChains;
import io.hydra4j.tuning.GrowthChoice;
import io.hydra4j.tuning.GrowthCosts;
import io.hydra4j.tuning.StepCosts;
import io.hydra4j.tuning.TreeTuning;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.Flow;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;

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
 * <p>The output is that of one-token decoding, to the bit, with every kind of heads and every tree: of the best tokens, or of a
 * sample whose seed is the same ({@link GenerationOptions#withSampling}); unless {@link GenerationOptions#withAcceptance typical
 * acceptance} is asked for. Thread-safe: generations from several threads share the weights and take turns on the processor.
 *
 * <p>A model may be closed at any time from any thread: generations that run end before their next step, as {@link
 * FinishReason#CANCELLED}, and sessions refuse to work. Its memory is freed when the last of them has been closed. What is called
 * on a closed model throws an IllegalStateException: "the model is closed".
 */
public final class HydraModel implements AutoCloseable {
    /** The longest guess of a model without heads: its rows cost little more than one. */
    private static final int LOOKUP_DEPTH = 8;

    private static final int LONGEST_LOOKUP = Tree.MAX_NODES - 1;
    private static final String LOOKUP_NAME = "lookup";

    /** What guesses where there are no heads. */
    private static final Drafter LOOKUP = Drafter.lookup(LONGEST_LOOKUP);

    /** The trees that it fills. */
    static final Tree LOOKUP_TREE = Tree.chain(LOOKUP_DEPTH);

    /** The trees that it fills with heads. */
    private static final Tree GROWING_TREE = Tree.dynamic(32);

    static {
        Models.handOver(ModelOpening::of);
    }

    private final DecoderModel base;
    private final DraftHeads heads;
    private final Tokenizer tokenizer;
    private final ModelInfo info;
    private final ModelTemplates templates;
    private final ModelUses uses;
    /** Null where none was made. */
    private volatile Calibration calibration;

    /** What generations have learned, by what they guess with. */
    private final Map<DraftSource, GrowthChoice> grown = new EnumMap<>(DraftSource.class);

    /** @throws CalibrationMismatchException if the calibration, which may be null, was made with something else */
    HydraModel(
            DecoderModel base,
            DraftHeads heads,
            Tokenizer tokenizer,
            ModelInfo info,
            Calibration calibration,
            Supplier<ChatTemplates> templates,
            Resources owned) {
        this.base = base;
        this.heads = heads;
        this.tokenizer = tokenizer;
        this.info = info;
        this.templates = new ModelTemplates(templates);
        uses = new ModelUses(owned::close);
        if (calibration != null) {
            calibration.requireFit(info.calibrationFacts());
            this.calibration = calibration;
        }
    }

    /**
     * Opens a GGUF file or Hugging Face folder without draft heads.
     *
     * @param path a GGUF file or a Hugging Face folder
     * @return the model, to be closed
     */
    public static HydraModel open(Path path) {
        return open(path, OpenOptions.DEFAULT);
    }

    /**
     * Opens a model.
     *
     * @param path a GGUF file or a Hugging Face folder
     * @param options how to open it
     * @return the model, to be closed
     * @throws ResourceExhaustedException if memory is short; {@link InsufficientMemoryException} if CUDA was asked for and the GPU
     *     does not have enough
     * @throws FormatException if a file is damaged or of an unknown kind, or the heads do not fit the base
     * @throws HydraException if the backend cannot run or cannot keep keys and values as asked; nothing stays open then
     * @throws NullPointerException if an argument is null
     */
    public static HydraModel open(Path path, OpenOptions options) {
        return ModelOpening.open(
                OpenOptions.require("path", path, "a GGUF file or a Hugging Face folder"),
                OpenOptions.require("options", options, "OpenOptions.DEFAULT"));
    }

    /**
     * Continues a prompt.
     *
     * @param prompt a text, encoded as {@link #encode(String)} does
     * @param options how to generate
     * @return the text, its tokens and what was measured
     * @throws IllegalArgumentException if the prompt is empty or longer than the context, or the options do not fit the model
     * @throws ResourceExhaustedException if memory or KV pages are short
     * @throws HydraException if the model has no tokenizer
     */
    public GenerationResult generate(String prompt, GenerationOptions options) {
        return generate(prompt, options, chunk -> {});
    }

    /**
     * As {@link #generate(String, GenerationOptions)}; the listener gets each step's tokens and text, in the calling thread.
     *
     * @param prompt a text, encoded as {@link #encode(String)} does
     * @param options how to generate
     * @param listener gets a chunk for each step
     * @return the text, its tokens and what was measured
     */
    public GenerationResult generate(String prompt, GenerationOptions options, Consumer<Chunk> listener) {
        return generate(encode(prompt), options, listener);
    }

    /**
     * As {@link #generate(String, GenerationOptions)}, from token ids.
     *
     * @param promptIds token ids, at least one
     * @param options how to generate
     * @return the text, its tokens and what was measured
     */
    public GenerationResult generate(int[] promptIds, GenerationOptions options) {
        return generate(promptIds, options, chunk -> {});
    }

    /**
     * As {@link #generate(String, GenerationOptions, Consumer)}, from token ids.
     *
     * @param promptIds token ids, at least one
     * @param options how to generate
     * @param listener gets a chunk for each step
     * @return the text, its tokens and what was measured
     */
    public GenerationResult generate(int[] promptIds, GenerationOptions options, Consumer<Chunk> listener) {
        OpenOptions.require("listener", listener, "one, such as chunk -> {}");
        try (TokenStream stream = stream(promptIds, options)) {
            stream.forEachRemaining(listener);
            return stream.result();
        }
    }

    /**
     * As {@link #stream(int[], GenerationOptions)}, from a text.
     *
     * @param prompt a text, encoded as {@link #encode(String)} does
     * @param options how to generate
     * @return the stream, to be closed
     */
    public TokenStream stream(String prompt, GenerationOptions options) {
        return stream(encode(prompt), options);
    }

    /**
     * Generates as its caller asks: a step is computed when the next chunk is wanted, and not before. KV pages for prompt and token
     * limit are taken at once, so that a stream that has been opened does not fail for lack of them.
     *
     * @param promptIds token ids, at least one
     * @param options how to generate
     * @return the stream, to be closed
     * @throws IllegalArgumentException if there are no ids, more than the context holds, one is outside the vocabulary, or the options
     *     do not fit the model
     * @throws ResourceExhaustedException if memory or KV pages are short
     */
    public TokenStream stream(int[] promptIds, GenerationOptions options) {
        return new TokenStream(
                this,
                OpenOptions.require("promptIds", promptIds, "at least one token id"),
                OpenOptions.require("options", options, "GenerationOptions.DEFAULT"));
    }

    /**
     * Answers a conversation.
     *
     * @param messages its messages, the one to be answered last
     * @param options how to generate
     * @return the answer, its tokens and what was measured
     * @throws ChatTemplateException its nested classes: if there is no template, or it refuses the messages
     * @throws IllegalArgumentException if the prompt is longer than the context, or the options do not fit the model
     * @throws ResourceExhaustedException if memory or KV pages are short
     * @throws HydraException if the model has no tokenizer
     */
    public GenerationResult chat(List<Message> messages, GenerationOptions options) {
        return chat(messages, ChatOptions.DEFAULT, options, chunk -> {});
    }

    /**
     * As {@link #chat(List, GenerationOptions)}; the listener gets each step's tokens and text, in the calling thread.
     *
     * @param messages its messages, the one to be answered last
     * @param chat how they become a prompt
     * @param options how to generate
     * @param listener gets a chunk for each step
     * @return the answer, its tokens and what was measured
     */
    public GenerationResult chat(
            List<Message> messages, ChatOptions chat, GenerationOptions options, Consumer<Chunk> listener) {
        return generate(encode(messages, chat), options, listener);
    }

    /**
     * As {@link #stream(int[], GenerationOptions)}, with the answer to a conversation.
     *
     * @param messages its messages, the one to be answered last
     * @param chat how they become a prompt
     * @param options how to generate
     * @return the stream, to be closed
     */
    public TokenStream stream(List<Message> messages, ChatOptions chat, GenerationOptions options) {
        return stream(encode(messages, chat), options);
    }

    /**
     * Begins a conversation, which computes only what is new of each turn.
     *
     * @param options how its messages become a prompt
     * @return the conversation, without messages, to be closed
     */
    public Conversation conversation(ChatOptions options) {
        return new Conversation(this, OpenOptions.require("options", options, "ChatOptions.DEFAULT"));
    }

    /**
     * As {@link #generateAsync(int[], GenerationOptions, Executor)}, from a text.
     *
     * @param prompt a text, encoded as {@link #encode(String)} does
     * @param options how to generate
     * @param executor its threads are busy for as long as a generation runs
     * @return completes with the result; cancelling it ends the generation
     */
    public CompletableFuture<GenerationResult> generateAsync(
            String prompt, GenerationOptions options, Executor executor) {
        return generateAsync(encode(prompt), options, executor);
    }

    /**
     * Generates in one of the executor's threads, which is busy until the generation ends.
     *
     * @param promptIds token ids, at least one
     * @param options how to generate
     * @param executor its threads are busy for as long as a generation runs
     * @return completes with the result, or with what {@link #generate(int[], GenerationOptions)} throws; cancelling it, or
     *     completing it otherwise, ends the generation before its next step
     * @throws java.util.concurrent.RejectedExecutionException if the executor takes no more tasks
     */
    public CompletableFuture<GenerationResult> generateAsync(
            int[] promptIds, GenerationOptions options, Executor executor) {
        OpenOptions.require("executor", executor, "one whose threads may be busy for long");
        int[] prompt = OpenOptions.require("promptIds", promptIds, "at least one token id")
                .clone();
        OpenOptions.require("options", options, "GenerationOptions.DEFAULT");
        CompletableFuture<GenerationResult> future = new CompletableFuture<>();
        GenerationOptions watched = options.withCancelled(
                () -> future.isDone() || options.cancelled().getAsBoolean());
        executor.execute(() -> {
            if (future.isDone()) {
                return;
            }
            try {
                future.complete(generate(prompt, watched));
            } catch (RuntimeException | Error e) {
                future.completeExceptionally(e);
            }
        });
        return future;
    }

    /**
     * As {@link #publish(int[], GenerationOptions, Executor)}, from a text.
     *
     * @param prompt a text, encoded as {@link #encode(String)} does
     * @param options how to generate
     * @param executor its threads are busy for as long as a generation runs
     * @return the publisher, which computes nothing until it is subscribed to
     */
    public Flow.Publisher<Chunk> publish(String prompt, GenerationOptions options, Executor executor) {
        return publish(encode(prompt), options, executor);
    }

    /**
     * Generates for subscribers, in the executor's threads: each subscription is a generation of its own, and a step is computed for
     * each chunk that its subscriber has requested, and not before. Cancelling ends the generation; what {@link #stream(int[],
     * GenerationOptions)} and {@link TokenStream#next} throw goes to {@code onError}. So does what the executor throws where it takes
     * no more tasks, in the thread that has requested chunks.
     *
     * @param promptIds token ids, at least one
     * @param options how to generate
     * @param executor its threads are busy for as long as a generation runs
     * @return the publisher, which computes nothing until it is subscribed to
     */
    public Flow.Publisher<Chunk> publish(int[] promptIds, GenerationOptions options, Executor executor) {
        OpenOptions.require("executor", executor, "one whose threads may be busy for long");
        int[] prompt = OpenOptions.require("promptIds", promptIds, "at least one token id")
                .clone();
        OpenOptions.require("options", options, "GenerationOptions.DEFAULT");
        return subscriber -> ChunkSubscription.start(() -> stream(prompt, options), executor, subscriber);
    }

    /**
     * A session for a loop of one's own, with the heads if there are any.
     *
     * @param options its first tree and its limits
     * @return the session, empty, to be closed
     * @throws IllegalArgumentException if the options do not fit the model
     * @throws ResourceExhaustedException if memory is short
     */
    public Session session(SessionOptions options) {
        return session(options, heads);
    }

    /**
     * A session for a loop of one's own, with a drafter of one's own.
     *
     * @param options its first tree and its limits
     * @param drafter what guesses, such as {@link Drafter#lookup}; null for nothing
     * @return the session, empty, to be closed
     * @throws IllegalArgumentException if the options do not fit the model and the drafter
     * @throws ResourceExhaustedException if memory is short
     */
    public Session session(SessionOptions options, Drafter drafter) {
        OpenOptions.require("options", options, "SessionOptions.of(model.tree())");
        return use(() -> Sessions.session(base, drafter, options, uses::requireOpen, uses::end));
    }

    /** A session of a stream: the model's closing ends the stream and with it the session, in whose steps none is refused. */
    Session streamSession(SessionOptions options, Drafter drafter) {
        return use(() -> Sessions.session(base, drafter, options, () -> {}, uses::end));
    }

    /**
     * How a generation with these options guesses.
     *
     * @throws IllegalArgumentException if the options ask for heads that there are not, or contradict each other
     */
    Guessing guessing(GenerationOptions options) {
        if (options.speculation() == Speculation.OFF) {
            return Guessing.NONE;
        }
        Tree tree = options.tree().orElse(null);
        DraftSource source = source(options, tree);
        boolean chooses = tree == null && options.speculation() == Speculation.AUTO;
        Drafter lookup = source == DraftSource.HEADS ? null : lookup(options);
        return switch (source) {
            case HEADS -> new Guessing(
                    source,
                    headsName(),
                    heads,
                    tree != null ? tree : chooses ? GROWING_TREE : tree(),
                    chooses ? growth(source) : null);
            case LOOKUP -> new Guessing(
                    source,
                    LOOKUP_NAME,
                    lookup,
                    tree != null ? tree : chooses ? GROWING_TREE : LOOKUP_TREE,
                    chooses ? growth(source) : null);
            case HEADS_AND_LOOKUP, AUTO -> new Guessing(
                    source,
                    headsName() + " and " + LOOKUP_NAME,
                    heads.withChains(lookup),
                    tree != null ? tree : GROWING_TREE,
                    chooses ? growth(source) : null);
        };
    }

    private String headsName() {
        return info.heads().orElseThrow().kind();
    }

    /** What guesses, where the options leave it open. */
    private DraftSource source(GenerationOptions options, Tree tree) {
        DraftSource asked = options.draft();
        if (heads == null && (asked == DraftSource.HEADS || asked == DraftSource.HEADS_AND_LOOKUP)) {
            throw new IllegalArgumentException(
                    "draft is " + asked + ", but the model has no draft heads: open it with heads, or use LOOKUP");
        }
        boolean isFixed = tree == null ? options.speculation() == Speculation.ON : !tree.isDynamic();
        if (asked == DraftSource.HEADS_AND_LOOKUP && tree != null && isFixed) {
            throw new IllegalArgumentException(
                    "draft is HEADS_AND_LOOKUP, which fill dynamic trees alone: use Tree.dynamic, or HEADS");
        }
        if (asked != DraftSource.AUTO) {
            return asked;
        }
        return heads == null ? DraftSource.LOOKUP : isFixed ? DraftSource.HEADS : DraftSource.HEADS_AND_LOOKUP;
    }

    private Drafter lookup(GenerationOptions options) {
        if (options.draftTexts().isEmpty()) {
            return LOOKUP;
        }
        return Drafter.lookup(
                LONGEST_LOOKUP, options.draftTexts().stream().map(this::encode).toList());
    }

    /**
     * Several sequences decoded side by side, with the heads if there are any.
     *
     * @param options the number of sequences, their first tree and their limits
     * @return the session, of empty sequences, to be closed
     * @throws IllegalArgumentException if the options do not fit the model
     * @throws ResourceExhaustedException if memory is short
     */
    public BatchSession batch(BatchOptions options) {
        return batch(options, heads);
    }

    /**
     * As {@link #batch(BatchOptions)}, with a drafter of one's own; null for none.
     *
     * @param options the number of sequences, their first tree and their limits
     * @param drafter what guesses; null for nothing
     * @return the session, of empty sequences, to be closed
     */
    public BatchSession batch(BatchOptions options, Drafter drafter) {
        OpenOptions.require("options", options, "BatchOptions.of(sequences, model.tree())");
        return use(() -> Sessions.batch(base, drafter, options, uses::requireOpen, uses::end));
    }

    /**
     * {@return what guesses for this model by default: its draft heads, with a lookup for a second opinion in dynamic trees; without heads
     * the lookup alone} For {@link #session(SessionOptions, Drafter)} and {@link #batch(BatchOptions, Drafter)}.
     */
    public Drafter drafter() {
        return heads == null ? LOOKUP : heads.withChains(LOOKUP);
    }

    /**
     * {@return a policy for one session or batch of this model with dynamic trees} It learns from the steps what rows and drafts cost here and
     * what is accepted, and gives each step the nodes that are worth their time; as {@link Speculation#AUTO} does.
     */
    public GrowthPolicy growthPolicy() {
        return newGrowth(levels());
    }

    /** Levels that heads fill. */
    private int levels() {
        return info.heads().map(HeadsInfo::count).orElse(0);
    }

    /** Makes a session, which ends the use. */
    private <T> T use(Supplier<T> make) {
        uses.begin();
        boolean made = false;
        try {
            T session = make.get();
            made = true;
            return session;
        } finally {
            if (!made) {
                uses.end();
            }
        }
    }

    /**
     * The output of a generation that continues these tokens, for a loop of one's own.
     *
     * @param promptIds the tokens before the output, which decide how its first characters are spaced
     * @param options of which the end of the output is read: token limit, stop strings, and whether end-of-sequence tokens end it
     * @return the output, empty
     */
    public OutputAssembler output(int[] promptIds, GenerationOptions options) {
        OpenOptions.require("promptIds", promptIds, "the tokens of the prompt");
        OpenOptions.require("options", options, "GenerationOptions.DEFAULT");
        TextStream text = tokenizer == null ? null : tokenizer.stream(true);
        if (text != null) {
            text.follow(promptIds);
        }
        return new OutputAssembler(options, info.eosIds(), text);
    }

    /**
     * As {@link #calibrate(Duration)}, in about two seconds.
     *
     * @return what was measured, to be saved for {@link OpenOptions#withCalibration}
     */
    public Calibration calibrate() {
        return calibrate(Duration.ofSeconds(2));
    }

    /**
     * Measures what steps cost here, on a session of its own, and chooses trees by it from now on. Not needed: {@link
     * Speculation#AUTO} finds out in its first steps otherwise. Best while nothing else runs.
     *
     * @param budget about how long it may take; a short prompt and a few steps are computed in any case
     * @return what was measured, to be saved for {@link OpenOptions#withCalibration}
     * @throws IllegalArgumentException if the budget is not positive
     * @throws ResourceExhaustedException if memory or KV pages are short
     */
    public Calibration calibrate(Duration budget) {
        OpenOptions.require("budget", budget, "a duration");
        if (budget.isNegative() || budget.isZero()) {
            throw new IllegalArgumentException("budget is " + budget + ": give a positive duration");
        }
        long begin = System.nanoTime();
        GrowthCosts costs;
        Drafter chains = new FullChains(GrowthCosts.nodes() - 1);
        SessionOptions options = SessionOptions.of(Tree.dynamic(GrowthCosts.nodes()));
        try (Session session = session(options, heads == null ? chains : heads.withChains(chains))) {
            costs = GrowthCosts.measure(session, levels(), budget.toNanos());
        }
        Calibration made = new Calibration(info.calibrationFacts(), costs, System.nanoTime() - begin);
        use(made);
        return made;
    }

    /**
     * Tunes a tree for the model's heads and a kind of text: the model continues prompts from the texts; on one half of them the
     * tree is grown node by node by what most steps would accept, on the other half the result is measured. What steps cost is measured
     * here, best while nothing else runs. The model itself goes on as before: give the tree to {@link GenerationOptions#withTree}.
     *
     * @param texts prompts or documents like those that the model is used for, the more the better
     * @param options the size of the tree, and how much to measure
     * @return the tree and what was measured, to be saved for {@link TreeFile#read}
     * @throws HydraException if the model has no heads or no tokenizer, or the texts are too short
     * @throws IllegalStateException if the model is closed, also while this runs
     * @throws ResourceExhaustedException if memory or KV pages are short
     * @throws NullPointerException if an argument or a text is null
     */
    public TunedTree tuneTree(List<String> texts, TuningOptions options) {
        OpenOptions.require("texts", texts, "prompts or documents");
        texts.forEach(text -> OpenOptions.require("a text", text, "a prompt or document"));
        OpenOptions.require("options", options, "TuningOptions.DEFAULT");
        if (heads == null) {
            throw new HydraException(
                    info.path() + " was opened without draft heads, for which trees are tuned: give some");
        }
        ConversionText text = withTokenizer(tokenizer -> ConversionText.of("the text", texts, tokenizer));
        uses.begin();
        try {
            TreeTuning.Outcome outcome = new TreeTuning(base, heads, text, "the text")
                    .run(
                            options.nodes().orElse(0),
                            options.maxNodes(),
                            options.tokens(),
                            options.maxTokens(),
                            fraction -> {
                                uses.requireOpen();
                                options.progress().accept(fraction);
                            });
            return new TunedTree(
                    outcome.order(),
                    measured(outcome.chosen()),
                    outcome.candidates().stream().map(HydraModel::measured).toList(),
                    outcome.tunedTokens(),
                    outcome.heldOutTokens(),
                    info.tuningFacts());
        } finally {
            uses.end();
        }
    }

    private static MeasuredTree measured(TreeTuning.Candidate candidate) {
        return new MeasuredTree(
                candidate.nodes(), candidate.depth(), candidate.heldOut(), candidate.tuned(), candidate.nanos());
    }

    private synchronized void use(Calibration made) {
        calibration = made;
        grown.clear();
    }

    private synchronized GrowthChoice growth(DraftSource source) {
        return grown.computeIfAbsent(source, it -> newGrowth(it == DraftSource.LOOKUP ? 0 : levels()))
                .next();
    }

    private GrowthChoice newGrowth(int levels) {
        Calibration made = calibration;
        return made == null ? new GrowthChoice(levels) : new GrowthChoice(made.costs(), levels);
    }

    /** Keeps what a generation that has ended has learned, if the model was not calibrated meanwhile. */
    synchronized void learned(DraftSource source, GrowthChoice growth) {
        if (grown.containsKey(source) && growth.continues(grown.get(source))) {
            grown.put(source, growth);
        }
    }

    /** Mean time of a one-token step by the calibration, in nanoseconds; empty if there is none. */
    OptionalDouble calibratedPlainNanos() {
        Calibration made = calibration;
        return made == null ? OptionalDouble.empty() : OptionalDouble.of(made.plainStepNanos());
    }

    ModelUses uses() {
        return uses;
    }

    /** {@return the default tree, cut to the depth of the heads; the root alone without heads} */
    public Tree tree() {
        return heads == null
                ? Tree.ROOT
                : Tree.DEFAULT.truncated(info.heads().orElseThrow().count());
    }

    /**
     * {@return the tree of so many nodes from which the heads are expected to have the most accepted}
     *
     * @param nodes the root included, 1 to {@link Tree#MAX_NODES}; the tree has fewer where the heads' order has no more
     * @throws IllegalArgumentException if it is out of range
     */
    public Tree tree(int nodes) {
        if (nodes < 1 || nodes > Tree.MAX_NODES) {
            throw new IllegalArgumentException("nodes is " + nodes + ": give 1 to " + Tree.MAX_NODES);
        }
        return heads == null ? Tree.ROOT : StepCosts.tree(heads, nodes);
    }

    /** {@return facts about the model, its heads and what computes} */
    public ModelInfo info() {
        return info;
    }

    /** {@return the tokenizer, if the model has one} */
    public Optional<Tokenizer> tokenizer() {
        return Optional.ofNullable(tokenizer);
    }

    /**
     * {@return the token ids of a complete prompt, as {@link EncodeOptions#PROMPT} says: with those that the tokenizer adds (such
     * as the begin of text), and special tokens that are written in it recognised}
     *
     * @param text the prompt
     * @throws HydraException if the model has no tokenizer, or the text is longer than can be encoded at once
     * @throws NullPointerException if the text is null
     */
    public int[] encode(String text) {
        return encode(text, EncodeOptions.PROMPT);
    }

    /**
     * {@return the token ids of a text} With {@link EncodeOptions#TEXT} what a user has typed cannot become special tokens, such
     * as the end of a turn.
     *
     * @param text a prompt or a part of one
     * @param options what becomes a special token
     * @throws HydraException if the model has no tokenizer, or the text is longer than can be encoded at once
     * @throws NullPointerException if an argument is null
     */
    public int[] encode(String text, EncodeOptions options) {
        OpenOptions.require("text", text, "a text");
        OpenOptions.require("options", options, "EncodeOptions.PROMPT or EncodeOptions.TEXT");
        return withTokenizer(tokenizer -> tokenizer.encode(text, options));
    }

    /**
     * {@return the token ids of a conversation's prompt: what the chat template makes of it, and no tokens beside} Special tokens that are
     * written in messages are text, unless the options say otherwise.
     *
     * @param messages the messages
     * @param options how they become a prompt
     * @throws ChatTemplateException its nested classes: if there is no template, or it refuses the messages
     * @throws HydraException if the model has no tokenizer, or the prompt is longer than can be encoded at once
     */
    public int[] encode(List<Message> messages, ChatOptions options) {
        PromptText prompt = prompt(messages, options);
        EncodeOptions encoding = EncodeOptions.PROMPT.withBeginAndEnd(false);
        return withTokenizer(tokenizer -> options.specialTokens()
                ? tokenizer.encode(prompt.text(), encoding)
                : tokenizer.encode(prompt, encoding));
    }

    /**
     * {@return a conversation's prompt: what the chat template makes of it}
     *
     * @param messages the messages
     * @param options how they become a prompt
     * @throws ChatTemplateException its nested classes: if there is no template, or it refuses the messages
     */
    public PromptText prompt(List<Message> messages, ChatOptions options) {
        Message.fields(messages);
        OpenOptions.require("options", options, "ChatOptions.DEFAULT");
        ChatTemplate template = options.template()
                .orElseGet(() -> templates.parsed(!options.tools().isEmpty()));
        return options.withTemplate(template).prompt(messages);
    }

    /**
     * {@return the model's chat template, if it has one} {@link #chatTemplates} has others that it may have.
     *
     * @throws ChatTemplateException.Invalid if it is damaged, or uses what is not supported
     */
    public Optional<ChatTemplate> chatTemplate() {
        return chatTemplates().names().contains(ChatTemplates.DEFAULT)
                ? Optional.of(templates.parsed(false))
                : Optional.empty();
    }

    /**
     * {@return the chat templates that come with the model, perhaps none} Their files are read when this is first asked for.
     *
     * @throws FormatException if a file with templates is damaged
     */
    public ChatTemplates chatTemplates() {
        return templates.sources();
    }

    /**
     * {@return the text of token ids, without special tokens}
     *
     * @param ids token ids of the vocabulary
     * @throws HydraException if the model has no tokenizer
     * @throws IllegalArgumentException if the tokenizer does not have one of the ids
     */
    public String decode(int... ids) {
        OpenOptions.require("ids", ids, "token ids");
        return withTokenizer(tokenizer -> tokenizer.decode(ids, true));
    }

    private <T> T withTokenizer(Function<Tokenizer, T> call) {
        uses.requireOpen();
        if (tokenizer == null) {
            throw new HydraException(info.path() + " has no tokenizer: give token ids instead of text");
        }
        return call.apply(tokenizer);
    }

    /** Closes the model; see above. Idempotent. */
    @Override
    public void close() {
        uses.close();
    }
}
