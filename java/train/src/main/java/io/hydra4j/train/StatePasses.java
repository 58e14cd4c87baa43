package io.hydra4j.train;

import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.KvPages;
import io.hydra4j.model.PassBuffers;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.Batch;
import io.hydra4j.runtime.KvPool;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.train.device.TrainBuffer;
import java.util.Arrays;

/**
 * Passes of a base over texts, for its hidden states. Texts share a pass where there is room, which changes none of their bits. Not
 * thread-safe.
 */
final class StatePasses implements AutoCloseable {
    /** The most texts of a pass. */
    static final int TEXTS = 16;

    private final int hidden;
    private final Resources opened = new Resources();
    private final KvPages.Lease pages;
    private final Batch texts;
    private final PassRows rows;
    private final PassBuffers buffers;
    private final Program program;

    /**
     * @param longest most tokens of a text, at most the context
     * @param positions the most of a batch
     * @throws io.hydra4j.ResourceExhaustedException if memory is short
     */
    StatePasses(DecoderModel model, int longest, long positions) {
        hidden = model.config().hidden();
        Backend backend = model.backend();
        int most = backend.kind() == BackendKind.CUDA
                ? (int) Math.min(PassRows.MAX_ROWS, positions)
                : PassBuffers.promptRows(backend, positions);
        int each = (longest + KvPool.PAGE_POSITIONS - 1) / KvPool.PAGE_POSITIONS;
        // The other half is for what heads are measured on.
        int room = model.pages().count() / 2 / each;
        try {
            pages = opened.own(model.pages().lease());
            texts = opened.own(Batch.create(backend, Math.max(1, Math.min(TEXTS, room)), each));
            for (int text = 0; text < texts.sequences(); text++) {
                texts.setPages(text, pages.take(each));
            }
            rows = opened.own(PassRows.create(texts, most));
            buffers = opened.own(PassBuffers.create(backend, model.config(), most));
            program = opened.own(Program.create(backend));
            model.recordForward(program, rows, buffers);
            program.commit(null, rows, null, null, null, 0, null, null, false, null);
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, opened);
            throw e;
        }
    }

    /**
     * Writes the states of all texts of a batch.
     *
     * @param target {@code [positions][hidden]}, on the device that the base is on
     */
    void write(HeadBatch batch, TrainBuffer target) {
        int[] sequences = new int[texts.sequences()];
        int[] counts = new int[sequences.length];
        int text = 0;
        for (int first = 0, end = 0; first < batch.positions(); first = end) {
            int chains = 0;
            while (text < batch.sequences() && chains < sequences.length && end - first < rows.maxRows()) {
                sequences[chains] = text % sequences.length;
                if (end == batch.starts()[text]) {
                    texts.rewind(sequences[chains], 0, -1);
                }
                int left = (int) batch.starts()[text + 1] - end;
                counts[chains] = Math.min(left, first + rows.maxRows() - end);
                text += counts[chains] == left ? 1 : 0;
                end += counts[chains++];
            }
            rows.setChains(
                    Arrays.copyOf(sequences, chains),
                    Arrays.copyOf(counts, chains),
                    Arrays.copyOfRange(batch.tokens(), first, end),
                    new boolean[chains]);
            pages.run(program::run);
            target.copyIn((long) first * hidden, buffers.hidden().address(), (long) (end - first) * hidden);
        }
    }

    @Override
    public void close() {
        opened.close();
    }
}
