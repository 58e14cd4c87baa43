// Products by a table of kernels, without a program.
#pragma once

#include "cpu/matrix.h"
#include "types.h"

namespace hydra::test {

// Random weights as a matrix of so many columns, or as many more as the type must have, with the values that it really
// holds.
struct Weights {
    Matrix matrix;
    Floats values;

    Weights(hydra_backend* backend, hydra_type type, int64_t rows, int64_t least_columns) {
        Random random(static_cast<uint32_t>(rows * 2048 + least_columns));
        const int64_t columns = whole_columns(type, least_columns);
        matrix = facts_of(type).quantisable ? test::matrix(backend, type, rows, columns, random.normal(rows * columns))
                                            : matrix_of(backend, type, rows, columns, random);
        values = values_of(matrix);
    }
    const PackedMatrix& packed() const { return packed_of(matrix); }
    int64_t columns() const { return packed().columns; }
};

// Prepared activation rows. What is after them are NaN and quants of -1.
struct Inputs {
    Aligned<ValueBlock> values;
    Aligned<QuantisedBlock> quantised;
    Aligned<PlaneBlock> planes;
    Aligned<TileBlock> tiles;
    Aligned<SignedBlock> signed_blocks;
    Aligned<SignedPlaneBlock> signed_planes;
    Activations activations{};

    Inputs(const Kernels& kernels, const PackedMatrix& matrix, const Floats& x) {
        const int64_t blocks = (matrix.columns + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS,
                      rows = static_cast<int64_t>(x.size()) / matrix.columns;
        const int64_t count = (rows + ROW_GROUP - 1) / ROW_GROUP * blocks,
                      plane_count = (rows + PLANE_GROUP - 1) / PLANE_GROUP * plane_blocks(matrix.columns);
        allocate_filled(values, count);
        allocate_filled(quantised, count);
        allocate_filled(planes, plane_count);
        allocate_filled(tiles, (rows + TILE_GROUP - 1) / TILE_GROUP * blocks);
        allocate_filled(signed_blocks, count);
        allocate_filled(signed_planes, plane_count);
        activations = {blocks * BLOCK_COLUMNS, values.get(),       quantised.get(), planes.get(), tiles.get(),
                       signed_blocks.get(),    signed_planes.get()};
        for (int r = 0; r < rows; ++r) {
            kernels.prepare(&x[r * matrix.columns], nullptr, 1, matrix.columns, form_of(matrix.type), activations, r);
        }
    }

    template <class Block>
    static void allocate_filled(Aligned<Block>& memory, int64_t count) {
        memory = allocate<Block>(count);
        std::memset(static_cast<void*>(memory.get()), 0xff, static_cast<size_t>(count) * sizeof(Block));
    }

    // The value of the prepared activations: what quantisation left of x.
    double at(Form form, int64_t row, int64_t column) const {
        const int64_t blocks = activations.padded_columns / BLOCK_COLUMNS;
        const int64_t block = row / ROW_GROUP * blocks + column / BLOCK_COLUMNS;
        const int64_t r = row % ROW_GROUP, c = column % BLOCK_COLUMNS;
        if (form == Form::VALUES) return values[block].values[r][c];
        if (form == Form::PLANES) {
            const PlaneBlock* group = planes.get() + row / PLANE_GROUP * plane_blocks(activations.padded_columns);
            const auto& pair = group[column / PLANE_COLUMNS].planes[row % PLANE_GROUP];
            return group->scales[row % PLANE_GROUP] *
                   (255.0 * pair[0][column % PLANE_COLUMNS] + pair[1][column % PLANE_COLUMNS]);
        }
        return static_cast<double>(quantised[block].scales[r]) * quantised[block].quants[r][c];
    }
};

// [rows][matrix rows] for row-major x [rows][matrix columns], `tiles` tiles at a time.
inline Floats product(const Kernels& kernels, const PackedMatrix& matrix, const Floats& x, int tiles = MAX_TILES) {
    const Inputs inputs(kernels, matrix, x);
    const int rows = static_cast<int>(static_cast<int64_t>(x.size()) / matrix.columns);
    Floats out(static_cast<size_t>(rows * matrix.rows), NAN);
    for (int64_t tile = 0; tile < matrix.tiles; tile += tiles) {
        const int count = static_cast<int>(std::min<int64_t>(tiles, matrix.tiles - tile));
        const size_t written = static_cast<size_t>(count) * rows * TILE_ROWS;
        Floats scratch(written + 16, NAN);
        kernels.product[product_index(matrix.type)](matrix, tile, count, inputs.activations, rows, scratch.data());
        EXPECT_TRUE(std::all_of(scratch.begin() + static_cast<int64_t>(written), scratch.end(),
                                [](float v) { return std::isnan(v); }));
        for (int64_t n = tile * TILE_ROWS; n < std::min((tile + count) * TILE_ROWS, matrix.rows); ++n) {
            for (int r = 0; r < rows; ++r) {
                out[r * matrix.rows + n] = scratch[((n / TILE_ROWS - tile) * rows + r) * TILE_ROWS + n % TILE_ROWS];
            }
        }
    }
    return out;
}

}  // namespace hydra::test
