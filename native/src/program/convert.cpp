// GGUF's block types to float32 and back. The formulas are those of ggml's reference quantisation.
#include "program/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "hydra4j/buffer.h"
#include "program/error.h"
#include "program/half.h"

namespace hydra {

namespace {

float half_at(const uint8_t* p) {
    uint16_t h;
    std::memcpy(&h, p, sizeof h);
    return half_to_float(h);
}

// Stores value as f16 and returns what it became.
float put_half(uint8_t* p, float value) {
    uint16_t h = float_to_half(value);
    std::memcpy(p, &h, sizeof h);
    return half_to_float(h);
}

// Whole part of a value that is not negative, at most `limit`; 0 for NaN.
int whole(float value, int limit) {
    return value >= 0 ? static_cast<int>(std::min(value, static_cast<float>(limit))) : 0;
}

void dequantise_4(const uint8_t* nibbles, float d, float m, float* y) {
    for (int j = 0; j < 16; ++j) {
        y[j] = static_cast<float>(nibbles[j] & 15) * d + m;
        y[j + 16] = static_cast<float>(nibbles[j] >> 4) * d + m;
    }
}

void dequantise_q4_0(const uint8_t* x, float* y) {
    const float d = half_at(x);
    for (int j = 0; j < 16; ++j) {
        y[j] = static_cast<float>((x[2 + j] & 15) - 8) * d;
        y[j + 16] = static_cast<float>((x[2 + j] >> 4) - 8) * d;
    }
}

void dequantise_q4_1(const uint8_t* x, float* y) { dequantise_4(x + 4, half_at(x), half_at(x + 2), y); }

// The fifth bits of 32 values follow the scales; bit j belongs to value j.
template <class Value>
void dequantise_5(const uint8_t* x, Value&& value, float* y) {
    uint32_t high;
    std::memcpy(&high, x, sizeof high);
    for (int j = 0; j < 16; ++j) {
        y[j] = value(static_cast<int>((x[4 + j] & 15) | (high >> j & 1) << 4));
        y[j + 16] = value(static_cast<int>((x[4 + j] >> 4) | (high >> (j + 16) & 1) << 4));
    }
}

void dequantise_q5_0(const uint8_t* x, float* y) {
    const float d = half_at(x);
    dequantise_5(
        x + 2, [=](int q) { return static_cast<float>(q - 16) * d; }, y);
}

void dequantise_q5_1(const uint8_t* x, float* y) {
    const float d = half_at(x), m = half_at(x + 2);
    dequantise_5(
        x + 4, [=](int q) { return static_cast<float>(q) * d + m; }, y);
}

void dequantise_q8_0(const uint8_t* x, float* y) {
    const float d = half_at(x);
    for (int j = 0; j < 32; ++j) y[j] = static_cast<float>(static_cast<int8_t>(x[2 + j])) * d;
}

// Eight 6-bit scales and eight 6-bit minimums in 12 bytes: the first four of each whole, the upper two bits of the
// others in the first eight bytes.
void unpack_scales(const uint8_t* packed, int i, int& scale, int& minimum) {
    if (i < 4) {
        scale = packed[i] & 63;
        minimum = packed[i + 4] & 63;
    } else {
        scale = (packed[i + 4] & 15) | packed[i - 4] >> 6 << 4;
        minimum = packed[i + 4] >> 4 | packed[i] >> 6 << 4;
    }
}

// Q4_K, and Q5_K where `high` is not null: f16 scale, f16 minimum, 12 bytes of scales, [32 bytes of fifth bits,] 128
// bytes of nibbles. Sub-block 2i has the low and 2i + 1 the high nibbles of bytes 32i to 32i + 31, and bit 2i (2i + 1)
// of the fifth bits.
void dequantise_k(const uint8_t* x, const uint8_t* high, const uint8_t* nibbles, float* y) {
    const float d = half_at(x), m = half_at(x + 2);
    for (int i = 0; i < 8; ++i) {
        int scale, minimum;
        unpack_scales(x + 4, i, scale, minimum);
        const float d1 = d * static_cast<float>(scale), m1 = m * static_cast<float>(minimum);
        for (int l = 0; l < 32; ++l) {
            const int byte = nibbles[i / 2 * 32 + l];
            const int low = i % 2 == 0 ? byte & 15 : byte >> 4;
            const int fifth = high == nullptr ? 0 : (high[l] >> i & 1) << 4;
            *y++ = d1 * static_cast<float>(low + fifth) - m1;
        }
    }
}

void dequantise_q4_k(const uint8_t* x, float* y) { dequantise_k(x, nullptr, x + 16, y); }
void dequantise_q5_k(const uint8_t* x, float* y) { dequantise_k(x, x + 16, x + 48, y); }

// 128 bytes of low nibbles, 64 bytes of upper bit pairs, 16 signed scales of 16 values each, f16 scale.
void dequantise_q6_k(const uint8_t* x, float* y) {
    const float d = half_at(x + 208);
    for (int half = 0; half < 2; ++half) {
        const uint8_t *low = x + half * 64, *high = x + 128 + half * 32, *scales = x + 192 + half * 8;
        for (int quarter = 0; quarter < 4; ++quarter) {
            for (int l = 0; l < 32; ++l) {
                const int byte = low[quarter % 2 * 32 + l];
                const int nibble = quarter < 2 ? byte & 15 : byte >> 4;
                const int q = (nibble | (high[l] >> 2 * quarter & 3) << 4) - 32;
                const int scale = static_cast<int8_t>(scales[2 * quarter + l / 16]);
                *y++ = d * static_cast<float>(scale) * static_cast<float>(q);
            }
        }
    }
}

// The nearest whole numbers to x * inverse from -127 to 127; 0 for NaN.
void quantise_bytes(const float* x, int64_t values, float inverse, uint8_t* y) {
    for (int64_t j = 0; j < values; ++j) {
        const float q = std::round(x[j] * inverse);
        y[j] = static_cast<uint8_t>(q >= -127 ? static_cast<int>(std::min(q, 127.0f)) : q < 0 ? -127 : 0);
    }
}

void quantise_q8_0(const float* x, uint8_t* y) {
    float largest = 0;
    for (int j = 0; j < 32; ++j) largest = std::max(largest, std::fabs(x[j]));
    const float d = largest / 127, inverse = d != 0 ? 1 / d : 0;
    put_half(y, d);
    quantise_bytes(x, 32, inverse, y + 2);
}

void quantise_q4_0(const float* x, uint8_t* y) {
    float largest = 0, extreme = 0;
    for (int j = 0; j < 32; ++j) {
        if (std::fabs(x[j]) > largest) {
            largest = std::fabs(x[j]);
            extreme = x[j];
        }
    }
    const float d = extreme / -8, inverse = d != 0 ? 1 / d : 0;
    put_half(y, d);
    for (int j = 0; j < 16; ++j) {
        const int low = whole(x[j] * inverse + 8.5f, 15), high = whole(x[j + 16] * inverse + 8.5f, 15);
        y[2 + j] = static_cast<uint8_t>(low | high << 4);
    }
}

void quantise_q4_1(const float* x, uint8_t* y) {
    const float least = *std::min_element(x, x + 32), most = *std::max_element(x, x + 32);
    const float d = (most - least) / 15, inverse = d != 0 ? 1 / d : 0;
    put_half(y, d);
    put_half(y + 2, least);
    for (int j = 0; j < 16; ++j) {
        const int low = whole((x[j] - least) * inverse + 0.5f, 15),
                  high = whole((x[j + 16] - least) * inverse + 0.5f, 15);
        y[4 + j] = static_cast<uint8_t>(low | high << 4);
    }
}

void dequantise_r8(const uint8_t* x, int64_t values, float* y) {
    float d;
    std::memcpy(&d, x, sizeof d);
    for (int64_t i = 0; i < values; ++i) y[i] = static_cast<float>(static_cast<int8_t>(x[4 + i])) * d;
}

void quantise_r8(const float* x, int64_t values, uint8_t* y) {
    float largest = 0;
    for (int64_t i = 0; i < values; ++i) largest = std::max(largest, std::fabs(x[i]));
    const float d = largest / 127, inverse = d != 0 ? 1 / d : 0;
    std::memcpy(y, &d, sizeof d);
    quantise_bytes(x, values, inverse, y + 4);
}

template <class Block>
void each_block(const TypeFacts& facts, int64_t values, Block&& block) {
    for (int64_t b = 0; b < values / facts.block; ++b) block(b * facts.bytes, b * facts.block);
}

}  // namespace

const TypeFacts& facts_of(hydra_type type) {
    static const TypeFacts f32 = {"F32", 1, 4, true}, f16 = {"F16", 1, 2, true}, bf16 = {"BF16", 1, 2, true},
                           q4_0 = {"Q4_0", 32, 18, true}, q4_1 = {"Q4_1", 32, 20, true}, q8_0 = {"Q8_0", 32, 34, true},
                           q5_0 = {"Q5_0", 32, 22, false}, q5_1 = {"Q5_1", 32, 24, false},
                           q4_k = {"Q4_K", 256, 144, false}, q5_k = {"Q5_K", 256, 176, false},
                           q6_k = {"Q6_K", 256, 210, false}, r8 = {"R8", 1, 1, true, 4};
    switch (type) {
        case HYDRA_F32:
            return f32;
        case HYDRA_F16:
            return f16;
        case HYDRA_BF16:
            return bf16;
        case HYDRA_Q4_0:
            return q4_0;
        case HYDRA_Q4_1:
            return q4_1;
        case HYDRA_Q8_0:
            return q8_0;
        case HYDRA_Q5_0:
            return q5_0;
        case HYDRA_Q5_1:
            return q5_1;
        case HYDRA_Q4_K:
            return q4_k;
        case HYDRA_Q5_K:
            return q5_k;
        case HYDRA_Q6_K:
            return q6_k;
        case HYDRA_R8:
            return r8;
    }
    fail(HYDRA_INVALID_ARGUMENT, "type %d is not known", static_cast<int>(type));
}

int64_t bytes_of(hydra_type type, int64_t rows, int64_t columns) {
    const TypeFacts& facts = facts_of(type);
    HYDRA_REQUIRE(rows >= 0 && columns >= 0, "%lld x %lld values, must not be negative", static_cast<long long>(rows),
                  static_cast<long long>(columns));
    HYDRA_REQUIRE(columns % facts.block == 0, "%lld values are not a multiple of the %d of a %s block",
                  static_cast<long long>(columns), facts.block, facts.name);
    int64_t row = 0, all = 0;
    HYDRA_REQUIRE(!__builtin_mul_overflow(columns / facts.block, int64_t{facts.bytes}, &row) &&
                      !__builtin_add_overflow(row, int64_t{facts.row_bytes}, &row) &&
                      !__builtin_mul_overflow(row, rows, &all),
                  "%lld x %lld values of %s are too many", static_cast<long long>(rows),
                  static_cast<long long>(columns), facts.name);
    return all;
}

void dequantise(hydra_type type, const uint8_t* source, int64_t values, float* target) {
    const auto blocks = [&](void (*block)(const uint8_t*, float*)) {
        each_block(facts_of(type), values, [&](int64_t byte, int64_t value) { block(source + byte, target + value); });
    };
    switch (type) {
        case HYDRA_F32:
            std::memcpy(target, source, static_cast<size_t>(values) * sizeof(float));
            return;
        case HYDRA_F16:
            return blocks([](const uint8_t* x, float* y) { *y = half_at(x); });
        case HYDRA_BF16:
            return blocks([](const uint8_t* x, float* y) {
                uint16_t b;
                std::memcpy(&b, x, sizeof b);
                *y = bfloat_to_float(b);
            });
        case HYDRA_Q4_0:
            return blocks(dequantise_q4_0);
        case HYDRA_Q4_1:
            return blocks(dequantise_q4_1);
        case HYDRA_Q5_0:
            return blocks(dequantise_q5_0);
        case HYDRA_Q5_1:
            return blocks(dequantise_q5_1);
        case HYDRA_Q8_0:
            return blocks(dequantise_q8_0);
        case HYDRA_Q4_K:
            return blocks(dequantise_q4_k);
        case HYDRA_Q5_K:
            return blocks(dequantise_q5_k);
        case HYDRA_Q6_K:
            return blocks(dequantise_q6_k);
        case HYDRA_R8:
            return dequantise_r8(source, values, target);
    }
}

void quantise(hydra_type type, const float* source, int64_t values, uint8_t* target) {
    const auto blocks = [&](void (*block)(const float*, uint8_t*)) {
        each_block(facts_of(type), values, [&](int64_t byte, int64_t value) { block(source + value, target + byte); });
    };
    switch (type) {
        case HYDRA_F32:
            std::memcpy(target, source, static_cast<size_t>(values) * sizeof(float));
            return;
        case HYDRA_F16:
            return blocks([](const float* x, uint8_t* y) { put_half(y, *x); });
        case HYDRA_BF16:
            return blocks([](const float* x, uint8_t* y) {
                const uint16_t b = float_to_bfloat(*x);
                std::memcpy(y, &b, sizeof b);
            });
        case HYDRA_Q8_0:
            return blocks(quantise_q8_0);
        case HYDRA_Q4_0:
            return blocks(quantise_q4_0);
        case HYDRA_Q4_1:
            return blocks(quantise_q4_1);
        case HYDRA_R8:
            return quantise_r8(source, values, target);
        default:
            fail(HYDRA_INVALID_ARGUMENT, "float32 cannot be converted to %s", facts_of(type).name);
    }
}

}  // namespace hydra

