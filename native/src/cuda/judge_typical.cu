// The path of each tree that is likely enough by the base model: typical acceptance.
//
// Two launches: a block a row of logits finds what its node's children are worth, a warp a tree then takes a path.
#include <float.h>

#include <algorithm>

#include "cuda/rows.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256, WARPS = THREADS / WARP;

struct Work {
    const TreeData* trees;
    RowsView rows;
    const float* logits;
    int32_t logit_rows;
    int64_t vocabulary;
    float inverse_temperature, log_epsilon, log_alpha;
    float* likelihoods;  // [rows]: log p of right nodes, -infinity of wrong ones
};

struct Warps {
    float values[WARPS];
};

// The largest of the block's threads.
__device__ float block_max(float value, float* warps) {
    value = warp_max(value);
    __syncthreads();
    if (lane_index() == 0) warps[warp_index()] = value;
    __syncthreads();
    float largest = warps[0];
    for (int w = 1; w < WARPS; ++w) largest = fmaxf(largest, warps[w]);
    return largest;
}

__global__ void __launch_bounds__(THREADS) judge_children_kernel(Work work) {
    begin_in_turn();
    const int row = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
    if (work.rows.active_trees() == 0 || row >= work.rows.tree_rows()) return;
    const Segment& segment = work.rows.segment_of_row(row);
    const TreeData& tree = work.trees[segment.sequence];
    const int parent = row - segment.row, nodes = tree.nodes_of(segment.count);
    bool has_children = false;
    for (int i = parent + 1; i < nodes; ++i) has_children = has_children || tree.parents[i] == parent;
    if (!has_children) return;
    const float* x = work.logits + row * work.vocabulary;
    float* warps = shared_memory<Warps>().values;
    float best = -FLT_MAX, faults = 0;
    for (int64_t v = thread; v < work.vocabulary; v += THREADS) {
        best = fmaxf(best, x[v]);
        faults = fmaf(x[v], 0.0f, faults);  // NaN where a value is not finite
    }
    best = block_max(best, warps);
    const auto weight = [&](int64_t v) { return expf((x[v] - best) * work.inverse_temperature); };
    float weights = 0;
    for (int64_t v = thread; v < work.vocabulary; v += THREADS) weights += weight(v);
    weights = block_sum(weights, warps);
    float entropy = 0;
    for (int64_t v = thread; v < work.vocabulary; v += THREADS) {
        const float p = weight(v) / weights;
        entropy -= p * logf(p + 1e-5f);
    }
    entropy = block_sum(entropy, warps);
    const float log_sum = logf(weights) + block_sum(faults, warps);
    const float threshold = fminf(work.log_epsilon, work.log_alpha - entropy);
    const int i = parent + 1 + thread;
    if (i >= nodes || tree.parents[i] != parent) return;
    const int32_t token = work.rows.tokens[segment.row + i];
    float likelihood = -INFINITY;
    if (token >= 0 && token < work.vocabulary) likelihood = (x[token] - best) * work.inverse_temperature - log_sum;
    work.likelihoods[segment.row + i] = likelihood > threshold ? likelihood : -INFINITY;
}

// The sum over the nodes of a node's path, from the root on; -infinity where one of them is wrong.
__device__ float path_likelihood(const Work& work, const TreeData& tree, const Segment& segment, int node) {
    if (node > 0 && segment.row + tree.parents[node] >= work.logit_rows) return -INFINITY;
    float sum = 0;
    for (uint64_t rest = tree.ancestors[node] & ~uint64_t{1}; rest != 0; rest &= rest - 1) {
        sum += work.likelihoods[segment.row + __ffsll(static_cast<long long>(rest)) - 1];
    }
    return sum;
}

// A warp takes a tree, a lane two of its nodes.
__global__ void __launch_bounds__(THREADS) judge_paths_kernel(Work work) {
    begin_in_turn();
    const int s = static_cast<int>(blockIdx.x) * WARPS + warp_index(), lane = lane_index();
    if (s >= work.rows.active_trees()) return;
    Segment& segment = work.rows.segments[s];
    const TreeData& tree = work.trees[segment.sequence];
    const int nodes = tree.nodes_of(segment.count);
    float sums[2];
    int depth = 0;
    for (int half = 0; half < 2; ++half) {
        const int i = half * WARP + lane;
        sums[half] = i < nodes ? path_likelihood(work, tree, segment, i) : -INFINITY;
        if (sums[half] > -INFINITY) depth = max(depth, tree.depths[i]);
    }
    depth = warp_max(depth);
    const auto is_deepest = [&](int half) {
        return sums[half] > -INFINITY && tree.depths[half * WARP + lane] == depth;
    };
    const float best = warp_max(fmaxf(is_deepest(0) ? sums[0] : -INFINITY, is_deepest(1) ? sums[1] : -INFINITY));
    int found = 0;  // so that the first one is the largest
    for (int half = 0; half < 2; ++half) {
        if (is_deepest(half) && sums[half] == best) found = max(found, HYDRA_MAX_NODES - 1 - half * WARP - lane);
    }
    found = HYDRA_MAX_NODES - 1 - warp_max(found);
    if (lane == 0) segment.accepted = tree.ancestors[found];
}

}  // namespace

int64_t typical_workspace_bytes(int32_t max_rows) { return int64_t{max_rows} * 4; }

hydra_status judge_typical(Stream* stream, const JudgeTypical* arguments) {
    const RowsView& rows = arguments->rows;
    const Work work{arguments->tree,
                    rows,
                    arguments->logits,
                    arguments->logit_rows,
                    arguments->vocabulary,
                    std::min(1 / arguments->temperature, FLT_MAX),
                    logf(arguments->epsilon),
                    logf(arguments->alpha),
                    static_cast<float*>(arguments->workspace) + WORKSPACE_ZEROS / 4};
    const auto parents = static_cast<unsigned>(std::min(rows.max_rows, arguments->logit_rows));
    const hydra_status status =
        launch(stream, "judge_children_kernel", judge_children_kernel, parents, THREADS, sizeof(Warps), work);
    if (status != HYDRA_OK) return status;
    const int32_t trees = rows.most_sequences();
    return launch(stream, "judge_paths_kernel", judge_paths_kernel, static_cast<unsigned>((trees + WARPS - 1) / WARPS),
                  THREADS, 0, work);
}

}  // namespace hydra::cuda
