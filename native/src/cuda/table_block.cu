// The first block of a grounded head from tables: what each token of a path adds to the state's part.
#include <algorithm>

#include "cuda/levels.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

// Grid: rows of the level, runs of THREADS columns.
__global__ void __launch_bounds__(THREADS) table_block_kernel(TableBlock work) {
    const Level at{{work.tree, work.nodes, work.level}};
    const int row = static_cast<int>(blockIdx.x);
    const LevelRow found = find_row(work.nodes.active_trees(), row, [&](int s) { return at.parents(s); });
    if (row == 0 && blockIdx.y == 0 && threadIdx.x == 0) work.level_rows.set_count(found.rows);
    if (found.segment < 0) return;
    const int guess = rows_before(found.segment, [&](int s) { return at.guesses(s); });
    const int64_t column = int64_t{blockIdx.y} * THREADS + threadIdx.x;
    if (column >= work.n) return;
    const Segment segment = work.nodes.segments[found.segment];
    if (column == 0) {
        work.level_rows.set_level_row(row, segment.sequence, at.drafted_position(found.segment, work.level));
    }
    const TreeData& tree = at.tree(found.segment);
    const float* part = work.parts + guess * work.width + work.first + column;
    float linear = part[0], skip = part[work.n];
    for (int depth = 0; depth <= work.level; ++depth) {
        const int32_t token = work.nodes.token_of(segment, ancestor_of(tree, work.level, found.index, depth));
        if (token < 0 || token >= work.vocabulary) continue;
        const uint16_t* entry = work.tables + (depth * work.vocabulary + token) * 2 * work.n + column;
        linear += float_of_half(entry[0]);
        skip += float_of_half(entry[work.n]);
    }
    work.out[row * work.n + column] = skip + silu(linear);
}

}  // namespace

hydra_status table_block(Stream* stream, const TableBlock* arguments) {
    const int32_t rows = std::min(arguments->level_rows.max_rows, arguments->nodes.batch_size * HYDRA_MAX_NODES);
    const auto runs = static_cast<unsigned>((arguments->n + THREADS - 1) / THREADS);
    return launch(stream, "table_block_kernel", table_block_kernel, dim3(static_cast<unsigned>(rows), runs), THREADS, 0,
                  *arguments);
}

}  // namespace hydra::cuda
