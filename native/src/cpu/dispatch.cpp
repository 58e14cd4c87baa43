// Which kernel tables this processor can run.
#include <cstring>

#include "cpu/kernels.h"
#include "cpu/processor.h"

namespace hydra {

namespace amx {
const Kernels& kernels();
}
namespace avx512 {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
namespace portable {
extern const Kernels kernels;
}

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
        case HYDRA_R8:
            return 6;
        case HYDRA_Q5_0:
            return 7;
        case HYDRA_Q5_1:
            return 8;
        case HYDRA_Q4_K:
            return 9;
        case HYDRA_Q5_K:
            return 10;
        case HYDRA_Q6_K:
            return 11;
    }
    return -1;
}

const Kernels* find_kernels(const char* isa) {
    if (std::strcmp(isa, "amx") == 0) return has_amx_int8() ? &amx::kernels() : nullptr;
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
