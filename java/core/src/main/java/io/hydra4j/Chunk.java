package io.hydra4j;

import java.util.List;

/**
 * What one step added to a generation.
 *
 * @param ids the tokens that the step emitted, up to the end
 * @param text text that is now certain: whole characters only, and never taken back. It may belong to earlier tokens and may
 *     be empty; over all chunks it adds up to the whole text
 */
public record Chunk(List<Integer> ids, String text) {}
