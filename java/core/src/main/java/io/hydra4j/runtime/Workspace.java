package io.hydra4j.runtime;

/**
 * Bytes that a backend sets aside for what operations work on, beside what is created by name: on CUDA for each {@link Stream} that
 * programs run on, on the CPU once. Parts that are not needed at the same time share memory.
 *
 * @param products rows made ready for products, and sums of products that are shared out
 * @param tops best entries of the shares of an LM head
 * @param attention parts of the attention, or scores
 * @param judging what typical acceptance needs
 * @param handover rows that an operation leaves the next one
 * @param bytes in all; no more than the sum of the parts
 * @param task of each operation of a layer, two of an attention, that a graph keeps beside that, where graphs of small models do so;
 *     0: they do not
 */
public record Workspace(long products, long tops, long attention, long judging, long handover, long bytes, long task) {
    /**
     * What programs may compute at most; all at least 1.
     *
     * @param rows of a pass
     * @param matrixRows of any matrix
     * @param matrixColumns of any matrix
     * @param heads of queries
     * @param headSize values of a head
     * @param positions of a sequence, of as many pages as it can have
     */
    public record Limits(int rows, long matrixRows, long matrixColumns, int heads, int headSize, int positions) {}
}
