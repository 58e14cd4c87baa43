// The end of a pass: what is accepted becomes part of its sequence.
//
// One launch: every block learns for itself what is accepted (where the judge just before it was recorded has no launch
// of its own, by judging), from what no block changes. The first one then writes the sequences' results and the
// uncommitted rows; the others move keys and values and copy hidden states.
#include <algorithm>

#include "cuda/judge.cuh"
#include "cuda/kv.cuh"
#include "cuda/notes.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 512, WARPS = THREADS / WARP;
constexpr int64_t MOST_BLOCKS = 256;
constexpr int MOST_SEGMENTS = HYDRA_MAX_SEQUENCES + HYDRA_MAX_ROWS / HYDRA_MAX_NODES;

// Of each segment the accepted rows, and the number of those before it.
struct Accepted {
    uint64_t rows[MOST_SEGMENTS];
    int32_t begins[MOST_SEGMENTS + 1];
};

// All threads of the block take part.
__device__ void find_accepted(const Commit& work, bool judges, int segments, Accepted& accepted) {
    const int trees = judges ? work.rows.active_trees() : 0;
    for (int s = warp_index(); s < segments; s += WARPS) {
        const Segment& segment = work.rows.segments[s];
        const uint64_t rows = s < trees ? accepted_path(work.tree[segment.sequence], work.rows, segment, work.selection)
                                        : segment.accepted;
        if (lane_index() == 0) accepted.rows[s] = rows;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        accepted.begins[0] = 0;
        for (int s = 0; s < segments; ++s) accepted.begins[s + 1] = accepted.begins[s] + __popcll(accepted.rows[s]);
    }
    __syncthreads();
}

// Calls take(row, segment, i, place) for those rows of the pass from `first` on, `step` apart, that are accepted: row i
// of the segment comes to that place among its accepted ones.
template <class Take>
__device__ __forceinline__ void each_accepted(const Commit& work, const Accepted& accepted, int first, int step,
                                              Take&& take) {
    for (int row = first; row < work.rows.active(); row += step) {
        const int s = work.rows.segment_of[row], i = row - work.rows.segments[s].row;
        const uint64_t rows = accepted.rows[s];
        if ((rows >> i & 1) != 0) take(row, s, i, __popcll(rows & ((uint64_t{1} << i) - 1)));
    }
}

// Copies hidden states to the uncommitted rows, after `waiting` of them; a block takes rows worker, worker + workers,
// ...
__device__ void copy_hidden(const Commit& work, const Accepted& accepted, int waiting, int worker, int workers) {
    each_accepted(work, accepted, worker, workers, [&](int row, int s, int, int place) {
        const float* source = work.hidden + row * work.width;
        float* target = work.uncommitted + (waiting + accepted.begins[s] + place) * work.width;
        for (int64_t c = threadIdx.x; c < work.width; c += THREADS) target[c] = source[c];
    });
}

// Of the uncommitted rows those that the accepted ones of a batch's only sequence continue.
__device__ int rows_to_continue(const Commit& work, const Accepted& accepted, int segments) {
    const RowsView& uncommitted = work.uncommitted_rows;
    const int waiting = uncommitted.active();
    const bool continues = uncommitted.active_segments() == 1 &&
                           uncommitted.segments[0].first + waiting == work.rows.segments[0].first &&
                           waiting + accepted.begins[segments] <= min(HYDRA_MAX_NODES, uncommitted.capacity);
    return continues ? waiting : 0;
}

