// Keys and values, rotation angles, sequences, rows and trees: arguments, and the state that programs share.
#include "program/sequence.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "program/backend.h"
#include "program/error.h"

using hydra::guarded;

namespace hydra {

namespace {

TreeData root_alone() {
    TreeData tree{};
    tree.nodes = 1;
    tree.parents[0] = -1;
    tree.ancestors[0] = 1;
    tree.row_of[0] = -1;
    return tree;
}

}  // namespace

}  // namespace hydra

hydra_sequence::hydra_sequence(hydra_backend* owner, int32_t most_pages)
    : backend(owner), max_pages(most_pages), page_memory(owner->mirror(int64_t{most_pages} * 4)) {
    blocks.push_back(std::make_unique<Block>(Block{owner->mirror(sizeof(hydra::StateBlock))}));
    state = &blocks[0]->memory.at<hydra::StateBlock>()->sequence;
    pages = page_memory.at<int32_t>();
    change().result.root = -1;
}

hydra::SequenceState& hydra_sequence::change() {
    blocks[0]->memory.change();
    return *state;
}

hydra_rows::hydra_rows(hydra_sequence* owner) : backend(owner->backend), sequence(owner) {
    int place = hydra::StateBlock::ROWS;
    for (auto& candidate : owner->blocks) {
        block = candidate.get();
        place = static_cast<int>(std::find(std::begin(block->taken), std::end(block->taken), false) - block->taken);
        if (place < hydra::StateBlock::ROWS) break;
    }
    if (place == hydra::StateBlock::ROWS) {
        owner->blocks.push_back(std::make_unique<hydra_sequence::Block>(
            hydra_sequence::Block{owner->backend->mirror(sizeof(hydra::StateBlock))}));
        block = owner->blocks.back().get();
        place = 0;
    }
    state = &block->memory.at<hydra::StateBlock>()->rows[place];
    change() = {};
    state->position_limit = INT32_MAX;
    block->taken[place] = true;
}

hydra_rows::~hydra_rows() { block->taken[state - block->memory.at<hydra::StateBlock>()->rows] = false; }

hydra::RowsState& hydra_rows::change() const {
    block->memory.change();
    return *state;
}

hydra_status hydra_kv_pool_create(hydra_backend* backend, hydra_type type, int32_t layers, int32_t kv_heads,
                                  int32_t head_size, int32_t pages, hydra_kv_pool** out) {
    return guarded("hydra_kv_pool_create", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        HYDRA_REQUIRE(type == HYDRA_F32 || type == HYDRA_F16, "type is %d, must be F32 (%d) or F16 (%d)",
                      static_cast<int>(type), static_cast<int>(HYDRA_F32), static_cast<int>(HYDRA_F16));
        HYDRA_REQUIRE(layers >= 1 && layers <= 4096, "layers is %d, must be from 1 to 4096", layers);
        HYDRA_REQUIRE(kv_heads >= 1 && kv_heads <= 4096, "kv_heads is %d, must be from 1 to 4096", kv_heads);
        HYDRA_REQUIRE(head_size >= 8 && head_size <= 1024 && head_size % 8 == 0,
                      "head_size is %d, must be a multiple of 8 from 8 to 1024", head_size);
        HYDRA_REQUIRE(pages >= 1 && pages <= (1 << 24), "pages is %d, must be from 1 to 2^24", pages);
        *out = backend->kv_pool(type, layers, kv_heads, head_size, pages).release();
    });
}

void hydra_kv_pool_destroy(hydra_kv_pool* pool) { delete pool; }

int64_t hydra_kv_pool_page_bytes(const hydra_kv_pool* pool) { return pool == nullptr ? 0 : pool->page_bytes(); }

hydra_status hydra_kv_pool_release(hydra_kv_pool* pool, int32_t page) {
    return guarded("hydra_kv_pool_release", [&] {
        HYDRA_REQUIRE(pool != nullptr, "pool is null");
        HYDRA_REQUIRE(page >= 0 && page < pool->pages, "page is %d, must be from 0 to %d", page, pool->pages - 1);
        pool->release(page);
    });
}

