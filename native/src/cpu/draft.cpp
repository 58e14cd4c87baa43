// The draft's side of the tree: expanding it, gathering the inputs of a level's head, handing out a level's tokens.
#include <cstring>

#include "cpu/embedding.h"
#include "cpu/product.h"

namespace hydra {

namespace {

struct ExpandTask : Task {
    const TreeData* tree;
    hydra_rows* rows;

    bool changes_rows() const override { return true; }

    void run(const Worker& worker) override {
        if (worker.thread != 0) return;
        const RowsView& view = rows->view;
        view.set_count(0);
        for (int s = 0; s < view.batch_size; ++s) {
            // Where an operation before this one has moved the length since check() and no room is left, no node is
            // expanded.
            if (!view.has_room(s, tree->nodes, tree->levels)) continue;
            const hydra_step_result& result = view.batch[s].result;
            const int segment = view.state->segments;
            view.add(s, result.length, tree->nodes);
            for (int i = 0; i < tree->nodes; ++i) {
                view.set_row(segment, i, result.length + tree->depths[i], tree->ancestors[i]);
            }
            view.tokens[view.segments[segment].row] = result.root;
        }
    }
};

struct DraftStatesTask : Task {
    const hydra_rows* rows;
    RowSource source;
    float* states;

    bool idle() const override { return rows->view.active_sequences() == 0; }

    void run(const Worker& worker) override {
        const int count = rows->view.active_sequences();
        for (int64_t i = worker.begin(count); i < worker.end(count); ++i) {
            const int32_t row = rows->view.last_rows[i];
            const float* x = source.x + row * source.columns;
            float* state = states + rows->view.segment_of_row(row).sequence * source.columns;
            if (source.norm != nullptr) {
                worker.kernels().rms_norm(x, source.norm, source.columns, source.epsilon, state);
            } else {
                std::memcpy(state, x, sizeof(float) * source.columns);
            }
        }
    }
};

// The token of a node; none where the tree has been set again since its nodes were expanded and has more of them.
int32_t token_of(const RowsView& nodes, const Segment& segment, int node) {
    return node < segment.count ? nodes.tokens[segment.row + node] : -1;
}

struct DraftInputsTask : Task {
    const TreeData* tree;
    int level;
    const hydra_rows* nodes;
    const float* states;
    int64_t width;
    const PackedMatrix* embedding;  // null: heads that are not grounded
    hydra_rows* level_rows;
    float* out;

    bool changes_rows() const override { return true; }

    void run(const Worker& worker) override {
        const int each = embedding != nullptr ? tree->level_rows[level] : tree->levels > level ? 1 : 0;
        const int count = nodes->view.active_trees() * each;
        if (worker.thread == 0) level_rows->view.set_count(count);
        const int64_t stride = embedding != nullptr ? (level + 2) * width : width;
        for (int64_t r = worker.begin(count); r < worker.end(count); ++r) {
            const Segment& segment = nodes->view.segments[r / each];
            float* row = out + r * stride;
            std::memcpy(row, states + segment.sequence * width, sizeof(float) * width);
            if (embedding == nullptr) continue;
            int node = tree->level_nodes[level][r % each];
            for (int depth = level; depth >= 0; --depth, node = tree->parents[node]) {
                read_token(*embedding, token_of(nodes->view, segment, node), row + (depth + 1) * width);
            }
        }
    }
};

struct TableBlockTask : Task {
    const TreeData* tree;
    int level;
    const hydra_rows* nodes;
    const float* parts;
    int64_t width, first;
    const uint16_t* tables;
    int64_t vocabulary, n;
    hydra_rows* level_rows;
    float* out;

    bool changes_rows() const override { return true; }

