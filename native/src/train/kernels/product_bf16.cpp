// Products of bf16 numbers by instructions on vectors: VDPBF16PS where the processor has it, fused multiply-adds of
// float32 otherwise.
//
// A tile's sums lie in memory, in the first cache; those of a group of the depth, first and last values, in registers.
//
// A core of a Xeon (family 6, model 207) begins a VDPBF16PS every second cycle and two fused multiply-adds each cycle:
// 80 GFLOP/s of 86 with the one, 80 with the others, where float32 reaches 155. So these products are for processors
// with a faster instruction, and for going on anywhere with a run that began with tiles.
#include "train/kernels/bf16.h"

namespace hydra::HYDRA_ISA {

namespace {

#if defined(HYDRA_AVX512)
constexpr int BLOCK_ROWS = 4, VECTORS = 3;  // of a tile at a time
#else
constexpr int BLOCK_ROWS = 2, VECTORS = 1;
#endif
constexpr int TILE_ROWS = 16, TILE_COLUMNS = VECTORS * LANES;

struct Neighbours {
    static constexpr int upper(int p) { return 2 * p; }
    static constexpr int lower(int p) { return 2 * p + 1; }
};

#if defined(HYDRA_AVX512_BF16)
struct Pair {
    __m512bh v;
};
HYDRA_INLINE Pair load_pairs(const float* p) { return {reinterpret_cast<__m512bh>(_mm512_loadu_ps(p))}; }
HYDRA_INLINE Pair broadcast_pair(float word) { return {reinterpret_cast<__m512bh>(_mm512_set1_ps(word))}; }
HYDRA_INLINE F32 add_products(F32 sum, Pair a, Pair b) { return {_mm512_dpbf16_ps(sum.v, a.v, b.v)}; }
#else
struct Pair {
    F32 upper, lower;
};
HYDRA_INLINE Pair load_pairs(const float* p) {
    uint16_t halves[2 * LANES];
    __builtin_memcpy(halves, p, sizeof halves);
    Pair pair;
    load_bf16_pairs(halves, pair.lower, pair.upper);
    return pair;
}
HYDRA_INLINE Pair broadcast_pair(float word) {
    const uint32_t bits = bits_of_float(word);
    return {broadcast(float_of_bits(bits & 0xffff0000)), broadcast(float_of_bits(bits << 16))};
}
HYDRA_INLINE F32 add_products(F32 sum, Pair a, Pair b) { return fma(a.lower, b.lower, fma(a.upper, b.upper, sum)); }
#endif

// Sums of BLOCK_ROWS rows of a tile over a part of a group.
struct Sums {
    F32 of[BLOCK_ROWS][VECTORS];

    HYDRA_INLINE Sums() {
#pragma GCC unroll 4
        for (int i = 0; i < BLOCK_ROWS; ++i) {
#pragma GCC unroll 4
            for (int j = 0; j < VECTORS; ++j) of[i][j] = zero();
        }
    }

    // a: a word of the first row; b: those of all columns.
    HYDRA_INLINE void add(const float* a, const float* b) {
        Pair right[VECTORS];
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; ++j) right[j] = load_pairs(b + j * LANES);
#pragma GCC unroll 4
        for (int i = 0; i < BLOCK_ROWS; ++i) {
            const Pair left = broadcast_pair(a[i * PAIRS]);
#pragma GCC unroll 4
            for (int j = 0; j < VECTORS; ++j) of[i][j] = add_products(of[i][j], left, right[j]);
        }
    }
};

HYDRA_INLINE void multiply_group(const float* a, const float* b, float* tile) {
    Sums first, last;
    for (int p = 0; p < PAIRS / 2; ++p) {
        first.add(a + p, b + p * TILE_COLUMNS);
        last.add(a + PAIRS / 2 + p, b + (PAIRS / 2 + p) * TILE_COLUMNS);
    }
#pragma GCC unroll 4
    for (int i = 0; i < BLOCK_ROWS; ++i) {
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; ++j) {
            float* const out = tile + i * TILE_COLUMNS + j * LANES;
            store(out, add(load(out), add(first.of[i][j], last.of[i][j])));
        }
    }
}

void multiply(int64_t depth, const float* a, const float* b, float* c, int64_t stride, int rows, int columns,
              bool add_to) {
    alignas(64) float tile[TILE_ROWS * TILE_COLUMNS] = {};
    for (int64_t k = 0; k < depth; k += GROUP, a += TILE_ROWS * PAIRS, b += TILE_COLUMNS * PAIRS) {
        for (int i = 0; i < rows; i += BLOCK_ROWS) multiply_group(a + i * PAIRS, b, tile + i * TILE_COLUMNS);
    }
    put<TILE_COLUMNS>(tile, c, stride, rows, columns, add_to);
}

void end(uint32_t before) { _mm_setcsr(before); }

}  // namespace

const train::Products train_bf16 = {
    .tile_rows = TILE_ROWS,
    .tile_columns = TILE_COLUMNS,
    .depth_step = GROUP,
    .values_per_word = 2,
    .pack_left = pack_bf16<Neighbours, TILE_ROWS, true>,
    .pack_right = pack_bf16<Neighbours, TILE_COLUMNS, false>,
    .multiply = multiply,
    .begin = flush_tiny,
    .end = end,
};

}  // namespace hydra::HYDRA_ISA