hydra_status hydra_rope_create(hydra_backend* backend, int32_t head_size, const float* frequencies, int32_t positions,
                               hydra_rope** out) {
    return guarded("hydra_rope_create", [&] {
        HYDRA_REQUIRE(backend != nullptr && frequencies != nullptr && out != nullptr, "an argument is null");
        HYDRA_REQUIRE(head_size >= 2 && head_size % 2 == 0, "head_size is %d, must be even and positive", head_size);
        HYDRA_REQUIRE(positions >= 1 && positions <= (1 << 24), "positions is %d, must be from 1 to 2^24", positions);
        const int pairs = head_size / 2;
        for (int i = 0; i < pairs; ++i) {
            HYDRA_REQUIRE(std::isfinite(frequencies[i]) && frequencies[i] > 0, "frequency %d is %g", i,
                          static_cast<double>(frequencies[i]));
        }
        const int64_t count = static_cast<int64_t>(positions) * head_size;
        auto table = hydra::allocate<float>(count);
        for (int64_t p = 0; p < positions; ++p) {
            for (int i = 0; i < pairs; ++i) {
                const float angle = static_cast<float>(p) * frequencies[i];
                float cosine, sine;
                sincosf(angle, &sine, &cosine);
                table[p * head_size + 2 * i] = cosine;
                table[p * head_size + 2 * i + 1] = sine;
            }
        }
        hydra::Memory memory = backend->allocate(count * 4);
        backend->copy_in(memory.get(), table.get(), count * 4);
        *out = new hydra_rope{backend, head_size, positions, std::move(memory)};
    });
}

void hydra_rope_destroy(hydra_rope* rope) { delete rope; }

hydra_status hydra_sequence_create(hydra_backend* backend, int32_t max_pages, hydra_sequence** out) {
    return guarded("hydra_sequence_create", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        HYDRA_REQUIRE(max_pages >= 1 && max_pages <= (1 << 20), "max_pages is %d, must be from 1 to 2^20", max_pages);
        *out = std::make_unique<hydra_sequence>(backend, max_pages).release();
    });
}

void hydra_sequence_destroy(hydra_sequence* sequence) { delete sequence; }

hydra_status hydra_sequence_set_pages(hydra_sequence* sequence, const int32_t* pages, int32_t count) {
    return guarded("hydra_sequence_set_pages", [&] {
        HYDRA_REQUIRE(sequence != nullptr && pages != nullptr, "sequence or pages is null");
        HYDRA_REQUIRE(count >= 0 && count <= sequence->max_pages, "count is %d, must be from 0 to %d", count,
                      sequence->max_pages);
        for (int32_t i = 0; i < count; ++i) HYDRA_REQUIRE(pages[i] >= 0, "page %d of the table is %d", i, pages[i]);
        sequence->page_memory.change();
        sequence->change().page_count = count;
        for (int32_t i = 0; i < count; ++i) sequence->pages[i] = pages[i];
    });
}

hydra_status hydra_sequence_rewind(hydra_sequence* sequence, int32_t length, int32_t root) {
    return guarded("hydra_sequence_rewind", [&] {
        HYDRA_REQUIRE(sequence != nullptr, "sequence is null");
        HYDRA_REQUIRE(length >= 0 && length <= sequence->state->result.length, "length is %d, must be from 0 to %d",
                      length, sequence->state->result.length);
        HYDRA_REQUIRE(root >= -1, "root is %d, must be a token or -1", root);
        hydra::SequenceState& state = sequence->change();
        state.result.length = length;
        state.result.root = root;
        state.result.emitted = 0;
        ++state.generation;
    });
}

const hydra_step_result* hydra_sequence_result(const hydra_sequence* sequence) {
    return sequence == nullptr ? nullptr : &sequence->state->result;
}

hydra_status hydra_rows_create(hydra_sequence* sequence, hydra_rows** out) {
    return guarded("hydra_rows_create", [&] {
        HYDRA_REQUIRE(sequence != nullptr && out != nullptr, "sequence or out is null");
        *out = new hydra_rows(sequence);
    });
}

void hydra_rows_destroy(hydra_rows* rows) { delete rows; }

void hydra_rows::set_chain(int32_t first_position, int32_t rows) {
    hydra::set_chain(change(), first_position, rows, sequence->state->generation);
}

void hydra_rows::limit_positions(int32_t limit) const {
    if (limit < state->position_limit) change().position_limit = limit;
}

void hydra_rows::limit_tokens(int64_t limit) const { token_limit = std::min(token_limit, limit); }

bool hydra_rows::has_pages(int32_t first_position, int32_t rows) const {
    return int64_t{first_position} + rows <= int64_t{sequence->state->page_count} * HYDRA_PAGE_POSITIONS;
}

bool hydra_rows::has_positions(int32_t first_position, int32_t depth) const {
    return int64_t{first_position} + depth < state->position_limit;
}

