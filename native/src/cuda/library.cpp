#include "cuda/library.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "cuda/backend.h"
#include "cuda/load.h"
#include "program/allocation.h"
#include "program/error.h"

namespace hydra::cuda {

namespace {

const DeviceApi& open_library(const char* path) {
    const auto& api = table_of<DeviceApi>(load(path), path, "hydra_cuda_device_api", DEVICE_API_VERSION);
    api.set_allocation_hooks({may_allocate, end_allocation, note_release});
    return api;
}

}  // namespace

const DeviceApi& load_library(const char* path) {
    require_path(path);
    static std::mutex mutex;
    static std::map<std::string, const DeviceApi*> loaded;
    std::lock_guard<std::mutex> lock(mutex);
    const DeviceApi*& api = loaded[path];
    if (api == nullptr) api = &open_library(path);
    return *api;
}

void must(const DeviceApi& api, hydra_status status) {
    if (status != HYDRA_OK) throw Failure(status, api.last_error());
}

DeviceFacts facts_of(const DeviceApi& api, int32_t device) {
    int32_t count = 0;
    must(api, api.count_devices(&count));
    HYDRA_REQUIRE(device >= 0 && device < count, "device is %d, must be from 0 to %d", device, count - 1);
    DeviceFacts facts{};
    must(api, api.device_facts(device, &facts));
    return facts;
}

}  // namespace hydra::cuda

hydra_status hydra_backend_open_cuda(const char* library, int32_t device, hydra_backend** out) {
    return hydra::guarded("hydra_backend_open_cuda", [&] {
        HYDRA_REQUIRE(out != nullptr, "out is null");
        *out = new hydra::cuda::CudaBackend(hydra::cuda::load_library(library), device);
    });
}

hydra_status hydra_cuda_devices(const char* library, int32_t* out) {
    return hydra::guarded("hydra_cuda_devices", [&] {
        HYDRA_REQUIRE(out != nullptr, "out is null");
        const hydra::cuda::DeviceApi& api = hydra::cuda::load_library(library);
        hydra::cuda::must(api, api.count_devices(out));
    });
}

hydra_status hydra_cuda_describe(const char* library, int32_t device, char* text, int32_t capacity) {
    return hydra::guarded("hydra_cuda_describe", [&] {
        HYDRA_REQUIRE(text != nullptr && capacity >= 1, "text is null or has no room");
        const hydra::cuda::DeviceApi& api = hydra::cuda::load_library(library);
        const std::string description = hydra::cuda::describe(hydra::cuda::facts_of(api, device));
        const size_t bytes = std::min(description.size(), static_cast<size_t>(capacity) - 1);
        std::memcpy(text, description.data(), bytes);
        text[bytes] = 0;
    });
}
