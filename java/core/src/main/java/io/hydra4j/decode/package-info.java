/**
 * Level 2: decoding step by step. A {@link io.hydra4j.decode.Session} decodes one sequence, a {@link
 * io.hydra4j.decode.BatchSession} several side by side: tokens are drafted as a tree, verified in one pass of the base model, and the
 * longest correct path is accepted.
 */
package io.hydra4j.decode;
