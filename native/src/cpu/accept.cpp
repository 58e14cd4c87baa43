// Acceptance: the longest path of the tree that the base model agrees with, and the end of a prompt chunk.
#include <cstring>

#include "cpu/product.h"
#include "hydra4j/program.h"

namespace hydra {

namespace {

// Copies the hidden states of rows path[0 ... count-1] to pending and makes these rows of `pending_rows`, behind
// position `first`. With `append` they come behind the rows that wait already, where these end at `first` and there is
// room.
void leave_pending(const float* hidden, int64_t width, const int32_t* path, int count, int32_t first,
                   hydra_rows* pending_rows, float* pending, bool append) {
    if (pending_rows == nullptr) return;
    const int waiting = append ? pending_rows->active() : 0;
    const bool behind = waiting > 0 && pending_rows->first + waiting == first && waiting + count <= HYDRA_MAX_ROWS;
    const int begin = behind ? waiting : 0;
    pending_rows->set_chain(first - begin, begin + count);
    for (int i = 0; i < count; ++i) {
        std::memcpy(pending + (begin + i) * width, hidden + path[i] * width, sizeof(float) * width);
    }
}

// The program may use the pending rows before it is checked again, so they must reach as far as the rows they come
// from.
void require_reach(const hydra_rows& rows, const hydra_rows* pending_rows) {
    HYDRA_REQUIRE(pending_rows == nullptr || pending_rows->position_limit >= rows.position_limit,
                  "the pending rows' context is %d positions, that of the pass %d", pending_rows->position_limit,
                  rows.position_limit);
}

struct Accept : Operation {
    const hydra_tree* tree;
    hydra_rows* nodes;
    const hydra_top* best;
    hydra_kv_pool* pool;
    const float* hidden;
    int64_t width;
    hydra_rows* pending_rows;
    float* pending;
    bool append;

    void check() const override {
        nodes->require_pages(*pool);
        require_reach(*nodes, pending_rows);
    }

    void run(const Worker& worker) override {
        // The tree may have been set again since its nodes were planted.
        const int count_of_nodes = std::min(tree->nodes, nodes->active());
        if (worker.thread != 0 || count_of_nodes == 0) return;
        hydra_step_result& result = nodes->sequence->result;
        int deepest = 0;
        bool accepted[HYDRA_MAX_ROWS] = {true};
        for (int i = 1; i < count_of_nodes; ++i) {
            const int parent = tree->parents[i];
            accepted[i] = accepted[parent] && nodes->tokens[i] == best->ids[parent * best->k];
            if (accepted[i] && tree->depths[i] > tree->depths[deepest]) deepest = i;
        }
        const int count = tree->depths[deepest] + 1;
        for (int i = count - 1, node = deepest; i >= 0; --i, node = tree->parents[node]) {
            result.path[i] = node;
            result.tokens[i] = nodes->tokens[node];
        }
        for (int i = 1; i < count; ++i) move(nodes->first + result.path[i], nodes->first + i);
        leave_pending(hidden, width, result.path, count, nodes->first, pending_rows, pending, append);
        result.nodes = count_of_nodes;
        result.emitted = count;
        result.length = nodes->first + count;
        result.root = best->ids[deepest * best->k];
    }

    // Copies the keys and values of one slot to another, in all layers.
    void move(int from, int to) const {
        if (from == to) return;
        const int32_t* pages = nodes->sequence->pages.get();
        const int32_t source = pages[from / HYDRA_PAGE_POSITIONS], target = pages[to / HYDRA_PAGE_POSITIONS];
        const int from_place = from % HYDRA_PAGE_POSITIONS, to_place = to % HYDRA_PAGE_POSITIONS;
        for (int32_t layer = 0; layer < pool->layers; ++layer) {
            for (int32_t head = 0; head < pool->kv_heads; ++head) {
                const float* old_keys = pool->keys(source, layer, head, from_place) + from_place % KEY_BLOCK;
                float* new_keys = pool->keys(target, layer, head, to_place) + to_place % KEY_BLOCK;
                for (int d = 0; d < pool->head_size; ++d) new_keys[d * KEY_BLOCK] = old_keys[d * KEY_BLOCK];
                std::memcpy(pool->values(target, layer, head, to_place), pool->values(source, layer, head, from_place),
                            sizeof(float) * pool->head_size);
            }
        }
    }
};

struct Advance : Operation {
    hydra_rows* rows;
    const hydra_top* best;
    const float* hidden;
    int64_t width;
    hydra_rows* pending_rows;
    float* pending;

