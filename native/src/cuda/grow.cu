// Adds a level of candidates to trees that grow, and keeps the nodes that are likeliest to be right. One launch finds
// the best nodes of each tree, a second one shares the budget out, makes the trees of them and places their rows.
#include <math.h>

#include "cuda/pass.cuh"
#include "cuda/runtime.cuh"
#include "program/growth.h"
#include "program/half.h"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

// A block a tree: a candidate's place is the number of better ones.
__global__ void __launch_bounds__(THREADS) choose_kernel(Grow work) {
    begin_in_turn();
    const RowsView& rows = work.rows;
    const Level at{{work.tree.data, rows, work.level}};
    const int trees = rows.active_trees(), s = static_cast<int>(blockIdx.x);
    const auto thread = static_cast<int>(threadIdx.x);
    if (s >= trees || at.tree(s).grows < 0) return;
    Candidate* candidates = &shared_memory<Candidate>();
    const Segment segment = rows.segments[s];
    const TreeData& tree = at.tree(s);
    const Growth& growth = work.tree.growth[segment.sequence];
    const bool of_parents = work.group < 0, proposed = work.top.ids != nullptr;
    const auto rows_of = [&](int other) { return of_parents ? at.parents(other) : at.guesses(other); };
    const int before = rows_before(s, rows_of), all = of_parents ? 0 : rows_before(trees, rows_of);
    const int64_t first = int64_t{before + (of_parents ? 0 : work.group * all)} * work.top.k;
    const int32_t count = tree.nodes_of(segment.count);
    const int32_t guess = guess_below(tree, count, work.level);
    const Proposals proposals{tree,
                              work.tree.grown[segment.sequence],
                              rows.tokens + segment.row,
                              count,
                              work.level,
                              proposed ? at.parents(s) : 0,
                              work.top.ids + first,
                              work.top.values + first,
                              proposed ? work.top.k : 1,
                              of_parents ? work.top.k : 0,
                              segment.first,
                              rows.state->position_limit,
                              growth.least,
                              guess};
    const float opinion = guess >= 0 ? proposals.second_opinion() : 1;
    const int32_t offered = proposals.candidates();
    for (int32_t i = thread; i < offered; i += THREADS) candidates[i] = proposals.candidate(i, opinion);
    __syncthreads();
    int32_t most = growth.nodes;
    while (!rows.has_pages(segment.sequence, segment.first, most)) --most;
    Sprouts& sprouts = work.tree.sprouts[segment.sequence];
    for (int32_t i = thread; i < offered; i += THREADS) {
        const Candidate own = candidates[i];
        int32_t place = 0, found = 0;
        for (int32_t j = 0; j < offered; ++j) {
            place += is_better(candidates[j], own, j < i);
            found += candidates[j].score > -INFINITY;
        }
        if (i == 0) sprouts.count = min(found, most);
        if (own.score > -INFINITY && place < most) put(sprouts, place, own);
    }
}

struct Sharing {
    int32_t sums[THREADS / WARP];
    Expansion rows;
};

// The sum over the block, and in `before` that over the threads before this one.
__device__ int block_sum(int value, Sharing& shared, int& before) {
    const int end = inclusive_sum(value);
    __syncthreads();
    if (lane_index() == WARP - 1) shared.sums[warp_index()] = end;
    __syncthreads();
    int sum = 0;
    before = end - value;
    for (int w = 0; w < THREADS / WARP; ++w) {
        if (w < warp_index()) before += shared.sums[w];
        sum += shared.sums[w];
    }
    return sum;
}

// Scores are zero or less: the smaller, the better.
__device__ __forceinline__ uint32_t key_of(float score) { return bits_of_float(-score); }

// Sprouts of a tree below its root, best first, whose keys are below one.
__device__ int below(const Sprouts& sprouts, uint64_t key) {
    int low = 1, high = sprouts.count;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (key_of(sprouts.scores[middle]) < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low - 1;
}

// Leaves all trees together the best sprouts that the budget allows, the first trees' among equals. A thread a tree.
__device__ void share_budget(const Grow& work, Sharing& shared) {
    const RowsView& rows = work.rows;
    const auto s = static_cast<int>(threadIdx.x);
    const int sequence = s < rows.active_trees() ? rows.segments[s].sequence : -1;
    const bool grows = sequence >= 0 && work.tree.data[sequence].grows >= 0;
    Sprouts& sprouts = work.tree.sprouts[grows ? sequence : 0];
    const int budget = *work.tree.budget;
    int before = 0;
    if (block_sum(grows ? sprouts.count - 1 : 0, shared, before) <= budget) return;
    // The smallest key up to which there are more than enough.
    uint32_t low = 0, high = 0x7fffffff;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const int found = block_sum(grows ? below(sprouts, uint64_t{middle} + 1) : 0, shared, before);
        if (found > budget) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    const int better = grows ? below(sprouts, low) : 0;
    const int equal = grows ? below(sprouts, uint64_t{low} + 1) - better : 0;
    const int left = budget - block_sum(better, shared, before);
    block_sum(equal, shared, before);
    if (grows) sprouts.count = 1 + better + min(equal, max(0, left - before));
}

// One block, for the trees of all sequences.
__global__ void __launch_bounds__(THREADS) grow_kernel(Grow work) {
    begin_in_turn();
    static_assert(THREADS == HYDRA_MAX_SEQUENCES);
    Sharing& shared = shared_memory<Sharing>();
    const RowsView& rows = work.rows;
    const int trees = rows.active_trees();
    share_budget(work, shared);
    __syncthreads();
    for (int s = warp_index(); s < trees; s += THREADS / WARP) {
        const int sequence = rows.segments[s].sequence;
        TreeData& tree = work.tree.data[sequence];
        if (tree.grows < 0) continue;
        const Sprouts& sprouts = work.tree.sprouts[sequence];
        build(tree, work.tree.grown[sequence], sprouts, sprouts.count, work.tree.growth[sequence], work.level,
              lane_index(), WARP, [] { __syncwarp(); });
    }
    __syncthreads();
    if (trees > 0) place_rows(work.tree, work.prompts, rows, shared.rows);
}

}  // namespace

hydra_status grow(Stream* stream, const Grow* arguments) {
    const int64_t candidates = HYDRA_MAX_NODES * int64_t{1 + (arguments->top.ids != nullptr ? arguments->top.k : 0)};
    const hydra_status chosen =
        launch(stream, "choose_kernel", choose_kernel, static_cast<unsigned>(arguments->rows.most_sequences()), THREADS,
               static_cast<size_t>(candidates) * sizeof(Candidate), *arguments);
    if (chosen != HYDRA_OK) return chosen;
    return launch(stream, "grow_kernel", grow_kernel, 1, THREADS, sizeof(Sharing), *arguments);
}

}  // namespace hydra::cuda
