// Clusters: blocks side by side in the grid that devices of 9.0 and more run at the same time, and that read each
// other's shared memory. A launch says of how many blocks (launch_clusters in runtime.cuh), where the device has them
// (Device::has_clusters); elsewhere blocks meet in global memory.
//
// Between two cluster_barriers a block's shared memory may be read by the others: before the first one a block may not
// have begun, after the last one it may have ended.
#pragma once

#include "cuda/platform.cuh"

namespace hydra::cuda {

constexpr int MOST_CLUSTER_BLOCKS = 8;  // that every device with clusters can run

// False where the code is for a device without.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
constexpr bool CODE_HAS_CLUSTERS = false;
#else
constexpr bool CODE_HAS_CLUSTERS = true;
#endif

// By all threads of all blocks of the cluster: what they have written before, to shared and to global memory, all see
// after it.
__device__ __forceinline__ void cluster_barrier() {
#if defined(__CUDA_ARCH__)
#if __CUDA_ARCH__ >= 900
    asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
    asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
#endif
#elif !defined(__CUDACC__)
    emulation::cluster_barrier(emulation::Site::current());
#endif
}

// What block `rank` of the cluster has where this one has `own`, in shared memory.
__device__ __forceinline__ float4 load_of_block([[maybe_unused]] const float4* own, [[maybe_unused]] int rank) {
    float4 value{};
#if defined(__CUDA_ARCH__)
#if __CUDA_ARCH__ >= 900
    uint32_t address;
    asm("mapa.shared::cluster.u32 %0, %1, %2;"
        : "=r"(address)
        : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(own))), "r"(rank));
    asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(value.x), "=f"(value.y), "=f"(value.z), "=f"(value.w)
                 : "r"(address)
                 : "memory");
#endif
#elif !defined(__CUDACC__)
    value = *static_cast<const float4*>(
        emulation::shared_of_block(own, sizeof *own, static_cast<unsigned>(rank), emulation::Site::current()));
#endif
    return value;
}

}  // namespace hydra::cuda
