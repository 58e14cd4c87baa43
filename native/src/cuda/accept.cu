// Acceptance: the longest path of the tree that the base model agrees with, and the end of a prompt chunk.
//
// One launch: every block finds the paths for itself, from what no block changes. The first one then writes the
// sequences' results and the uncommitted rows; the others move keys and values and copy hidden states.
#include <algorithm>

#include "cuda/kv.cuh"
#include "cuda/rows.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 512, WARPS = THREADS / WARP;
constexpr int64_t MOST_BLOCKS = 256;

// Of each segment the node that the longest accepted path ends at, and the number of accepted nodes before it.
struct Paths {
    int32_t last[HYDRA_MAX_SEQUENCES];
    int32_t begins[HYDRA_MAX_SEQUENCES + 1];
};

__device__ __forceinline__ int warp_max(int value) {
    for (int mask = WARP / 2; mask > 0; mask /= 2) value = max(value, __shfl_xor_sync(ALL_LANES, value, mask));
    return value;
}

// The longest path of right nodes of each tree, the first in node order among equals. A warp takes a tree, a lane two
// of its nodes. All threads of the block take part.
__device__ void find_paths(const Accept& work, int trees, Paths& paths) {
    const TreeData& tree = *work.tree;
    const int lane = lane_index();
    for (int s = warp_index(); s < trees; s += WARPS) {
        const Segment segment = work.nodes.segments[s];
        // The tree may have been set again since its nodes were expanded.
        const int nodes = min(tree.nodes, segment.count);
        unsigned right[2];  // bit of each node whose token is its parent's best
        for (int half = 0; half < 2; ++half) {
            const int i = half * WARP + lane;
            const bool is_right =
                i == 0 || (i < nodes && work.nodes.tokens[segment.row + i] ==
                                            work.best.ids[(segment.row + tree.parents[i]) * work.best.k]);
            right[half] = __ballot_sync(ALL_LANES, is_right);
        }
        const uint64_t wrong = ~(uint64_t{right[1]} << 32 | right[0]);
        int found = 0;  // depth and node, so that the deepest one is the largest, and the first of equals
        for (int i = lane; i < nodes; i += WARP) {
            if ((tree.ancestors[i] & wrong) == 0) {
                found = max(found, tree.depths[i] * HYDRA_MAX_NODES + HYDRA_MAX_NODES - 1 - i);
            }
        }
        found = warp_max(found);
        if (lane == 0) paths.last[s] = HYDRA_MAX_NODES - 1 - found % HYDRA_MAX_NODES;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        paths.begins[0] = 0;
        for (int s = 0; s < trees; ++s) paths.begins[s + 1] = paths.begins[s] + tree.depths[paths.last[s]] + 1;
    }
    __syncthreads();
}

// Calls take(row, segment, i, place) for those rows of the pass from `first` on, `step` apart, that are accepted: node
// i of the segment comes to that place of its path.
template <class Take>
__device__ __forceinline__ void each_accepted(const Accept& work, const Paths& paths, int first, int step,
                                              Take&& take) {
    for (int row = first; row < work.nodes.active(); row += step) {
        const int s = work.nodes.segment_of[row], i = row - work.nodes.segments[s].row;
        // In node order a path goes from the root to its end.
        const uint64_t path = work.tree->ancestors[paths.last[s]];
        if ((path >> i & 1) != 0) take(row, s, i, __popcll(path & ((uint64_t{1} << i) - 1)));
    }
}

// Copies hidden states to the uncommitted rows, behind `waiting` of them; a block takes rows worker, worker + workers,
// ...
__device__ void copy_hidden(const Accept& work, const Paths& paths, int waiting, int worker, int workers) {
    each_accepted(work, paths, worker, workers, [&](int row, int s, int, int place) {
        const float* source = work.hidden + row * work.width;
        float* target = work.uncommitted + (waiting + paths.begins[s] + place) * work.width;
        for (int64_t c = threadIdx.x; c < work.width; c += THREADS) target[c] = source[c];
    });
}

