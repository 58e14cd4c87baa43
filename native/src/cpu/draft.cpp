// The draft's side of the trees: expanding them, gathering the inputs of a level's head, handing out a level's tokens.
#include <algorithm>
#include <cstring>

#include "cpu/embedding.h"
#include "cpu/product.h"

namespace hydra {

namespace {

struct ExpandTask : Task {
    const TreeData* trees;
    const hydra_rows* prompts;  // or null
    hydra_rows* rows;

    bool changes_rows() const override { return true; }
    bool by_one_thread() const override { return true; }

    void run(const Worker& worker) override {
        if (worker.thread != 0) return;
        const RowsView& view = rows->view;
        view.set_count(0);
        // Prompts that do not fit, which only operations before this one can have made, are dropped.
        const bool fit = prompts != nullptr && prompts->active() <= view.max_rows;
        const int chains = fit ? prompts->view.active_segments() : 0;
        const int nodes_at_most = view.max_rows - (chains > 0 ? prompts->active() : 0);
        bool has_prompt[HYDRA_MAX_SEQUENCES] = {};
        for (int c = 0; c < chains; ++c) has_prompt[prompts->view.segments[c].sequence] = true;
        for (int s = 0; s < view.batch_size; ++s) {
            const TreeData& tree = trees[s];
            const int nodes = has_prompt[s] ? 0 : view.nodes_with_room(s, tree);
            if (nodes == 0) continue;
            // Only where operations before this one have given more sequences a root since check().
            if (view.state->count + nodes > nodes_at_most) break;
            const hydra_step_result& result = view.batch[s].result;
            const int segment = view.state->segments;
            view.add_tree(s, result.length, nodes);
            for (int i = 0; i < nodes; ++i) {
                view.set_row(segment, i, result.length + tree.depths[i], tree.ancestors[i]);
            }
            view.tokens[view.segments[segment].row] = result.root;
        }
        if (chains > 0) add_prompts(view, prompts->view);
    }