// Makes the accepted rows chains that are uncommitted, after `waiting` rows that are already and are the first chain's.
__device__ void set_uncommitted(const Commit& work, int segments, const Accepted& accepted, int waiting) {
    const RowsView& uncommitted = work.uncommitted_rows;
    for (int s = static_cast<int>(threadIdx.x); s < segments; s += THREADS) {
        const Segment& segment = work.rows.segments[s];
        const int32_t before = s == 0 ? waiting : 0;
        const int32_t begin = accepted.begins[s] + waiting - before, end = accepted.begins[s + 1] + waiting;
        uncommitted.segments[s] = {segment.sequence,       segment.order, begin, end - begin, segment.first - before, 1,
                                   first_rows(end - begin)};
        if (work.rows.ends_sequence(s)) uncommitted.last_rows[segment.order] = end - 1;
    }
    if (threadIdx.x == 0) {
        uncommitted.set_count(accepted.begins[segments] + waiting);
        uncommitted.state->segments = segments;
        uncommitted.state->sequences = work.rows.active_sequences();
    }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < waiting; i += THREADS) uncommitted.set_chain_row(0, i);
    each_accepted(work, accepted, static_cast<int>(threadIdx.x), THREADS, [&](int row, int s, int, int place) {
        uncommitted.set_chain_row(s, (s == 0 ? waiting : 0) + place);
        uncommitted.tokens[waiting + accepted.begins[s] + place] = work.rows.tokens[row];
    });
}

// The result of the sequence whose last segment this is.
__device__ void set_result(const Commit& work, int last_segment, const Accepted& accepted) {
    const RowsView& rows = work.rows;
    const Segment& last = rows.segments[last_segment];
    int first_segment = last_segment;
    while (first_segment > 0 && rows.segments[first_segment - 1].order == last.order) --first_segment;
    const Segment& first = rows.segments[first_segment];
    const int count = accepted.begins[last_segment + 1] - accepted.begins[first_segment];
    const bool is_tree = last_segment < rows.state->trees;
    int32_t selected = is_tree ? 0 : rows.selection_of_chain(last);
    if (is_tree) {
        for (uint64_t rest = accepted.rows[last_segment]; rest != 0; rest &= rest - 1) {
            selected = last.row + __ffsll(static_cast<long long>(rest)) - 1;
        }
    }
    hydra_step_result& result = rows.batch[last.sequence].result;
    result.nodes = last.row + last.count - first.row;
    result.emitted = is_tree ? count : 0;
    result.length = first.first + count;
    result.root = work.selection != nullptr && last.sets_root != 0 ? work.selection[selected] : -1;
}

// Accepted tokens become part of the history: of a chain at their own positions, of a tree at those that they move to.
__device__ void keep_history(const Commit& work, const Accepted& accepted) {
    const RowsView& rows = work.rows;
    each_accepted(work, accepted, static_cast<int>(threadIdx.x), THREADS, [&](int row, int s, int, int place) {
        const Segment& segment = rows.segments[s];
        work.sampling.keep(segment.sequence, segment.first + place, rows.tokens[row], s < rows.state->trees);
    });
}

// Whether the uncommitted rows have room for what is accepted.
__device__ bool leaves_rows(const Commit& work, int segments, const Accepted& accepted) {
    return work.uncommitted_rows.state != nullptr && accepted.begins[segments] <= work.uncommitted_rows.capacity;
}

// Brings the host all results, a warp a sequence.
__device__ void tell_results(const Commit& work) {
    if (work.notes.results == nullptr) return;
    const int64_t number = *work.notes.told;
    hydra_step_result* results = work.notes.results + number % TOLD_RUNS * work.rows.batch_size;
    __syncthreads();
    if (threadIdx.x == 0) *work.notes.told = number + 1;
    for (int s = warp_index(); s < work.rows.batch_size; s += WARPS) {
        const hydra_step_result& from = work.rows.batch[s].result;
        hydra_step_result& to = results[s];
        if (lane_index() == 0) {
            to.length = from.length;
            to.root = from.root;
            to.nodes = from.nodes;
            to.emitted = from.emitted;
        }
        for (int i = lane_index(); i < from.emitted; i += WARP) {
            to.tokens[i] = from.tokens[i];
            to.path[i] = from.path[i];
        }
    }
}

