// What the trees of a pass draft at each level, counted over all of them.
#pragma once

#include <algorithm>

#include "program/state.h"

namespace hydra {

struct Level : DraftLevel {
    int deepest() const {
        int deepest = 0;
        for (int s = 0; s < nodes.active_trees(); ++s) deepest = std::max(deepest, levels(s));
        return deepest;
    }
    int all_parents() const {
        int rows = 0;
        for (int s = 0; s < nodes.active_trees(); ++s) rows += parents(s);
        return rows;
    }
    int all_guesses() const {
        int rows = 0;
        for (int s = 0; s < nodes.active_trees(); ++s) rows += guesses(s);
        return rows;
    }
};

}  // namespace hydra
