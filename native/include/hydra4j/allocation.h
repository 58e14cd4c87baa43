/* For tests: counts the library's allocations, and has one of them fail. */
#ifndef HYDRA4J_ALLOCATION_H
#define HYDRA4J_ALLOCATION_H

#include "hydra4j/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The k-th allocation from now on fails, and the call that needs it with HYDRA_OUT_OF_MEMORY; those after it succeed
 * again. 0: none fails. Returns how many were left of the k of before: 0 where that one has failed, or none was to.
 * Allocations are counted of all threads: of operator new, of host memory of every kind, and in the CUDA library of
 * device and pinned memory, streams, events, graphs and its own objects. */
HYDRA_API int64_t hydra_fail_allocation(int64_t k);

/* Allocations that have not been released. */
HYDRA_API int64_t hydra_live_allocations(void);

#ifdef __cplusplus
}
#endif
#endif
