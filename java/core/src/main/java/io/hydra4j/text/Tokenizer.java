package io.hydra4j.text;

import io.hydra4j.FormatException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Supplier;

/**
 * Text to token ids and back, made from a {@code tokenizer.json} or from the vocabulary that a GGUF file carries; the
 * ids are those of Hugging Face's tokenizers, whose native library encodes. Decoding is done in Java, by the same code
 * that streams ({@link TextStream}).
 *
 * <p>Files are not trusted: they are read and checked in full before the native library sees any of it, and whatever it
 * could not work with is a {@link TokenizerException}.
 *
 * <p>Thread-safe. It holds native memory until it is closed; decoding goes on working after that.
 */
public final class Tokenizer implements AutoCloseable {
    private static final String JSON_FILE = "tokenizer.json";
    private static final String GGUF_TOKENS = "tokenizer.ggml.tokens";

    private final int[] prefix;
    private final int[] suffix;
    private final int longestText;
    private final Vocabulary vocabulary;
    private final Encoder encoder;

    private Tokenizer(TokenizerSpec spec) {
        this.prefix = spec.prefix();
        this.suffix = spec.suffix();
        this.longestText = spec.preTokenizer().longestText();
        this.vocabulary = new Vocabulary(spec);
        this.encoder = new Encoder(spec);
    }

    /**
     * Reads Hugging Face's {@code tokenizer.json}. Padding and truncation that it may name are not applied.
     *
     * @param tokenizerJson the file; it must hold a BPE model
     * @return the tokenizer, to be closed
     * @throws TokenizerException if it cannot be read, is damaged, makes no sense or needs parts that are not supported
     */
    public static Tokenizer fromJson(Path tokenizerJson) {
        return make(() -> TokenizerJsonReader.read(tokenizerJson));
    }

    /**
     * Builds the tokenizer from the metadata of a GGUF file ({@code tokenizer.ggml.*}), of model {@code gpt2}
     * (byte-level BPE) or {@code llama} (SentencePiece BPE).
     *
     * @param file the file, for messages; it is not read
     * @param metadata all of it: whole numbers as Long, other numbers as Double, Boolean, String, and arrays as long[],
     *     double[], boolean[] and String[]
     * @return the tokenizer, to be closed
     * @throws TokenizerException if tables are missing, do not fit each other, make no sense or name a kind of
     *     tokenizer that is not known
     */
    public static Tokenizer fromGguf(Path file, Map<String, ?> metadata) {
        return make(() -> GgufTokenizerReader.read(file, metadata));
    }

    /**
     * Opens the tokenizer that comes with a model.
     *
     * @param model a Hugging Face folder, a {@code tokenizer.json}, or a GGUF file
     * @param metadata gives the metadata of a GGUF file, as {@link #fromGguf} takes it; asked for nothing else
     * @return the tokenizer, to be closed; empty if the folder or the GGUF file has none
     * @throws TokenizerException as {@link #fromJson} and {@link #fromGguf} do
     */
    public static Optional<Tokenizer> of(Path model, Supplier<? extends Map<String, ?>> metadata) {
        if (Files.isDirectory(model)) {
            Path tokenizerJson = model.resolve(JSON_FILE);
            return Files.exists(tokenizerJson) ? Optional.of(fromJson(tokenizerJson)) : Optional.empty();
        }
        if (model.endsWith(JSON_FILE)) {
            return Optional.of(fromJson(model));
        }
        Map<String, ?> tables = metadata.get();
        return tables.containsKey(GGUF_TOKENS) ? Optional.of(fromGguf(model, tables)) : Optional.empty();
    }

    /**
     * As {@link #of(Path, Supplier)}, for a model that is to be fed with the ids.
     *
     * @param model the model's file or folder
     * @param metadata metadata of a GGUF file, asked for where the tokenizer is in it
     * @param modelVocabulary rows of the model's embedding; there may be more than tokens, for files pad them
     * @return the tokenizer; empty where the model has none
     * @throws TokenizerException also if the tokenizer has ids that the model does not
     */
    public static Optional<Tokenizer> of(Path model, Supplier<? extends Map<String, ?>> metadata, int modelVocabulary) {
        Optional<Tokenizer> tokenizer = of(model, metadata);
        tokenizer.ifPresent(opened -> opened.requireFit(modelVocabulary));
        return tokenizer;
    }

    private void requireFit(int modelVocabulary) {
        if (vocabularySize() > modelVocabulary) {
            close();
            throw new TokenizerException(
                    encoder.file(),
                    "model.vocab",
                    "ids up to " + (vocabularySize() - 1),
                    "ids below " + modelVocabulary
                            + ", the model's vocabulary: give the model the tokenizer that it was made with");
        }
    }

    private static Tokenizer make(Supplier<TokenizerSpec> reader) {
        try {
            return new Tokenizer(reader.get());
        } catch (FormatException e) {
            throw new TokenizerException(e);
        }
    }

