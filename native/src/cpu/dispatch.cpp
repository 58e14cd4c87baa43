// Which kernel tables this processor can run.
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

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

namespace {

// Whether the processor multiplies tiles of bytes and the system lets this process do it. The permission is the
// process's, for all of its threads from then on; the system refuses it where it does not know tiles, and where a
// thread has an alternate signal stack on which their state does not fit.
bool has_amx() {
    constexpr unsigned TILES = 1U << 24, BYTE_PRODUCTS = 1U << 25, SYSTEM_SAVES = 1U << 27;
    constexpr long REQUEST_PERMISSION = 0x1023, TILE_DATA = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    unsigned a, b, c, d;
    if (!has_avx512() || __get_cpuid(1, &a, &b, &c, &d) == 0 || (c & SYSTEM_SAVES) == 0) return false;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    constexpr unsigned NEEDED = TILES | BYTE_PRODUCTS;
    return (d & NEEDED) == NEEDED && syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
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
    if (std::strcmp(isa, "amx") == 0) return has_amx() ? &amx::kernels() : nullptr;
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
