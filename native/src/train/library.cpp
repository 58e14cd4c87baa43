// What the library says of itself, and devices.
#include <cstring>

#include "hydra4j/train.h"
#include "program/error.h"
#include "train/cpu/device.h"

int32_t hydra_train_abi_version(void) { return HYDRA_TRAIN_ABI_VERSION; }

const char* hydra_train_error_message(void) { return hydra_error_message(); }

hydra_status hydra_train_device_open_cpu(int32_t threads, const char* isa, hydra_train_device** out) {
    return hydra::guarded("hydra_train_device_open_cpu", [&] {
        HYDRA_REQUIRE(out != nullptr && isa != nullptr, "out or isa is null");
        HYDRA_REQUIRE(threads >= 1 && threads <= 256, "threads is %d, must be from 1 to 256", threads);
        *out = new hydra::train::CpuDevice(threads, hydra::train::find_kernels(isa));
    });
}

void hydra_train_device_close(hydra_train_device* device) { delete device; }

const char* hydra_train_device_description(const hydra_train_device* device) {
    return device == nullptr ? "" : device->description.c_str();
}
