// What changes from step to step, as plain data: the CPU backend works on it in place, the CUDA backend on a copy on
// the device. The functions are for both.
#pragma once

#include "hydra4j/sequence.h"

#ifdef __CUDACC__
#define HYDRA_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define HYDRA_HOST_DEVICE inline
#endif

namespace hydra {

struct SequenceState {
    hydra_step_result result;
    int32_t page_count;  // entries of the page table that are set
};

// The states of a batch's sequences begin so many bytes after its generation.
constexpr int64_t STATES_OFFSET = 64;

// Runs whose results lie side by side until the host takes them: a step can be enqueued while the one before it runs.
constexpr int TOLD_RUNS = 2;

// At most HYDRA_MAX_NODES rows of one sequence that stand next to each other, in slots that do, too: a tree, or a part
// of a chain. A longer chain is several segments.
struct Segment {
    int32_t sequence;       // in the batch
    int32_t order;          // which of the pass's sequences that is
    int32_t row;            // of the pass, its first
    int32_t count;          // of rows
    int32_t first;          // slot of its first row = number of positions that every row of it sees
    int32_t sets_root = 1;  // whether the token selected at its last row becomes the sequence's root: not of a chain
                            // after which more of the prompt follows
    uint64_t accepted =
        0;  // bit i: row i is accepted; of a chain all are, of a tree its root and those that a judge marks
};

// The set of a segment's first rows, 1 to HYDRA_MAX_NODES of them.
HYDRA_HOST_DEVICE uint64_t first_rows(int32_t rows) { return ~uint64_t{0} >> (HYDRA_MAX_NODES - rows); }

struct RowsState {
    int64_t generation;      // of the batch, when the rows were set
    int32_t count;           // of rows
    int32_t segments;        // of them
    int32_t trees;           // segments that are trees, which stand before the chains
    int32_t sequences;       // that have rows
    int32_t position_limit;  // the smallest that a recorded operation can take, exclusive
};

// The topology of a sequence's tree. Nodes stand in order of depth.
struct TreeData {
    int32_t nodes;
    int32_t levels;                       // depth of the deepest node
    int32_t grows;                        // levels that heads draft while it grows; -1: it does not grow
    int8_t parents[HYDRA_MAX_NODES];      // -1: the root's
    int8_t ranks[HYDRA_MAX_NODES];        // among the parent's candidates
    int8_t depths[HYDRA_MAX_NODES];       //
    int8_t row_of[HYDRA_MAX_NODES];       // index of a node among those of its depth that have children; -1: none
    int8_t inner[HYDRA_MAX_NODES];        // all nodes that have children
    int8_t begins[HYDRA_MAX_NODES + 1];   // by depth: where its nodes begin among the inner ones
    int8_t candidates[HYDRA_MAX_NODES];   // by depth: those needed of each node = largest rank of a child + 1
    uint64_t ancestors[HYDRA_MAX_NODES];  // bit j: node j is an ancestor, or the node itself

    // Nodes of a depth that have children, and one of them.
    HYDRA_HOST_DEVICE int32_t level_rows(int32_t depth) const { return begins[depth + 1] - begins[depth]; }
    HYDRA_HOST_DEVICE int32_t level_node(int32_t depth, int32_t i) const { return inner[begins[depth] + i]; }

