#include "train/cpu/device.h"

#include <algorithm>
#include <cstring>

#include "cpu/processor.h"
#include "program/error.h"
#include "program/process.h"

namespace hydra {

namespace amx_bf16 {
extern const train::Products train_bf16;
}
namespace avx512_bf16 {
extern const train::Products train_bf16;
}
namespace avx512 {
extern const train::Kernels train_kernels;
extern const train::Products train_float32, train_bf16;
}  // namespace avx512
namespace avx2 {
extern const train::Kernels train_kernels;
extern const train::Products train_float32, train_bf16;
}  // namespace avx2
namespace portable {
extern const train::Kernels train_kernels;
extern const train::Products train_float32, train_bf16;
}  // namespace portable

namespace train {

namespace {

// Best first; those before FIRST_OF_FLOAT32 differ from it in products of bf16 alone, and are not asked for without
// need.
const InstructionSet INSTRUCTION_SETS[] = {
    {"amx_bf16", has_amx_bf16, avx512::train_kernels, avx512::train_float32, amx_bf16::train_bf16},
    {"avx512_bf16", has_avx512_bf16, avx512::train_kernels, avx512::train_float32, avx512_bf16::train_bf16},
    {"avx512", has_avx512, avx512::train_kernels, avx512::train_float32, avx512::train_bf16},
    {"avx2", has_avx2, avx2::train_kernels, avx2::train_float32, avx2::train_bf16},
    {"portable", [] { return true; }, portable::train_kernels, portable::train_float32, portable::train_bf16},
};
constexpr int FIRST_OF_FLOAT32 = 2;

}  // namespace

const InstructionSet& find_instruction_set(const char* name, hydra_train_products products) {
    const std::string wanted = name;
    const InstructionSet* isa = INSTRUCTION_SETS;
    if (wanted == "auto") {
        if (products == HYDRA_TRAIN_FLOAT32) isa += FIRST_OF_FLOAT32;
        while (!isa->has()) ++isa;
        return *isa;
    }
    while (isa != std::end(INSTRUCTION_SETS) && wanted != isa->name) ++isa;
    HYDRA_REQUIRE(isa != std::end(INSTRUCTION_SETS),
                  "isa is '%s', must be auto, amx_bf16, avx512_bf16, avx512, avx2 or portable", name);
    if (!isa->has()) fail(HYDRA_UNAVAILABLE, "this processor does not have the instruction set %s", name);
    return *isa;
}

CpuDevice::CpuDevice(int threads, const InstructionSet& isa, hydra_train_products products)
    : team_(threads),
      kernels_(isa.kernels),
      float32_(isa.float32),
      products_(products == HYDRA_TRAIN_BF16 ? isa.bf16 : isa.float32),
      threads_(static_cast<size_t>(threads)),
      opened_after_(forks()) {
    description = "CPU, " + std::to_string(threads) + (threads == 1 ? " thread, " : " threads, ") + isa.name;
    if (products == HYDRA_TRAIN_BF16) description += ", products of bf16";
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
