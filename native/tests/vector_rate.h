// How many multiplying instructions the vector units of a processor do in a second: with the rate of reading, the limit
// of products and attention.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>

#include "cpu/team.h"
#include "hydra4j/status.h"

namespace hydra::test {

// What kernels of an instruction set take of them.
struct VectorUnit {
    const char* isa;
    double lanes;  // floats of a vector
    double dots;   // for 4 products of two bytes in each lane
    // For the whole-number sums of 32 columns of 16 outputs and a row, of weights of 8, 4, and 5 or 6 bits.
    double bytes, nibbles, wider;

    double vectors(double values) const { return values / lanes; }
    // For such a block with its scales: sums are converted, the scale is multiplied by the row's, and a multiplication
    // adds, another one where there is a minimum. Q6_K has two sums to convert, and two scales of its own to multiply
    // by; R8 has two sums and one scale for all blocks; of numbers there is a multiplication for each column.
    double of_block(hydra_type type) const {
        switch (type) {
            case HYDRA_R8:
                return 2 * bytes;
            case HYDRA_F32:
            case HYDRA_F16:
            case HYDRA_BF16:
                return 32 * vectors(16);
            case HYDRA_Q4_1:
            case HYDRA_Q4_K:
                return nibbles + 4 * vectors(16);
            case HYDRA_Q4_0:
                return nibbles + 3 * vectors(16);
            case HYDRA_Q5_1:
            case HYDRA_Q5_K:
                return wider + 4 * vectors(16);
            case HYDRA_Q5_0:
                return wider + 3 * vectors(16);
            case HYDRA_Q6_K:
                return wider + 6 * vectors(16);
            default:
                return bytes + 3 * vectors(16);
        }
    }
};

// AVX2 multiplies and adds in pairs, and adds these in pairs, both in the units that multiply; the latter for a whole
// block of nibbles, and of 5 and 6 bits for 8 columns at a time.
inline const VectorUnit* vector_unit(const char* isa) {
    static constexpr VectorUnit UNITS[] = {{"avx512", 16, 1, 8, 8, 8}, {"avx2", 8, 2, 32, 18, 24}};
    for (const VectorUnit& unit : UNITS) {
        if (std::strcmp(unit.isa, isa) == 0) return &unit;
    }
    return nullptr;
}

// Of a unit that the processor has, from registers alone, by all threads of a team; the best of a few milliseconds.
inline double vector_rate(const VectorUnit& unit, int threads) {
    constexpr int64_t ROUNDS = 2'000'000, CHAINS = 12;
    Team team(threads);
    const auto wide = [](void*, int) {
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
    const auto narrow = [](void*, int) {
        for (int64_t i = 0; i < ROUNDS; ++i) {
            __asm__ volatile(
                "vpmaddubsw %%ymm0, %%ymm1, %%ymm2\n\tvpmaddubsw %%ymm0, %%ymm1, %%ymm3\n\t"
                "vpmaddubsw %%ymm0, %%ymm1, %%ymm4\n\tvpmaddubsw %%ymm0, %%ymm1, %%ymm5\n\t"
                "vpmaddubsw %%ymm0, %%ymm1, %%ymm6\n\tvpmaddubsw %%ymm0, %%ymm1, %%ymm7\n\t"
                "vpmaddubsw %%ymm0, %%ymm1, %%ymm8\n\tvpmaddubsw %%ymm0, %%ymm1, %%ymm9\n\t"
                "vpmaddubsw %%ymm0, %%ymm1, %%ymm10\n\tvpmaddubsw %%ymm0, %%ymm1, %%ymm11\n\t"
                "vpmaddubsw %%ymm0, %%ymm1, %%ymm12\n\tvpmaddubsw %%ymm0, %%ymm1, %%ymm13" ::
                    : "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                      "xmm13");
        }
    };
    double best = 0;
    for (int i = 0; i < 5; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        unit.lanes > 8 ? team.run(wide, nullptr) : team.run(narrow, nullptr);
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
        best = std::max(best, static_cast<double>(ROUNDS * CHAINS * threads) / seconds.count());
    }
    return best;
}

// Products of two bytes in a second.
inline double dot_rate(const VectorUnit& unit, double rate) { return rate / unit.dots * unit.lanes * 4; }

}  // namespace hydra::test
