/* Buffers: 64-byte aligned memory of the backend's device, and mapped files. */
#ifndef HYDRA4J_BUFFER_H
#define HYDRA4J_BUFFER_H

#include "hydra4j/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hydra_buffer hydra_buffer;
typedef struct hydra_file hydra_file;

/* Creates a zeroed buffer of bytes >= 1. */
HYDRA_API hydra_status hydra_buffer_create(hydra_backend* backend, int64_t bytes, hydra_buffer** out);

/* The caller's own memory as a buffer, on CUDA alone. pointer: device memory of the backend's device, aligned to 16
 * bytes and `bytes` long; it stays the caller's and outlives the buffer. HYDRA_INVALID_ARGUMENT for memory of the host,
 * of another device, managed, or unknown to CUDA at its first or last byte. Where an operation's operands must not be
 * the same buffer, they must not share memory either. */
HYDRA_API hydra_status hydra_buffer_wrap(hydra_backend* backend, void* pointer, int64_t bytes, hydra_buffer** out);

/* The address on the backend's device, for kernels of the caller's own; on the CPU an address of the host. */
HYDRA_API void* hydra_buffer_pointer(const hydra_buffer* buffer);

HYDRA_API void hydra_buffer_destroy(hydra_buffer* buffer);
HYDRA_API int64_t hydra_buffer_bytes(const hydra_buffer* buffer);

/* Copies between host memory and [offset, offset + bytes) of the buffer. Not while a program that uses it runs, nor
 * between its being enqueued and awaited: the copy waits for no stream. */
HYDRA_API hydra_status hydra_buffer_write(hydra_buffer* buffer, int64_t offset, const void* source, int64_t bytes);
HYDRA_API hydra_status hydra_buffer_read(const hydra_buffer* buffer, int64_t offset, void* target, int64_t bytes);

/* Converts `values` values, a multiple of both types' block sizes, from one type to another; on the host. source_bytes
 * and target_bytes must be exactly what the types need. Target: F32, F16, BF16, Q8_0, Q4_0 or Q4_1. Not R8, which is a
 * type of whole rows: hydra_matrix_write converts to it. */
HYDRA_API hydra_status hydra_convert(hydra_type source_type, const void* source, int64_t source_bytes,
                                     hydra_type target_type, void* target, int64_t target_bytes, int64_t values);

/* Maps a whole file for reading. A file that is cut short by another process while mapped is outside what can be
 * guarded. */
HYDRA_API hydra_status hydra_file_map(const char* path, hydra_file** out);
HYDRA_API void hydra_file_unmap(hydra_file* file);
HYDRA_API const void* hydra_file_data(const hydra_file* file);
HYDRA_API int64_t hydra_file_bytes(const hydra_file* file);

#ifdef __cplusplus
}
#endif
#endif