    // The tree's first nodes are a tree, too. So many of these were expanded: all, or whole levels of them where there
    // was no room for more, or those of another tree, which was there before.
    HYDRA_HOST_DEVICE int32_t nodes_of(int32_t expanded) const { return nodes < expanded ? nodes : expanded; }
    // Levels that are drafted.
    HYDRA_HOST_DEVICE int32_t levels_of(int32_t expanded) const {
        return grows >= 0 ? grows : depths[nodes_of(expanded) - 1];
    }
    // Nodes of a depth whose children are drafted where so many nodes were expanded. Of a tree that grows they are the
    // inner ones of that depth, with children or without, and of no other depth is it known.
    HYDRA_HOST_DEVICE int32_t drafting(int32_t depth, int32_t expanded) const {
        return depth < levels_of(expanded) ? level_rows(depth) : 0;
    }
};

// How the tree of a sequence grows: what the host sets. Expanding makes it the root and the chain below it.
struct Growth {
    int32_t nodes;                   // the most of the tree; 0: it does not grow
    float least;                     // log of how likely a node is to be right at least
    int32_t levels;                  // that draft heads fill
    int32_t width;                   // the most nodes of a depth whose children are drafted
    int32_t guesses;                 // nodes of the chain
    int32_t chain[HYDRA_MAX_NODES];  // [guesses] their tokens
    float chances[HYDRA_MAX_NODES];  // [guesses] of each to be right where the one before is: between 0 and 1
};

// What is known of the nodes of a tree that grows.
struct Grown {
    int32_t tokens[HYDRA_MAX_NODES];
    float scores[HYDRA_MAX_NODES];   // log of how likely the path to the node is right
    float chances[HYDRA_MAX_NODES];  // those of the chain's nodes; 0: of no chain
};

// The nodes that a tree is to have, best first: those that it has, and new children of theirs.
struct Sprouts {
    int32_t count;
    int32_t tokens[HYDRA_MAX_NODES];
    float scores[HYDRA_MAX_NODES];
    float chances[HYDRA_MAX_NODES];
    int8_t nodes[HYDRA_MAX_NODES];    // which node of the tree it is; -1: a new one
    int8_t parents[HYDRA_MAX_NODES];  // node of the tree
    int8_t depths[HYDRA_MAX_NODES];
};

// Trees that programs may change.
struct TreesView {
    TreeData* data;         // by sequence, and so on
    const Growth* growth;   //
    Grown* grown;           //
    Sprouts* sprouts;       // between the parts of grow
    const int32_t* budget;  // most nodes below the roots of all trees that grow
};

// The rows of a pass and what they belong to. Rows of a draft level have no segments, but in `positions` the position
// at which the token that is drafted will stand (-1: the tree is not that deep), and in `segment_of` their sequence.
struct RowsView {
    RowsState* state;
    Segment* segments;     // [max_segments], by row
    int32_t* last_rows;    // [batch], by order: the last row of each sequence
    int32_t* tokens;       // [max_rows], and so on
    int32_t* positions;    //
    int32_t* segment_of;   // index of the row's segment
    uint64_t* ancestors;   // bit j: the row sees row j of its segment
    int64_t* generation;   // of the batch; grows when a sequence is rewound, so that rows of before are void
    SequenceState* batch;  // [batch_size]
    const int32_t* pages;  // [batch_size][max_pages]
    int32_t batch_size, max_pages, max_rows, capacity;  // rows of a run at most, and those that there is memory for

    HYDRA_HOST_DEVICE bool is_valid() const { return state->generation == *generation; }
    // Rows, segments and sequences that are there: none where a sequence was rewound after they were set.
    HYDRA_HOST_DEVICE int32_t active() const { return is_valid() ? state->count : 0; }
    // Rows that have tokens, positions and slots, unlike those of a draft level.
    HYDRA_HOST_DEVICE int32_t placed() const { return is_valid() && state->segments > 0 ? state->count : 0; }
    HYDRA_HOST_DEVICE int32_t active_segments() const { return is_valid() ? state->segments : 0; }
    // Sequences that can have rows.
    HYDRA_HOST_DEVICE int32_t most_sequences() const { return batch_size < max_rows ? batch_size : max_rows; }
    // Segments that are trees, the first ones.
    HYDRA_HOST_DEVICE int32_t active_trees() const { return is_valid() ? state->trees : 0; }
    HYDRA_HOST_DEVICE int32_t active_sequences() const { return is_valid() ? state->sequences : 0; }

    // Rows at which a token is selected: all nodes of trees, then the last row of each chain, in the sequences' order.
    HYDRA_HOST_DEVICE int32_t tree_rows() const { return state->trees > 0 ? last_rows[state->trees - 1] + 1 : 0; }
    HYDRA_HOST_DEVICE int32_t active_selections() const {
        return is_valid() && state->segments > 0 ? tree_rows() + state->sequences - state->trees : 0;
    }
    HYDRA_HOST_DEVICE int32_t row_of_selection(int32_t i) const {
        const int32_t nodes = tree_rows();
        return i < nodes ? i : last_rows[state->trees + i - nodes];
    }
    // The selection at the last row of a chain.
    HYDRA_HOST_DEVICE int32_t selection_of_chain(const Segment& chain) const {
        return tree_rows() + chain.order - state->trees;
    }

    HYDRA_HOST_DEVICE const Segment& segment_of_row(int32_t row) const { return segments[segment_of[row]]; }
    HYDRA_HOST_DEVICE int32_t slot_of(int32_t row) const {
        const Segment& segment = segment_of_row(row);
        return segment.first + row - segment.row;
    }
    // The token of a tree's node; none where the tree was set again since its nodes were expanded and has more of them.
    HYDRA_HOST_DEVICE int32_t token_of(const Segment& tree, int32_t node) const {
        return node < tree.count ? tokens[tree.row + node] : -1;
    }
    HYDRA_HOST_DEVICE const int32_t* pages_of(int32_t sequence) const { return pages + int64_t{sequence} * max_pages; }
    // Whether a segment is the last one of its sequence.
    HYDRA_HOST_DEVICE bool ends_sequence(int32_t segment) const {
        return segment + 1 == state->segments || segments[segment + 1].order != segments[segment].order;
    }

