#include "program/convert.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "fixture.h"
#include "types.h"

namespace hydra::test {
namespace {

float half(uint16_t bits) {
    const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    const double sign = bits >> 15 ? -1 : 1;
    if (exponent == 31) return static_cast<float>(mantissa ? NAN : sign * INFINITY);
    return static_cast<float>(sign *
                              (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24)));
}

float half_at(const Bytes& bytes, size_t at) { return half(static_cast<uint16_t>(bytes[at] | bytes[at + 1] << 8)); }

uint16_t to_half(float value) {
    const Bytes bytes = converted(HYDRA_F32, bytes_of({value}), HYDRA_F16, 1);
    return static_cast<uint16_t>(bytes[0] | bytes[1] << 8);
}

uint16_t to_bfloat(float value) {
    const Bytes bytes = converted(HYDRA_F32, bytes_of({value}), HYDRA_BF16, 1);
    return static_cast<uint16_t>(bytes[0] | bytes[1] << 8);
}

TEST(Convert, GivesTheValueOfEveryHalf) {
    for (int bits = 0; bits < 65536; ++bits) {
        const Bytes source = {static_cast<uint8_t>(bits), static_cast<uint8_t>(bits >> 8)};
        const float value = floats_of(converted(HYDRA_F16, source, HYDRA_F32, 1))[0],
                    expected = half(static_cast<uint16_t>(bits));
        if (std::isnan(expected)) {
            EXPECT_TRUE(std::isnan(value)) << bits;
        } else {
            EXPECT_TRUE(same_bits({value}, {expected})) << bits << ": " << value << ", not " << expected;
            EXPECT_EQ(to_half(value), bits);
        }
    }
}

TEST(Convert, RoundsHalvesToNearestAndTiesToEven) {
    for (int bits = 0; bits < 0x7c00; ++bits) {
        const double low = half(static_cast<uint16_t>(bits));
        const double high = bits == 0x7bff ? 65536.0 : half(static_cast<uint16_t>(bits + 1));
        const float middle = static_cast<float>((low + high) / 2);
        for (int sign : {0, 0x8000}) {
            const float s = sign ? -1.0f : 1.0f;
            EXPECT_EQ(to_half(s * middle), sign | (bits + (bits & 1))) << middle;
            EXPECT_EQ(to_half(s * std::nextafter(middle, 0.0f)), sign | bits) << middle;
            EXPECT_EQ(to_half(s * std::nextafter(middle, INFINITY)), sign | (bits + 1)) << middle;
        }
    }
    EXPECT_EQ(to_half(INFINITY), 0x7c00);
    EXPECT_EQ(to_half(1e30f), 0x7c00);
    EXPECT_TRUE(std::isnan(half(to_half(NAN))));
}

TEST(Convert, RoundsBfloatsToNearestAndTiesToEven) {
    EXPECT_EQ(to_bfloat(1.0f), 0x3f80);
    EXPECT_EQ(to_bfloat(1.0f + 0x1p-8f), 0x3f80) << "a tie goes to the even mantissa";
    EXPECT_EQ(to_bfloat(1.0f + 3 * 0x1p-8f), 0x3f82);
    EXPECT_EQ(to_bfloat(1.0f + 0x1p-8f + 0x1p-20f), 0x3f81);
    EXPECT_EQ(to_bfloat(-std::numeric_limits<float>::max()), 0xff80);
    EXPECT_EQ(to_bfloat(INFINITY), 0x7f80);
    const uint16_t nan = to_bfloat(std::nanf(""));
    EXPECT_EQ(nan & 0x7f80, 0x7f80);
    EXPECT_NE(nan & 0x7f, 0);
}

TEST(Convert, TakesBfloatsAsTheUpperHalfOfFloats) {
    for (int bits = 0; bits < 65536; ++bits) {
        const Bytes source = {static_cast<uint8_t>(bits), static_cast<uint8_t>(bits >> 8)};
        const Bytes expected = {0, 0, source[0], source[1]};
        EXPECT_EQ(converted(HYDRA_BF16, source, HYDRA_F32, 1), expected);
    }
}

// The formulas of each block type, written out value by value.
float value_of(hydra_type type, const Bytes& b, int i) {
    const auto nibble = [&](size_t from, int index) {
        return index < 16 ? b[from + index] & 15 : b[from + index - 16] >> 4;
    };
    const auto bit = [&](size_t from, int index) { return b[from + index / 8] >> index % 8 & 1; };
    switch (type) {
        case HYDRA_Q4_0:
            return half_at(b, 0) * static_cast<float>(nibble(2, i) - 8);
        case HYDRA_Q4_1:
            return half_at(b, 0) * static_cast<float>(nibble(4, i)) + half_at(b, 2);
        case HYDRA_Q5_0:
            return half_at(b, 0) * static_cast<float>(nibble(6, i) + 16 * bit(2, i) - 16);
        case HYDRA_Q5_1:
            return half_at(b, 0) * static_cast<float>(nibble(8, i) + 16 * bit(4, i)) + half_at(b, 2);
        case HYDRA_Q8_0:
            return half_at(b, 0) * static_cast<float>(static_cast<int8_t>(b[2 + i]));
        case HYDRA_Q4_K:
        case HYDRA_Q5_K: {
            const int sub = i / 32;
            const uint8_t* s = &b[4];
            const int scale = sub < 4 ? s[sub] % 64 : s[sub + 4] % 16 + s[sub - 4] / 64 * 16;
            const int minimum = sub < 4 ? s[sub + 4] % 64 : s[sub + 4] / 16 + s[sub] / 64 * 16;
            const size_t quants = type == HYDRA_Q4_K ? 16 : 48;
            const int byte = b[quants + i / 64 * 32 + i % 32];
            int q = sub % 2 == 0 ? byte % 16 : byte / 16;
            if (type == HYDRA_Q5_K) q += 16 * (b[16 + i % 32] >> sub & 1);
            return half_at(b, 0) * static_cast<float>(scale) * static_cast<float>(q) -
                   half_at(b, 2) * static_cast<float>(minimum);
        }
        default: {
            const int part = i / 128, j = i % 128;
            const int byte = b[part * 64 + j % 64];
            const int low = j < 64 ? byte % 16 : byte / 16;
            const int high = b[128 + part * 32 + j % 32] >> j / 32 * 2 & 3;
            const int scale = static_cast<int8_t>(b[192 + i / 16]);
            return half_at(b, 208) * static_cast<float>(scale) * static_cast<float>(low + 16 * high - 32);
        }
    }
}

TEST(Convert, GivesTheValuesOfEveryBlockType) {
    for (hydra_type type : ALL_TYPES) {
        const TypeFacts& facts = facts_of(type);
        if (facts.block == 1) continue;
        Random random(static_cast<uint32_t>(type));
        for (int repeat = 0; repeat < 50; ++repeat) {
            const Bytes block = random_rows(type, 1, facts.block, random);
            const Floats values = floats_of(converted(type, block, HYDRA_F32, facts.block));
            for (int i = 0; i < facts.block; ++i) {
                EXPECT_TRUE(same_bits({values[i]}, {value_of(type, block, i)}))
                    << facts.name << " value " << i << " is " << values[i] << ", not " << value_of(type, block, i);
            }
        }
    }
}

TEST(Convert, RoundsToTheNearestValueOfABlock) {
    Random random(5);
    for (int repeat = 0; repeat < 200; ++repeat) {
        const Floats x = random.normal(32);
        const float least = *std::min_element(x.begin(), x.end()), most = *std::max_element(x.begin(), x.end());
        const float largest = std::max(std::fabs(least), most);
        const struct {
            hydra_type type;
            float step;
        } cases[] = {{HYDRA_Q8_0, largest / 127}, {HYDRA_Q4_1, (most - least) / 15}};
        for (const auto& c : cases) {
            const Floats rounded =
                floats_of(converted(c.type, converted(HYDRA_F32, bytes_of(x), c.type, 32), HYDRA_F32, 32));
            // Half a step, and what the rounding of scale and minimum to f16 adds.
            for (int i = 0; i < 32; ++i) EXPECT_NEAR(rounded[i], x[i], 0.5f * c.step + largest * 2e-3f) << c.type;
        }
        const Floats rounded =
            floats_of(converted(HYDRA_Q4_0, converted(HYDRA_F32, bytes_of(x), HYDRA_Q4_0, 32), HYDRA_F32, 32));
        // The value of the greatest magnitude is -8 steps; on the other side only 7 are left.
        for (int i = 0; i < 32; ++i) EXPECT_NEAR(rounded[i], x[i], largest / 8 + largest * 2e-3f);
        const auto extreme = std::find_if(x.begin(), x.end(), [&](float v) { return std::fabs(v) == largest; });
        EXPECT_NEAR(rounded[extreme - x.begin()], *extreme, largest * 1e-3f);
    }
}

TEST(Convert, WritesTheBlocksOfGguf) {
    Floats x(32);
    for (int i = 0; i < 32; ++i) x[i] = static_cast<float>(i * 4 + 3);
    // Q8_0: scale 1, quants the values themselves.
    Bytes q8 = {0x00, 0x3c};
    for (float value : x) q8.push_back(static_cast<uint8_t>(value));
    EXPECT_EQ(converted(HYDRA_F32, bytes_of(x), HYDRA_Q8_0, 32), q8);

    for (int i = 0; i < 32; ++i) x[i] = static_cast<float>(i % 16) - 8;
    Bytes q4 = {0x00, 0x3c};
    for (int i = 0; i < 16; ++i) q4.push_back(static_cast<uint8_t>(i * 17));
    EXPECT_EQ(converted(HYDRA_F32, bytes_of(x), HYDRA_Q4_0, 32), q4);

    q4.insert(q4.begin() + 2, {0x00, 0xc8});
    EXPECT_EQ(converted(HYDRA_F32, bytes_of(x), HYDRA_Q4_1, 32), q4);
}

TEST(Convert, SurvivesValuesThatAreNotFinite) {
    for (hydra_type type : {HYDRA_F16, HYDRA_BF16, HYDRA_Q8_0, HYDRA_Q4_0, HYDRA_Q4_1}) {
        for (float odd : {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-45f}) {
            for (int filled : {1, 32}) {
                Floats x(32);
                std::fill_n(x.begin(), filled, odd);
                EXPECT_EQ(static_cast<int64_t>(converted(HYDRA_F32, bytes_of(x), type, 32).size()),
                          hydra::bytes_of(type, 1, 32));
            }
        }
    }
}

TEST(Convert, KeepsTheBitsOfTheSameType) {
    Random random(9);
    for (hydra_type type : KERNEL_TYPES) {
        const Bytes rows = random_rows(type, 3, 512, random);
        EXPECT_EQ(converted(type, rows, type, 3 * 512), rows);
    }
}

TEST(Convert, RefusesWhatDoesNotFit) {
    Bytes source(4096), target(4096);
    const auto convert = [&](int from, int64_t source_bytes, int to, int64_t target_bytes, int64_t values) {
        return hydra_convert(static_cast<hydra_type>(from), source.data(), source_bytes, static_cast<hydra_type>(to),
                             target.data(), target_bytes, values);
    };
    expect_refused(convert(HYDRA_F32, 127, HYDRA_F16, 64, 32), "source_bytes is 127");
    expect_refused(convert(HYDRA_F32, 128, HYDRA_F16, 65, 32), "target_bytes is 65");
    expect_refused(convert(HYDRA_F32, 132, HYDRA_Q8_0, 34, 33), "33 values");
    expect_refused(convert(HYDRA_Q4_K, 144, HYDRA_F32, 128, 32), "32 values");
    expect_refused(convert(HYDRA_F32, -4, HYDRA_F16, -2, -1), "-1 values");
    expect_refused(convert(HYDRA_F32, 0, HYDRA_F16, 0, INT64_MAX), "too many");
    expect_refused(convert(HYDRA_F32, 1024, HYDRA_Q4_K, 144, 256), "Q4_K");
    expect_refused(convert(4, 128, HYDRA_F32, 128, 32), "type 4");
    expect_refused(convert(HYDRA_F32, 128, 5, 128, 32), "type 5");
    expect_refused(hydra_convert(HYDRA_F32, nullptr, 128, HYDRA_F16, target.data(), 64, 32), "null");
    expect_refused(hydra_convert(HYDRA_F32, source.data(), 128, HYDRA_F16, nullptr, 64, 32), "null");
}

}  // namespace
}  // namespace hydra::test
