// The first block of a grounded head from tables: what each token of a path adds to the state's part.
#include <algorithm>

#include "cuda/activations.cuh"
#include "cuda/levels.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

// Grid: rows of the level, runs of 4 THREADS columns.
__global__ void __launch_bounds__(THREADS) table_block_kernel(TableBlock work, Leaving left) {
    begin_in_turn();
    const Level at{{work.tree, work.nodes, work.level}};
    const int row = static_cast<int>(blockIdx.x);
    const LevelRow found = find_row(work.nodes.active_trees(), row, [&](int s) { return at.parents(s); });
    const bool is_first = blockIdx.y == 0 && threadIdx.x == 0;
    if (row == 0 && is_first) work.level_rows.set_count(found.rows);
    if (found.segment < 0) return;
    const int guess = rows_before(found.segment, [&](int s) { return at.guesses(s); });
    const Segment segment = work.nodes.segments[found.segment];
    if (is_first) {
        work.level_rows.set_level_row(row, segment.sequence, at.drafted_position(found.segment, work.level));
    }
    const TreeData& tree = at.tree(found.segment);
    const int64_t item = int64_t{blockIdx.y} * THREADS + threadIdx.x;
    const float* part = work.parts + guess * work.width + work.first;
    float linear[4] = {}, skip[4] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const int64_t c = column_of(item, i);
        if (c < work.n) linear[i] = part[c], skip[i] = part[work.n + c];
    }
    for (int depth = 0; depth <= work.level; ++depth) {
        const int32_t token = work.nodes.token_of(segment, ancestor_of(tree, work.level, found.index, depth));
        if (token < 0 || token >= work.vocabulary) continue;
        const uint16_t* entry = work.tables + (depth * work.vocabulary + token) * 2 * work.n;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int64_t c = column_of(item, i);
            if (c >= work.n) continue;
            linear[i] += float_of_half(entry[c]);
            skip[i] += float_of_half(entry[work.n + c]);
        }
    }
    float values[4] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const int64_t c = column_of(item, i);
        if (c < work.n) work.out[row * work.n + c] = values[i] = skip[i] + silu(linear[i]);
    }
    if (left.is_wanted()) leave_slots(left, row, column_of(item), item < items_of(work.n), values);
}

}  // namespace

hydra_status table_block(Stream* stream, const TableBlock* arguments) {
    const int32_t rows = std::min(arguments->level_rows.max_rows, arguments->nodes.batch_size * HYDRA_MAX_NODES);
    const auto runs = static_cast<unsigned>((items_of(arguments->n) + THREADS - 1) / THREADS);
    return launch(stream, "table_block_kernel", table_block_kernel, dim3(static_cast<unsigned>(rows), runs), THREADS, 0,
                  *arguments, leave(arguments->left, arguments->level_rows, arguments->n, 0));
}

}  // namespace hydra::cuda
