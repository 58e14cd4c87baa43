// Everything around the products that works on one row: preparing activations, RMSNorm, SiLU and GELU, soft caps,
// thresholds, and the plain reader that measures memory.
#include "cpu/kernels/functions.h"
#include "cpu/simd.h"

namespace hydra::HYDRA_ISA {

namespace {

constexpr float PLANE_STEPS = 255 * 127 + 127;  // the largest number that two bytes of a plane make

HYDRA_INLINE F32 silu_of(F32 x) { return div(x, add(broadcast(1.0f), exp(sub(zero(), x)))); }

// x (1 + tanh(u)) / 2 = x / (1 + exp(-2u)), u = sqrt(2 / pi) (x + 0.044715 x^3).
HYDRA_INLINE F32 gelu_of(F32 x) {
    const F32 factor = fma(mul(x, x), broadcast(0.07135481627f), broadcast(1.595769122f));
    return div(x, add(broadcast(1.0f), exp(sub(zero(), mul(x, factor)))));
}

// Whole numbers of magnitude 127 at most: a times `inverse`, rounded.
HYDRA_INLINE F32 quants_of(F32 a, float inverse) {
    return max(min(round_even(mul(a, broadcast(inverse))), broadcast(127.0f)), broadcast(-127.0f));
}

// Row `row` of a block from its 32 values. Values that one float32 inverse cannot scale (all below 2^-119) count as
// zeros. One that is not finite makes the scale NaN, so that the fault shows in every output.
HYDRA_INLINE void quantise(F32 a, F32 b, QuantisedBlock& block, int row) {
    constexpr float LEAST = 0x1p-119f;
    const float largest = float_of_bits(largest_magnitude(a, b));
    int8_t* quants = block.quants[row];
    float scale = 0, first = 0, total = 0;
    if (largest >= LEAST && largest <= __FLT_MAX__) {
        const float inverse = 127.0f / largest;
        const F32 low = quants_of(a, inverse), high = quants_of(b, inverse);
        scale = largest / 127.0f;
        first = sum(low);
        total = first + sum(high);
        store_i8(quants, low);
        store_i8(quants + LANES, high);
    } else {
        if (!(largest < LEAST)) scale = __builtin_nanf("");
        __builtin_memset(quants, 0, BLOCK_COLUMNS);
    }
    block.scales[row] = scale;
    block.offsets[row] = -128 * static_cast<int32_t>(total);
    block.sums[row] = scale * total;
    block.first_offsets[row] = -128 * static_cast<int32_t>(first);
}

// Two vectors of whole numbers of magnitude 255 * 127 + 127 at most: a times `inverse`, rounded, as 255 * first +
// second.
struct Halves {
    F32 first, second;
};

HYDRA_INLINE Halves halves_of(F32 a, float inverse) {
    const F32 most = broadcast(PLANE_STEPS), value = round_even(mul(a, broadcast(inverse)));
    const F32 limited = max(min(value, most), sub(zero(), most));
    const F32 first = round_even(mul(limited, broadcast(1.0f / 255)));
    return {first, fma(first, broadcast(-255.0f), limited)};
}

// As quantise, of a whole row.
void prepare_planes(const float* x, int64_t columns, PlaneBlock* out, int row) {
    constexpr float LEAST = 0x1p-111f;
    uint32_t largest_bits = 0;
    for (int64_t c = 0; c < columns; c += 2 * LANES) {
        const uint32_t bits =
            largest_magnitude(load_some(x + c, columns - c), load_some(x + c + LANES, columns - c - LANES));
        largest_bits = bits > largest_bits ? bits : largest_bits;
    }
    const float largest = float_of_bits(largest_bits);
    const bool present = largest >= LEAST && largest <= __FLT_MAX__;
    const float inverse = present ? PLANE_STEPS / largest : 0;
    F32 first_sum = zero(), second_sum = zero();
    PlaneBlock* block = out;
    for (int64_t c = 0; c < columns; c += PLANE_COLUMNS, ++block) {
        for (int64_t i = 0; i < PLANE_COLUMNS; i += LANES) {
            const Halves halves =
                present ? halves_of(load_some(x + c + i, columns - c - i), inverse) : Halves{zero(), zero()};
            store_i8(block->planes[row][0] + i, halves.first);
            store_i8(block->planes[row][1] + i, halves.second);
            first_sum = add(first_sum, halves.first);
            second_sum = add(second_sum, halves.second);
        }
    }
    out->scales[row] = present ? largest / PLANE_STEPS : largest < LEAST ? 0 : __builtin_nanf("");
    out->offsets[row][0] = -128 * static_cast<int32_t>(sum(first_sum));
    out->offsets[row][1] = -128 * static_cast<int32_t>(sum(second_sum));
}

}  // namespace

void prepare(const float* x, int64_t columns, Form form, const Activations& out, int row) {
    if (form == Form::PLANES) {
        return prepare_planes(x, columns, out.planes + row / PLANE_GROUP * plane_blocks(columns), row % PLANE_GROUP);
    }
    const int64_t blocks = out.padded_columns / BLOCK_COLUMNS, first = row / ROW_GROUP * blocks;
    row %= ROW_GROUP;
    for (int64_t b = 0; b < blocks; ++b) {
        const int64_t left = columns - b * BLOCK_COLUMNS;
        const F32 low = load_some(x + b * BLOCK_COLUMNS, left);
        const F32 high = load_some(x + b * BLOCK_COLUMNS + LANES, left - LANES);
        if (form == Form::BLOCKS) {
            quantise(low, high, out.quantised[first + b], row);
        } else {
            float* values = out.values[first + b].values[row];
            store(values, low);
            store(values + LANES, high);
        }
    }
}

void remainder(const float* x, int64_t columns, const Activations& of, int row, float* out) {
    const QuantisedBlock* block = of.quantised + row / ROW_GROUP * (of.padded_columns / BLOCK_COLUMNS);
    row %= ROW_GROUP;
    for (int64_t i = 0; i < columns; i += LANES) {
        const F32 scale = broadcast(block->scales[row]);
        const F32 quants = load_i8(block->quants[row] + i % BLOCK_COLUMNS);
        store_some(out + i, sub(load_some(x + i, columns - i), mul(quants, scale)), columns - i);
        block += i % BLOCK_COLUMNS != 0;
    }
}

void rms_norm(const float* x, const float* weight, int64_t n, float epsilon, float* out) {
    F32 squares = zero();
    for (int64_t i = 0; i < n; i += LANES) {
        const F32 value = load_some(x + i, n - i);
        squares = fma(value, value, squares);
    }
    const float scale = 1.0f / __builtin_sqrtf(sum(squares) / static_cast<float>(n) + epsilon);
    for (int64_t i = 0; i < n; i += LANES) {
        const F32 value = mul(load_some(x + i, n - i), broadcast(scale));
        store_some(out + i, mul(value, load_some(weight + i, n - i)), n - i);
    }
}

void rotate(float* x, const float* angles, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) {
        const F32 value = load_some(x + i, n - i), angle = load_some(angles + i, n - i);
        store_some(x + i, sub_add(mul(value, even_lanes(angle)), mul(swap_pairs(value), odd_lanes(angle))), n - i);
    }
}

