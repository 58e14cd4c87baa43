package io.hydra4j;

/** Fewer KV pages of a model are free than are needed. The sequence that asked for them stays as it was. */
public final class KvPagesExhaustedException extends ResourceExhaustedException {
    private static final long serialVersionUID = 1L;

    /** @param message one line: how many are needed and free, and the remedy */
    public KvPagesExhaustedException(String message) {
        super(message);
    }
}
