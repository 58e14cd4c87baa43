// Bulk copies: one thread of a block asks for a whole run of bytes, of global memory to shared memory, on devices
// of 9.0 and more. A copy tells a barrier in shared memory (mbarrier) when its bytes are there.
//
// A barrier goes from phase to phase. A phase ends when as many threads have arrived as were said at the begin, and as
// many bytes as were announced; who waits for that sees the bytes. Waiting names a phase by its parity, 0 of the first:
// so nobody may be a whole phase behind.
//
// Copies write past the ordinary way to memory (the asynchronous proxy): what threads have written to the same place
// is before a copy only if order_before_copies() lies between.
#pragma once

#include <type_traits>

#include "cuda/platform.cuh"

namespace hydra::cuda {

#if defined(__CUDACC__) && (!defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900)
#define HYDRA_BULK_COPIES 1
#else
#define HYDRA_BULK_COPIES 0
#endif

__device__ __forceinline__ bool has_bulk_copies() {
#ifdef __CUDACC__
    return HYDRA_BULK_COPIES != 0;
#else
    return emulation::has_bulk_copies();
#endif
}

// Calls run(std::true_type or std::false_type): whether there are bulk copies.
template <class Run>
__device__ __forceinline__ void with_copies(Run&& run) {
#ifdef __CUDACC__
    run(std::bool_constant<HYDRA_BULK_COPIES != 0>{});
#else
    if (has_bulk_copies()) return run(std::true_type{});
    run(std::false_type{});
#endif
}

struct CopyBarrier {
    uint64_t state;
};

// By one thread, which announces all of its barriers with order_before_copies() and a barrier of the block behind.
__device__ __forceinline__ void begin_phases(CopyBarrier& barrier, int arrivals) {
#if HYDRA_BULK_COPIES
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(&barrier)), "r"(arrivals) : "memory");
#elif !defined(__CUDACC__)
    emulation::begin_phases(&barrier, static_cast<unsigned>(arrivals), emulation::Site::current());
#endif
}

__device__ __forceinline__ void order_before_copies() {
#if HYDRA_BULK_COPIES
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#elif !defined(__CUDACC__)
    emulation::order_before_copies();
#endif
}

// True for one lane of the warp, all of whose lanes take part.
__device__ __forceinline__ bool is_one_lane() {
#if HYDRA_BULK_COPIES
    uint32_t is_one;
    asm volatile("{ .reg .pred one; elect.sync _|one, 0xffffffff; selp.u32 %0, 1, 0, one; }" : "=r"(is_one));
    return is_one != 0;
#else
    return threadIdx.x % WARP == 0;
#endif
}

// Announces bytes to come in the phase at hand.
__device__ __forceinline__ void expect_bytes(SharedAddress barrier, int bytes) {
#if HYDRA_BULK_COPIES
    asm volatile("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
#elif !defined(__CUDACC__)
    emulation::expect_bytes(barrier, bytes, emulation::Site::current());
#endif
}

// Arrives, with bytes to come.
__device__ __forceinline__ void arrive_with(SharedAddress barrier, int bytes) {
#if HYDRA_BULK_COPIES
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
#elif !defined(__CUDACC__)
    emulation::expect_bytes(barrier, bytes, emulation::Site::current());
    emulation::arrive(barrier, emulation::Site::current());
#endif
}

// Until the phase of this parity has ended.
__device__ __forceinline__ void wait_for_phase(SharedAddress barrier, uint32_t parity) {
#if HYDRA_BULK_COPIES
    asm volatile(
        "{ .reg .pred ended;\n"
        "again: mbarrier.try_wait.parity.shared::cta.b64 ended, [%0], %1;\n"
        "@!ended bra again; }" ::"r"(barrier),
        "r"(parity)
        : "memory");
#elif !defined(__CUDACC__)
    emulation::wait_for_phase(barrier, parity, emulation::Site::current());
#endif
}

// Copies `bytes` bytes to shared memory, and adds them to the barrier's. All a multiple of 16.
__device__ __forceinline__ void copy_bulk(SharedAddress shared, const void* source, int bytes, SharedAddress barrier) {
#if HYDRA_BULK_COPIES
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(shared),
        "l"(source), "r"(bytes), "r"(barrier)
        : "memory");
#elif !defined(__CUDACC__)
    emulation::copy_bulk(shared, source, bytes, barrier, emulation::Site::current());
#endif
}

// Asks for bytes of global memory in the L2 cache, where there are bulk copies. All a multiple of 16.
__device__ __forceinline__ void bring_to_cache(const void* source, uint32_t bytes) {
#if HYDRA_BULK_COPIES
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(source), "r"(bytes) : "memory");
#elif !defined(__CUDACC__)
    emulation::bring_to_cache(source, bytes, emulation::Site::current());
#endif
}

}  // namespace hydra::cuda
