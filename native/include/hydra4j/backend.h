/* A backend: the device that runs programs. Thread-safe; programs of one backend run one at a time, on CUDA those of
 * one stream (stream.h). Everything that is made from a backend is used with things of the same backend only.
 *
 * A child that is forked has the memory of a backend of its parent, but not its threads or its device. There,
 * recording, running, enqueueing and awaiting programs, making and filling matrices and measuring are
 * HYDRA_UNAVAILABLE, on CUDA also all else that takes memory or streams of the device, or copies; destroying what there
 * is and closing the backend are safe, and the child may open a CPU backend of its own. */
#ifndef HYDRA4J_BACKEND_H
#define HYDRA4J_BACKEND_H

#include "hydra4j/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hydra_backend hydra_backend;

/* Opens the CPU backend. threads: size of the team, 1 to 256, the caller of hydra_program_run included. isa: "auto"
 * (the best that this processor has), "avx512" (AVX-512 F/BW/VL/DQ with VNNI), "avx2" (AVX2, FMA, F16C) or "portable".
 * HYDRA_UNAVAILABLE when the processor lacks it, or the system refuses a thread. All instruction sets give the same
 * bits. */
HYDRA_API hydra_status hydra_backend_open_cpu(int32_t threads, const char* isa, hydra_backend** out);

/* Opens the CUDA backend on a device of compute capability 8.0 or higher. library: path of libhydra4j_cuda.so, which
 * must be of the same build; no other place is searched. HYDRA_UNAVAILABLE with the reason where the library, the
 * driver or every device is missing or does not fit; HYDRA_INVALID_ARGUMENT where there are devices, but not this one.
 * The library stays loaded. */
HYDRA_API hydra_status hydra_backend_open_cuda(const char* library, int32_t device, hydra_backend** out);

/* Number of CUDA devices; 1 or more. HYDRA_UNAVAILABLE with the reason where there is none. */
HYDRA_API hydra_status hydra_cuda_devices(const char* library, int32_t* out);

/* Describes a CUDA device in one line, without opening it: text [capacity], cut off where it is too long. */
HYDRA_API hydra_status hydra_cuda_describe(const char* library, int32_t device, char* text, int32_t capacity);

/* Closes the backend; null is allowed. Everything made from it must have been destroyed. */
HYDRA_API void hydra_backend_close(hydra_backend* backend);

/* "cpu" or "cuda". */
HYDRA_API const char* hydra_backend_kind(const hydra_backend* backend);

/* The device in one line. Valid while the backend is open. */
HYDRA_API const char* hydra_backend_description(const hydra_backend* backend);

/* Bytes of the device's memory that can be had now, and all of them. On the CPU what the system can give a new program
 * without swapping, caches of files that it drops for that included, and no more than the control groups of the process
 * leave it. */
HYDRA_API hydra_status hydra_backend_memory(hydra_backend* backend, int64_t* free_bytes, int64_t* total_bytes);

/* What programs may compute at most; each at least 1. */
typedef struct hydra_limits {
    int32_t rows;                        /* of a pass */
    int64_t matrix_rows, matrix_columns; /* of any matrix */
    int32_t heads, head_size;            /* of queries */
    int32_t positions;                   /* of a sequence, of as many pages as it can have */
} hydra_limits;

/* Bytes that a backend sets aside for what operations work on, beside what the caller creates: on CUDA once for each
 * stream that programs run on, on the CPU once. Parts that are not needed at the same time share memory, so that
 * `bytes` may be less than their sum. */
typedef struct hydra_workspace {
    int64_t products;  /* rows made ready for products, and sums of products that are shared out */
    int64_t tops;      /* best entries of the shares of an LM head */
    int64_t attention; /* parts of the attention, or scores */
    int64_t judging;   /* of typical acceptance */
    int64_t handover;  /* rows that an operation leaves the next one */
    int64_t bytes;     /* in all */
    int64_t task; /* of each operation of a layer, two of an attention, that a graph keeps beside that, where graphs
                   * of small models do so; 0: they do not */
} hydra_workspace;

/* What a backend sets aside where programs stay within limits; nothing is allocated. */
HYDRA_API hydra_status hydra_backend_workspace(const hydra_backend* backend, const hydra_limits* limits,
                                               hydra_workspace* out);

/* Name of the instruction set in use: "avx512", "avx2" or "portable"; "" where the backend is not the CPU's. */
HYDRA_API const char* hydra_backend_isa(const hydra_backend* backend);

/* Size of the thread team; 0 where the backend is not the CPU's. */
HYDRA_API int32_t hydra_backend_threads(const hydra_backend* backend);

/* 1 where the backend has a kernel for products with matrices of the type, which can then have it; else 0. */
HYDRA_API int32_t hydra_backend_has_kernel(const hydra_backend* backend, hydra_type type);

/* Best of `repeats` timings, in bytes per second: on the CPU of all threads together reading `bytes` bytes of memory
 * from first to last, on CUDA of copying `bytes` bytes within the device, read and written ones counted. */
HYDRA_API hydra_status hydra_backend_stream_rate(hydra_backend* backend, int64_t bytes, int32_t repeats, double* out);

#ifdef __cplusplus
}
#endif
#endif