// Of the uncommitted rows those that wait and that the accepted ones of a batch's only sequence continue.
__device__ int rows_to_continue(const Accept& work, const Paths& paths) {
    const RowsView& uncommitted = work.uncommitted_rows;
    const int waiting = uncommitted.active();
    const bool behind = uncommitted.active_segments() == 1 &&
                        uncommitted.segments[0].first + waiting == work.nodes.segments[0].first &&
                        waiting + paths.begins[1] <= min(HYDRA_MAX_NODES, uncommitted.max_rows);
    return behind ? waiting : 0;
}

// Makes the accepted rows chains that wait, behind `waiting` rows that wait already and are the first chain's.
__device__ void set_uncommitted(const Accept& work, int trees, const Paths& paths, int waiting) {
    const RowsView& uncommitted = work.uncommitted_rows;
    for (int s = static_cast<int>(threadIdx.x); s < trees; s += THREADS) {
        const Segment& segment = work.nodes.segments[s];
        const int32_t begin = paths.begins[s], end = paths.begins[s + 1] + waiting;
        uncommitted.segments[s] = {segment.sequence, s, begin, end - begin, segment.first - waiting};
        uncommitted.last_rows[s] = end - 1;
    }
    if (threadIdx.x == 0) {
        uncommitted.set_count(paths.begins[trees] + waiting);
        uncommitted.state->segments = uncommitted.state->sequences = trees;
    }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < waiting; i += THREADS) uncommitted.set_chain_row(0, i);
    each_accepted(work, paths, static_cast<int>(threadIdx.x), THREADS,
                  [&](int, int s, int, int place) { uncommitted.set_chain_row(s, waiting + place); });
}

// By the first block alone.
__device__ void finish_step(const Accept& work, int trees, const Paths& paths) {
    const RowsView& nodes = work.nodes;
    for (int s = static_cast<int>(threadIdx.x); s < nodes.batch_size; s += THREADS) {
        nodes.batch[s].result.nodes = 0;
        nodes.batch[s].result.emitted = 0;
    }
    if (trees == 0) return;
    const bool uncommitted = work.uncommitted_rows.state != nullptr;
    const int waiting = uncommitted && work.append ? rows_to_continue(work, paths) : 0;
    __syncthreads();  // all have read the uncommitted rows, and no result is cleared any more
    for (int s = static_cast<int>(threadIdx.x); s < trees; s += THREADS) {
        const Segment& segment = nodes.segments[s];
        hydra_step_result& result = nodes.batch[segment.sequence].result;
        result.nodes = min(work.tree->nodes, segment.count);
        result.emitted = paths.begins[s + 1] - paths.begins[s];
        result.length = segment.first + result.emitted;
        result.root = work.best.ids[(segment.row + paths.last[s]) * work.best.k];
    }
    each_accepted(work, paths, static_cast<int>(threadIdx.x), THREADS, [&](int row, int s, int i, int place) {
        hydra_step_result& result = nodes.batch[nodes.segments[s].sequence].result;
        result.path[place] = i;
        result.tokens[place] = nodes.tokens[row];
    });
    if (uncommitted) set_uncommitted(work, trees, paths, waiting);
    if (uncommitted && work.append) copy_hidden(work, paths, waiting, 0, 1);
}

// A warp takes one side of one head and layer along a whole path, a lane its words: in ascending order none is
// overwritten before it is read, as a node never stands before its place on the path.
__device__ void move_kv(const Accept& work, int trees, const Paths& paths) {
    const KvView& kv = work.pool;
    const int64_t parts = int64_t{2} * kv.layers * kv.kv_heads, movers = static_cast<int64_t>(gridDim.x - 1) * WARPS;
    const int words = kv.head_size * kv_value_bytes(kv.type) / 4;
    for (int64_t i = static_cast<int64_t>(blockIdx.x - 1) * WARPS + warp_index(); i < trees * parts; i += movers) {
        const auto s = static_cast<int>(i / parts), part = static_cast<int>(i % parts);
        const int32_t head = part / 2 % kv.kv_heads, layer = part / 2 / kv.kv_heads;
        const Segment& segment = work.nodes.segments[s];
        const int32_t* pages = work.nodes.pages_of(segment.sequence);
        uint64_t rest = work.tree->ancestors[paths.last[s]];
        for (int place = 0; rest != 0; ++place, rest &= rest - 1) {
            const int node = __ffsll(static_cast<long long>(rest)) - 1;
            if (node == place) continue;
            const auto row = [&](int32_t at) {
                return reinterpret_cast<uint32_t*>(kv_row(kv, pages, layer, head, part % 2, segment.first + at));
            };
            const uint32_t* source = row(node);
            uint32_t* target = row(place);
            for (int word = lane_index(); word < words; word += WARP) target[word] = source[word];
        }
    }
}

