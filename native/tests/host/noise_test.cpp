#include "program/noise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace hydra {
namespace {

using scalar::F32;
using scalar::U32;

TEST(Noise, HasTheWordsThatPhiloxPublishes) {
    struct Known {
        uint32_t counter[4], key[2], words[4];
    };
    const Known all[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (const Known& known : all) {
        U32 words[4];
        for (int i = 0; i < 4; ++i) words[i].v = known.counter[i];
        philox(known.key[0], known.key[1], words);
        for (int i = 0; i < 4; ++i) EXPECT_EQ(words[i].v, known.words[i]) << i;
    }
}

TEST(Noise, IsWordsOfSeedPositionAndToken) {
    U32 words[4];
    noise_words(0x0123456789abcdef, 77, U32{5}, words);
    U32 counter[4] = {{5}, {77}, {0}, {0}};
    philox(0x89abcdef, 0x01234567, counter);
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(words[i].v, counter[i].v);
        EXPECT_EQ(noise_of(0x0123456789abcdef, 77, 20 + i), (gumbel<F32>(counter[i]).v));
    }
}

// -log(-log(1 - (x + 1/2) 2^-32)) as the double nearest to it would have it.
double exact(uint32_t x) { return -std::log(-std::log1p(-(x + 0.5) * 0x1p-32)); }

TEST(Noise, IsGumbelsOfEveryWord) {
    double most = 0;
    const auto check = [&](uint32_t x) {
        const double found = gumbel<F32>(U32{x}).v, expected = exact(x);
        // Of words near the largest one, 1 - u has few bits: the error is that of u.
        const double rest = 1 - (x + 0.5) * 0x1p-32;
        const double allowed = 2e-6 + 0x1p-24 / (rest * -std::log(rest));
        EXPECT_LE(std::abs(found - expected), allowed) << x;
        if (x < 0xf0000000) most = std::max(most, std::abs(found - expected));
        EXPECT_GE(found, LEAST_NOISE);
        EXPECT_LE(found, MOST_NOISE);
    };
    for (uint32_t x = 0; x < 100000; ++x) {
        check(x);
        check(~x);
        check(x * 42949u);
    }
    for (int bit = 0; bit < 32; ++bit) {
        for (int by = -3; by <= 3; ++by) check((uint32_t{1} << bit) + static_cast<uint32_t>(by));
    }
    EXPECT_LT(most, 2e-6);
    EXPECT_GT((gumbel<F32>(U32{0}).v), 22.87f);
    EXPECT_LT((gumbel<F32>(U32{~0u}).v), -2.81f);
}

TEST(Noise, FallsWhereWordsGrow) {
    for (uint64_t x = 0; x < 0xffffffff; x += 20011) {
        EXPECT_GE((gumbel<F32>(U32{static_cast<uint32_t>(x)}).v),
                  (gumbel<F32>(U32{static_cast<uint32_t>(x + 20011 > 0xffffffff ? 0xffffffff : x + 20011)}).v));
    }
}

TEST(Elementary, LogIsRightToTwoUnits) {
    for (float y = 0x1p-120f; y < 0x1p120f; y *= 1.0009f) {
        const double expected = std::log(static_cast<double>(y));
        EXPECT_NEAR((log_of<F32, U32>(F32{y}).v), expected, 2.5e-7 * std::abs(expected) + 1e-9) << y;
    }
    EXPECT_EQ((log_of<F32, U32>(F32{1}).v), 0);
}

TEST(Mass, IsThatOfTheDistanceInUnitsOfOneHalfOfTheSmallestProbability) {
    EXPECT_EQ(mass_of<U32>(F32{0}).v, 0x80000000);
    EXPECT_EQ(mass_of<U32>(F32{INFINITY}).v, 0);
    for (float d = 0; d < 30; d += 0.003f) {
        const double expected = std::exp(-static_cast<double>(d)) * 0x1p31;
        EXPECT_NEAR(mass_of<U32>(F32{d}).v, expected, expected * 3e-7 + 0.5) << d;
    }
    EXPECT_EQ(log_of_mass(int64_t{1} << 31), 0);
    EXPECT_NEAR(log_of_mass(int64_t{12345} << 31), std::log(12345.0), 1e-6);
}

}  // namespace
}  // namespace hydra
