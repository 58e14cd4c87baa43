#include "train/cpu/device.h"

#include <algorithm>
#include <cstring>

#include "cpu/processor.h"
#include "program/error.h"
#include "program/process.h"

namespace hydra {

namespace avx512 {
extern const train::Kernels train_kernels;
}
namespace avx2 {
extern const train::Kernels train_kernels;
}
namespace portable {
extern const train::Kernels train_kernels;
}

namespace train {

const Kernels& find_kernels(const char* isa) {
    const std::string name = isa;
    if (name == "auto") {
        return has_avx512() ? avx512::train_kernels : has_avx2() ? avx2::train_kernels : portable::train_kernels;
    }
    if (name == "portable") return portable::train_kernels;
    HYDRA_REQUIRE(name == "avx512" || name == "avx2", "isa is '%s', must be auto, avx512, avx2 or portable", isa);
    const bool has = name == "avx512" ? has_avx512() : has_avx2();
    if (!has) fail(HYDRA_UNAVAILABLE, "this processor does not have the instruction set %s", isa);
    return name == "avx512" ? avx512::train_kernels : avx2::train_kernels;
}

CpuDevice::CpuDevice(int threads, const Kernels& kernels)
    : team_(threads), kernels_(kernels), threads_(static_cast<size_t>(threads)), opened_after_(forks()) {
    description = "CPU, " + std::to_string(threads) + (threads == 1 ? " thread, " : " threads, ") + kernels.name;
}

Memory CpuDevice::allocate(int64_t bytes) {
    Aligned<uint8_t> owned = hydra::allocate<uint8_t>(bytes);
    uint8_t* const data = owned.get();
    return Memory(std::shared_ptr<uint8_t[]>(std::move(owned)), data);
}

void CpuDevice::upload(void* target, const void* source, int64_t bytes) {
    std::memcpy(target, source, static_cast<size_t>(bytes));
}

void CpuDevice::download(void* target, const void* source, int64_t bytes) {
    std::memcpy(target, source, static_cast<size_t>(bytes));
}

void CpuDevice::copy_in(float* target, const float* source, int64_t count) {
    std::copy(source, source + count, target);
}

void CpuDevice::require_usable() {
    if (forks() != opened_after_) {
        fail(HYDRA_UNAVAILABLE, "this process was forked after the device was opened: open one of its own");
    }
}

}  // namespace train

}  // namespace hydra
