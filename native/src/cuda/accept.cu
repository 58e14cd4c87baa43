// Acceptance: the longest path of the tree that the base model agrees with, and the end of a prompt chunk.
//
// One launch: every block finds the path for itself, from what no block changes. The first one then writes the
// sequence's result and the pending rows and copies their hidden states; the others move keys and values.
#include <algorithm>

#include "cuda/kv.cuh"
#include "cuda/rows.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 512, WARPS = THREADS / WARP;
constexpr int64_t MOST_BLOCKS = 256;

struct Path {
    int32_t nodes[HYDRA_MAX_ROWS];
    unsigned right[2];  // bit of each node whose token is its parent's best
    int32_t count;
};

// The longest path of right nodes, the first in node order among equals. All threads of the block take part.
__device__ void find_path(const Accept& work, int nodes, Path& path) {
    const TreeData& tree = *work.tree;
    const int32_t* tokens = work.nodes.rows->tokens;
    const int i = static_cast<int>(threadIdx.x);
    if (i < HYDRA_MAX_ROWS) {
        const bool right = i == 0 || (i < nodes && tokens[i] == work.best.ids[int64_t{tree.parents[i]} * work.best.k]);
        const unsigned bits = __ballot_sync(ALL_LANES, right);
        if (lane_index() == 0) path.right[warp_index()] = bits;
    }
    __syncthreads();
    if (i == 0) {
        const uint64_t right = uint64_t{path.right[1]} << 32 | path.right[0];
        int deepest = 0;
        for (int node = 1; node < nodes; ++node) {
            if ((tree.ancestors[node] & ~right) == 0 && tree.depths[node] > tree.depths[deepest]) deepest = node;
        }
        path.count = tree.depths[deepest] + 1;
        for (int place = path.count - 1, node = deepest; place >= 0; --place, node = tree.parents[node]) {
            path.nodes[place] = node;
        }
    }
    __syncthreads();
}

// Makes `count` rows behind position `first` wait, behind `begin` rows that wait already. One thread.
__device__ void set_pending(const RowsView& view, int32_t first, int32_t begin, int32_t count) {
    RowsState& pending = *view.rows;
    pending.count = begin + count;
    pending.first = first - begin;
    pending.generation = view.sequence->generation;
    for (int i = 0; i < begin + count; ++i) {
        pending.positions[i] = pending.first + i;
        pending.ancestors[i] = chain_ancestors(i);
    }
}

// By the first block alone.
__device__ void finish_step(const Accept& work, int nodes, const Path& path) {
    const RowsState& rows = *work.nodes.rows;
    const int count = path.count;
    int begin = 0;
    if (work.pending_rows.rows != nullptr) {
        const int waiting = work.append ? active_rows(work.pending_rows) : 0;
        const bool behind =
            waiting > 0 && work.pending_rows.rows->first + waiting == rows.first && waiting + count <= HYDRA_MAX_ROWS;
        begin = behind ? waiting : 0;
        __syncthreads();  // all have read the pending rows
        for (int64_t i = threadIdx.x; i < count * work.width; i += THREADS) {
            work.pending[begin * work.width + i] =
                work.hidden[path.nodes[i / work.width] * work.width + i % work.width];
        }
    }
    hydra_step_result& result = work.nodes.sequence->result;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += THREADS) {
        result.path[i] = path.nodes[i];
        result.tokens[i] = rows.tokens[path.nodes[i]];
    }
    if (threadIdx.x != 0) return;
    if (work.pending_rows.rows != nullptr) set_pending(work.pending_rows, rows.first, begin, count);
    result.nodes = nodes;
    result.emitted = count;
    result.length = rows.first + count;
    result.root = work.best.ids[int64_t{path.nodes[count - 1]} * work.best.k];
}

// A warp takes one side of one head and layer along the whole path, a lane its words: in ascending order none is
// overwritten before it is read, as a node never stands before its place on the path.
__device__ void move_kv(const Accept& work, const Path& path) {
    const KvView& kv = work.kv;
    const int32_t first = work.nodes.rows->first, parts = 2 * kv.layers * kv.kv_heads;
    const int words = kv.head_size * kv_value_bytes(kv.type) / 4;
    const auto movers = static_cast<int32_t>(gridDim.x - 1) * WARPS;
    for (int32_t part = static_cast<int32_t>(blockIdx.x - 1) * WARPS + warp_index(); part < parts; part += movers) {
        const int32_t head = part / 2 % kv.kv_heads, layer = part / 2 / kv.kv_heads;
        for (int place = 1; place < path.count; ++place) {
            if (path.nodes[place] == place) continue;
            const auto row = [&](int32_t node) {
                return reinterpret_cast<uint32_t*>(kv_row(kv, work.nodes.pages, layer, head, part % 2, first + node));
            };
            const uint32_t* source = row(path.nodes[place]);
            uint32_t* target = row(place);
            for (int i = lane_index(); i < words; i += WARP) target[i] = source[i];
        }
    }
}

__global__ void __launch_bounds__(THREADS, 1) accept_kernel(Accept work) {
    // The tree may have been set again since its nodes were planted.
    const int nodes = min(work.tree->nodes, active_rows(work.nodes));
    if (nodes == 0) return;
    Path& path = shared_memory<Path>();
    find_path(work, nodes, path);
    if (blockIdx.x == 0) {
        finish_step(work, nodes, path);
    } else {
        move_kv(work, path);
    }
}

// The first block sets the state, all of them copy the hidden states.
__global__ void __launch_bounds__(THREADS) advance_kernel(Advance work) {
    const int count = active_rows(work.rows);
    if (count == 0) return;
    if (work.pending_rows.rows != nullptr) {
        const int64_t stride = int64_t{gridDim.x} * THREADS;
        for (int64_t i = int64_t{blockIdx.x} * THREADS + threadIdx.x; i < count * work.width; i += stride) {
            work.pending[i] = work.hidden[i];
        }
    }
    if (blockIdx.x != 0 || threadIdx.x != 0) return;
    const RowsState& rows = *work.rows.rows;
    if (work.pending_rows.rows != nullptr) set_pending(work.pending_rows, rows.first, 0, count);
    hydra_step_result& result = work.rows.sequence->result;
    result.nodes = count;
    result.emitted = 0;
    result.length = rows.first + count;
    result.root = work.best.ids != nullptr ? work.best.ids[0] : -1;
}

// Blocks for `items` items, `each` a block.
unsigned blocks_for(int64_t items, int64_t each) {
    return static_cast<unsigned>(std::clamp<int64_t>((items + each - 1) / each, 1, MOST_BLOCKS));
}

}  // namespace

hydra_status accept(Stream* stream, const Accept* arguments) {
    const KvView& kv = arguments->kv;
    const unsigned movers = blocks_for(int64_t{2} * kv.layers * kv.kv_heads, WARPS);
    return launch(stream, "accept_kernel", accept_kernel, movers + 1, THREADS, sizeof(Path), *arguments);
}

hydra_status advance(Stream* stream, const Advance* arguments) {
    return launch(stream, "advance_kernel", advance_kernel, blocks_for(HYDRA_MAX_ROWS * arguments->width, THREADS),
                  THREADS, 0, *arguments);
}

}  // namespace hydra::cuda
