// CUDA itself, or its emulation where an ordinary compiler reads the source, and the few things for which the two
// differ. Device code uses nothing but this: dynamic shared memory, whole warps, one-dimensional blocks.
#pragma once

#include <stdint.h>

#ifdef __CUDACC__
#include <cuda.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#else
#include <chrono>

#include "cuda/emulation/cuda.h"
#include "program/half.h"
#endif

namespace hydra::cuda {

constexpr unsigned ALL_LANES = 0xffffffff;
constexpr int WARP = 32;

// The block's dynamic shared memory as one T.
template <class T>
__device__ __forceinline__ T& shared_memory() {
#ifdef __CUDACC__
    extern __shared__ __align__(16) unsigned char shared_bytes[];
    return *reinterpret_cast<T*>(shared_bytes);
#else
    return *static_cast<T*>(emulation::shared_memory());
#endif
}

__host__ __device__ __forceinline__ float float_of_half(uint16_t half) {
#ifdef __CUDACC__
    return __half2float(__ushort_as_half(half));
#else
    return half_to_float(half);
#endif
}

// To nearest, ties to even.
__host__ __device__ __forceinline__ uint16_t half_of_float(float value) {
#ifdef __CUDACC__
    return __half_as_ushort(__float2half_rn(value));
#else
    return float_to_half(value);
#endif
}

__device__ __forceinline__ float float_of_bfloat(uint16_t bfloat) {
#ifdef __CUDACC__
    return __uint_as_float(static_cast<uint32_t>(bfloat) << 16);
#else
    return bfloat_to_float(bfloat);
#endif
}

// A place in shared memory as copies name it: an address of 32 bits. Made once for several copies, or the compiler
// makes it from the block's number in its cluster for each.
#ifdef __CUDACC__
using SharedAddress = uint32_t;
#else
using SharedAddress = uint8_t*;
#endif
__device__ __forceinline__ SharedAddress shared_address(void* shared) {
#ifdef __CUDACC__
    auto address = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
    asm volatile("" : "+r"(address));
    return address;
#else
    return static_cast<uint8_t*>(shared);
#endif
}

// Copies 16 aligned bytes to shared memory; they are there when copies_arrived<0>() and a barrier have followed.
__device__ __forceinline__ void copy_async(SharedAddress shared, const void* source) {
#ifdef __CUDACC__
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(source) : "memory");
#else
    emulation::begin_copy(shared, source);
#endif
}
__device__ __forceinline__ void copy_async(void* shared, const void* source) {
#ifdef __CUDACC__
    copy_async(static_cast<uint32_t>(__cvta_generic_to_shared(shared)), source);
#else
    emulation::begin_copy(shared, source);
#endif
}

// Ends a group of the thread's copies.
__device__ __forceinline__ void end_copies() {
#ifdef __CUDACC__
    asm volatile("cp.async.commit_group;" ::: "memory");
#else
    emulation::end_copies();
#endif
}

// Waits until no more than the last PENDING groups of the thread's copies are under way.
template <int PENDING>
__device__ __forceinline__ void copies_arrived() {
#ifdef __CUDACC__
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#else
    emulation::wait_for_copies(PENDING);
#endif
}

// Programmatic dependent launch: on devices of 9.0 and more a kernel may begin while those before it still run, as soon
// as all their blocks have let it. What it does until it waits may read nothing that a kernel writes, and write nothing
// that one reads: the weights are all. Each thread of each kernel waits, so that the end of a kernel is that of all
// before it.
__device__ __forceinline__ void let_next_kernel_begin() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;");
#endif
}

// Until the kernels before have ended and what they have written is seen.
__device__ __forceinline__ void wait_for_kernels_before() {
#if defined(__CUDA_ARCH__)
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
#elif !defined(__CUDACC__)
    emulation::wait_for_kernels_before(emulation::Site::current());
#endif
}

// The first statement of a kernel that has nothing to do before it waits. The next one may begin by then: that it takes
// the room of blocks that have ended is what it is let for.
__device__ __forceinline__ void begin_in_turn() {
    let_next_kernel_begin();
    wait_for_kernels_before();
}

