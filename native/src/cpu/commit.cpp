// The end of a pass: what is accepted becomes part of its sequence.
#include <cstring>

#include "cpu/kv_pool.h"
#include "cpu/product.h"
#include "program/sampling.h"

namespace hydra {

namespace {

struct CommitTask : Task {
    const hydra_rows* rows;
    const int32_t* selection;  // or null
    const CpuKvPool* pool;     // null: the rows are chains alone
    const float* hidden;
    int64_t width;
    hydra_rows* uncommitted_rows;  // or null
    float* uncommitted;
    bool append;
    const SamplingView* sampling;  // or null

    bool changes_rows() const override { return true; }
    bool by_one_thread() const override { return true; }

    void run(const Worker&) override {
        const RowsView& view = rows->view;
        for (int s = 0; s < view.batch_size; ++s) view.batch[s].result.nodes = view.batch[s].result.emitted = 0;
        const int segments = view.active_segments();
        if (segments == 0 || (pool == nullptr && view.active_trees() > 0)) return;
        const bool leaves = uncommitted_rows != nullptr && accepted(view) <= uncommitted_rows->max_rows;
        if (uncommitted_rows != nullptr && !(leaves && append)) uncommitted_rows->view.set_count(0);
        // All segments of a sequence at once: they are one chain.
        for (int begin = 0, s = 0; s < segments; ++s) {
            if (!view.ends_sequence(s)) continue;
            commit(view, begin, s, leaves);
            begin = s + 1;
        }
        if (leaves) set_chain_rows(uncommitted_rows->view);
    }

    static int accepted(const RowsView& view) {
        int rows = 0;
        for (int s = 0; s < view.state->segments; ++s) rows += __builtin_popcountll(view.segments[s].accepted);
        return rows;
    }

    // The segments `begin` to `end` of a sequence, the last included.
    void commit(const RowsView& view, int begin, int end, bool leaves) const {
        const Segment &first = view.segments[begin], &last = view.segments[end];
        const bool is_tree = begin < view.state->trees;
        hydra_step_result& result = view.batch[first.sequence].result;
        const int32_t* pages = view.pages_of(first.sequence);
        int count = 0;
        for (int s = begin; s <= end; ++s) count += __builtin_popcountll(view.segments[s].accepted);
        const int left = leaves ? leave(first, count) : 0;
        int place = 0, node = 0;
        for (int s = begin; s <= end; ++s) {
            const Segment& segment = view.segments[s];
            for (uint64_t rest = segment.accepted; rest != 0; rest &= rest - 1, ++place) {
                node = __builtin_ctzll(rest);
                const int row = segment.row + node;
                if (sampling != nullptr) sampling->keep(first.sequence, first.first + place, view.tokens[row], is_tree);
                if (leaves) {
                    const int target = left + place;
                    std::memcpy(uncommitted + target * width, hidden + row * width, sizeof(float) * width);
                    uncommitted_rows->view.tokens[target] = view.tokens[row];
                }
                if (!is_tree) continue;
                result.path[place] = node;
                result.tokens[place] = view.tokens[row];
                move(pages, segment.first + node, segment.first + place);
            }
        }
        result.nodes = last.row + last.count - first.row;
        result.emitted = is_tree ? count : 0;
        result.length = first.first + count;
        const bool sets_root = selection != nullptr && last.sets_root != 0;
        result.root = sets_root ? selection[is_tree ? last.row + node : view.selection_of_chain(last)] : -1;
    }

    // Makes `count` rows of a sequence uncommitted, after those that are. With `append` only one chain is: rows that
    // continue it and find room become part of it, others take its place. Returns the first of them.
    int leave(const Segment& segment, int count) const {
        const RowsView& view = uncommitted_rows->view;
        int begin = view.state->count;
        if (append) {
            const int before = view.active(), all = before + count;
            const bool continues = view.active_segments() == 1 && view.segments[0].first + before == segment.first &&
                                   all <= std::min<int>(HYDRA_MAX_NODES, view.max_rows);
            begin = continues ? before : 0;
            view.set_count(0);
            view.add(segment.sequence, segment.first - begin, begin + count);
        } else {
            view.add(segment.sequence, segment.first, count);
        }
        return begin;
    }

    static void set_chain_rows(const RowsView& view) {
        for (int s = 0; s < view.state->segments; ++s) {
            for (int i = 0; i < view.segments[s].count; ++i) view.set_chain_row(s, i);
        }
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

}  // namespace

std::unique_ptr<Task> task_of(const Commit& operation, CpuProgram&) {
    auto task = std::make_unique<CommitTask>();
    task->rows = operation.rows;
    task->selection = operation.selection != nullptr ? operation.selection->ints() : nullptr;
    task->pool = static_cast<const CpuKvPool*>(operation.pool);
    task->hidden = floats_of(operation.hidden);
    task->width = operation.width;
    task->uncommitted_rows = operation.uncommitted_rows;
    task->uncommitted = operation.uncommitted != nullptr ? operation.uncommitted->floats() : nullptr;
    task->append = operation.append;
    task->sampling = operation.sampling != nullptr ? &operation.sampling->view : nullptr;
    return task;
}

}  // namespace hydra
