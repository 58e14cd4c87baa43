/**
 * Level 2: decoding step by step. A {@link io.hydra4j.decode.Session} decodes one sequence, a {@link
 * io.hydra4j.decode.BatchSession} several side by side: tokens are drafted as a tree, verified in one pass of the base model, and the
 * longest correct path is accepted.
 *
 * <p>Everywhere here a null where none may be is a {@link java.lang.NullPointerException} that names the argument, another mistake in
 * the arguments an {@link java.lang.IllegalArgumentException}, a call at the wrong time an {@link java.lang.IllegalStateException},
 * and what does not fit into the rest of the context a {@link io.hydra4j.decode.ContextFullException}. A call that is refused changes
 * nothing.
 */
package io.hydra4j.decode;
