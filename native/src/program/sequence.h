// Definitions of the handles of sequence.h. State that programs read and write lies in mirrors: here is the host's
// side.
#pragma once

#include <algorithm>
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

struct hydra_batch {
    hydra_batch(hydra_backend* owner, int32_t its_sequences, int32_t most_pages);

    hydra_backend* backend;
    int32_t sequences, max_pages;
    hydra::Mirror memory;       // of the generation and the states
    hydra::Mirror page_memory;  // [sequences][max_pages]
    int64_t* generation;
    hydra::SequenceState* states;  // [sequences]
    // What a device of its own tells the host. The host's side: hydra_step_result [TOLD_RUNS][sequences], those of its
    // i-th commit in [i % TOLD_RUNS]; the device's: how many commits there were, int64_t. Neither is ever copied.
    hydra::Mirror telling;
    int64_t commits = 0;  // that were launched
    int32_t* pages;
    std::vector<int32_t> largest_page;  // [sequences] of its table, -1 where that is empty
    int32_t most_pages = 0;             // that a sequence has had

    // Positions that a page table can hold.
    int64_t capacity() const { return static_cast<int64_t>(max_pages) * HYDRA_PAGE_POSITIONS; }
    // Positions that the page tables have held.
    int64_t reach() const { return static_cast<int64_t>(most_pages) * HYDRA_PAGE_POSITIONS; }
    // Changes the state and sees to it that the device learns of it.
    hydra::SequenceState& change(int32_t sequence);
    // Invalidates all rows.
    void void_rows();
    // The states become what commit `number` has left, which the device has told.
    void take_results(int64_t number);
};

struct hydra_rows {
    hydra_rows(hydra_batch* owner, int32_t most_rows);

    hydra_backend* backend;
    hydra_batch* batch;
    int32_t max_rows;
    mutable hydra::Mirror memory;
    hydra::RowsView view;                     // the host's
    bool set_by_host = true;                  // no program has changed them since the host set them
    mutable bool stale = false;               // the device's copy is newer than the host's
    mutable int64_t token_limit = INT64_MAX;  // the smallest that a recorded operation can take, exclusive
    mutable int32_t prompt_rows = 0;          // most of them that are of prompts beside trees
    mutable int32_t most = 0;                 // that the program can have made them which has changed them last

    // Brings what the device has to the host.
    void fetch() const;
    // The same, and the host is going to change it.
    const hydra::RowsView& change() const;
    // The host is going to set all of it that is in use.
    const hydra::RowsView& overwrite() const;

    // Recorded operations take positions and tokens below these.
    void limit_positions(int32_t limit) const;
    void limit_tokens(int64_t limit) const;

    int32_t active() const { return view.active(); }
    // Refuses chains that the host has set where their sequences' verified positions do not end before them any more,
    // nor, if that will do, with them: then they were committed, and what is computed for them is what is there.
    void require_current(bool or_committed) const;
    // Refuses rows of a chain that the page table of a sequence or the context does not cover.
    void require_room(const hydra::Segment& chain) const;
    // The same for chains that the host has set (those that a program sets have room), and pages that the pool lacks.
    void require_pages(const hydra_kv_pool& pool) const;
    // Refuses more rows than there can be, of sequences that may all bring theirs.
    void require_rows(int64_t all) const;
};

namespace hydra {

// A tree of one node.
TreeData root_alone();

}  // namespace hydra

struct hydra_tree {
    explicit hydra_tree(hydra_batch* owner);

    hydra_backend* backend;
    hydra_batch* batch;
    hydra::Mirror memory;   // of the data
    hydra::TreeData* data;  // [sequences]
    hydra::Mirror setting;  // the budget, then growth
    int32_t* budget;        // most nodes below the roots of all trees that grow
    hydra::Growth* growth;  // [sequences]
    hydra::Memory growing;  // Grown, then Sprouts, [sequences] of each, where programs work on them

    hydra::Grown* grown() const { return reinterpret_cast<hydra::Grown*>(growing.get()); }
    hydra::Sprouts* sprouts() const { return reinterpret_cast<hydra::Sprouts*>(grown() + batch->sequences); }

    // What a step drafts and verifies of the tree of a sequence at most.
    int32_t most_levels(int32_t sequence) const;  // that are drafted
    int32_t most_depth(int32_t sequence) const;   // of a node
    int32_t most_level_rows(int32_t sequence, int32_t level) const;
    // Rows of a level of heads that are grounded, and of others: a row of each tree that is drafted.
    int64_t level_rows(int32_t level) const;
    int64_t drafted() const;

    // The sum of of(sequence) over all sequences, and the largest.
    template <class Of>
    int64_t sum(Of&& of) const {
        int64_t all = 0;
        for (int32_t s = 0; s < batch->sequences; ++s) all += of(s);
        return all;
    }
    template <class Of>
    int32_t largest(Of&& of) const {
        int32_t most = 0;
        for (int32_t s = 0; s < batch->sequences; ++s) most = std::max<int32_t>(most, of(s));
        return most;
    }
};