__global__ void __launch_bounds__(THREADS, 1) accept_kernel(Accept work) {
    const int trees = work.nodes.active_trees();
    Paths& paths = shared_memory<Paths>();
    find_paths(work, trees, paths);
    if (blockIdx.x == 0) return finish_step(work, trees, paths);
    if (trees == 0) return;
    move_kv(work, trees, paths);
    // Where they are appended the first block does it, as it alone knows behind which rows.
    if (work.uncommitted_rows.state != nullptr && !work.append) {
        copy_hidden(work, paths, 0, static_cast<int>(blockIdx.x) - 1, static_cast<int>(gridDim.x) - 1);
    }
}

// By the first block alone.
__device__ void finish_pass(const Advance& work) {
    const RowsView &rows = work.rows, &uncommitted = work.uncommitted_rows;
    const int count = rows.active(), segments = rows.active_segments();
    const auto first = static_cast<int>(threadIdx.x);
    for (int s = first; s < segments; s += THREADS) {
        const Segment& segment = rows.segments[s];
        if (uncommitted.state != nullptr) uncommitted.segments[s] = segment;
        if (!rows.ends_sequence(s)) continue;
        const int32_t last = rows.last_rows[segment.order];
        if (uncommitted.state != nullptr) uncommitted.last_rows[segment.order] = last;
        hydra_step_result& result = rows.batch[segment.sequence].result;
        result.nodes = last - (segment.order > 0 ? rows.last_rows[segment.order - 1] : -1);
        result.emitted = 0;
        result.length = segment.first + segment.count;
        result.root = work.best.ids != nullptr ? work.best.ids[segment.order * work.best.k] : -1;
    }
    if (uncommitted.state == nullptr) return;
    if (first == 0) {
        uncommitted.set_count(count);
        uncommitted.state->segments = segments;
        uncommitted.state->sequences = rows.active_sequences();
    }
    __syncthreads();
    for (int row = first; row < count; row += THREADS) {
        const int s = rows.segment_of[row];
        uncommitted.set_chain_row(s, row - rows.segments[s].row);
    }
}

// The first block sets the state, all of them copy the hidden states.
__global__ void __launch_bounds__(THREADS) advance_kernel(Advance work) {
    const int count = work.rows.placed();
    if (count == 0) return;
    if (work.uncommitted_rows.state != nullptr) {
        const int64_t stride = int64_t{gridDim.x} * THREADS;
        for (int64_t i = int64_t{blockIdx.x} * THREADS + threadIdx.x; i < count * work.width; i += stride) {
            work.uncommitted[i] = work.hidden[i];
        }
    }
    if (blockIdx.x == 0) finish_pass(work);
}

// Blocks for `items` items, `each` a block.
unsigned blocks_for(int64_t items, int64_t each) {
    return static_cast<unsigned>(std::clamp<int64_t>((items + each - 1) / each, 1, MOST_BLOCKS));
}

}  // namespace

hydra_status accept(Stream* stream, const Accept* arguments) {
    const KvView& kv = arguments->pool;
    const RowsView& nodes = arguments->nodes;
    const int64_t trees = std::min(nodes.batch_size, nodes.max_rows);
    const unsigned movers = blocks_for(trees * 2 * kv.layers * kv.kv_heads, WARPS);
    return launch(stream, "accept_kernel", accept_kernel, movers + 1, THREADS, sizeof(Paths), *arguments);
}

hydra_status advance(Stream* stream, const Advance* arguments) {
    return launch(stream, "advance_kernel", advance_kernel,
                  blocks_for(arguments->rows.max_rows * arguments->width, THREADS), THREADS, 0, *arguments);
}

}  // namespace hydra::cuda
