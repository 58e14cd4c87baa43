/**
 * Level 1: {@link io.hydra4j.HydraModel} opens a model with its draft heads and continues texts, at once or as a stream. Failures are
 * {@link io.hydra4j.HydraException}s, mistakes of the caller {@link java.lang.IllegalArgumentException}s, a null where none may be
 * is a {@link java.lang.NullPointerException} that names the argument.
 */
package io.hydra4j;
