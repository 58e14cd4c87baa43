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

// Where the values of a row come from: x[n], or what RMSNorm makes of it with its scale. Zero beyond, unless all that
// is asked for is known to be there.
template <bool NORMED, bool WITHIN = false>
struct Row {
    const float *x, *weight;
    F32 scale;
    int64_t n;

    HYDRA_INLINE F32 at(int64_t c) const {
        const F32 value = some(x, c);
        return NORMED ? mul(mul(value, scale), some(weight, c)) : value;
    }
    HYDRA_INLINE Row<NORMED, true> within() const { return {x, weight, scale, n}; }

  private:
    HYDRA_INLINE F32 some(const float* from, int64_t c) const {
        return WITHIN ? load(from + c) : load_some(from + c, n - c);
    }
};

// Of TOGETHER blocks, one a lane.
typedef float Values __attribute__((vector_size(16)));
typedef int32_t Numbers __attribute__((vector_size(16)));

// Row `row` of `count` blocks, at most TOGETHER, from column c on. Values that one float32 inverse cannot scale (all of
// a block below 2^-119) count as zeros. One that is not finite makes the scale NaN, so that the fault shows in every
// output.
template <class Source>
HYDRA_INLINE void quantise(const Source& source, int64_t c, QuantisedBlock* blocks, int count, int row,
                           Scales& scales) {
    constexpr float LEAST = 0x1p-119f;
    F32 low[TOGETHER], high[TOGETHER];
#pragma GCC unroll 4
    for (int i = 0; i < TOGETHER; ++i) {
        low[i] = source.at(c + i * BLOCK_COLUMNS);
        high[i] = source.at(c + i * BLOCK_COLUMNS + LANES);
    }
    Values largest;
    largest_magnitudes(low, high, reinterpret_cast<float*>(&largest));
    const Numbers counted = largest >= LEAST;
    Values scale = reinterpret_cast<Values>(counted & reinterpret_cast<Numbers>(largest / 127.0f)),
           inverse = reinterpret_cast<Values>(counted & reinterpret_cast<Numbers>(127.0f / largest));
    const Numbers finite = largest <= __FLT_MAX__;
    if ((finite[0] & finite[1] & finite[2] & finite[3]) == 0) {
        for (int i = 0; i < TOGETHER; ++i) {
            if (finite[i]) continue;
            low[i] = high[i] = zero();
            scale[i] = __builtin_nanf("");
            inverse[i] = 0;
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < TOGETHER; ++i) {
        // Of magnitude 127 at most when rounded, as the inverse is off by half a unit in the last place.
        low[i] = mul(low[i], broadcast(inverse[i]));
        high[i] = mul(high[i], broadcast(inverse[i]));
    }
    int8_t unused[BLOCK_COLUMNS];
    int8_t* const quants[TOGETHER] = {blocks[0].quants[row], count > 1 ? blocks[1].quants[row] : unused,
                                      count > 2 ? blocks[2].quants[row] : unused,
                                      count > 3 ? blocks[3].quants[row] : unused};
    Numbers first, total;
    store_rounded(low, high, quants, reinterpret_cast<int32_t*>(&first), reinterpret_cast<int32_t*>(&total));
    const Values sums = scale * __builtin_convertvector(total, Values);
    const Numbers offsets = total * -128, first_offsets = first * -128;
#pragma GCC unroll 4
    for (int i = 0; i < TOGETHER; ++i) {
        if (i >= count) break;
        QuantisedBlock& block = blocks[i];
        block.scales[row] = scale[i];
        block.offsets[row] = offsets[i];
        block.sums[row] = sums[i];
        block.first_offsets[row] = first_offsets[i];
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
template <class Source>
void prepare_planes(const Source& source, PlaneBlock* out, int row) {
    constexpr float LEAST = 0x1p-111f;
    uint32_t largest_bits = 0;
    for (int64_t c = 0; c < source.n; c += 2 * LANES) {
        const uint32_t bits = largest_magnitude(source.at(c), source.at(c + LANES));
        largest_bits = bits > largest_bits ? bits : largest_bits;
    }
    const float largest = float_of_bits(largest_bits);
    const bool present = largest >= LEAST && largest <= __FLT_MAX__;
    const float inverse = present ? PLANE_STEPS / largest : 0;
    F32 first_sum = zero(), second_sum = zero();
    PlaneBlock* block = out;
    for (int64_t c = 0; c < source.n; c += PLANE_COLUMNS, ++block) {
        for (int64_t i = 0; i < PLANE_COLUMNS; i += LANES) {
            const Halves halves = present ? halves_of(source.at(c + i), inverse) : Halves{zero(), zero()};
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

#if defined(HYDRA_AVX2)
// 32 quants with their signs apart; returns the sum of the magnitudes of the negative ones.
HYDRA_INLINE int32_t split_signs(const int8_t* quants, uint8_t* magnitudes, uint8_t* flips) {
    const __m256i values = _mm256_load_si256(reinterpret_cast<const __m256i*>(quants)),
                  negative = _mm256_cmpgt_epi8(_mm256_setzero_si256(), values), magnitude = _mm256_abs_epi8(values),
                  flip = _mm256_xor_si256(negative, _mm256_set1_epi8(static_cast<char>(0x80)));
    _mm256_store_si256(reinterpret_cast<__m256i*>(magnitudes), magnitude);
    _mm256_store_si256(reinterpret_cast<__m256i*>(flips), flip);
    const __m256i sums = _mm256_sad_epu8(_mm256_and_si256(magnitude, negative), _mm256_setzero_si256());
    const __m128i halves = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return _mm_cvtsi128_si32(halves) + _mm_extract_epi32(halves, 2);
}

void split_blocks(const QuantisedBlock* from, int64_t count, int row, SignedBlock* to) {
    for (int64_t b = 0; b < count; ++b) {
        SignedQuants<BLOCK_COLUMNS>& quants = to[b].quants[row];
        to[b].offsets[row] = split_signs(from[b].quants[row], quants.magnitudes, quants.flips);
        to[b].scales[row] = from[b].scales[row];
    }
}

void split_planes(const PlaneBlock* from, int64_t count, int row, SignedPlaneBlock* to) {
    int32_t offsets[2] = {};
    for (int64_t b = 0; b < count; ++b) {
        for (int p = 0; p < 2; ++p) {
            SignedQuants<PLANE_COLUMNS>& quants = to[b].planes[row][p];
            for (int c = 0; c < PLANE_COLUMNS; c += BLOCK_COLUMNS) {
                offsets[p] += split_signs(from[b].planes[row][p] + c, quants.magnitudes + c, quants.flips + c);
            }
        }
    }
    to->scales[row] = from->scales[row];
    for (int p = 0; p < 2; ++p) to->offsets[row][p] = offsets[p];
}
#else
HYDRA_INLINE void split_blocks(const QuantisedBlock*, int64_t, int, SignedBlock*) {}
HYDRA_INLINE void split_planes(const PlaneBlock*, int64_t, int, SignedPlaneBlock*) {}
#endif

template <class Source>
HYDRA_INLINE bool prepare_row(const Source& source, Form form, const Activations& out, int row) {
    if (form == Form::PLANES) {
        const int64_t count = plane_blocks(source.n), first = row / PLANE_GROUP * count;
        prepare_planes(source, out.planes + first, row % PLANE_GROUP);
        if (out.signed_planes != nullptr) {
            split_planes(out.planes + first, count, row % PLANE_GROUP, out.signed_planes + first);
        }
        return false;
    }
    const int64_t blocks = out.padded_columns / BLOCK_COLUMNS, first = row / ROW_GROUP * blocks;
    row %= ROW_GROUP;
    if (in_blocks(form)) {
        constexpr float MUCH = 5;
        Scales scales;
        QuantisedBlock* to = out.quantised + first;
        constexpr int64_t COLUMNS = TOGETHER * BLOCK_COLUMNS;
        const int64_t whole = source.n / COLUMNS * COLUMNS;
        for (int64_t c = 0; c < whole; c += COLUMNS, to += TOGETHER) {
            quantise(source.within(), c, to, TOGETHER, row, scales);
        }
        if (whole < out.padded_columns) {
            quantise(source, whole, to, static_cast<int>(out.padded_columns - whole) / BLOCK_COLUMNS, row, scales);
        }
        if (form == Form::BYTES && out.signed_blocks != nullptr) {
            split_blocks(out.quantised + first, blocks, row, out.signed_blocks + first);
        }
        return scales.most * static_cast<float>(blocks) > MUCH * scales.sum;
    }
    for (int64_t b = 0; b < blocks; ++b) {
        float* values = out.values[first + b].values[row];
        store(values, source.at(b * BLOCK_COLUMNS));
        store(values + LANES, source.at(b * BLOCK_COLUMNS + LANES));
    }
    return false;
}

HYDRA_INLINE float norm_scale(F32 squares, int64_t n, float epsilon) {
    return 1.0f / __builtin_sqrtf(sum(squares) / static_cast<float>(n) + epsilon);
}

// A row's squares are one chain of sums in each lane: some rows side by side fill what it waits for.
template <int ROWS>
HYDRA_INLINE void norm_scales_of(const float* const* rows, int64_t n, float epsilon, float* out) {
    F32 squares[ROWS];
    for (int r = 0; r < ROWS; ++r) squares[r] = zero();
    for (int64_t i = 0; i < n; i += LANES) {
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; ++r) {
            const F32 value = load_some(rows[r] + i, n - i);
            squares[r] = fma(value, value, squares[r]);
        }
    }
    for (int r = 0; r < ROWS; ++r) out[r] = norm_scale(squares[r], n, epsilon);
}

}  // namespace

bool prepare(const float* x, const float* norm, float scale, int64_t columns, Form form, const Activations& out,
             int row) {
    if (norm != nullptr) return prepare_row(Row<true>{x, norm, broadcast(scale), columns}, form, out, row);
    return prepare_row(Row<false>{x, nullptr, zero(), columns}, form, out, row);
}

void norm_scales(const float* const* rows, int count, int64_t n, float epsilon, float* out) {
    int r = 0;
    for (; r + 4 <= count; r += 4) norm_scales_of<4>(rows + r, n, epsilon, out + r);
    for (; r < count; ++r) norm_scales_of<1>(rows + r, n, epsilon, out + r);
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
    float scale;
    norm_scales_of<1>(&x, n, epsilon, &scale);
    const Row<true> row{x, weight, broadcast(scale), n};
    for (int64_t i = 0; i < n; i += LANES) store_some(out + i, row.at(i), n - i);
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
