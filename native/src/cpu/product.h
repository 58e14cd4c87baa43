// What tasks around a matrix product share: preparing activation rows, walking over tiles.
#pragma once

#include <algorithm>

#include "cpu/matrix.h"
#include "cpu/program.h"
#include "program/buffer.h"
#include "program/sequence.h"

namespace hydra {

// How the activation rows of an operation come about: x[rows][columns], normalised first where norm is not null.
struct RowSource {
    const float* x;
    int64_t columns;
    const float* norm;
    float epsilon;
};

// The floats of a buffer that may be null.
inline const float* floats_of(const hydra_buffer* buffer) { return buffer == nullptr ? nullptr : buffer->floats(); }

// Prepares `rows` rows starting with row `first` for products with quantised (or not) weights. A few rows are prepared
// by each thread for itself, which is cheaper than waiting for the others; many are shared out, and a barrier follows.
// Both give the same bits.
inline Activations prepare_rows(const Worker& worker, const RowSource& source, int first, int rows, bool quantised) {
    const bool alone = rows <= ROW_GROUP;
    Activations view = (alone ? worker.own().rows : worker.scratch().rows).activations;
    view.padded_columns = (source.columns + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS * BLOCK_COLUMNS;
    const int64_t begin = alone ? 0 : worker.begin(rows), end = alone ? rows : worker.end(rows);
    for (int64_t r = begin; r < end; ++r) {
        const float* row = source.x + (first + r) * source.columns;
        if (source.norm != nullptr) {
            worker.kernels().rms_norm(row, source.norm, source.columns, source.epsilon, worker.own().normed.get());
            row = worker.own().normed.get();
        }
        worker.kernels().prepare(row, source.columns, quantised, view, static_cast<int>(r));
    }
    if (!alone) worker.barrier();
    return view;
}

// Calls use(tile, values) for tiles [begin, end): values[r * TILE_ROWS + lane] of output row tile * TILE_ROWS + lane
// and activation row r.
template <class Use>
void for_tiles(const Worker& worker, const PackedMatrix& matrix, const Activations& x, int rows, int64_t begin,
               int64_t end, float* scratch, Use&& use) {
    const auto product = worker.kernels().product[product_index(matrix.type)];
    const int64_t group = tiles_per_product(rows);
    for (int64_t tile = begin; tile < end; tile += group) {
        const int tiles = static_cast<int>(std::min(group, end - tile));
        product(matrix, tile, tiles, x, rows, scratch);
        for (int t = 0; t < tiles; ++t) use(tile + t, scratch + static_cast<int64_t>(t) * rows * TILE_ROWS);
    }
}

// Lanes of a tile that are rows of the matrix.
inline int lanes_of(const PackedMatrix& matrix, int64_t tile) {
    return static_cast<int>(std::min<int64_t>(TILE_ROWS, matrix.rows - tile * TILE_ROWS));
}

}  // namespace hydra
