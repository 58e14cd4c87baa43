// Acceptance: the longest path of the tree that the base model agrees with, and the end of a prompt chunk.
#include <cstring>

#include "cpu/kv_pool.h"
#include "cpu/product.h"

namespace hydra {

namespace {

// Copies the hidden states of rows path[0 ... count-1] to pending and makes these rows of `pending_rows`, behind
// position `first`. With `append` they come behind the rows that wait already, where these end at `first` and there is
// room.
void leave_pending(const float* hidden, int64_t width, const int32_t* path, int count, int32_t first,
                   hydra_rows* pending_rows, float* pending, bool append) {
    if (pending_rows == nullptr) return;
    const int waiting = append ? pending_rows->active() : 0;
    const bool behind =
        waiting > 0 && pending_rows->state->first + waiting == first && waiting + count <= HYDRA_MAX_ROWS;
    const int begin = behind ? waiting : 0;
    pending_rows->set_chain(first - begin, begin + count);
    for (int i = 0; i < count; ++i) {
        std::memcpy(pending + (begin + i) * width, hidden + path[i] * width, sizeof(float) * width);
    }
}

struct AcceptTask : Task {
    const TreeData* tree;
    hydra_rows* nodes;
    const hydra_top* best;
    const CpuKvPool* pool;
    const float* hidden;
    int64_t width;
    hydra_rows* pending_rows;
    float* pending;
    bool append;

    bool changes_rows() const override { return true; }

    void run(const Worker& worker) override {
        // The tree may have been set again since its nodes were planted.
        const int count_of_nodes = std::min(tree->nodes, nodes->active());
        if (worker.thread != 0 || count_of_nodes == 0) return;
        hydra_step_result& result = nodes->sequence->state->result;
        int deepest = 0;
        bool accepted[HYDRA_MAX_ROWS] = {true};
        for (int i = 1; i < count_of_nodes; ++i) {
            const int parent = tree->parents[i];
            accepted[i] = accepted[parent] && nodes->state->tokens[i] == best->ids[parent * best->k];
            if (accepted[i] && tree->depths[i] > tree->depths[deepest]) deepest = i;
        }
        const int count = tree->depths[deepest] + 1;
        for (int i = count - 1, node = deepest; i >= 0; --i, node = tree->parents[node]) {
            result.path[i] = node;
            result.tokens[i] = nodes->state->tokens[node];
        }
        for (int i = 1; i < count; ++i) move(nodes->state->first + result.path[i], nodes->state->first + i);
        leave_pending(hidden, width, result.path, count, nodes->state->first, pending_rows, pending, append);
        result.nodes = count_of_nodes;
        result.emitted = count;
        result.length = nodes->state->first + count;
        result.root = best->ids[deepest * best->k];
    }

    // Copies the keys and values of one slot to another, in all layers.
    void move(int from, int to) const {
        if (from == to) return;
        const int32_t* pages = nodes->sequence->pages;
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
    hydra_rows* rows;
    const hydra_top* best;
    const float* hidden;
    int64_t width;
    hydra_rows* pending_rows;
    float* pending;

    bool changes_rows() const override { return true; }

    void run(const Worker& worker) override {
        const int count = rows->active();
        if (worker.thread != 0 || count == 0) return;
        hydra_step_result& result = rows->sequence->state->result;
        int32_t path[HYDRA_MAX_ROWS];
        for (int i = 0; i < count; ++i) path[i] = i;
        leave_pending(hidden, width, path, count, rows->state->first, pending_rows, pending, false);
        result.nodes = count;
        result.emitted = 0;
        result.length = rows->state->first + count;
        result.root = best != nullptr ? best->ids[0] : -1;
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
    task->pending_rows = operation.pending_rows;
    task->pending = operation.pending != nullptr ? operation.pending->floats() : nullptr;
    task->append = operation.append;
    return task;
}

std::unique_ptr<Task> task_of(const Advance& operation, CpuProgram&) {
    auto task = std::make_unique<AdvanceTask>();
    task->rows = operation.rows;
    task->best = operation.best;
    task->hidden = floats_of(operation.hidden);
    task->width = operation.width;
    task->pending_rows = operation.pending_rows;
    task->pending = operation.pending != nullptr ? operation.pending->floats() : nullptr;
    return task;
}

}  // namespace hydra