// Adds to a counter and returns what it was. What threads of the block have written before a barrier in front of this
// is seen by a block that finds a later count, after a barrier behind it.
__device__ __forceinline__ int add_in_order(int32_t* counter, int value) {
#ifdef __CUDACC__
    int before;
    asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], %2;" : "=r"(before) : "l"(counter), "r"(value) : "memory");
    return before;
#else
    return atomicAdd(counter, value);
#endif
}

// The block's first THREADS threads meet, whole warps, whatever the others do.
template <int THREADS>
__device__ __forceinline__ void meet_first() {
    static_assert(THREADS % WARP == 0);
#ifdef __CUDACC__
    asm volatile("bar.sync 1, %0;" ::"n"(THREADS) : "memory");
#else
    emulation::barrier_of_first(THREADS, emulation::Site::current());
#endif
}

// Counts one more, of threads of the block that have met in front of this by one of them: what they have written before
// is seen by those that meet behind a wait_for_count of theirs.
__device__ __forceinline__ void count_up(int32_t* counter) {
#ifdef __CUDACC__
    asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(counter) : "memory");
#else
    ++*counter;
#endif
}

// Until the counter is at `count` or more, in a cooperative launch: others run beside.
__device__ __forceinline__ void wait_for_count(const int32_t* counter, int32_t count) {
#ifdef __CUDACC__
    int32_t found;
    do {
        asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(found) : "l"(counter) : "memory");
    } while (found < count);
#else
    emulation::wait_for_count(counter, count, emulation::Site::current());
#endif
}

// By the block's first THREADS threads: whether it is the last of `blocks` to come here. Then it sees what they have
// written before, and the counter is zero again. answer: in shared memory.
template <int THREADS>
__device__ __forceinline__ bool is_last(int32_t* counter, int blocks, bool& answer) {
    meet_first<THREADS>();
    if (threadIdx.x == 0) {
        answer = add_in_order(counter, 1) == blocks - 1;
        if (answer) *counter = 0;
    }
    meet_first<THREADS>();
    return answer;
}

// 2^x with a relative error below 2^-22; 0 below 2^-126.
__device__ __forceinline__ float fast_exp2(float x) {
#ifdef __CUDACC__
    float power;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
    return power;
#else
    return exp2f(x);
#endif
}

// A clock of the device, in nanoseconds.
__device__ __forceinline__ int64_t device_time() {
#ifdef __CUDACC__
    int64_t time;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time));
    return time;
#else
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
#endif
}

// The value, which the compiler takes for one that is new at each call: what follows from it is computed there and not
// kept from before.
__device__ __forceinline__ int recomputed(int value) {
#ifdef __CUDACC__
    asm volatile("" : "+r"(value));
#endif
    return value;
}

__device__ __forceinline__ int lane_index() { return static_cast<int>(threadIdx.x % WARP); }
__device__ __forceinline__ int warp_index() { return static_cast<int>(threadIdx.x / WARP); }

// The sum of all lanes, the same bits in each: additions pair lanes 16 apart, then 8, 4, 2, 1.
__device__ __forceinline__ float warp_sum(float value) {
    for (int mask = WARP / 2; mask > 0; mask /= 2) value += __shfl_xor_sync(ALL_LANES, value, mask);
    return value;
}

__device__ __forceinline__ float warp_max(float value) {
    for (int mask = WARP / 2; mask > 0; mask /= 2) value = fmaxf(value, __shfl_xor_sync(ALL_LANES, value, mask));
    return value;
}

__device__ __forceinline__ int warp_max(int value) {
    for (int mask = WARP / 2; mask > 0; mask /= 2) value = max(value, __shfl_xor_sync(ALL_LANES, value, mask));
    return value;
}

__device__ __forceinline__ float silu(float x) { return x / (1.0f + expf(-x)); }

__device__ __forceinline__ float soft_cap(float x, float cap) { return cap * tanhf(x / cap); }

// x (1 + tanh(u)) / 2 = x / (1 + exp(-2u)), u = sqrt(2 / pi) (x + 0.044715 x^3).
__device__ __forceinline__ float gelu(float x) {
    return x / (1.0f + expf(-x * fmaf(x * x, 0.07135481627f, 1.595769122f)));
}

}  // namespace hydra::cuda
