package io.hydra4j.train.device;

/**
 * The texts whose rows lie one after another in a batch.
 *
 * @param starts the first row of each text, from 0 on, and at the end the number of rows
 */
public record Texts(long... starts) {
    /** @return rows of all texts */
    public long rows() {
        return starts[starts.length - 1];
    }

    /** @return how many texts */
    public long count() {
        return starts.length - 1;
    }
}