    static void add_prompts(const RowsView& view, const RowsView& chains) {
        const int segments = view.state->segments, rows = view.state->count;
        for (int begin = 0, c = 0; c < chains.state->segments; ++c) {
            if (!chains.ends_sequence(c)) continue;
            const Segment &first = chains.segments[begin], &last = chains.segments[c];
            view.add(first.sequence, first.first, last.row + last.count - first.row, last.sets_root != 0);
            begin = c + 1;
        }
        for (int s = segments; s < view.state->segments; ++s) {
            for (int i = 0; i < view.segments[s].count; ++i) view.set_chain_row(s, i);
        }
        std::copy_n(chains.tokens, chains.state->count, view.tokens + rows);
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

struct Level : DraftLevel {
    int deepest() const {
        int deepest = 0;
        for (int s = 0; s < nodes.active_trees(); ++s) deepest = std::max(deepest, levels(s));
        return deepest;
    }
    int all_parents() const {
        int rows = 0;
        for (int s = 0; s < nodes.active_trees(); ++s) rows += parents(s);
        return rows;
    }
    int all_guesses() const {
        int rows = 0;
        for (int s = 0; s < nodes.active_trees(); ++s) rows += guesses(s);
        return rows;
    }
};

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
            for (int64_t r = std::max(begin, row); r < std::min(end, row + own); ++r) {
                gather(at, nodes->view.segments[s], static_cast<int>(r - row), out + r * stride);
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

struct TableBlockTask : Task {
    const TreeData* trees;
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
        const Level at{{trees, nodes->view, level}};
        if (worker.thread == 0) level_rows->view.set_count(at.all_parents());
        float* target = out;
        const float* part = parts;
        for (int s = 0; s < nodes->view.active_trees(); ++s) {
            const Segment& segment = nodes->view.segments[s];
            for (int i = 0; i < at.parents(s); ++i, target += n) compute(worker, segment, i, part + first, target);
            part += at.guesses(s) * width;
        }
    }

    void compute(const Worker& worker, const Segment& segment, int index, const float* part, float* target) const {
        const int64_t begin = worker.begin(n / TILE_ROWS) * TILE_ROWS;
        const int64_t columns = worker.end(n / TILE_ROWS) * TILE_ROWS - begin;
        float *linear = worker.own().normed.get(), *skip = linear + columns;
        std::memcpy(linear, part + begin, sizeof(float) * columns);
        std::memcpy(skip, part + begin + n, sizeof(float) * columns);
        const TreeData& tree = trees[segment.sequence];
        int32_t tokens[HYDRA_MAX_NODES];
        int node = tree.level_node(level, index);
        for (int depth = level; depth >= 0; --depth, node = tree.parents[node]) {
            tokens[depth] = nodes->view.token_of(segment, node);
        }
        for (int depth = 0; depth <= level; ++depth) {
            if (tokens[depth] < 0 || tokens[depth] >= vocabulary) continue;
            const uint16_t* entry = tables + (depth * vocabulary + tokens[depth]) * 2 * n + begin;
            worker.kernels().add_f16(entry, columns, linear);
            worker.kernels().add_f16(entry + n, columns, skip);
        }
        worker.kernels().silu(linear, columns);
        for (int64_t c = 0; c < columns; ++c) target[begin + c] = skip[c] + linear[c];
    }
};

struct DraftLevelsTask : Task {
    const TreeData* trees;
    const hydra_rows* nodes;
    hydra_rows* rows;

    bool changes_rows() const override { return true; }
    bool by_one_thread() const override { return true; }

    void run(const Worker& worker) override {
        if (worker.thread != 0) return;
        const Level at{{trees, nodes->view, 0}};
        rows->view.set_count(at.deepest() * at.all_guesses());
    }
};

struct DraftTokensTask : Task {
    const TreeData* trees;
    int level;
    const hydra_top* top;
    int group;
    hydra_rows* nodes;

    bool idle() const override { return Level{{trees, nodes->view, level}}.deepest() <= level; }

    void run(const Worker& worker) override {
        if (worker.thread != 0) return;
        const RowsView& view = nodes->view;
        const Level at{{trees, view, level}};
        const bool of_parents = group < 0;
        int from = of_parents ? 0 : group * at.all_guesses();  // row of top
        for (int s = 0; s < view.active_trees(); ++s) {
            const TreeData& tree = at.tree(s);
            int32_t* tokens = view.tokens + view.segments[s].row;
            const int count = tree.nodes_of(view.segments[s].count);
            for (int i = 1; i < count; ++i) {
                if (tree.depths[i] != level + 1) continue;
                const int row = from + (of_parents ? tree.row_of[tree.parents[i]] : 0);
                tokens[i] = top->ids[row * top->k + tree.ranks[i]];
            }
            from += of_parents ? at.parents(s) : at.guesses(s);
        }
    }
};

struct GiveTokensTask : Task {
    const int32_t* guesses;
    hydra_rows* nodes;

    bool by_one_thread() const override { return true; }

    void run(const Worker& worker) override {
        if (worker.thread != 0) return;
        const RowsView& view = nodes->view;
        for (int s = 0; s < view.active_trees(); ++s) {
            const Segment& segment = view.segments[s];
            const int32_t* from = guesses + int64_t{segment.sequence} * HYDRA_MAX_NODES;
            std::copy(from + 1, from + segment.count, view.tokens + segment.row + 1);
        }
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Expand& operation, CpuProgram&) {
    auto task = std::make_unique<ExpandTask>();
    task->trees = operation.tree->data;
    task->prompts = operation.prompts;
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

std::unique_ptr<Task> task_of(const TableBlock& operation, CpuProgram& program) {
    program.reserve(2 * operation.n, 0);
    auto task = std::make_unique<TableBlockTask>();
    task->trees = operation.tree->data;
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
    task->trees = operation.tree->data;
    task->nodes = operation.nodes;
    task->rows = operation.rows;
    return task;
}

std::unique_ptr<Task> task_of(const DraftTokens& operation, CpuProgram&) {
    auto task = std::make_unique<DraftTokensTask>();
    task->trees = operation.tree->data;
    task->level = operation.level;
    task->top = operation.top;
    task->group = operation.group;
    task->nodes = operation.nodes;
    return task;
}

std::unique_ptr<Task> task_of(const GiveTokens& operation, CpuProgram&) {
    auto task = std::make_unique<GiveTokensTask>();
    task->guesses = operation.tokens->ints();
    task->nodes = operation.nodes;
    return task;
}

}  // namespace hydra
