package io.hydra4j.text;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.lang.ref.Cleaner;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * Text to ids, by the native library. Thread-safe: texts are encoded side by side, and closing waits for them. One
 * that is forgotten without being closed is reported in the log.
 */
final class Encoder implements AutoCloseable {
    private static final Cleaner CLEANER = Cleaner.create();

    private final String file;
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
        library = NativeLibrary.get(file);
        try {
            handle = library.createTokenizerFromString(TokenizerJsonWriter.write(spec));
        } catch (RuntimeException e) {
            throw new TokenizerException(file, "tokenizer", String.valueOf(e.getMessage()), "one that can be built", e);
        }
        report = new LeakReport(file);
        CLEANER.register(this, report);
    }

    /** @return the ids of the text alone */
    long[] encode(String text) {
        lock.readLock().lock();
        try {
            if (handle == 0) {
                throw new IllegalStateException("the tokenizer of " + file + " is closed");
            }
            long encoding = library.encode(handle, text, false);
            try {
                return library.getTokenIds(encoding);
            } finally {
                library.deleteEncoding(encoding);
            }
        } catch (IllegalStateException e) {
            throw e;
        } catch (RuntimeException e) {
            throw new TokenizerException(file, "text", String.valueOf(e.getMessage()), "one that can be encoded", e);
        } finally {
            lock.readLock().unlock();
        }
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