    /**
     * Encodes a complete prompt, as {@link EncodeOptions#PROMPT} says.
     *
     * @param text any text, at most {@link #longestText()} characters when it is normalised
     * @return ids, each at least 0 and below {@link #vocabularySize()}
     * @throws TokenizerException if the text is too long
     * @throws IllegalStateException after {@link #close}
     */
    public int[] encode(String text) {
        return encode(text, EncodeOptions.PROMPT);
    }

    /**
     * Encodes a text. Special tokens that are written in it are recognised; {@link EncodeOptions#TEXT} says how to take
     * them as text.
     *
     * @param text any text, at most {@link #longestText()} characters when it is normalised
     * @param addSpecial whether to put the tokens around it that the tokenizer adds
     * @return ids, each at least 0 and below {@link #vocabularySize()}
     * @throws TokenizerException if the text is too long
     * @throws IllegalStateException after {@link #close}
     */
    public int[] encode(String text, boolean addSpecial) {
        return encode(text, EncodeOptions.PROMPT.withBeginAndEnd(addSpecial));
    }

    /**
     * Encodes a text. Halves of surrogate pairs count as U+FFFD.
     *
     * @param text any text, at most {@link #longestText()} characters when it is normalised
     * @param options what is put around it, and what becomes of special tokens in it
     * @return ids, each at least 0 and below {@link #vocabularySize()}
     * @throws TokenizerException if the text is too long
     * @throws IllegalStateException after {@link #close}
     */
    public int[] encode(String text, EncodeOptions options) {
        Objects.requireNonNull(text, "text");
        return encode(PromptText.own(text), options);
    }

    /**
     * Encodes a text whose parts come from different hands. Special tokens are recognised in its own parts, if the options let them
     * be, and nowhere else: not in foreign parts, nor where own and foreign characters together look like one.
     *
     * @param text any text, at most {@link #longestText()} characters when it is normalised
     * @param options what is put around it, and whether special tokens in own parts are recognised
     * @return ids, each at least 0 and below {@link #vocabularySize()}
     * @throws TokenizerException if the text is too long
     * @throws IllegalStateException after {@link #close}
     */
    public int[] encode(PromptText text, EncodeOptions options) {
        Objects.requireNonNull(text, "text");
        int[] ids = encoder.encode(text, options.specialTokens());
        if (!options.beginAndEnd()) {
            return ids;
        }
        int[] all = Arrays.copyOf(prefix, prefix.length + ids.length + suffix.length);
        System.arraycopy(ids, 0, all, prefix.length, ids.length);
        System.arraycopy(suffix, 0, all, prefix.length + ids.length, suffix.length);
        return all;
    }

    /**
     * Turns ids into text. Spaces are not cleaned up; bytes that are not UTF-8 become U+FFFD.
     *
     * @param ids token ids
     * @param skipSpecial whether to leave special tokens out
     * @return the text, without half surrogate pairs
     * @throws IllegalArgumentException if the tokenizer does not have one of the ids; a model whose vocabulary is larger
     *     than its tokenizer's may generate such ids, and {@link #stream} passes over them
     */
    public String decode(int[] ids, boolean skipSpecial) {
        for (int id : ids) {
            if (!vocabulary.has(id)) {
                throw new IllegalArgumentException("token id " + id + ": the tokenizer of " + encoder.file()
                        + " has no such token, its ids are below " + vocabulary.size());
            }
        }
        TextStream stream = stream(skipSpecial);
        return stream.push(ids) + stream.finish();
    }

    /**
     * @param skipSpecial whether to leave special tokens out
     * @return a new stream that turns ids into text while they come
     */
    public TextStream stream(boolean skipSpecial) {
        return new TextStream(vocabulary, skipSpecial);
    }

    /** @return one more than the largest id; a model's own vocabulary may be larger */
    public int vocabularySize() {
        return vocabulary.size();
    }

    /**
     * @return how many UTF-16 units can be encoded at once, counted after normalization: millions for the published
     *     tokenizers, thousands where the regular expressions of a file could need the square of that time
     */
    public int longestText() {
        return longestText;
    }

    /**
     * @param token a token as the table spells it, for instance {@code </s>}
     * @return its id, empty if there is none
     */
    public OptionalInt id(String token) {
        int id = vocabulary.id(token);
        return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /**
     * @param id a token id
     * @return the token as the table spells it (in byte-level vocabularies in their own alphabet), empty if there is
     *     none
     */
    public Optional<String> token(int id) {
        return Optional.ofNullable(vocabulary.token(id));
    }

    /**
     * @param id a token id
     * @return whether it is that of a special token, which decoding can leave out
     */
    public boolean isSpecial(int id) {
        return vocabulary.isSpecial(id);
    }

    /** Frees the native memory; waits for texts that are being encoded. Calling it again does nothing. */
    @Override
    public void close() {
        encoder.close();
    }
}
