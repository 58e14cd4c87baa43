// The inner parts of products: panels, and a tile of the result that stays in registers.
#include "train/kernels/functions.h"

namespace hydra::HYDRA_ISA {

namespace {

// As many accumulators as leave registers for a row of the right side and a value of the left one.
#if defined(HYDRA_AVX512)
constexpr int TILE_ROWS = 8, TILE_COLUMNS = 48;
#elif defined(HYDRA_AVX2)
constexpr int TILE_ROWS = 6, TILE_COLUMNS = 16;
#else
constexpr int TILE_ROWS = 4, TILE_COLUMNS = 16;
#endif
constexpr int VECTORS = TILE_COLUMNS / LANES;
constexpr int AHEAD = 16;  // steps of the depth for which the right side is fetched from the second cache: 3 % faster

// A tile of whole size.
HYDRA_INLINE void multiply_tile(int64_t depth, const float* a, const float* b, float* c, int64_t stride, bool add_to) {
    F32 sums[TILE_ROWS][VECTORS];
#pragma GCC unroll 16
    for (int i = 0; i < TILE_ROWS; ++i) {
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; ++j) {
            sums[i][j] = zero();
            __builtin_prefetch(c + i * stride + j * LANES, 1);  // needed at the end
        }
    }
    for (int64_t k = 0; k < depth; ++k, a += TILE_ROWS, b += TILE_COLUMNS) {
        F32 right[VECTORS];
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; ++j) {
            right[j] = load_once(b + j * LANES);
            __builtin_prefetch(b + AHEAD * TILE_COLUMNS + j * LANES);
        }
#pragma GCC unroll 16
        for (int i = 0; i < TILE_ROWS; ++i) {
            const F32 left = broadcast(a[i]);
#pragma GCC unroll 4
            for (int j = 0; j < VECTORS; ++j) sums[i][j] = fma(left, right[j], sums[i][j]);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < TILE_ROWS; ++i) {
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; ++j) {
            float* out = c + i * stride + j * LANES;
            store(out, add_to ? add(load(out), sums[i][j]) : sums[i][j]);
        }
    }
}

void multiply(int64_t depth, const float* a, const float* b, float* c, int64_t stride, int rows, int columns,
              bool add_to) {
    if (rows == TILE_ROWS && columns == TILE_COLUMNS) {
        return multiply_tile(depth, a, b, c, stride, add_to);
    }
    float tile[TILE_ROWS * TILE_COLUMNS];
    multiply_tile(depth, a, b, tile, TILE_COLUMNS, false);
    put<TILE_COLUMNS>(tile, c, stride, rows, columns, add_to);
}

constexpr int QUAD = 4;

// Values k to k + LANES - 1 of four rows `stride` apart, to places k * width on of a panel.
HYDRA_INLINE void pack_quad(const float* rows, int64_t stride, int width, float* panel) {
    F32 x[QUAD];
    for (int t = 0; t < QUAD; ++t) x[t] = load(rows + t * stride);
    transpose(x);
    for (int i = 0; i < QUAD; ++i) {
        store_quad<0>(panel + i * width, x[i]);
        store_quad<1>(panel + (QUAD + i) * width, x[i]);
        store_quad<2>(panel + (2 * QUAD + i) * width, x[i]);
        store_quad<3>(panel + (3 * QUAD + i) * width, x[i]);
    }
}

// A panel of an operand whose rows lie along the depth.
void pack_rows(int width, int count, int64_t depth, Operand from, float* panel) {
    int i = 0;
    for (; i + QUAD <= count; i += QUAD) {
        const float* rows = from.data + i * from.stride;
        int64_t k = 0;
        for (; k + LANES <= depth; k += LANES) pack_quad(rows + k, from.stride, width, panel + k * width + i);
        for (; k < depth; ++k) {
            for (int t = 0; t < QUAD; ++t) panel[k * width + i + t] = rows[t * from.stride + k];
        }
    }
    for (; i < width; ++i) {
        const float* row = from.data + i * from.stride;
        for (int64_t k = 0; k < depth; ++k) panel[k * width + i] = i < count ? row[k] : 0;
    }
}

template <int width>
HYDRA_INLINE void copy(const float* from, float* to) {
    static_assert(sizeof(float) * width % 8 == 0);
    __builtin_memcpy(to, from, sizeof(float) * width);
}

// Panels of an operand whose rows lie across the depth, read row after row: each is a part of every cache line.
template <int width>
void pack_columns(int64_t count, int64_t depth, Operand from, float* panels) {
    const int64_t whole = count / width;
    for (int64_t k = 0; k < depth; ++k) {
        const float* row = from.data + k * from.stride;
        for (int64_t p = 0; p < whole; ++p) copy<width>(row + p * width, panels + (p * depth + k) * width);
        if (whole * width == count) continue;
        float* last = panels + (whole * depth + k) * width;
        for (int64_t i = 0; i < width; ++i) last[i] = whole * width + i < count ? row[whole * width + i] : 0;
    }
}

template <int width>
void pack(int64_t count, int64_t depth, Operand from, float* panels) {
    if (from.transposed) return pack_columns<width>(count, depth, from, panels);
    for (int64_t first = 0; first < count; first += width) {
        Operand rows = from;
        rows.data += first * from.stride;
        pack_rows(width, static_cast<int>(count - first < width ? count - first : width), depth, rows,
                  panels + first * depth);
    }
}

uint32_t begin() { return 0; }
void end(uint32_t) {}

}  // namespace

const train::Products train_float32 = {
    .tile_rows = TILE_ROWS,
    .tile_columns = TILE_COLUMNS,
    .depth_step = 1,
    .values_per_word = 1,
    .pack_left = pack<TILE_ROWS>,
    .pack_right = pack<TILE_COLUMNS>,
    .multiply = multiply,
    .begin = begin,
    .end = end,
};

}  // namespace hydra::HYDRA_ISA
