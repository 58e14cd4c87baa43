#include "program/fused.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace hydra {
namespace {

void expect_one_rounding(float a, float b, float c) {
    const float expected = std::fma(a, b, c), found = fused_multiply_add(a, b, c);
    if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(found)) << a << " * " << b << " + " << c;
    } else {
        EXPECT_EQ(bits_of_float(found), bits_of_float(expected)) << a << " * " << b << " + " << c;
    }
}

TEST(FusedMultiplyAdd, RoundsOnceWhateverTheBits) {
    std::mt19937 random(1);
    const auto any = [&] { return float_of_bits(static_cast<uint32_t>(random())); };
    for (int i = 0; i < 1'000'000; ++i) expect_one_rounding(any(), any(), any());
}

TEST(FusedMultiplyAdd, RoundsOnceWhereTermsAreNearEachOther) {
    std::mt19937 random(2);
    const auto near_one = [&] { return float_of_bits((random() & 0x807fffff) | (120 + random() % 16) << 23); };
    for (int i = 0; i < 1'000'000; ++i) {
        const float a = near_one(), b = near_one(), c = -(a * b);
        expect_one_rounding(a, b, near_one());
        expect_one_rounding(a, b, c);
        expect_one_rounding(a, b, std::nextafter(c, near_one()));
    }
}

TEST(FusedMultiplyAdd, RoundsOnceWhereTheNearestDoubleIsInTheMiddleOfTwoFloats) {
    std::mt19937 random(3);
    for (int i = 0; i < 1'000'000; ++i) {
        // Half of the last place of c, less what a double beside c does not hold.
        const float less = 0x1p-23f * static_cast<float>(1 + random() % 64), a = 1 + less, b = 0x1p-24f * (1 - less);
        const float c = float_of_bits(0x3f800000 | (random() & 0x7fffff));
        expect_one_rounding(a, b, c);
        expect_one_rounding(-a, b, c);
        expect_one_rounding(a, b, -c);
        expect_one_rounding(-a, b, -c);
    }
}

TEST(FusedMultiplyAdd, KeepsSignsOfZerosAndWhatIsNoNumber) {
    const float infinity = std::numeric_limits<float>::infinity(), tiny = 0x1p-149f, most = 0x1.fffffep127f;
    const float all[] = {0.0f, -0.0f, 1.0f, -1.0f, tiny, -tiny, most, -most, infinity, -infinity, NAN};
    for (float a : all) {
        for (float b : all) {
            for (float c : all) expect_one_rounding(a, b, c);
        }
    }
}

}  // namespace
}  // namespace hydra
