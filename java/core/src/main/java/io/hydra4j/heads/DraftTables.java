package io.hydra4j.heads;

import io.hydra4j.HydraException;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.runtime.Batch;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.WeightType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The first blocks of grounded heads without products with the embedding. Such a block is linear in the hidden state and in
 * each token's embedding: the state's part is computed once a step, for all heads together, and what a token adds at a depth of
 * its path is a row of a table over the vocabulary, computed here. Immutable.
 */
final class DraftTables implements AutoCloseable {
    /** Rows of the embedding that are multiplied at once. */
    private static final int CHUNK = 256;

    private final int hidden;
    private final Matrix states;
    private final Buffer biases;
    private final List<Buffer> tables = new ArrayList<>();
    private final Resources owned = new Resources();

    /** Computes the tables of heads whose first blocks have skip matrices. */
    DraftTables(DecoderModel base, List<DraftHeads.Head> heads) {
        hidden = base.config().hidden();
        if (hidden % 16 != 0) {
            throw new HydraException(
                    "draft tables need a hidden size that is a multiple of 16, not " + hidden + ": do without them");
        }
        try (Work work = new Work(base)) {
            WeightType type = heads.get(0).blocks().get(0).linear().type();
            boolean whole = type.isEncodable() && hidden % type.blockValues() == 0;
            states = owned.own(
                    Matrix.create(base.backend(), whole ? type : WeightType.F16, heads.size() * 2L * hidden, hidden));
            biases = owned.own(Buffer.floats(base.backend(), heads.size() * 2L * hidden));
            for (int i = 0; i < heads.size(); i++) {
                DraftHeads.Block block = heads.get(i).blocks().get(0);
                float[][] slices = slices(block, i + 2);
                states.write(i * 2L * hidden, slices[0]);
                long first = i * 2L * hidden;
                copy(block.linearBias(), first);
                copy(block.skipBias(), first + hidden);
                long entries = base.embedding().rows() * 2 * hidden;
                Buffer table = owned.own(Buffer.create(base.backend(), WeightType.F16.bytes((i + 1) * entries)));
                for (int depth = 0; depth <= i; depth++) {
                    work.fill(table, depth * entries, slices[depth + 1]);
                }
                tables.add(table);
            }
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, owned);
            throw e;
        }
    }

    /** Bytes of the tables of so many heads: two halves for each hidden unit, token, and head and depth. */
    static long bytes(int heads, DecoderConfig base) {
        return WeightType.F16.bytes(heads * (heads + 1L) / 2 * base.vocabulary() * 2 * base.hidden());
    }

    /** {@code [heads * 2h][h]}: for each head the state's columns of its linear matrix, then of its skip matrix. */
    Matrix states() {
        return states;
    }

    /** {@code float[heads * 2h]}: the biases of these rows. */
    Buffer biases() {
        return biases;
    }

    /** {@code F16[head + 1][vocabulary][2h]}: what a token at each depth adds. */
    Buffer table(int head) {
        return tables.get(head);
    }

    private void copy(Buffer bias, long first) {
        if (bias != null) {
            biases.write(first, bias.readFloats(0, hidden));
        }
    }

    /** {@code [parts][2h * h]}: the columns that belong to the state and to each token, linear above skip. */
    private float[][] slices(DraftHeads.Block block, int parts) {
        float[][] slices = new float[parts][Math.multiplyExact(2 * hidden, hidden)];
        for (int row = 0; row < 2 * hidden; row++) {
            float[] values = (row < hidden ? block.linear() : block.skip()).read(row % hidden);
            for (int part = 0; part < parts; part++) {
                System.arraycopy(values, part * hidden, slices[part], row * hidden, hidden);
            }
        }
        return slices;
    }

    /** What multiplies a slice of a block with the whole embedding. */
    private static final class Work implements AutoCloseable {
        private final int vocabulary;
        private final Resources owned = new Resources();
        private final PassRows rows;
        private final Matrix slice;
        private final Buffer products;
        private final Program program;

        Work(DecoderModel base) {
            vocabulary = Math.toIntExact(base.embedding().rows());
            int hidden = base.config().hidden();
            try {
                rows = owned.own(PassRows.create(owned.own(Batch.create(base.backend(), 1, 1)), CHUNK));
                Buffer x = owned.own(Buffer.floats(base.backend(), (long) CHUNK * hidden));
                products = owned.own(Buffer.floats(base.backend(), CHUNK * 2L * hidden));
                slice = owned.own(Matrix.create(base.backend(), WeightType.F32, 2L * hidden, hidden));
                program = owned.own(Program.create(base.backend()));
                program.embed(rows, base.embedding(), x);
                program.linear(rows, x, slice, null, null, products);
            } catch (RuntimeException | Error e) {
                Resources.closeAfter(e, owned);
                throw e;
            }
        }

        /** Writes the products with all tokens to a table, from entry {@code first} on. */
        void fill(Buffer table, long first, float[] values) {
            slice.write(0, values);
            int width = Math.toIntExact(slice.rows());
            for (int token = 0; token < vocabulary; token += CHUNK) {
                int count = Math.min(CHUNK, vocabulary - token);
                rows.setChain(0, IntStream.range(token, token + count).toArray());
                program.run();
                byte[] halves = WeightType.F16.encode(products.readFloats(0, count * width));
                table.write(WeightType.F16.bytes(first + (long) token * width), ByteBuffer.wrap(halves));
            }
        }

        @Override
        public void close() {
            owned.close();
        }
    }

    @Override
    public void close() {
        owned.close();
    }
}
