// The inner parts of products: panels, and a tile of the result that stays in registers.
#include "train/kernels/functions.h"

namespace hydra::HYDRA_ISA {

namespace {

constexpr int VECTORS = train_tile_columns / LANES;

// A tile of whole size.
HYDRA_INLINE void multiply_tile(int64_t depth, const float* a, const float* b, float* c, int64_t stride, bool add_to) {
    F32 sums[train_tile_rows][VECTORS];
#pragma GCC unroll 16
    for (int i = 0; i < train_tile_rows; ++i) {
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; ++j) sums[i][j] = zero();
    }
    for (int64_t k = 0; k < depth; ++k, a += train_tile_rows, b += train_tile_columns) {
        F32 right[VECTORS];
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; ++j) right[j] = load_once(b + j * LANES);
#pragma GCC unroll 16
        for (int i = 0; i < train_tile_rows; ++i) {
            const F32 left = broadcast(a[i]);
#pragma GCC unroll 4
            for (int j = 0; j < VECTORS; ++j) sums[i][j] = fma(left, right[j], sums[i][j]);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < train_tile_rows; ++i) {
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; ++j) {
            float* out = c + i * stride + j * LANES;
            store(out, add_to ? add(load(out), sums[i][j]) : sums[i][j]);
        }
    }
}

}  // namespace

void train_multiply(int64_t depth, const float* a, const float* b, float* c, int64_t stride, int rows, int columns,
                    bool add_to) {
    if (rows == train_tile_rows && columns == train_tile_columns) {
        return multiply_tile(depth, a, b, c, stride, add_to);
    }
    float tile[train_tile_rows * train_tile_columns];
    multiply_tile(depth, a, b, tile, train_tile_columns, false);
    for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < columns; ++j) {
            float& out = c[i * stride + j];
            out = add_to ? out + tile[i * train_tile_columns + j] : tile[i * train_tile_columns + j];
        }
    }
}

void train_pack(int width, int count, int64_t depth, Operand from, float* panel) {
    if (!from.transposed) {
        for (int i = 0; i < count; ++i) {
            const float* row = from.data + i * from.stride;
            for (int64_t k = 0; k < depth; ++k) panel[k * width + i] = row[k];
        }
        for (int i = count; i < width; ++i) {
            for (int64_t k = 0; k < depth; ++k) panel[k * width + i] = 0;
        }
        return;
    }
    for (int64_t k = 0; k < depth; ++k) {
        const float* row = from.data + k * from.stride;
        for (int i = 0; i < count; ++i) panel[k * width + i] = row[i];
        for (int i = count; i < width; ++i) panel[k * width + i] = 0;
    }
}

}  // namespace hydra::HYDRA_ISA