hydra_status hydra_convert(hydra_type source_type, const void* source, int64_t source_bytes, hydra_type target_type,
                           void* target, int64_t target_bytes, int64_t values) {
    return hydra::guarded("hydra_convert", [&] {
        HYDRA_REQUIRE(source != nullptr && target != nullptr, "source or target is null");
        const hydra::TypeFacts &from = hydra::facts_of(source_type), &to = hydra::facts_of(target_type);
        HYDRA_REQUIRE(from.row_bytes == 0 && to.row_bytes == 0,
                      "R8 is a type of whole rows: write the values into a matrix of that type");
        HYDRA_REQUIRE(to.quantisable, "target type is %s, must be F32, F16, BF16, Q8_0, Q4_0 or Q4_1", to.name);
        const int64_t source_needed = hydra::bytes_of(source_type, 1, values);
        const int64_t target_needed = hydra::bytes_of(target_type, 1, values);
        HYDRA_REQUIRE(source_bytes == source_needed, "source_bytes is %lld, %lld values of %s need %lld",
                      static_cast<long long>(source_bytes), static_cast<long long>(values), from.name,
                      static_cast<long long>(source_needed));
        HYDRA_REQUIRE(target_bytes == target_needed, "target_bytes is %lld, %lld values of %s need %lld",
                      static_cast<long long>(target_bytes), static_cast<long long>(values), to.name,
                      static_cast<long long>(target_needed));
        const auto* in = static_cast<const uint8_t*>(source);
        auto* out = static_cast<uint8_t*>(target);
        if (source_type == target_type) {
            std::memcpy(out, in, static_cast<size_t>(source_bytes));
            return;
        }
        constexpr int64_t PIECE = 256;
        float piece[PIECE];
        for (int64_t v = 0; v < values; v += PIECE) {
            const int64_t count = std::min(PIECE, values - v);
            hydra::dequantise(source_type, in + v / from.block * from.bytes, count, piece);
            hydra::quantise(target_type, piece, count, out + v / to.block * to.bytes);
        }
    });
}
