// What tasks around a matrix product share: preparing activation rows, walking over tiles.
#pragma once

#include <algorithm>
#include <initializer_list>

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
    const int32_t* picked = nullptr;  // row i is row picked[i] of x
};

// Calls use(first, count) for slices of at most SLICE_ROWS of the rows, whose prepared rows share one memory.
template <class Use>
void for_slices(const Worker& worker, int rows, Use&& use) {
    const int begin = worker.first_row(rows), end = worker.last_row(rows);
    const int most = worker.apart ? Scratch::apart_rows(worker.threads) : SLICE_ROWS;
    for (int first = begin; first < end; first += most) {
        // Other threads may still read the prepared rows of the slice before.
        if (first > begin) worker.barrier();
        use(first, std::min(most, end - first));
    }
}

// The floats of a buffer that may be null.
inline const float* floats_of(const hydra_buffer* buffer) { return buffer == nullptr ? nullptr : buffer->floats(); }

// Prepares `rows` rows starting with row `first`. A few rows are prepared by each thread for itself, which is cheaper
// than waiting for the others; many are shared out, and a barrier follows. Both give the same bits. With `remainders`,
// rows in blocks have those of uneven ones after them.
inline Activations prepare_rows(const Worker& worker, const RowSource& source, int first, int rows, Form form,
                                bool remainders = false) {
    const bool alone = worker.apart || rows <= ROW_GROUP;
    Scratch::Rows& scratch = alone ? worker.own().rows : worker.scratch().rows;
    Activations view = worker.apart ? worker.scratch().apart(worker.thread, worker.threads) : scratch.activations;
    view.padded_columns = (source.columns + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS * BLOCK_COLUMNS;
    const auto share = [&](int count, auto&& use) { alone ? use(0, count) : worker.share(count, 1, use); };
    const auto row_of = [&](int64_t r) {
        const int64_t picked = source.picked != nullptr ? source.picked[first + r] : first + r;
        return source.x + picked * source.columns;
    };
    const Kernels& kernels = worker.kernels();
    const int64_t columns = source.columns;
    share(rows, [&](int64_t begin, int64_t end) {
        for (int64_t group = begin; group < end; group += ROW_GROUP) {
            const int count = static_cast<int>(std::min<int64_t>(ROW_GROUP, end - group));
            const float* x[ROW_GROUP];
            float scales[ROW_GROUP] = {};
            for (int i = 0; i < count; ++i) x[i] = row_of(group + i);
            if (source.norm != nullptr) kernels.norm_scales(x, count, columns, source.epsilon, scales);
            for (int i = 0; i < count; ++i) {
                const int r = static_cast<int>(group) + i;
                scratch.uneven[r] = kernels.prepare(x[i], source.norm, scales[i], columns, form, view, r) && remainders;
            }
        }
    });
    if (!alone) worker.barrier();
    if (!remainders) return view;
    int32_t* remainder_of = worker.own().remainder_of;
    int uneven = 0;
    for (int r = 0; r < rows; ++r) {
        if (scratch.uneven[r]) remainder_of[uneven++] = r;
    }
    if (uneven > 0) {
        float* left = worker.own().normed.get();
        share(uneven, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
                const int32_t r = remainder_of[i];
                const float* x = row_of(r);
                if (source.norm != nullptr) {
                    kernels.rms_norm(x, source.norm, columns, source.epsilon, left);
                    x = left;
                }
                kernels.remainder(x, columns, view, r, left);
                kernels.prepare(left, nullptr, 1, columns, form, view, rows + static_cast<int>(i));
            }
        });
        if (!alone) worker.barrier();
    }
    view.remainders = uneven;
    view.remainder_of = remainder_of;
    return view;
}

// Prepares the rows in every way that the matrices need (null ones need none).
inline Activations prepare_rows(const Worker& worker, const RowSource& source, int first, int rows,
                                std::initializer_list<const PackedMatrix*> matrices, bool remainders = false) {
    Activations x{};
    const auto needed = [&](Form form) {
        return std::any_of(matrices.begin(), matrices.end(), [&](const PackedMatrix* matrix) {
            return matrix != nullptr && form_of(matrix->type) == form;
        });
    };
    // Blocks last, since the view of them is the one that knows the remainders; those for bytes serve others, too.
    const bool bytes = needed(Form::BYTES);
    for (Form form : {Form::VALUES, Form::PLANES, bytes ? Form::BYTES : Form::BLOCKS}) {
        if (needed(form)) x = prepare_rows(worker, source, first, rows, form, remainders && in_blocks(form));
    }
    return x;
}

// Calls use(tile, values) for tiles [begin, end): values[r * TILE_ROWS + lane] of output row tile * TILE_ROWS + lane
// and activation row r.
template <class Use>
void for_tiles(const Worker& worker, const PackedMatrix& matrix, const Activations& x, int rows, int64_t begin,
               int64_t end, float* scratch, Use&& use) {
    const auto product = worker.kernels().product[product_index(matrix.type)];
    const int remainders = in_blocks(form_of(matrix.type)) ? x.remainders : 0, all = rows + remainders;
    const int64_t group = tiles_per_product(all);
    for (int64_t tile = begin; tile < end; tile += group) {
        const int tiles = static_cast<int>(std::min(group, end - tile));
        product(matrix, tile, tiles, x, all, scratch);
        for (int t = 0; t < tiles; ++t) {
            float* values = scratch + static_cast<int64_t>(t) * all * TILE_ROWS;
            for (int i = 0; i < remainders; ++i) {
                float* whole = values + x.remainder_of[i] * TILE_ROWS;
                for (int l = 0; l < TILE_ROWS; ++l) whole[l] += values[(rows + i) * TILE_ROWS + l];
            }
            use(tile + t, values);
        }
    }
}

// The same for those of the matrix's tiles that fall to the thread; all threads call this.
template <class Use>
void share_tiles(const Worker& worker, const PackedMatrix& matrix, const Activations& x, int rows, Use&& use) {
    worker.share(matrix.tiles, tiles_per_product(rows), [&](int64_t begin, int64_t end) {
        for_tiles(worker, matrix, x, rows, begin, end, worker.own().product.get(), use);
    });
}

// Lanes of a tile that are rows of the matrix.
inline int lanes_of(const PackedMatrix& matrix, int64_t tile) {
    return static_cast<int>(std::min<int64_t>(TILE_ROWS, matrix.rows - tile * TILE_ROWS));
}

}  // namespace hydra
