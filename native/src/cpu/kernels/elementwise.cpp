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

constexpr int TOGETHER = 4;  // blocks whose scales and sums are found side by side

// What is known of a row in blocks after some of its blocks.
struct Scales {
    float most = 0, sum = 0;

    HYDRA_INLINE void note(float scale) {
        sum += scale;
        most = most < scale ? scale : most;
    }
};

// Row `row` of `count` blocks, at most TOGETHER, from x[left]. Values that one float32 inverse cannot scale (all of a
// block below 2^-119) count as zeros. One that is not finite makes the scale NaN, so that the fault shows in every
// output.
HYDRA_INLINE void quantise(const float* x, int64_t left, QuantisedBlock* blocks, int count, int row, Scales& scales) {
    constexpr float LEAST = 0x1p-119f;
    F32 low[TOGETHER], high[TOGETHER], folded[TOGETHER];
#pragma GCC unroll 4
    for (int i = 0; i < TOGETHER; ++i) {
        low[i] = load_some(x + i * BLOCK_COLUMNS, left - i * BLOCK_COLUMNS);
        high[i] = load_some(x + i * BLOCK_COLUMNS + LANES, left - i * BLOCK_COLUMNS - LANES);
        // Without their signs, bits are ordered as magnitudes are, and NaN is greater than an infinity.
        folded[i] = of_bits(larger(shift_left<1>(bits_of(low[i])), shift_left<1>(bits_of(high[i]))));
    }
    transpose(folded);
    uint32_t largest_bits[TOGETHER];
    fold_larger(larger(larger(bits_of(folded[0]), bits_of(folded[1])), larger(bits_of(folded[2]), bits_of(folded[3]))),
                largest_bits);
    float largest[TOGETHER], scale[TOGETHER], inverse[TOGETHER];
    bool finite = true;
    for (int i = 0; i < TOGETHER; ++i) {
        largest[i] = float_of_bits(largest_bits[i] >> 1);
        finite &= largest[i] <= __FLT_MAX__;
        const float scaled = largest[i] / 127.0f, inverted = 127.0f / largest[i];
        scale[i] = largest[i] < LEAST ? 0 : scaled;
        inverse[i] = largest[i] < LEAST ? 0 : inverted;
    }
    if (!finite) {
        for (int i = 0; i < TOGETHER; ++i) {
            if (largest[i] <= __FLT_MAX__) continue;
            low[i] = high[i] = zero();
            scale[i] = __builtin_nanf("");
            inverse[i] = 0;
        }
    }
    F32 sums[TOGETHER];
#pragma GCC unroll 4
    for (int i = 0; i < TOGETHER; ++i) {
        // Of magnitude 127 at most, as the inverse is off by half a unit in the last place.
        low[i] = round_even(mul(low[i], broadcast(inverse[i])));
        high[i] = round_even(mul(high[i], broadcast(inverse[i])));
        folded[i] = low[i];
        sums[i] = add(low[i], high[i]);
    }
    transpose(folded);
    transpose(sums);
    float first[TOGETHER], total[TOGETHER];
    fold_sum(add(add(folded[0], folded[1]), add(folded[2], folded[3])), first);
    fold_sum(add(add(sums[0], sums[1]), add(sums[2], sums[3])), total);
#pragma GCC unroll 4
    for (int i = 0; i < TOGETHER; ++i) {
        if (i >= count) break;
        QuantisedBlock& block = blocks[i];
        store_i8(block.quants[row], low[i]);
        store_i8(block.quants[row] + LANES, high[i]);
        block.scales[row] = scale[i];
        block.offsets[row] = -128 * static_cast<int32_t>(total[i]);
        block.sums[row] = scale[i] * total[i];
        block.first_offsets[row] = -128 * static_cast<int32_t>(first[i]);
        scales.note(scale[i]);
    }
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

bool prepare(const float* x, int64_t columns, Form form, const Activations& out, int row) {
    if (form == Form::PLANES) {
        prepare_planes(x, columns, out.planes + row / PLANE_GROUP * plane_blocks(columns), row % PLANE_GROUP);
        return false;
    }
    const int64_t blocks = out.padded_columns / BLOCK_COLUMNS, first = row / ROW_GROUP * blocks;
    row %= ROW_GROUP;
    if (form == Form::BLOCKS) {
        constexpr float MUCH = 5;
        Scales scales;
        for (int64_t b = 0; b < blocks; b += TOGETHER) {
            const int count = static_cast<int>(blocks - b < TOGETHER ? blocks - b : TOGETHER);
            quantise(x + b * BLOCK_COLUMNS, columns - b * BLOCK_COLUMNS, out.quantised + first + b, count, row, scales);
        }
        return scales.most * static_cast<float>(blocks) > MUCH * scales.sum;
    }
    for (int64_t b = 0; b < blocks; ++b) {
        const int64_t left = columns - b * BLOCK_COLUMNS;
        float* values = out.values[first + b].values[row];
        store(values, load_some(x + b * BLOCK_COLUMNS, left));
        store(values + LANES, load_some(x + b * BLOCK_COLUMNS + LANES, left - LANES));
    }
    return false;
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

void put_tile(const float* values, int rows, int lanes, const float* bias, const float* residual,
              int64_t residual_stride, float* out, int64_t out_stride) {
    const F32 added = bias != nullptr ? load_some(bias, lanes) : zero();
    for (int r = 0; r < rows; ++r) {
        F32 value = load(values + r * TILE_ROWS);
        if (bias != nullptr) value = add(value, added);
        if (residual != nullptr) value = add(load_some(residual + r * residual_stride, lanes), value);
        store_some(out + r * out_stride, value, lanes);
    }
}

uint64_t reaching(const float* values, int rows, const float* thresholds, uint32_t* lanes) {
    uint64_t any = 0;
    for (int r = 0; r < rows; ++r) {
        lanes[r] = greater_or_equal(load(values + r * TILE_ROWS), broadcast(thresholds[r]));
        any |= uint64_t{lanes[r] != 0} << r;
    }
    return any;
}

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
