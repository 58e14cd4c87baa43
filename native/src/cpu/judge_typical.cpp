// The path of each tree that is likely enough by the base model: typical acceptance.
#include <algorithm>
#include <cfloat>
#include <cmath>

#include "cpu/program.h"
#include "program/buffer.h"
#include "program/sequence.h"

namespace hydra {

namespace {

struct JudgeTypicalTask : Task {
    const TreeData* trees;
    hydra_rows* rows;
    const float* logits;
    int32_t logit_rows;
    int64_t vocabulary;
    float inverse_temperature, log_epsilon, log_alpha;
    std::unique_ptr<float[]> likelihoods;  // [rows]: log p of right nodes, -infinity of wrong ones

    bool changes_rows() const override { return true; }

    // Threads take turns at the nodes that have children.
    void run(const Worker& worker) override {
        const RowsView& view = rows->view;
        int turn = 0;
        for (int s = 0; s < view.active_trees(); ++s) {
            const Segment& segment = view.segments[s];
            const TreeData& tree = trees[segment.sequence];
            uint64_t parents = 0;
            for (int i = 1; i < tree.nodes_of(segment.count); ++i) parents |= uint64_t{1} << tree.parents[i];
            for (; parents != 0; parents &= parents - 1) {
                if (turn++ % worker.threads == worker.thread) {
                    judge_children(worker.kernels(), tree, segment, __builtin_ctzll(parents));
                }
            }
        }
        worker.barrier();
        if (worker.thread > 0) return;
        for (int s = 0; s < view.active_trees(); ++s) mark(view.segments[s]);
    }

    void judge_children(const Kernels& kernels, const TreeData& tree, const Segment& segment, int parent) const {
        const int32_t* tokens = rows->view.tokens + segment.row;
        const int row = segment.row + parent;
        const float* own = logits + row * vocabulary;
        Distribution p{};
        if (row < logit_rows) p = kernels.distribution(own, vocabulary, inverse_temperature);
        const float threshold = std::min(log_epsilon, log_alpha - p.entropy);
        for (int i = parent + 1; i < tree.nodes_of(segment.count); ++i) {
            if (tree.parents[i] != parent) continue;
            float likelihood = -INFINITY;
            if (row < logit_rows && tokens[i] >= 0 && tokens[i] < vocabulary) {
                likelihood = (own[tokens[i]] - p.best) * inverse_temperature - p.log_sum;
            }
            likelihoods[segment.row + i] = likelihood > threshold ? likelihood : -INFINITY;
        }
    }

    void mark(Segment& segment) const {
        const TreeData& tree = trees[segment.sequence];
        float sums[HYDRA_MAX_NODES] = {0};  // over the nodes of each path
        int best = 0;
        for (int i = 1; i < tree.nodes_of(segment.count); ++i) {
            sums[i] = sums[tree.parents[i]] + likelihoods[segment.row + i];
            const int deeper = tree.depths[i] - tree.depths[best];
            if (sums[i] > -INFINITY && (deeper > 0 || (deeper == 0 && sums[i] > sums[best]))) best = i;
        }
        segment.accepted = tree.ancestors[best];
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const JudgeTypical& operation, CpuProgram&) {
    auto task = std::make_unique<JudgeTypicalTask>();
    task->trees = operation.tree->data;
    task->rows = operation.rows;
    task->logits = operation.logits->floats();
    task->logit_rows = operation.logit_rows;
    task->vocabulary = operation.vocabulary;
    task->inverse_temperature = std::min(1 / operation.temperature, FLT_MAX);
    task->log_epsilon = std::log(operation.epsilon);
    task->log_alpha = std::log(operation.alpha);
    task->likelihoods.reset(new float[operation.rows->max_rows]);
    return task;
}

}  // namespace hydra
