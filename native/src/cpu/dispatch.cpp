// Which kernel tables this processor can run.
#include <cstring>

#include "cpu/kernels.h"

namespace hydra {

namespace avx512 {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
namespace portable {
extern const Kernels kernels;
}

namespace {

bool has_avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
           __builtin_cpu_supports("bmi2");
}

bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}

}  // namespace

int product_index(hydra_type type) {
    switch (type) {
        case HYDRA_F32:
            return 0;
        case HYDRA_F16:
            return 1;
        case HYDRA_BF16:
            return 2;
        case HYDRA_Q8_0:
            return 3;
        case HYDRA_Q4_0:
            return 4;
        case HYDRA_Q4_1:
            return 5;
        default:
            return -1;
    }
}

const Kernels* find_kernels(const char* isa) {
    if (std::strcmp(isa, "avx512") == 0) return has_avx512() ? &avx512::kernels : nullptr;
    if (std::strcmp(isa, "avx2") == 0) return has_avx2() ? &avx2::kernels : nullptr;
    if (std::strcmp(isa, "portable") == 0) return &portable::kernels;
    return nullptr;
}

const Kernels* best_kernels() {
    if (has_avx512()) return &avx512::kernels;
    if (has_avx2()) return &avx2::kernels;
    return &portable::kernels;
}

}  // namespace hydra
