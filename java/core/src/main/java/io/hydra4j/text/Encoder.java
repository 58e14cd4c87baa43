package io.hydra4j.text;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.hydra4j.format.Utf8;
import java.lang.ref.Cleaner;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.stream.IntStream;

/**
 * Text to ids: added tokens are found and what stands between them is normalised here, and that is cut into words and
 * merged by the native library. Thread-safe: texts are encoded side by side, and closing waits for them. One that is
 * forgotten without being closed is reported in the log.
 */
final class Encoder implements AutoCloseable {
    private static final Cleaner CLEANER = Cleaner.create();

    private final String file;
    private final AddedTokens added;
    private final PreTokenizer preTokenizer;
    private final TokenizersLibrary library;
    private final LeakReport report;
    private final ReadWriteLock lock = new ReentrantReadWriteLock();
    private long handle;

    private static final class LeakReport implements Runnable {
        private static final System.Logger LOG = System.getLogger(Tokenizer.class.getName());

        private final String file;
        private volatile boolean closed;

        LeakReport(String file) {
            this.file = file;
        }

        @Override
        public void run() {
            if (!closed) {
                LOG.log(
                        System.Logger.Level.WARNING,
                        "the tokenizer of {0} was never closed; its native memory is lost",
                        file);
            }
        }
    }

    Encoder(TokenizerSpec spec) {
        file = spec.file();
        added = new AddedTokens(spec.addedTokens(), spec.normalization());
        preTokenizer = spec.preTokenizer();
        library = TokenizersLoader.get(file);
        try {
            handle = library.createTokenizerFromString(TokenizerJsonWriter.write(spec));
        } catch (RuntimeException e) {
            throw new TokenizerException(file, "tokenizer", String.valueOf(e.getMessage()), "one that can be built", e);
        }
        report = new LeakReport(file);
        CLEANER.register(this, report);
    }

    /**
     * @param text any text; halves of surrogate pairs count as U+FFFD
     * @param special whether special tokens in its own parts are found
     * @return the ids of the text alone
     * @throws TokenizerException if the normalised text is longer than can be encoded at once
     */
    int[] encode(PromptText text, boolean special) {
        if (text.length() > preTokenizer.longestText()) {
            throw tooLong(text, null);
        }
        lock.readLock().lock();
        try {
            if (handle == 0) {
                throw new IllegalStateException("the tokenizer of " + file + " is closed");
            }
            IntStream.Builder ids = IntStream.builder();
            added.divide(wellFormed(text), special, preTokenizer.longestText(), new AddedTokens.Sink() {
                @Override
                public void text(String piece, boolean first) {
                    for (long id : encode(first ? preTokenizer.start(piece) : piece)) {
                        ids.add((int) id);
                    }
                }

                @Override
                public void token(int id) {
                    ids.add(id);
                }
            });
            return ids.build().toArray();
        } catch (AddedTokens.TooLong e) {
            throw tooLong(text, e);
        } finally {
            lock.readLock().unlock();
        }
    }

    private TokenizerException tooLong(PromptText text, Throwable cause) {
        return new TokenizerException(
                file,
                "text",
                text.length() + " characters",
                "at most " + preTokenizer.longestText() + " at once, counted after normalization",
                cause);
    }

    private static PromptText wellFormed(PromptText text) {
        if (Utf8.isWellFormed(text.text())) {
            return text;
        }
        StringBuilder repaired = new StringBuilder(text.length());
        text.text()
                .codePoints()
                .map(c -> c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : c)
                .forEach(repaired::appendCodePoint);
        return text.withCharacters(repaired.toString());
    }

    private long[] encode(String piece) {
        try {
            long encoding = library.encode(handle, piece, false);
            try {
                return library.getTokenIds(encoding);
            } finally {
                library.deleteEncoding(encoding);
            }
        } catch (RuntimeException e) {
            throw new TokenizerException(file, "text", String.valueOf(e.getMessage()), "one that can be encoded", e);
        }
    }

    /** @return the file that the tokenizer was made from */
    String file() {
        return file;
    }

    @Override
    public void close() {
        lock.writeLock().lock();
        try {
            if (handle != 0) {
                library.deleteTokenizer(handle);
                handle = 0;
                report.closed = true;
            }
        } finally {
            lock.writeLock().unlock();
        }
    }
}