// By the first block alone.
__device__ void finish_pass(const Commit& work, bool judges, int segments, const Accepted& accepted) {
    const RowsView& rows = work.rows;
    const int trees = rows.active_trees();
    for (int s = static_cast<int>(threadIdx.x); s < rows.batch_size; s += THREADS) {
        rows.batch[s].result.nodes = 0;
        rows.batch[s].result.emitted = 0;
    }
    if (segments == 0) return;
    const bool leaves = leaves_rows(work, segments, accepted);
    const int waiting = leaves && work.append ? rows_to_continue(work, accepted, segments) : 0;
    __syncthreads();  // all have read the uncommitted rows, and no result is cleared any more
    for (int s = static_cast<int>(threadIdx.x); s < segments; s += THREADS) {
        if (rows.ends_sequence(s)) set_result(work, s, accepted);
        // Of what is accepted already, other blocks may still be reading.
        if (judges && s < trees) rows.segments[s].accepted = accepted.rows[s];
    }
    each_accepted(work, accepted, static_cast<int>(threadIdx.x), THREADS, [&](int row, int s, int i, int place) {
        if (s >= trees) return;
        hydra_step_result& result = rows.batch[rows.segments[s].sequence].result;
        result.path[place] = i;
        result.tokens[place] = rows.tokens[row];
    });
    if (work.sampling.options != nullptr) keep_history(work, accepted);
    if (work.uncommitted_rows.state != nullptr && !leaves && threadIdx.x == 0) work.uncommitted_rows.set_count(0);
    if (leaves) set_uncommitted(work, segments, accepted, waiting);
    if (leaves && work.append) copy_hidden(work, accepted, waiting, 0, 1);
}

// A warp takes one side of one head and layer along a whole path, a lane its words: in ascending order none is
// overwritten before it is read, as a node never stands before its place on the path.
__device__ void move_kv(const Commit& work, int trees, const Accepted& accepted) {
    const KvView& kv = work.pool;
    const int64_t parts = int64_t{2} * kv.layers * kv.kv_heads, movers = static_cast<int64_t>(gridDim.x - 1) * WARPS;
    const int words = kv.head_size * kv_value_bytes(kv.type) / 4;
    for (int64_t i = static_cast<int64_t>(blockIdx.x - 1) * WARPS + warp_index(); i < trees * parts; i += movers) {
        const auto s = static_cast<int>(i / parts), part = static_cast<int>(i % parts);
        const int32_t head = part / 2 % kv.kv_heads, layer = part / 2 / kv.kv_heads;
        const Segment& segment = work.rows.segments[s];
        const int32_t* pages = work.rows.pages_of(segment.sequence);
        uint64_t rest = accepted.rows[s];
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

__global__ void __launch_bounds__(THREADS, 1) commit_kernel(Commit work, bool judges) {
    begin_in_turn();
    const int trees = work.rows.active_trees();
    // Without a cache, rows that are not chains alone are left as they are.
    const int segments = trees > 0 && work.pool.data == nullptr ? 0 : work.rows.active_segments();
    Accepted& accepted = shared_memory<Accepted>();
    tell_time(work.notes.begin);
    find_accepted(work, judges, segments, accepted);
    if (blockIdx.x == 0) {
        finish_pass(work, judges, segments, accepted);
        tell_results(work);
        tell_end(work.notes);
        return;
    }
    if (segments == 0) return;
    move_kv(work, trees, accepted);
    // Where they are appended the first block does it, as it alone knows after which rows.
    if (leaves_rows(work, segments, accepted) && !work.append) {
        copy_hidden(work, accepted, 0, static_cast<int>(blockIdx.x) - 1, static_cast<int>(gridDim.x) - 1);
    }
}

hydra_status launch_commit(Stream* stream, const Commit* arguments, bool judges) {
    const KvView& kv = arguments->pool;
    const RowsView& rows = arguments->rows;
    const int64_t trees = kv.data != nullptr ? rows.most_sequences() : 0;
    const int64_t movers = (trees * 2 * kv.layers * kv.kv_heads + WARPS - 1) / WARPS;
    const int64_t copiers = arguments->uncommitted_rows.state == nullptr ? 0 : rows.max_rows / (trees > 0 ? 8 : 1);
    const auto blocks = static_cast<unsigned>(std::clamp<int64_t>(std::max(movers, copiers), 1, MOST_BLOCKS));
    return launch(stream, "commit_kernel", commit_kernel, blocks + 1, THREADS, sizeof(Accepted), *arguments, judges);
}

}  // namespace

hydra_status commit(Stream* stream, const Commit* arguments) { return launch_commit(stream, arguments, false); }

hydra_status judge_and_commit(Stream* stream, const Commit* arguments) {
    return launch_commit(stream, arguments, true);
}

}  // namespace hydra::cuda
