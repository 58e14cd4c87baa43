package io.hydra4j.runtime;

/** A program of one RMSNorm over two rows. */
final class NormProgram implements AutoCloseable {
    private static final int COLUMNS = 4;
    static final int COUNT = 2 * COLUMNS;
    static final long BYTES = (long) COUNT * Float.BYTES;

    private final Resources owned = new Resources();
    private final Program program;
    private final PassRows rows;
    private final Buffer out;

    /** @param recorded an empty program, which this closes */
    NormProgram(Backend backend, Program recorded) {
        this(backend, recorded, Buffer.create(backend, BYTES), Buffer.create(backend, BYTES));
    }

    /**
     * @param recorded an empty program, which this closes
     * @param x of {@link #BYTES} bytes, gets its values here; this closes it
     * @param out of {@link #BYTES} bytes; this closes it
     */
    NormProgram(Backend backend, Program recorded, Buffer x, Buffer out) {
        this.program = owned.own(recorded);
        this.out = owned.own(out);
        rows = owned.own(PassRows.create(owned.own(Batch.create(backend, 1, 1)), 2));
        rows.setChain(0, new int[2]);
        owned.own(x);
        Buffer weight = owned.own(Buffer.floats(backend, COLUMNS));
        weight.write(0, new float[] {1, 2, 3, 4});
        x.write(0, new float[] {1, -2, 3, -4, 5, 6, -7, 8});
        program.norm(rows, x, weight, 1e-5f, out);
    }

    Program program() {
        return program;
    }

    PassRows rows() {
        return rows;
    }

    /** {@code float[COUNT]}. */
    float[] result() {
        return out.readFloats(0, COUNT);
    }

    @Override
    public void close() {
        owned.close();
    }
}
