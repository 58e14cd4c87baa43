/**
 * Level 3: the native runtime. A {@link io.hydra4j.runtime.Backend} owns {@link io.hydra4j.runtime.Matrix matrices},
 * {@link io.hydra4j.runtime.Buffer buffers} and the state of batches of sequences; a {@link io.hydra4j.runtime.Program} is a list of
 * operations on them, recorded once and run by one native call, on a {@link io.hydra4j.runtime.Stream} where it matters.
 * Streams and memory of the caller's own (a {@code cudaStream_t}, device pointers) can be wrapped, so that kernels of both
 * sides follow each other without the host between them.
 *
 * <p>Everything here owns native memory and must be closed; closing twice is allowed, using a closed object is an
 * {@link java.lang.IllegalStateException}. An object that others still need (a buffer that a program recorded, a backend
 * with open buffers) keeps its memory until the last of them is closed, so the order of closing does not matter. An object
 * that is lost without being closed is reported once as a warning of the logger {@code io.hydra4j.runtime}, and its memory is
 * freed when the garbage collector finds it.
 *
 * <p>Unless a class says otherwise its objects may be used by one thread at a time, except that {@code close} may be called
 * by any thread at any time. A native failure is a {@link io.hydra4j.runtime.NativeException}.
 */
package io.hydra4j.runtime;
