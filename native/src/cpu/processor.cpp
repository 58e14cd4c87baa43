#include "cpu/processor.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hydra {

namespace {

// products: the bit of CPUID that says what tiles hold.
bool has_tiles(unsigned products) {
    constexpr unsigned TILES = 1U << 24, SYSTEM_SAVES = 1U << 27;
    constexpr long REQUEST_PERMISSION = 0x1023, TILE_DATA = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    unsigned a, b, c, d;
    if (!has_avx512() || __get_cpuid(1, &a, &b, &c, &d) == 0 || (c & SYSTEM_SAVES) == 0) return false;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    const unsigned needed = TILES | products;
    return (d & needed) == needed && syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

}  // namespace

bool has_avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
           __builtin_cpu_supports("bmi2");
}

bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}

bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

bool has_amx_int8() { return has_tiles(1U << 25); }

bool has_amx_bf16() { return has_tiles(1U << 22); }

}  // namespace hydra
