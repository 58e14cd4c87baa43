// What changes from step to step, as plain data: the CPU backend works on it in place, the CUDA backend on a copy on
// the device. The functions are for both.
#pragma once

#include "hydra4j/sequence.h"

#ifdef __CUDACC__
#define HYDRA_BOTH __host__ __device__ __forceinline__
#else
#define HYDRA_BOTH inline
#endif

namespace hydra {

struct SequenceState {
    hydra_step_result result;
    int32_t page_count;  // entries of the page table that are set
};

// The states of a batch's sequences begin so many bytes behind its generation.
constexpr int64_t STATES_OFFSET = 64;

// At most HYDRA_MAX_NODES rows of one sequence that stand next to each other, in slots that do, too: a tree, or a part
// of a chain. A longer chain is several segments.
struct Segment {
    int32_t sequence;  // in the batch
    int32_t order;     // which of the pass's sequences that is
    int32_t row;       // of the pass, its first
    int32_t count;     // of rows
    int32_t first;     // slot of its first row = number of positions that every row of it sees
};

struct RowsState {
    int64_t generation;      // of the batch, when the rows were set
    int32_t count;           // of rows
    int32_t segments;        // of them
    int32_t sequences;       // that have rows
    int32_t position_limit;  // the smallest that a recorded operation can take, exclusive
};

// The rows of a pass and what they belong to. Rows of a draft level have a count alone.
struct RowsView {
    RowsState* state;
    Segment* segments;     // [max_segments], by row
    int32_t* last_rows;    // [batch], by order: the last row of each sequence
    int32_t* tokens;       // [max_rows], and so on
    int32_t* positions;    //
    int32_t* segment_of;   // index of the row's segment
    uint64_t* ancestors;   // bit j: the row sees row j of its segment
    int64_t* generation;   // of the batch; grows when a sequence is rewound, so that rows of before are seen to be void
    SequenceState* batch;  // [batch_size]
    const int32_t* pages;  // [batch_size][max_pages]
    int32_t batch_size, max_pages, max_rows;

    HYDRA_BOTH bool is_valid() const { return state->generation == *generation; }
    // Rows, segments and sequences that are there: none where a sequence was rewound after they were set.
    HYDRA_BOTH int32_t active() const { return is_valid() ? state->count : 0; }
    // Rows that have tokens, positions and slots, unlike those of a draft level.
    HYDRA_BOTH int32_t placed() const { return is_valid() && state->segments > 0 ? state->count : 0; }
    HYDRA_BOTH int32_t active_segments() const { return is_valid() ? state->segments : 0; }
    // Segments that may be trees, none where a sequence has several: it has a long chain then.
    HYDRA_BOTH int32_t active_trees() const {
        return is_valid() && state->segments == state->sequences ? state->segments : 0;
    }
    HYDRA_BOTH int32_t active_sequences() const { return is_valid() ? state->sequences : 0; }

    HYDRA_BOTH const Segment& segment_of_row(int32_t row) const { return segments[segment_of[row]]; }
    HYDRA_BOTH int32_t slot_of(int32_t row) const {
        const Segment& segment = segment_of_row(row);
        return segment.first + row - segment.row;
    }
    HYDRA_BOTH const int32_t* pages_of(int32_t sequence) const { return pages + int64_t{sequence} * max_pages; }
    // Whether a segment is the last one of its sequence.
    HYDRA_BOTH bool ends_sequence(int32_t segment) const {
        return segment + 1 == state->segments || segments[segment + 1].order != segments[segment].order;
    }

    HYDRA_BOTH bool has_pages(int32_t sequence, int32_t first, int32_t rows) const {
        return int64_t{first} + rows <= int64_t{batch[sequence].page_count} * HYDRA_PAGE_POSITIONS;
    }
    HYDRA_BOTH bool has_positions(int32_t first, int32_t depth) const {
        return int64_t{first} + depth < state->position_limit;
    }
    // Whether a tree's nodes can stand behind the verified positions of a sequence that has a root.
    HYDRA_BOTH bool has_room(int32_t sequence, int32_t nodes, int32_t levels) const {
        const hydra_step_result& result = batch[sequence].result;
        return result.root >= 0 && has_pages(sequence, result.length, nodes) && has_positions(result.length, levels);
    }

    // Makes the rows `count` without segments.
    HYDRA_BOTH void set_count(int32_t count) const {
        state->generation = *generation;
        state->count = count;
        state->segments = 0;
        state->sequences = 0;
    }
    // Adds the segments of `count` rows of a sequence behind those that are there, the first of them in slot `first`.
    // What belongs to each row is for set_row.
    HYDRA_BOTH void add(int32_t sequence, int32_t first, int32_t count) const {
        for (int32_t begin = 0; begin < count; begin += HYDRA_MAX_NODES) {
            const int32_t rows = count - begin < HYDRA_MAX_NODES ? count - begin : HYDRA_MAX_NODES;
            segments[state->segments++] = {sequence, state->sequences, state->count, rows, first + begin};
            state->count += rows;
        }
        last_rows[state->sequences++] = state->count - 1;
    }
    // Row i of a segment; its token stays.
    HYDRA_BOTH void set_row(int32_t segment, int32_t i, int32_t position, uint64_t seen) const {
        const int32_t row = segments[segment].row + i;
        positions[row] = position;
        segment_of[row] = segment;
        ancestors[row] = seen;
    }
    HYDRA_BOTH void set_chain_row(int32_t segment, int32_t i) const {
        set_row(segment, i, segments[segment].first + i, ~uint64_t{0} >> (63 - i));
    }
};

struct TreeData {
    int32_t nodes;
    int32_t levels;  // depth of the deepest node
    int32_t parents[HYDRA_MAX_NODES];
    int32_t ranks[HYDRA_MAX_NODES];
    int32_t depths[HYDRA_MAX_NODES];
    uint64_t ancestors[HYDRA_MAX_NODES];
    int32_t level_rows[HYDRA_MAX_NODES];                    // by depth: nodes that have children
    int32_t level_nodes[HYDRA_MAX_NODES][HYDRA_MAX_NODES];  // by depth: those nodes
    int32_t row_of[HYDRA_MAX_NODES];                        // index of a node in its level's list; -1: no children
    int32_t level_top[HYDRA_MAX_NODES];  // by depth: candidates needed of each row = largest rank of a child + 1
};

}  // namespace hydra
