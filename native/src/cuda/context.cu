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
    return found;
#else
    return {cuDeviceGet, cuDevicePrimaryCtxRetain, cuCtxPushCurrent, cuCtxPopCurrent};
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
    if (calls.device_get == nullptr || calls.retain == nullptr || calls.push == nullptr || calls.pop == nullptr) {
        return refuse(HYDRA_UNAVAILABLE, "libcuda.so.1 of the CUDA driver lacks functions of CUDA 12");
    }
    CUdevice handle = 0;
    const hydra_status status = check(calls.device_get(&handle, device), "selecting the device");
    return status == HYDRA_OK ? check(calls.retain(out, handle), "opening the device's context") : status;
}

CurrentContext::CurrentContext(CUcontext context)
    : status_(check(driver().push(context), "making the device's context current")) {}

CurrentContext::~CurrentContext() {
    CUcontext ended = nullptr;
    if (status_ == HYDRA_OK) driver().pop(&ended);
}

}  // namespace hydra::cuda
