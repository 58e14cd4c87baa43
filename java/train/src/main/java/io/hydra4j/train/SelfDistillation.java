package io.hydra4j.train;

import io.hydra4j.HydraException;
import io.hydra4j.decode.BatchOptions;
import io.hydra4j.decode.BatchSession;
import io.hydra4j.decode.Sampling;
import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.KvPool;
import io.hydra4j.runtime.TreeTopology;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import java.util.function.DoubleConsumer;

/**
 * Lets a model write the text that its heads learn from: samples after given prompts, or after nothing. What a model writes itself is
 * what its heads have to guess. Texts are written side by side; each depends on its prompt, its number and the seed alone.
 *
 * <p>The result is a {@code .jsonl} file for {@link HeadTraining}, a line for each text as it ends. One that is there is gone on with: what
 * a crash has cut off is left out, texts that are there are not written again. Immutable.
 */
public final class SelfDistillation {
    /** The most tokens. */
    public static final long MAX_TOKENS = 1L << 40;

    /** Texts that are written side by side: a step of a GPU hardly takes longer for more of them. */
    private static final int BATCH = 16;

    private static final int CUDA_BATCH = 64;
    /** Of a text: one that is begun, and those of a step's nodes. */
    private static final int SPARE_PAGES = 2 + TreeTopology.MAX_NODES / KvPool.PAGE_POSITIONS;

    private static final int PROMPT_TOKENS = 64;
    /** Prompts that are read. */
    private static final int MOST_PROMPTS = 1 << 16;

    private final Path model;
    private final Path file;
    private final long tokens;
    private final List<Path> prompts;
    private final int length;
    private final float temperature;
    private final long seed;
    private final int threads;
    private final BackendKind backend;
    private final DoubleConsumer progress;
    private final BooleanSupplier cancelled;

    private SelfDistillation(
            Path model,
            Path file,
            long tokens,
            List<Path> prompts,
            int length,
            float temperature,
            long seed,
            int threads,
            BackendKind backend,
            DoubleConsumer progress,
            BooleanSupplier cancelled) {
        this.model = model;
        this.file = file;
        this.tokens = tokens;
        this.prompts = prompts;
        this.length = length;
        this.temperature = temperature;
        this.seed = seed;
        this.threads = threads;
        this.backend = backend;
        this.progress = progress;
        this.cancelled = cancelled;
    }

    /**
     * Texts of at most 512 tokens, sampled at temperature 1 after nothing.
     *
     * @param model the base: a GGUF file or a Hugging Face folder, with a tokenizer
     * @param file the {@code .jsonl} file to write; its folder is made where it does not exist
     * @param tokens about how many tokens the model writes in all, 1 to {@value #MAX_TOKENS}
     * @return what has written nothing yet
     * @throws IllegalArgumentException if the number is out of range
     */
    public static SelfDistillation of(Path model, Path file, long tokens) {
        Objects.requireNonNull(model, "model is null: give a GGUF file or a Hugging Face folder");
        Objects.requireNonNull(file, "file is null: give a .jsonl file");
        Ranges.require("tokens", tokens, 1, MAX_TOKENS);
        return new SelfDistillation(
                model, file, tokens, List.of(), 512, 1, 0, 0, BackendKind.AUTO, fraction -> {}, () -> false);
    }

    /**
     * {@return this with prompts} Of a conversation the prompt is what stands before the first answer, of another text its beginning: half
     * of it, at most 64 tokens.
     *
     * @param prompts files as {@link HeadTraining} reads them; none to write after nothing
     */
    public SelfDistillation withPrompts(List<Path> prompts) {
        return new SelfDistillation(
                model,
                file,
                tokens,
                List.copyOf(prompts),
                length,
                temperature,
                seed,
                threads,
                backend,
                progress,
                cancelled);
    }

