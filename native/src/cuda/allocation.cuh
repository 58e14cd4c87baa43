// Every allocation of this library passes here, so that libhydra4j counts it with its own and can have it fail.
#pragma once

#include <new>

#include "cuda/runtime.cuh"

namespace hydra::cuda {

inline AllocationHooks allocation_hooks{[] { return true; }, [] {}, [] {}};

// Makes a thing of CUDA's, which release ends; a refused one is out of memory as CUDA's are.
template <class Make>
cudaError_t allocate_by(Make&& make) {
    if (!allocation_hooks.begin()) return cudaErrorMemoryAllocation;
    const cudaError_t error = make();
    if (error == cudaSuccess) allocation_hooks.end();
    return error;
}

// What CUDA says of a thing that it ends is of no use to anybody.
template <class End>
void release_by(End&& end) {
    end();
    allocation_hooks.release();
}

// An object of this library, which destroy ends.
template <class T>
hydra_status create(const T& value, T** out) {
    *out = allocation_hooks.begin() ? new (std::nothrow) T(value) : nullptr;
    if (*out == nullptr) return refuse(HYDRA_OUT_OF_MEMORY, "out of memory");
    allocation_hooks.end();
    return HYDRA_OK;
}

template <class T>
void destroy(T* object) {
    if (object == nullptr) return;
    delete object;
    allocation_hooks.release();
}

}  // namespace hydra::cuda
