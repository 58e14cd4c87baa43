/* A backend: the device that runs programs, with its thread team. Thread-safe; programs of one backend run one at a
 * time. */
#ifndef HYDRA4J_BACKEND_H
#define HYDRA4J_BACKEND_H

#include "hydra4j/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hydra_backend hydra_backend;

/* Opens the CPU backend. threads: size of the team, 1 to 256, the caller of hydra_program_run included. isa: "auto"
 * (the best that this processor has), "avx512" (AVX-512 F/BW/VL/DQ with VNNI), "avx2" (AVX2, FMA, F16C) or "portable".
 * HYDRA_UNAVAILABLE when the processor lacks it. All instruction sets give the same bits. */
HYDRA_API hydra_status hydra_backend_open_cpu(int32_t threads, const char* isa, hydra_backend** out);

/* Closes the backend; null is allowed. Everything made from it must have been destroyed. */
HYDRA_API void hydra_backend_close(hydra_backend* backend);

/* Name of the instruction set in use: "avx512", "avx2" or "portable". Valid while the backend is open. */
HYDRA_API const char* hydra_backend_isa(const hydra_backend* backend);

HYDRA_API int32_t hydra_backend_threads(const hydra_backend* backend);

/* Best of `repeats` timings of all threads together reading `bytes` bytes of memory from first to last, in bytes per
 * second. */
HYDRA_API hydra_status hydra_backend_stream_rate(hydra_backend* backend, int64_t bytes, int32_t repeats, double* out);

#ifdef __cplusplus
}
#endif
#endif