    /**
     * {@return this with another length of texts}
     *
     * @param length most tokens of a text, its prompt included, 8 to {@value TrainingOptions#MAX_SEQUENCE_LENGTH}; it ends at the model's
     *     context in any case
     * @throws IllegalArgumentException if it is out of range
     */
    public SelfDistillation withLength(int length) {
        Ranges.require("length", length, 8, TrainingOptions.MAX_SEQUENCE_LENGTH);
        return new SelfDistillation(
                model, file, tokens, prompts, length, temperature, seed, threads, backend, progress, cancelled);
    }

    /**
     * {@return this with another temperature}
     *
     * @param temperature {@link Sampling#MIN_TEMPERATURE} to {@link Sampling#MAX_TEMPERATURE}; 0 for the best tokens
     * @throws IllegalArgumentException if it is out of range
     */
    public SelfDistillation withTemperature(float temperature) {
        if (temperature != 0) {
            Ranges.require("temperature", temperature, Sampling.MIN_TEMPERATURE, Sampling.MAX_TEMPERATURE);
        }
        return new SelfDistillation(
                model, file, tokens, prompts, length, temperature, seed, threads, backend, progress, cancelled);
    }

    /**
     * {@return this with another seed}
     *
     * @param seed any number
     */
    public SelfDistillation withSeed(long seed) {
        return new SelfDistillation(
                model, file, tokens, prompts, length, temperature, seed, threads, backend, progress, cancelled);
    }

    /**
     * {@return this with another number of threads}
     *
     * @param threads 0 for one per core
     * @throws IllegalArgumentException if it is out of range
     */
    public SelfDistillation withThreads(int threads) {
        Ranges.require("threads", threads, 0, Backend.MAX_THREADS);
        return new SelfDistillation(
                model, file, tokens, prompts, length, temperature, seed, threads, backend, progress, cancelled);
    }

    /**
     * {@return this with another backend}
     *
     * @param backend {@link BackendKind#AUTO} takes CUDA's first device where it can be used, and otherwise the CPU
     */
    public SelfDistillation withBackend(BackendKind backend) {
        Objects.requireNonNull(backend, "backend is null: give AUTO, CPU or CUDA");
        return new SelfDistillation(
                model, file, tokens, prompts, length, temperature, seed, threads, backend, progress, cancelled);
    }

    /**
     * {@return this with another listener}
     *
     * @param progress gets the finished fraction, 0 to 1
     */
    public SelfDistillation withProgress(DoubleConsumer progress) {
        Objects.requireNonNull(progress, "progress is null: give a consumer, such as fraction -> {}");
        return new SelfDistillation(
                model, file, tokens, prompts, length, temperature, seed, threads, backend, progress, cancelled);
    }

    /**
     * {@return this with another way to end it early}
     *
     * @param cancelled asked before each step
     */
    public SelfDistillation withCancelled(BooleanSupplier cancelled) {
        Objects.requireNonNull(cancelled, "cancelled is null: give () -> false");
        return new SelfDistillation(
                model, file, tokens, prompts, length, temperature, seed, threads, backend, progress, cancelled);
    }

    /**
     * Writes the texts that are missing.
     *
     * @return whether all are there; otherwise it was cancelled, and can be gone on with
     * @throws TrainingException.NoData if there are prompts, but none has a token
     * @throws TrainingException.NotSaved if the file cannot be written
     * @throws HydraException if the model cannot be opened, a file cannot be read, or the folder cannot be made
     */
    public boolean write() {
        OutputFolder folder = new OutputFolder(file.toAbsolutePath().getParent());
        try (OpenBase base = new OpenBase(model, backend, threads);
                WrittenTexts texts = new WrittenTexts(file, base.config().vocabulary())) {
            if (texts.tokens() >= tokens) {
                return true;
            }
            return new Writer(base, texts).write();
        } catch (RuntimeException | Error e) {
            folder.deleteIfUnused();
            throw e;
        }
    }