    HYDRA_HOST_DEVICE bool has_pages(int32_t sequence, int32_t first, int32_t rows) const {
        return int64_t{first} + rows <= int64_t{batch[sequence].page_count} * HYDRA_PAGE_POSITIONS;
    }
    HYDRA_HOST_DEVICE bool has_positions(int32_t first, int32_t depth) const {
        return int64_t{first} + depth < state->position_limit;
    }
    // Nodes of its tree, whole levels, that can stand after the verified positions of a sequence: none where it has no
    // root, or no room for it.
    HYDRA_HOST_DEVICE int32_t nodes_with_room(int32_t sequence, const TreeData& tree) const {
        const hydra_step_result& result = batch[sequence].result;
        if (result.root < 0) return 0;
        int32_t nodes = tree.nodes;
        while (nodes > 0 &&
               !(has_pages(sequence, result.length, nodes) && has_positions(result.length, tree.depths[nodes - 1]))) {
            const int32_t depth = tree.depths[nodes - 1];
            while (nodes > 0 && tree.depths[nodes - 1] == depth) --nodes;
        }
        return nodes;
    }

    // Makes the rows `count` without segments.
    HYDRA_HOST_DEVICE void set_count(int32_t count) const {
        state->generation = *generation;
        state->count = count;
        state->segments = 0;
        state->trees = 0;
        state->sequences = 0;
    }
    // Adds the segments of a chain of `count` rows of a sequence after those that are there, the first of them in slot
    // `first`. What belongs to each row is for set_row.
    HYDRA_HOST_DEVICE void add(int32_t sequence, int32_t first, int32_t count, bool sets_root = true) const {
        for (int32_t begin = 0; begin < count; begin += HYDRA_MAX_NODES) {
            const int32_t rows = count - begin < HYDRA_MAX_NODES ? count - begin : HYDRA_MAX_NODES;
            segments[state->segments++] = {sequence,      state->sequences, state->count,    rows,
                                           first + begin, sets_root,        first_rows(rows)};
            state->count += rows;
        }
        last_rows[state->sequences++] = state->count - 1;
    }
    // Adds a tree's nodes after those of other trees that are there; its root alone is accepted at first.
    HYDRA_HOST_DEVICE void add_tree(int32_t sequence, int32_t first, int32_t nodes) const {
        add(sequence, first, nodes);
        segments[state->segments - 1].accepted = 1;
        ++state->trees;
    }
    // Row i of a segment; its token stays.
    HYDRA_HOST_DEVICE void set_row(int32_t segment, int32_t i, int32_t position, uint64_t seen) const {
        const int32_t row = segments[segment].row + i;
        positions[row] = position;
        segment_of[row] = segment;
        ancestors[row] = seen;
    }
    HYDRA_HOST_DEVICE void set_chain_row(int32_t segment, int32_t i) const {
        set_row(segment, i, segments[segment].first + i, first_rows(i + 1));
    }
    HYDRA_HOST_DEVICE void set_level_row(int32_t row, int32_t sequence, int32_t position) const {
        segment_of[row] = sequence;
        positions[row] = position;
    }
};

// What the trees of expanded nodes draft at a level.
struct DraftLevel {
    const TreeData* trees;  // by sequence
    const RowsView& nodes;
    int32_t level;

    HYDRA_HOST_DEVICE const TreeData& tree(int32_t s) const { return trees[nodes.segments[s].sequence]; }
    HYDRA_HOST_DEVICE int32_t levels(int32_t s) const { return tree(s).levels_of(nodes.segments[s].count); }
    // Nodes of a tree at this depth that have children: rows of a grounded head.
    HYDRA_HOST_DEVICE int32_t parents(int32_t s) const { return tree(s).drafting(level, nodes.segments[s].count); }
    // Heads that are not grounded have a row for each tree that is deeper than its root, at every level of the deepest.
    HYDRA_HOST_DEVICE int32_t guesses(int32_t s) const { return levels(s) > 0; }
    // Where a token that is drafted at a level of this tree will stand; -1: none is.
    HYDRA_HOST_DEVICE int32_t drafted_position(int32_t s, int32_t its_level) const {
        return its_level < levels(s) ? nodes.segments[s].first + its_level + 1 : -1;
    }
};

}  // namespace hydra
