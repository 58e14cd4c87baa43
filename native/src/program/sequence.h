// What is behind the handles of sequence.h. State that programs read and write lies in mirrors: here is the host's
// side.
#pragma once

#include <vector>

#include "hydra4j/sequence.h"
#include "program/memory.h"
#include "program/state.h"

// Keys and values; their layout is the backend's.
struct hydra_kv_pool {
    hydra_backend* backend;
    hydra_type type;
    int32_t layers, kv_heads, head_size, pages;

    virtual ~hydra_kv_pool() = default;
    virtual int64_t page_bytes() const = 0;
    virtual void release(int32_t page) = 0;
    // One slot of a page: values [layers][kv_heads][2][head_size], keys before values. What is written is rounded as
    // programs round it.
    virtual void read(int32_t page, int32_t slot, float* values) const = 0;
    virtual void write(int32_t page, int32_t slot, const float* values) = 0;

  protected:
    hydra_kv_pool(hydra_backend* owner, hydra_type its_type, int32_t its_layers, int32_t its_kv_heads,
                  int32_t its_head_size, int32_t its_pages)
        : backend(owner),
          type(its_type),
          layers(its_layers),
          kv_heads(its_kv_heads),
          head_size(its_head_size),
          pages(its_pages) {}
};

struct hydra_rope {
    hydra_backend* backend;
    int32_t head_size, positions;
    hydra::Memory table;  // of the device, float [positions][head_size]: cosine and sine of each pair in turn

    const float* values() const { return reinterpret_cast<const float*>(table.get()); }
};

namespace hydra {

// State of a sequence that travels in one piece. A sequence has one block, and another for every ROWS further handles
// of rows; only the first block's sequence is used.
struct StateBlock {
    static constexpr int ROWS = 8;

    SequenceState sequence;
    RowsState rows[ROWS];
};

}  // namespace hydra

struct hydra_sequence {
    struct Block {
        hydra::Mirror memory;  // of a StateBlock
        bool taken[hydra::StateBlock::ROWS]{};
    };

    hydra_sequence(hydra_backend* owner, int32_t most_pages);

    hydra_backend* backend;
    int32_t max_pages;
    std::vector<std::unique_ptr<Block>> blocks;
    hydra::Mirror page_memory;  // [max_pages]
    hydra::SequenceState* state;
    int32_t* pages;

    // Positions that the page table can hold.
    int64_t capacity() const { return static_cast<int64_t>(max_pages) * HYDRA_PAGE_POSITIONS; }
    // Changes the state and sees to it that the device learns of it.
    hydra::SequenceState& change();
};

struct hydra_rows {
    explicit hydra_rows(hydra_sequence* owner);
    ~hydra_rows();
    hydra_rows(const hydra_rows&) = delete;
    hydra_rows& operator=(const hydra_rows&) = delete;

    hydra_backend* backend;
    hydra_sequence* sequence;
    hydra_sequence::Block* block;
    hydra::RowsState* state;                  // in the block
    bool given = false;                       // the tokens are the host's, so a wrong one is refused before a run
    mutable int64_t token_limit = INT64_MAX;  // the smallest that a recorded operation can take, exclusive

    hydra::RowsState& change() const;

    // Rows first, first + 1, ... in a chain.
    void set_chain(int32_t first_position, int32_t rows);
    // Recorded operations take positions and tokens below these.
    void limit_positions(int32_t limit) const;
    void limit_tokens(int64_t limit) const;

    // 0 where the sequence was rewound after the rows were set.
    int32_t active() const { return state->generation == sequence->state->generation ? state->count : 0; }
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
    hydra_backend* backend;
    hydra::Mirror memory;  // of *data
    hydra::TreeData* data;
};
