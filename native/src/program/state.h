// What changes from step to step, as plain data: the CPU backend works on it in place, the CUDA backend on a copy on
// the device.
#pragma once

#include "hydra4j/sequence.h"

namespace hydra {

struct SequenceState {
    hydra_step_result result;
    int32_t page_count;  // entries of the page table that are set
    int64_t generation;  // grows when the sequence is rewound, so that rows of before are seen to be void
};

struct RowsState {
    int32_t count;
    int32_t first;           // slot of row 0 = number of positions that every row sees
    int64_t generation;      // of the sequence, when the rows were set
    int32_t position_limit;  // the smallest that a recorded operation can take, exclusive
    int32_t tokens[HYDRA_MAX_ROWS];
    int32_t positions[HYDRA_MAX_ROWS];
    uint64_t ancestors[HYDRA_MAX_ROWS];  // bit j: row i sees row j
};

// Makes the rows a chain behind position `first`; their tokens stay.
inline void set_chain(RowsState& rows, int32_t first, int32_t count, int64_t generation) {
    rows.count = count;
    rows.first = first;
    rows.generation = generation;
    for (int32_t i = 0; i < count; ++i) {
        rows.positions[i] = first + i;
        rows.ancestors[i] = ~uint64_t{0} >> (63 - i);
    }
}

struct TreeData {
    int32_t nodes;
    int32_t levels;  // depth of the deepest node
    int32_t parents[HYDRA_MAX_ROWS];
    int32_t ranks[HYDRA_MAX_ROWS];
    int32_t depths[HYDRA_MAX_ROWS];
    uint64_t ancestors[HYDRA_MAX_ROWS];
    int32_t level_rows[HYDRA_MAX_ROWS];                   // by depth: nodes that have children
    int32_t level_nodes[HYDRA_MAX_ROWS][HYDRA_MAX_ROWS];  // by depth: those nodes
    int32_t row_of[HYDRA_MAX_ROWS];                       // index of a node in its level's list; -1: no children
    int32_t level_top[HYDRA_MAX_ROWS];  // by depth: candidates needed of each row = largest rank of a child + 1
};

}  // namespace hydra