    /** Writes texts side by side. */
    private final class Writer {
        private final OpenBase base;
        private final WrittenTexts texts;
        private final List<int[]> begins;
        private final int longest;
        private final int size;
        private final long[] numbers;
        private final int[] promptLengths;
        private long next;

        Writer(OpenBase base, WrittenTexts texts) {
            this.base = base;
            this.texts = texts;
            longest = Math.min(length, base.config().context() - 1);
            int most = base.backend().kind() == BackendKind.CUDA ? CUDA_BATCH : BATCH;
            int room = base.model().pages().count() / (longest / KvPool.PAGE_POSITIONS + SPARE_PAGES);
            size = Math.max(1, Math.min(most, room));
            numbers = new long[size];
            promptLengths = new int[size];
            begins = prompts.isEmpty() ? List.of(nothing(base.config())) : begins();
        }

        private int[] nothing(DecoderConfig config) {
            int begin = config.bosId() >= 0
                    ? config.bosId()
                    : config.eosIds().stream()
                            .findFirst()
                            .orElseThrow(() -> new HydraException(
                                    model + ": has no token that begins or ends a text, to write after: give prompts"));
            return new int[] {begin};
        }

        private List<int[]> begins() {
            DocumentTokens encoder =
                    new DocumentTokens(base.tokenizer(), base.config().vocabulary(), base.templates());
            List<int[]> found = new ArrayList<>();
            try (DocumentReader reader = new DocumentReader(prompts)) {
                Document document;
                while (found.size() < MOST_PROMPTS && (document = reader.next()) != null) {
                    for (TokenText text : encoder.encode(document)) {
                        int end = prompt(text, encoder.added().length);
                        if (end > 0) {
                            found.add(Arrays.copyOf(text.tokens(), end));
                        }
                    }
                }
            }
            if (found.isEmpty()) {
                throw new TrainingException.NoData(prompts + ": no prompts: give texts of at least 2 tokens");
            }
            return found;
        }

        private int prompt(TokenText text, int added) {
            int first = 0;
            while (first < text.targets().length && !text.targets()[first]) {
                first++;
            }
            int end = first > added ? first : Math.min(PROMPT_TOKENS, (text.tokens().length + 1) / 2);
            return Math.min(end, longest - 1);
        }

        boolean write() {
            BatchOptions options =
                    BatchOptions.of(size, Tree.ROOT).withSampling(Sampling.of(Math.max(temperature, 1), seed));
            try (BatchSession batch = Sessions.batch(base.model(), null, options)) {
                for (int s = 0; s < size; s++) {
                    begin(batch, s);
                }
                while (texts.tokens() < tokens) {
                    if (cancelled.getAsBoolean()) {
                        return false;
                    }
                    Step[] steps = batch.step();
                    for (int s = 0; s < size; s++) {
                        if (isComplete(batch, s, steps[s])) {
                            end(batch, s);
                            begin(batch, s);
                        }
                    }
                    progress.accept(Math.min(1, (double) texts.tokens() / tokens));
                }
            }
            texts.force();
            return true;
        }

        private void begin(BatchSession batch, int sequence) {
            while (texts.has(next)) {
                next++;
            }
            numbers[sequence] = next;
            int[] prompt = begins.get((int) (next % begins.size()));
            promptLengths[sequence] = prompt.length;
            batch.setSampling(
                    sequence, temperature == 0 ? Sampling.GREEDY : Sampling.of(temperature, seed + 31 * next + 1));
            batch.prefill(sequence, prompt);
            next++;
        }

        private boolean isComplete(BatchSession batch, int sequence, Step step) {
            return batch.length(sequence) >= longest
                    || batch.remainingContext(sequence) == 0
                    || Arrays.stream(step.tokens()).anyMatch(base.config().eosIds()::contains);
        }

        private void end(BatchSession batch, int sequence) {
            texts.write(numbers[sequence], batch.tokens(sequence), promptLengths[sequence]);
            batch.clear(sequence);
        }
    }
}