void hydra_rows::require_room(int32_t first_position, int32_t rows, int32_t depth) const {
    HYDRA_REQUIRE(has_pages(first_position, rows), "the page table of %d pages does not cover %lld positions",
                  sequence->state->page_count, static_cast<long long>(int64_t{first_position} + rows));
    HYDRA_REQUIRE(has_positions(first_position, depth), "position %lld is beyond the context of %d positions",
                  static_cast<long long>(int64_t{first_position} + depth), state->position_limit);
}

void hydra_rows::require_pages(const hydra_kv_pool& pool) const {
    for (int32_t i = 0; i < sequence->state->page_count; ++i) {
        HYDRA_REQUIRE(sequence->pages[i] < pool.pages, "page %d of the table is %d, the pool has %d", i,
                      sequence->pages[i], pool.pages);
    }
    if (active() > 0) {
        require_room(state->first, state->count, state->positions[state->count - 1] - state->first);
    }
}

hydra_status hydra_rows_set_chain(hydra_rows* rows, const int32_t* tokens, int32_t count) {
    return guarded("hydra_rows_set_chain", [&] {
        HYDRA_REQUIRE(rows != nullptr && tokens != nullptr, "rows or tokens is null");
        HYDRA_REQUIRE(count >= 1 && count <= HYDRA_MAX_ROWS, "count is %d, must be from 1 to %d", count,
                      HYDRA_MAX_ROWS);
        rows->set_chain(rows->sequence->state->result.length, count);
        rows->given = true;
        std::copy_n(tokens, count, rows->state->tokens);
    });
}

int32_t hydra_rows_count(const hydra_rows* rows) { return rows == nullptr ? 0 : rows->active(); }

const int32_t* hydra_rows_tokens(const hydra_rows* rows) { return rows == nullptr ? nullptr : rows->state->tokens; }

hydra_status hydra_tree_create(hydra_backend* backend, hydra_tree** out) {
    return guarded("hydra_tree_create", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        hydra::Mirror memory = backend->mirror(sizeof(hydra::TreeData));
        auto* data = memory.at<hydra::TreeData>();
        *data = hydra::root_alone();
        memory.change();
        *out = new hydra_tree{backend, std::move(memory), data};
    });
}

void hydra_tree_destroy(hydra_tree* tree) { delete tree; }

hydra_status hydra_tree_set(hydra_tree* tree, const int32_t* parents, const int32_t* ranks, int32_t nodes) {
    return guarded("hydra_tree_set", [&] {
        HYDRA_REQUIRE(tree != nullptr && parents != nullptr && ranks != nullptr, "an argument is null");
        HYDRA_REQUIRE(nodes >= 1 && nodes <= HYDRA_MAX_ROWS, "nodes is %d, must be from 1 to %d", nodes,
                      HYDRA_MAX_ROWS);
        HYDRA_REQUIRE(parents[0] == -1 && ranks[0] == 0, "node 0 must be the root: parent -1, rank 0");
        auto next = std::make_unique<hydra::TreeData>(hydra::root_alone());
        next->nodes = nodes;
        for (int32_t i = 1; i < nodes; ++i) {
            const int32_t parent = parents[i];
            HYDRA_REQUIRE(parent >= 0 && parent < i, "the parent of node %d is %d, must be from 0 to %d", i, parent,
                          i - 1);
            HYDRA_REQUIRE(ranks[i] >= 0 && ranks[i] < HYDRA_MAX_TOP, "the rank of node %d is %d, must be from 0 to %d",
                          i, ranks[i], HYDRA_MAX_TOP - 1);
            for (int32_t j = 1; j < i; ++j) {
                HYDRA_REQUIRE(parents[j] != parent || ranks[j] != ranks[i],
                              "nodes %d and %d have the same parent and rank", j, i);
            }
            const int32_t depth = next->depths[parent] + 1;
            HYDRA_REQUIRE(depth >= next->depths[i - 1], "node %d stands behind a deeper one", i);
            next->parents[i] = parent;
            next->ranks[i] = ranks[i];
            next->depths[i] = depth;
            next->ancestors[i] = next->ancestors[parent] | uint64_t{1} << i;
            next->level_top[depth - 1] = std::max(next->level_top[depth - 1], ranks[i] + 1);
            next->levels = depth;
            next->row_of[i] = -1;
        }
        for (int32_t i = 1; i < nodes; ++i) next->row_of[parents[i]] = 0;
        for (int32_t i = 0; i < nodes; ++i) {
            if (next->row_of[i] < 0) continue;
            const int32_t depth = next->depths[i];
            next->row_of[i] = next->level_rows[depth];
            next->level_nodes[depth][next->level_rows[depth]++] = i;
        }
        tree->memory.change();
        *tree->data = *next;
    });
}
