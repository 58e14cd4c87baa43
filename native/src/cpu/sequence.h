// What is behind the handles of sequence.h.
#pragma once

#include "cpu/attention.h"
#include "cpu/backend.h"
#include "hydra4j/sequence.h"

// Keys and values. Of each page, layer and KV head: float keys [2][head_size][16], one half for 16 positions, then
// float values [32][value_stride].
struct hydra_kv_pool {
    hydra_backend* backend;
    int32_t layers, kv_heads, head_size, pages;
    int64_t value_stride;  // head_size rounded up to 16
    int64_t head_floats;   // of one page, layer and head
    int64_t page_floats;
    float* data;  // [pages][layers][kv_heads][head_floats]
    int64_t bytes;

    ~hydra_kv_pool();

    float* head(int32_t page, int32_t layer, int32_t kv_head) const {
        return data + page * page_floats + (static_cast<int64_t>(layer) * kv_heads + kv_head) * head_floats;
    }
    // The keys of the 16 positions that slot `slot` of a page belongs to.
    float* keys(int32_t page, int32_t layer, int32_t kv_head, int slot) const {
        return head(page, layer, kv_head) + slot / hydra::KEY_BLOCK * hydra::KEY_BLOCK * head_size;
    }
    // The value row of a slot.
    float* values(int32_t page, int32_t layer, int32_t kv_head, int slot) const {
        return head(page, layer, kv_head) + HYDRA_PAGE_POSITIONS * head_size + slot * value_stride;
    }
};

struct hydra_rope {
    int32_t head_size, positions;
    hydra::Aligned<float> table;  // [positions][head_size]: cos and sin of each pair in turn

    const float* row(int32_t position) const { return table.get() + static_cast<int64_t>(position) * head_size; }
};

struct hydra_sequence {
    hydra_backend* backend;
    int32_t max_pages;
    int32_t page_count = 0;
    hydra::Aligned<int32_t> pages;
    hydra_step_result result{};
    int64_t generation = 0;  // grows when the sequence is rewound, so that pending rows of before are seen to be void

    // Positions that the page table can hold.
    int64_t capacity() const { return static_cast<int64_t>(max_pages) * HYDRA_PAGE_POSITIONS; }
};

struct hydra_rows {
    hydra_sequence* sequence;
    int32_t count = 0;
    int32_t first = 0;  // slot of row 0 = number of positions that every row sees
    int64_t generation = 0;
    bool given = false;  // the tokens are the host's, so a wrong one is refused before a run
    // The smallest that a recorded operation can take, exclusive.
    mutable int32_t position_limit = INT32_MAX;
    mutable int64_t token_limit = INT64_MAX;
    int32_t tokens[HYDRA_MAX_ROWS]{};
    int32_t positions[HYDRA_MAX_ROWS]{};
    uint64_t ancestors[HYDRA_MAX_ROWS]{};  // bit j: row i sees row j

    // Rows first, first + 1, ... in a chain.
    void set_chain(int32_t first_position, int32_t rows);
    // 0 where the sequence was rewound after the rows were set.
    int32_t active() const { return generation == sequence->generation ? count : 0; }
    // Whether the page table covers `rows` rows behind position first_position.
    bool has_pages(int32_t first_position, int32_t rows) const;
    // Whether position first_position + depth is within the limit.
    bool has_positions(int32_t first_position, int32_t depth) const;
    // Refuses what has_pages or has_positions denies.
    void require_room(int32_t first_position, int32_t rows, int32_t depth) const;
    // The same for the present rows, and pages that the pool does not have.
    void require_pages(const hydra_kv_pool& pool) const;
};

struct hydra_tree {
    int32_t nodes = 1;
    int32_t levels = 0;  // depth of the deepest node
    int32_t parents[HYDRA_MAX_ROWS]{-1};
    int32_t ranks[HYDRA_MAX_ROWS]{};
    int32_t depths[HYDRA_MAX_ROWS]{};
    uint64_t ancestors[HYDRA_MAX_ROWS]{1};
    int32_t level_rows[HYDRA_MAX_ROWS]{};                   // by depth: nodes that have children
    int32_t level_nodes[HYDRA_MAX_ROWS][HYDRA_MAX_ROWS]{};  // by depth: those nodes
    int32_t row_of[HYDRA_MAX_ROWS]{-1};                     // index of a node in its level's list; -1: no children
    int32_t level_top[HYDRA_MAX_ROWS]{};  // by depth: candidates needed of each row = largest rank of a child + 1
};
