package io.hydra4j.train;

import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Random;

/**
 * The sequences of the training data, epoch after epoch, in an order that depends on the seed alone: documents are shuffled within windows
 * of a few megabytes. Every {@value #HELD_OUT}th document is left out where the data hold out text themselves. Where it stands is three
 * numbers, from which another stream goes on. Not thread-safe.
 */
final class SequenceStream implements AutoCloseable {
    /** Every so many-th document, the first included, is held out. */
    static final int HELD_OUT = 20;

    /** A size of windows that is read in seconds. */
    static final long WINDOW = 4L << 20;
    /** Documents that are encoded side by side. */
    private static final int TOGETHER = 32;
    /** Sequences of fewer tokens have nothing to guess for the first head. */
    private static final int LEAST = 3;

    private final List<Path> files;
    private final DocumentTokens encoder;
    private final int longest;
    private final long seed;
    private final boolean holdsOut;
    private final long windowSize;

    private DocumentReader reader;
    private long read;
    private Position position;
    private List<Document> window = List.of();
    private int nextDocument;
    private final Deque<TokenText> waiting = new ArrayDeque<>();
    private boolean foundTokens;
    private boolean foundTargets;

    /**
     * Where a stream stands.
     *
     * @param epoch passes over the data that lie behind
     * @param window documents, held-out ones included, before the window that is read
     * @param taken sequences that were taken of it
     */
    record Position(long epoch, long window, long taken) {
        static final Position BEGIN = new Position(0, 0, 0);
    }

    /**
     * @param longest most tokens of a sequence
     * @param holdsOut whether to leave documents out, to measure on
     * @param windowSize UTF-16 units of the documents that are shuffled together, about
     * @param position where to go on
     */
    SequenceStream(
            List<Path> files,
            DocumentTokens encoder,
            int longest,
            long seed,
            boolean holdsOut,
            long windowSize,
            Position position) {
        this.files = files;
        this.encoder = encoder;
        this.longest = longest;
        this.seed = seed;
        this.holdsOut = holdsOut;
        this.windowSize = windowSize;
        this.position = new Position(position.epoch(), position.window(), 0);
        reader = new DocumentReader(files);
        skip(position.window());
        readWindow();
        for (long i = 0; i < position.taken(); i++) {
            next();
        }
    }

    private void skip(long documents) {
        while (read < documents && reader.next() != null) {
            read++;
        }
    }

    /** Where the next sequence is. */
    Position position() {
        return position;
    }

    /**
     * The next sequence, of which the loss counts a token at least.
     *
     * @throws TrainingException.NoData if the data have no text that is long enough
     * @throws TrainingException.NoTargets if the loss counts no token of them
     */
    TokenText next() {
        while (waiting.isEmpty()) {
            if (nextDocument < window.size()) {
                encodeSome();
            } else {
                nextWindow();
            }
        }
        position = new Position(position.epoch(), position.window(), position.taken() + 1);
        return waiting.remove();
    }

    private void encodeSome() {
        int end = Math.min(window.size(), nextDocument + TOGETHER);
        List<List<TokenText>> encoded = window.subList(nextDocument, end).parallelStream()
                .map(encoder::encode)
                .toList();
        nextDocument = end;
        encoded.forEach(texts -> texts.forEach(this::enqueue));
    }

    private void enqueue(TokenText text) {
        for (TokenText sequence : encoder.sequences(text, longest, LEAST)) {
            foundTokens = true;
            if (sequence.rows(0) > 0) {
                foundTargets = true;
                waiting.add(sequence);
            }
        }
    }

    private void nextWindow() {
        position = new Position(position.epoch(), read, 0);
        readWindow();
        if (!window.isEmpty()) {
            return;
        }
        if (!foundTargets) {
            throw nothing();
        }
        reader.close();
        reader = new DocumentReader(files);
        read = 0;
        position = new Position(position.epoch() + 1, 0, 0);
        readWindow();
    }

    private TrainingException nothing() {
        if (foundTokens) {
            return new TrainingException.NoTargets(
                    files + ": the loss would count no token: give chats with answers of the assistant, or text");
        }
        return new TrainingException.NoData(files + ": nothing to train on: give "
                + (holdsOut ? "more than one document, or other text to measure on, each" : "documents")
                + " of at least "
                + LEAST + " tokens");
    }

    private void readWindow() {
        window = new ArrayList<>();
        nextDocument = 0;
        long size = 0;
        Document document;
        while (size < windowSize && (document = reader.next()) != null) {
            if (!holdsOut || read % HELD_OUT != 0) {
                window.add(document);
                size += document.size();
            }
            read++;
        }
        Collections.shuffle(
                window, new Random(seed ^ (31 * position.epoch() + position.window()) * 0x9E3779B97F4A7C15L));
    }

    @Override
    public void close() {
        reader.close();
    }
}
