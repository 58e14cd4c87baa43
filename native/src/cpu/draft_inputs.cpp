// Inputs of a level's draft head: states, and the embeddings of the tokens drafted so far.
#include <algorithm>
#include <cstring>

#include "cpu/embedding.h"
#include "cpu/levels.h"
#include "cpu/product.h"

namespace hydra {

namespace {

struct DraftInputsTask : Task {
    const TreeData* trees;
    int level;
    const hydra_rows* nodes;
    const float* states;
    int64_t width;
    const PackedMatrix* embedding;  // null: heads that are not grounded
    hydra_rows* level_rows;
    float* out;

    bool changes_rows() const override { return true; }

    void run(const Worker& worker) override {
        const Level at{{trees, nodes->view, level}};
        const bool grounded = embedding != nullptr;
        const int count = grounded ? at.all_parents() : at.deepest() > level ? at.all_guesses() : 0;
        if (worker.thread == 0) level_rows->view.set_count(count);
        const int64_t stride = grounded ? (level + 2) * width : width;
        const int64_t begin = worker.begin(count), end = worker.end(count);
        for (int64_t s = 0, row = 0; row < end; ++s) {
            const int64_t own = grounded ? at.parents(static_cast<int>(s)) : at.guesses(static_cast<int>(s));
            const Segment& segment = nodes->view.segments[s];
            const int32_t position = at.drafted_position(static_cast<int32_t>(s), level);
            for (int64_t r = std::max(begin, row); r < std::min(end, row + own); ++r) {
                gather(at, segment, static_cast<int>(r - row), out + r * stride);
                level_rows->view.set_level_row(static_cast<int32_t>(r), segment.sequence, position);
            }
            row += own;
        }
    }

    void gather(const Level& at, const Segment& segment, int index, float* row) const {
        std::memcpy(row, states + segment.sequence * width, sizeof(float) * width);
        if (embedding == nullptr) return;
        const TreeData& tree = at.trees[segment.sequence];
        int node = tree.level_node(level, index);
        for (int depth = level; depth >= 0; --depth, node = tree.parents[node]) {
            read_token(*embedding, nodes->view.token_of(segment, node), row + (depth + 1) * width);
        }
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const DraftInputs& operation, CpuProgram&) {
    auto task = std::make_unique<DraftInputsTask>();
    task->trees = operation.tree->data;
    task->level = operation.level;
    task->nodes = operation.nodes;
    task->states = operation.states->floats();
    task->width = operation.width;
    task->embedding = operation.embedding != nullptr ? &packed_of(operation.embedding) : nullptr;
    task->level_rows = operation.level_rows;
    task->out = operation.out->floats();
    return task;
}

}  // namespace hydra