    void check() const override { require_reach(*rows, pending_rows); }

    void run(const Worker& worker) override {
        const int count = rows->active();
        if (worker.thread != 0 || count == 0) return;
        hydra_step_result& result = rows->sequence->result;
        int32_t path[HYDRA_MAX_ROWS];
        for (int i = 0; i < count; ++i) path[i] = i;
        leave_pending(hidden, width, path, count, rows->first, pending_rows, pending, false);
        result.nodes = count;
        result.emitted = 0;
        result.length = rows->first + count;
        result.root = best != nullptr ? best->ids[0] : -1;
    }
};

// Checks the pending rows and their buffers and returns the width of a hidden state.
int64_t pending_width(const hydra_rows* rows, const hydra_buffer* hidden, const hydra_rows* pending_rows,
                      const hydra_buffer* pending) {
    if (pending_rows == nullptr) {
        HYDRA_REQUIRE(pending == nullptr, "pending without pending_rows");
        return 0;
    }
    HYDRA_REQUIRE(hidden != nullptr, "hidden is null");
    HYDRA_REQUIRE(pending != hidden, "pending must not be hidden");
    HYDRA_REQUIRE(pending_rows != rows, "pending_rows must not be the rows of the pass");
    HYDRA_REQUIRE(pending_rows->sequence == rows->sequence, "pending_rows belong to another sequence");
    const int64_t width = hidden->bytes / 4 / HYDRA_MAX_ROWS;
    require_floats(pending, HYDRA_MAX_ROWS, width, "pending");
    return width;
}

}  // namespace

}  // namespace hydra

hydra_status hydra_program_accept(hydra_program* program, const hydra_tree* tree, hydra_rows* nodes,
                                  const hydra_top* best, hydra_kv_pool* pool, const hydra_buffer* hidden,
                                  hydra_rows* pending_rows, hydra_buffer* pending, int32_t append) {
    return hydra::guarded("hydra_program_accept", [&] {
        HYDRA_REQUIRE(program && tree && nodes && best && pool, "an argument is null");
        const int64_t width = hydra::pending_width(nodes, hidden, pending_rows, pending);
        program->record<hydra::Accept>(0, 0);
        auto& op = static_cast<hydra::Accept&>(*program->operations.back());
        op.tree = tree;
        op.nodes = nodes;
        op.best = best;
        op.pool = pool;
        op.width = width;
        op.pending_rows = pending_rows;
        op.hidden = pending_rows ? hidden->floats() : nullptr;
        op.pending = pending_rows ? pending->floats() : nullptr;
        op.append = append != 0;
    });
}

hydra_status hydra_program_advance(hydra_program* program, hydra_rows* rows, const hydra_top* best,
                                   const hydra_buffer* hidden, hydra_rows* pending_rows, hydra_buffer* pending) {
    return hydra::guarded("hydra_program_advance", [&] {
        HYDRA_REQUIRE(program && rows, "an argument is null");
        const int64_t width = hydra::pending_width(rows, hidden, pending_rows, pending);
        program->record<hydra::Advance>(0, 0);
        auto& op = static_cast<hydra::Advance&>(*program->operations.back());
        op.rows = rows;
        op.best = best;
        op.width = width;
        op.pending_rows = pending_rows;
        op.hidden = pending_rows ? hidden->floats() : nullptr;
        op.pending = pending_rows ? pending->floats() : nullptr;
    });
}
