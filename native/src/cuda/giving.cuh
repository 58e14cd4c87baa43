// The candidates of draft heads become the tokens of trees' nodes.
#pragma once

#include "cuda/device.h"
#include "cuda/levels.cuh"

namespace hydra::cuda {

// Draft tokens of so many levels from work.level on, which whoever finds the candidates gives to the nodes: of groups
// from work.group on, one a level; where that is negative of one level. 0 levels: they are not given.
struct Giving {
    DraftTokens work{};
    int32_t levels = 0;
};

// Gives the nodes below what a row of candidates is of their tokens, by a warp whose lanes have the candidates' ids,
// best first.
__device__ __forceinline__ void give_row(const Giving& giving, int row, int32_t id) {
    const DraftTokens& work = giving.work;
    const Level at{{work.tree, work.nodes, work.level}};
    const bool of_parents = work.group < 0;
    const int trees = work.nodes.active_trees();
    const auto rows_of = [&](int s) { return of_parents ? at.parents(s) : at.guesses(s); };
    int depth = work.level + 1;
    if (!of_parents) {
        const int all = rows_before(trees, rows_of), group = all > 0 ? row / all - work.group : -1;
        if (group < 0 || group >= giving.levels) return;
        depth += group;
        row %= all;
    }
    const LevelRow found = find_row(trees, row, rows_of);
    if (found.segment < 0) return;
    const Segment segment = work.nodes.segments[found.segment];
    const TreeData& tree = at.tree(found.segment);
    const int count = tree.nodes_of(segment.count);
    for (int base = 0; base < count; base += WARP) {
        const int i = base + lane_index();
        const bool takes = i > 0 && i < count && tree.depths[i] == depth &&
                           (!of_parents || tree.row_of[tree.parents[i]] == found.index);
        const int32_t token = __shfl_sync(ALL_LANES, id, takes ? tree.ranks[i] : 0);
        if (takes) work.nodes.tokens[segment.row + i] = token;
    }
}

}  // namespace hydra::cuda
