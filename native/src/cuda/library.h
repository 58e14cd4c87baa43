// libhydra4j_cuda as this library sees it: found by an explicit path, its failures thrown.
#pragma once

#include "cuda/device.h"

namespace hydra::cuda {

// Loads the library, for good: a path that was loaded once means that library, even where the file is gone. Throws
// HYDRA_UNAVAILABLE with the reason where it cannot be loaded or is of another build.
const DeviceApi& load_library(const char* path);

// Throws what a failed call left behind.
void must(const DeviceApi& api, hydra_status status);

DeviceFacts facts_of(const DeviceApi& api, int32_t device);

}  // namespace hydra::cuda
