/* Streams of the device: programs of one stream run one after the other, those of different streams at the same time.
 *
 * That is so on CUDA. On the CPU the programs of a backend run one at a time, on whichever stream they were made; a
 * stream can be created there, so that the same code serves both, and stands for nothing. Thread-safe. What programs
 * change or the host sets (sequences, rows, trees, tops) is used on one stream at a time; weights, rotation angles and
 * KV pools serve all streams. */
#ifndef HYDRA4J_STREAM_H
#define HYDRA4J_STREAM_H

#include "hydra4j/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hydra_stream hydra_stream;

/* A stream that waits for no other one, the default stream included. */
HYDRA_API hydra_status hydra_stream_create(hydra_backend* backend, hydra_stream** out);

/* The caller's own stream, on CUDA alone. native: a living cudaStream_t (or CUstream) of the primary context of the
 * backend's device, not being captured; it stays the caller's and outlives this one. HYDRA_INVALID_ARGUMENT for null,
 * which is the default stream, and for a stream of another device or context. */
HYDRA_API hydra_status hydra_stream_wrap(hydra_backend* backend, void* native, hydra_stream** out);

/* Null is allowed. Programs that were made on the stream must have been destroyed. */
HYDRA_API void hydra_stream_destroy(hydra_stream* stream);

/* The cudaStream_t, for work of the caller's own between programs; null on the CPU. */
HYDRA_API void* hydra_stream_native(const hydra_stream* stream);

#ifdef __cplusplus
}
#endif
#endif