    // Each thread has its own columns of all rows.
    void run(const Worker& worker) override {
        const int each = tree->level_rows[level], count = nodes->view.active_trees() * each;
        if (worker.thread == 0) level_rows->view.set_count(count);
        const int64_t begin = worker.begin(n / TILE_ROWS) * TILE_ROWS;
        const int64_t columns = worker.end(n / TILE_ROWS) * TILE_ROWS - begin;
        float *linear = worker.own().normed.get(), *skip = linear + columns;
        for (int r = 0; r < count; ++r) {
            const Segment& segment = nodes->view.segments[r / each];
            const float* part = parts + r / each * width + first + begin;
            std::memcpy(linear, part, sizeof(float) * columns);
            std::memcpy(skip, part + n, sizeof(float) * columns);
            int32_t tokens[HYDRA_MAX_NODES];
            int node = tree->level_nodes[level][r % each];
            for (int depth = level; depth >= 0; --depth, node = tree->parents[node]) {
                tokens[depth] = token_of(nodes->view, segment, node);
            }
            for (int depth = 0; depth <= level; ++depth) {
                if (tokens[depth] < 0 || tokens[depth] >= vocabulary) continue;
                const uint16_t* entry = tables + (depth * vocabulary + tokens[depth]) * 2 * n + begin;
                worker.kernels().add_f16(entry, columns, linear);
                worker.kernels().add_f16(entry + n, columns, skip);
            }
            worker.kernels().silu(linear, columns);
            float* target = out + r * n + begin;
            for (int64_t c = 0; c < columns; ++c) target[c] = skip[c] + linear[c];
        }
    }
};

struct DraftLevelsTask : Task {
    const TreeData* tree;
    const hydra_rows* nodes;
    hydra_rows* rows;

    bool changes_rows() const override { return true; }

    void run(const Worker& worker) override {
        if (worker.thread == 0) rows->view.set_count(tree->levels * nodes->view.active_trees());
    }
};

struct DraftTokensTask : Task {
    const TreeData* tree;
    int level;
    const hydra_top* top;
    int group;
    hydra_rows* nodes;

    bool idle() const override { return tree->levels <= level; }

    void run(const Worker& worker) override {
        if (worker.thread != 0) return;
        const RowsView& view = nodes->view;
        const int segments = view.active_trees();
        for (int s = 0; s < segments; ++s) {
            // The tree may have been set again since its nodes were expanded.
            const int count = std::min(tree->nodes, view.segments[s].count);
            int32_t* tokens = view.tokens + view.segments[s].row;
            for (int i = 1; i < count; ++i) {
                if (tree->depths[i] != level + 1) continue;
                const int from =
                    group >= 0 ? group * segments + s : s * tree->level_rows[level] + tree->row_of[tree->parents[i]];
                tokens[i] = top->ids[from * top->k + tree->ranks[i]];
            }
        }
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Expand& operation, CpuProgram&) {
    auto task = std::make_unique<ExpandTask>();
    task->tree = operation.tree->data;
    task->rows = operation.rows;
    return task;
}

std::unique_ptr<Task> task_of(const DraftStates& operation, CpuProgram&) {
    auto task = std::make_unique<DraftStatesTask>();
    task->rows = operation.rows;
    task->source = {operation.x->floats(), operation.width, floats_of(operation.norm), operation.epsilon};
    task->states = operation.states->floats();
    return task;
}

std::unique_ptr<Task> task_of(const DraftInputs& operation, CpuProgram&) {
    auto task = std::make_unique<DraftInputsTask>();
    task->tree = operation.tree->data;
    task->level = operation.level;
    task->nodes = operation.nodes;
    task->states = operation.states->floats();
    task->width = operation.width;
    task->embedding = operation.embedding != nullptr ? &packed_of(operation.embedding) : nullptr;
    task->level_rows = operation.level_rows;
    task->out = operation.out->floats();
    return task;
}

std::unique_ptr<Task> task_of(const TableBlock& operation, CpuProgram& program) {
    program.reserve(2 * operation.n, 0);
    auto task = std::make_unique<TableBlockTask>();
    task->tree = operation.tree->data;
    task->level = operation.level;
    task->nodes = operation.nodes;
    task->parts = operation.parts->floats();
    task->width = operation.width;
    task->first = operation.first;
    task->tables = operation.tables->halves();
    task->vocabulary = operation.vocabulary;
    task->n = operation.n;
    task->level_rows = operation.level_rows;
    task->out = operation.out->floats();
    return task;
}

std::unique_ptr<Task> task_of(const DraftLevels& operation, CpuProgram&) {
    auto task = std::make_unique<DraftLevelsTask>();
    task->tree = operation.tree->data;
    task->nodes = operation.nodes;
    task->rows = operation.rows;
    return task;
}

std::unique_ptr<Task> task_of(const DraftTokens& operation, CpuProgram&) {
    auto task = std::make_unique<DraftTokensTask>();
    task->tree = operation.tree->data;
    task->level = operation.level;
    task->top = operation.top;
    task->group = operation.group;
    task->nodes = operation.nodes;
    return task;
}

}  // namespace hydra
