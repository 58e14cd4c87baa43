#include "cuda/context.cuh"

#ifdef __CUDACC__
#include <dlfcn.h>
#endif

namespace hydra::cuda {

namespace {

// The driver's functions. They are found by name, as the runtime finds them, so that the library can be loaded where
// there is no driver.
struct Driver {
    decltype(&cuDeviceGet) device_get;
    decltype(&cuDevicePrimaryCtxRetain) retain;
    decltype(&cuCtxPushCurrent) push;
    decltype(&cuCtxPopCurrent) pop;
    decltype(&cuDevicePrimaryCtxRelease) release;
    decltype(&cuMemGetInfo) memory;
};

#ifdef __CUDACC__
// For a runtime that has no such driver below it: a thread has the device that the runtime gives it.
constexpr Driver RUNTIME_ALONE{
    [](CUdevice* out, int device) { return static_cast<CUresult>(cudaSetDevice(*out = device)); },
    [](CUcontext* out, CUdevice) {
        *out = nullptr;
        return CUDA_SUCCESS;
    },
    [](CUcontext) { return CUDA_SUCCESS; },
    [](CUcontext*) { return CUDA_SUCCESS; },
    [](CUdevice) { return CUDA_SUCCESS; },
    [](size_t* free_bytes, size_t* total_bytes) {
        return static_cast<CUresult>(cudaMemGetInfo(free_bytes, total_bytes));
    },
};
#endif

Driver find_driver() {
#ifdef __CUDACC__
    Driver found{};
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return RUNTIME_ALONE;
    const auto find = [library](auto& function, const char* name) {
        function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
    };
    find(found.device_get, "cuDeviceGet");
    find(found.retain, "cuDevicePrimaryCtxRetain");
    find(found.push, "cuCtxPushCurrent_v2");
    find(found.pop, "cuCtxPopCurrent_v2");
    find(found.release, "cuDevicePrimaryCtxRelease_v2");
    find(found.memory, "cuMemGetInfo_v2");
    return found;
#else
    return {cuDeviceGet,     cuDevicePrimaryCtxRetain,  cuCtxPushCurrent,
            cuCtxPopCurrent, cuDevicePrimaryCtxRelease, cuMemGetInfo};
#endif
}

const Driver& driver() {
    static const Driver found = find_driver();
    return found;
}

// The driver's errors have the runtime's numbers.
hydra_status check(CUresult result, const char* what) { return cuda::check(static_cast<cudaError_t>(result), what); }

}  // namespace

hydra_status primary_context(int32_t device, CUcontext* out) {
    const Driver& calls = driver();
    if (calls.device_get == nullptr || calls.retain == nullptr || calls.push == nullptr || calls.pop == nullptr ||
        calls.release == nullptr || calls.memory == nullptr) {
        return refuse(HYDRA_UNAVAILABLE, "libcuda.so.1 of the CUDA driver lacks functions of CUDA 12");
    }
    CUdevice handle = 0;
    const hydra_status status = check(calls.device_get(&handle, device), "selecting the device");
    return status == HYDRA_OK ? check(calls.retain(out, handle), "opening the device's context") : status;
}

hydra_status device_memory(int32_t device, int64_t* free_bytes, int64_t* total_bytes) {
    CUcontext context = nullptr;
    hydra_status status = primary_context(device, &context);
    if (status != HYDRA_OK) return status;
    size_t free = 0, total = 0;
    {
        const CurrentContext current(context);
        status = current.status();
        if (status == HYDRA_OK) status = check(driver().memory(&free, &total), "reading the device's free memory");
    }
    CUdevice handle = 0;
    driver().device_get(&handle, device);
    driver().release(handle);
    *free_bytes = static_cast<int64_t>(free);
    *total_bytes = static_cast<int64_t>(total);
    return status;
}

CurrentContext::CurrentContext(CUcontext context)
    : status_(check(driver().push(context), "making the device's context current")) {}

CurrentContext::~CurrentContext() {
    CUcontext ended = nullptr;
    if (status_ == HYDRA_OK) driver().pop(&ended);
}

}  // namespace hydra::cuda