void silu_mul(float* gate, const float* up, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) store(gate + i, mul(silu_of(load(gate + i)), load(up + i)));
}

void gelu_mul(float* gate, const float* up, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) store(gate + i, mul(gelu_of(load(gate + i)), load(up + i)));
}

void silu(float* x, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) store(x + i, silu_of(load(x + i)));
}

// tanh(u) = 1 - 2 / (1 + exp(2u)).
void soft_cap(float* x, int64_t n, float cap) {
    const F32 one = broadcast(1.0f), twice = broadcast(2.0f / cap);
    for (int64_t i = 0; i < n; i += LANES) {
        const F32 value = load(x + i), power = exp(mul(value, twice));
        const F32 capped = mul(broadcast(cap), sub(one, div(broadcast(2.0f), add(one, power))));
        store(x + i, fma(value, zero(), capped));  // what is no number stays none
    }
}

void add_f16(const uint16_t* x, int64_t n, float* sum) {
    for (int64_t i = 0; i < n; i += LANES) store(sum + i, add(load(sum + i), load_f16(x + i)));
}

uint32_t above(const float* values, float threshold) { return greater(load(values), broadcast(threshold)); }

uint64_t read(const void* data, int64_t bytes) {
#if defined(HYDRA_AVX512)
    constexpr int WIDTH = 64;
#elif defined(HYDRA_AVX2)
    constexpr int WIDTH = 32;
#else
    constexpr int WIDTH = 16;
#endif
    // As many chains as registers can hold, so that additions never hold the loads up.
    typedef uint64_t Words __attribute__((vector_size(WIDTH), aligned(8), may_alias));
    constexpr int CHAINS = 8;
    const Words* p = static_cast<const Words*>(data);
    const int64_t count = bytes / WIDTH;
    Words totals[CHAINS] = {};
    int64_t i = 0;
    for (; i + CHAINS <= count; i += CHAINS) {
#pragma GCC unroll 8
        for (int c = 0; c < CHAINS; ++c) totals[c] += p[i + c];
    }
    for (; i < count; ++i) totals[0] += p[i];
    uint64_t total = 0;
    for (int c = 0; c < CHAINS; ++c) {
        for (int w = 0; w < WIDTH / 8; ++w) total += totals[c][w];
    }
    return total;
}

}  // namespace hydra::HYDRA_ISA
