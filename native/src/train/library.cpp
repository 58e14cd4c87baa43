// What the library says of itself, and devices.
#include <cstring>

#include "cuda/load.h"
#include "hydra4j/train.h"
#include "program/error.h"
#include "train/cpu/device.h"
#include "train/cuda/device.h"

int32_t hydra_train_abi_version(void) { return HYDRA_TRAIN_ABI_VERSION; }

const char* hydra_train_error_message(void) { return hydra_error_message(); }

namespace {

hydra_train_products products_of(int32_t value) {
    HYDRA_REQUIRE(value == HYDRA_TRAIN_FLOAT32 || value == HYDRA_TRAIN_BF16,
                  "products is %d, must be %d (float32) or %d (bf16)", value, HYDRA_TRAIN_FLOAT32, HYDRA_TRAIN_BF16);
    return static_cast<hydra_train_products>(value);
}

}  // namespace

hydra_status hydra_train_device_open_cpu(int32_t threads, const char* isa, int32_t products, hydra_train_device** out) {
    return hydra::guarded("hydra_train_device_open_cpu", [&] {
        HYDRA_REQUIRE(out != nullptr && isa != nullptr, "out or isa is null");
        HYDRA_REQUIRE(threads >= 1 && threads <= 256, "threads is %d, must be from 1 to 256", threads);
        const hydra_train_products of = products_of(products);
        *out = new hydra::train::CpuDevice(threads, hydra::train::find_instruction_set(isa, of), of);
    });
}

hydra_status hydra_train_device_open_cuda(const char* library, int32_t device, int32_t products,
                                          hydra_train_device** out) {
    return hydra::guarded("hydra_train_device_open_cuda", [&] {
        HYDRA_REQUIRE(out != nullptr, "out is null");
        hydra::cuda::require_path(library);
        *out = new hydra::train::CudaDevice(library, device, products_of(products));
    });
}

void hydra_train_device_close(hydra_train_device* device) { delete device; }

const char* hydra_train_device_description(const hydra_train_device* device) {
    return device == nullptr ? "" : device->description.c_str();
}
