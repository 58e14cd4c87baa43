// Acceptance: the longest path of the tree that the base model agrees with, and the end of a prompt chunk.
#include <cstring>

#include "cpu/kv_pool.h"
#include "cpu/product.h"

namespace hydra {

namespace {

// Makes `count` rows of a sequence behind position `first` wait, behind those that wait already, and copies the hidden
// states of rows row + path[i] (row + i without path). With `append` only one chain waits: rows that continue it and
// find room become part of it, others take its place.
void leave_uncommitted(const float* hidden, int64_t width, int row, const int32_t* path, int count, int32_t sequence,
                       int32_t first, bool append, const RowsView& uncommitted_rows, float* uncommitted) {
    int begin = uncommitted_rows.state->count;
    if (append) {
        const int waiting = uncommitted_rows.active(), all = waiting + count;
        const bool behind = uncommitted_rows.active_segments() == 1 &&
                            uncommitted_rows.segments[0].first + waiting == first &&
                            all <= std::min<int>(HYDRA_MAX_NODES, uncommitted_rows.max_rows);
        begin = behind ? waiting : 0;
        uncommitted_rows.set_count(0);
        uncommitted_rows.add(sequence, first - begin, begin + count);
    } else {
        uncommitted_rows.add(sequence, first, count);
    }
    for (int i = 0; i < count; ++i) {
        const int source = row + (path != nullptr ? path[i] : i);
        std::memcpy(uncommitted + (begin + i) * width, hidden + source * width, sizeof(float) * width);
    }
}

void set_chain_rows(const RowsView& rows) {
    for (int s = 0; s < rows.state->segments; ++s) {
        for (int i = 0; i < rows.segments[s].count; ++i) rows.set_chain_row(s, i);
    }
}

struct AcceptTask : Task {
    const TreeData* tree;
    const hydra_rows* nodes;
    const hydra_top* best;
    const CpuKvPool* pool;
    const float* hidden;
    int64_t width;
    hydra_rows* uncommitted_rows;
    float* uncommitted;
    bool append;

    bool changes_rows() const override { return true; }

    void run(const Worker& worker) override {
        if (worker.thread != 0) return;
        const RowsView& view = nodes->view;
        for (int s = 0; s < view.batch_size; ++s) view.batch[s].result.nodes = view.batch[s].result.emitted = 0;
        const int segments = view.active_trees();
        if (segments == 0) return;
        if (uncommitted_rows != nullptr && !append) uncommitted_rows->view.set_count(0);
        for (int s = 0; s < segments; ++s) accept(view.segments[s]);
        if (uncommitted_rows != nullptr) set_chain_rows(uncommitted_rows->view);
    }

    void accept(const Segment& segment) const {
        const int32_t* tokens = nodes->view.tokens + segment.row;
        const auto best_of = [&](int node) { return best->ids[(segment.row + node) * best->k]; };
        hydra_step_result& result = nodes->view.batch[segment.sequence].result;
        // The tree may have been set again since its nodes were expanded.
        const int count_of_nodes = std::min(tree->nodes, segment.count);
        int deepest = 0;
        bool accepted[HYDRA_MAX_NODES] = {true};
        for (int i = 1; i < count_of_nodes; ++i) {
            const int parent = tree->parents[i];
            accepted[i] = accepted[parent] && tokens[i] == best_of(parent);
            if (accepted[i] && tree->depths[i] > tree->depths[deepest]) deepest = i;
        }
        const int count = tree->depths[deepest] + 1;
        for (int i = count - 1, node = deepest; i >= 0; --i, node = tree->parents[node]) {
            result.path[i] = node;
            result.tokens[i] = tokens[node];
        }
        const int32_t* pages = nodes->view.pages_of(segment.sequence);
        for (int i = 1; i < count; ++i) move(pages, segment.first + result.path[i], segment.first + i);
        if (uncommitted_rows != nullptr) {
            leave_uncommitted(hidden, width, segment.row, result.path, count, segment.sequence, segment.first, append,
                              uncommitted_rows->view, uncommitted);
        }
        result.nodes = count_of_nodes;
        result.emitted = count;
        result.length = segment.first + count;
        result.root = best_of(deepest);
    }

    // Copies the keys and values of one slot to another, in all layers.
    void move(const int32_t* pages, int from, int to) const {
        if (from == to) return;
        const int32_t source = pages[from / HYDRA_PAGE_POSITIONS], target = pages[to / HYDRA_PAGE_POSITIONS];
        const int from_place = from % HYDRA_PAGE_POSITIONS, to_place = to % HYDRA_PAGE_POSITIONS;
        for (int32_t layer = 0; layer < pool->layers; ++layer) {
            for (int32_t head = 0; head < pool->kv_heads; ++head) {
                const float* old_keys = pool->keys_of(source, layer, head, from_place) + from_place % KEY_BLOCK;
                float* new_keys = pool->keys_of(target, layer, head, to_place) + to_place % KEY_BLOCK;
                for (int d = 0; d < pool->head_size; ++d) new_keys[d * KEY_BLOCK] = old_keys[d * KEY_BLOCK];
                std::memcpy(pool->values_of(target, layer, head, to_place),
                            pool->values_of(source, layer, head, from_place), sizeof(float) * pool->head_size);
            }
        }
    }
};

struct AdvanceTask : Task {
    const hydra_rows* rows;
    const hydra_top* best;
    const float* hidden;
    int64_t width;
    hydra_rows* uncommitted_rows;
    float* uncommitted;

    bool changes_rows() const override { return true; }

    void run(const Worker& worker) override {
        const RowsView& view = rows->view;
        const int segments = view.active_segments();
        if (worker.thread != 0 || segments == 0) return;
        if (uncommitted_rows != nullptr) uncommitted_rows->view.set_count(0);
        // All segments of a sequence at once: they are one chain.
        for (int begin = 0, s = 0; s < segments; ++s) {
            if (!view.ends_sequence(s)) continue;
            const Segment &first = view.segments[begin], &last = view.segments[s];
            const int count = last.row + last.count - first.row;
            if (uncommitted_rows != nullptr) {
                leave_uncommitted(hidden, width, first.row, nullptr, count, first.sequence, first.first, false,
                                  uncommitted_rows->view, uncommitted);
            }
            hydra_step_result& result = view.batch[first.sequence].result;
            result.nodes = count;
            result.emitted = 0;
            result.length = first.first + count;
            result.root = best != nullptr ? best->ids[first.order * best->k] : -1;
            begin = s + 1;
        }
        if (uncommitted_rows != nullptr) set_chain_rows(uncommitted_rows->view);
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Accept& operation, CpuProgram&) {
    auto task = std::make_unique<AcceptTask>();
    task->tree = operation.tree->data;
    task->nodes = operation.nodes;
    task->best = operation.best;
    task->pool = static_cast<const CpuKvPool*>(operation.pool);
    task->hidden = floats_of(operation.hidden);
    task->width = operation.width;
    task->uncommitted_rows = operation.uncommitted_rows;
    task->uncommitted = operation.uncommitted != nullptr ? operation.uncommitted->floats() : nullptr;
    task->append = operation.append != 0;
    return task;
}

std::unique_ptr<Task> task_of(const Advance& operation, CpuProgram&) {
    auto task = std::make_unique<AdvanceTask>();
    task->rows = operation.rows;
    task->best = operation.best;
    task->hidden = floats_of(operation.hidden);
    task->width = operation.width;
    task->uncommitted_rows = operation.uncommitted_rows;
    task->uncommitted = operation.uncommitted != nullptr ? operation.uncommitted->floats() : nullptr;
    return task;
}

}  // namespace hydra
