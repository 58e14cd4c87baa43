// The draft's side of the tree: planting it, gathering the inputs of a level's head, handing out a level's tokens.
#include <cstring>

#include "cpu/embedding.h"
#include "cpu/product.h"

namespace hydra {

namespace {

struct PlantTask : Task {
    const TreeData* tree;
    hydra_rows* rows;

    bool changes_rows() const override { return true; }

    void run(const Worker& worker) override {
        if (worker.thread != 0) return;
        // Where an operation before this one has moved the length since check() and no room is left, no node is
        // planted.
        const hydra_step_result& result = rows->sequence->state->result;
        const int32_t first = result.length;
        const bool fits = rows->has_pages(first, tree->nodes) && rows->has_positions(first, tree->levels);
        rows->set_chain(first, fits ? tree->nodes : 0);
        RowsState& nodes = *rows->state;
        for (int i = 0; i < nodes.count; ++i) {
            nodes.positions[i] = nodes.first + tree->depths[i];
            nodes.ancestors[i] = tree->ancestors[i];
        }
        nodes.tokens[0] = result.root;
    }
};

struct DraftInputsTask : Task {
    const TreeData* tree;
    int level;
    const hydra_rows* nodes;
    const hydra_rows* hidden_rows;
    const float* hidden;
    int64_t width;
    const PackedMatrix* embedding;  // null: heads that are not grounded
    hydra_rows* level_rows;
    float* out;

    bool changes_rows() const override { return true; }

    void run(const Worker& worker) override {
        const int inputs = embedding != nullptr ? tree->level_rows[level] : tree->levels > level ? 1 : 0;
        const int states = hidden_rows->active(), count = states > 0 ? inputs : 0;
        if (worker.thread == 0) {
            level_rows->state->count = count;
            level_rows->state->generation = level_rows->sequence->state->generation;
        }
        const int64_t stride = embedding != nullptr ? (level + 2) * width : width;
        for (int64_t r = worker.begin(count); r < worker.end(count); ++r) {
            float* row = out + r * stride;
            std::memcpy(row, hidden + (states - 1) * width, sizeof(float) * width);
            if (embedding == nullptr) continue;
            int node = tree->level_nodes[level][r];
            for (int depth = level; depth >= 0; --depth, node = tree->parents[node]) {
                read_token(*embedding, nodes->state->tokens[node], row + (depth + 1) * width);
            }
        }
    }
};

struct DraftLevelsTask : Task {
    const TreeData* tree;
    hydra_rows* rows;

    bool changes_rows() const override { return true; }

    void run(const Worker& worker) override {
        if (worker.thread != 0) return;
        rows->state->count = tree->levels;
        rows->state->generation = rows->sequence->state->generation;
    }
};

struct DraftTokensTask : Task {
    const TreeData* tree;
    int level;
    const hydra_top* top;
    int row;
    hydra_rows* nodes;

    bool idle() const override { return tree->levels <= level; }

    void run(const Worker& worker) override {
        if (worker.thread != 0) return;
        for (int i = 1; i < tree->nodes; ++i) {
            if (tree->depths[i] != level + 1) continue;
            const int from = row >= 0 ? row : tree->row_of[tree->parents[i]];
            nodes->state->tokens[i] = top->ids[from * top->k + tree->ranks[i]];
        }
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Plant& operation, CpuProgram&) {
    auto task = std::make_unique<PlantTask>();
    task->tree = operation.tree->data;
    task->rows = operation.rows;
    return task;
}

std::unique_ptr<Task> task_of(const DraftInputs& operation, CpuProgram&) {
    auto task = std::make_unique<DraftInputsTask>();
    task->tree = operation.tree->data;
    task->level = operation.level;
    task->nodes = operation.nodes;
    task->hidden_rows = operation.hidden_rows;
    task->hidden = operation.hidden->floats();
    task->width = operation.width;
    task->embedding = operation.embedding != nullptr ? &packed_of(operation.embedding) : nullptr;
    task->level_rows = operation.level_rows;
    task->out = operation.out->floats();
    return task;
}

std::unique_ptr<Task> task_of(const DraftLevels& operation, CpuProgram&) {
    auto task = std::make_unique<DraftLevelsTask>();
    task->tree = operation.tree->data;
    task->rows = operation.rows;
    return task;
}

std::unique_ptr<Task> task_of(const DraftTokens& operation, CpuProgram&) {
    auto task = std::make_unique<DraftTokensTask>();
    task->tree = operation.tree->data;
    task->level = operation.level;
    task->top = operation.top;
    task->row = operation.row;
    task->nodes = operation.nodes;
    return task;
}

}  // namespace hydra
