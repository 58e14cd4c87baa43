// How many products of two bytes a processor adds up in a second: with the rate of reading, the limit of all products.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "cpu/team.h"

namespace hydra::test {

constexpr int DOT_PRODUCTS = 64;  // of two bytes, by an instruction of AVX-512 VNNI

// By AVX-512 VNNI, which the processor must have, from registers alone, by all threads of a team; the best of a few
// milliseconds.
inline double dot_rate(int threads) {
    constexpr int64_t ROUNDS = 2'000'000, CHAINS = 12;
    Team team(threads);
    const auto task = [](void*, int) {
        for (int64_t i = 0; i < ROUNDS; ++i) {
            __asm__ volatile(
                "vpdpbusd %%zmm0, %%zmm1, %%zmm2\n\tvpdpbusd %%zmm0, %%zmm1, %%zmm3\n\t"
                "vpdpbusd %%zmm0, %%zmm1, %%zmm4\n\tvpdpbusd %%zmm0, %%zmm1, %%zmm5\n\t"
                "vpdpbusd %%zmm0, %%zmm1, %%zmm6\n\tvpdpbusd %%zmm0, %%zmm1, %%zmm7\n\t"
                "vpdpbusd %%zmm0, %%zmm1, %%zmm8\n\tvpdpbusd %%zmm0, %%zmm1, %%zmm9\n\t"
                "vpdpbusd %%zmm0, %%zmm1, %%zmm10\n\tvpdpbusd %%zmm0, %%zmm1, %%zmm11\n\t"
                "vpdpbusd %%zmm0, %%zmm1, %%zmm12\n\tvpdpbusd %%zmm0, %%zmm1, %%zmm13" ::
                    : "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                      "xmm13");
        }
    };
    double best = 0;
    for (int i = 0; i < 5; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        team.run(task, nullptr);
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
        best = std::max(best, static_cast<double>(ROUNDS * CHAINS * DOT_PRODUCTS * threads) / seconds.count());
    }
    return best;
}

}  // namespace hydra::test
