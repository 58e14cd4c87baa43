// How many rows the passes of a run can have, as far as the host knows before it: what a run launches is made for so
// many, not for all that there is memory for.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "program/operations.h"

namespace hydra {

// The nodes that trees have when they are expanded, by the states that the host knows, and the chains beside them.
class ExpandedNodes {
  public:
    // prompts: or null.
    ExpandedNodes(const hydra_tree& tree, const hydra_rows* prompts, const hydra_rows& rows);

    // The tree of a sequence, once it has grown; 0 where it has a prompt, no root or no room for it.
    int32_t of(int32_t sequence) const;
    // Of all trees and chains, once they have grown.
    int64_t rows() const;

  private:
    const hydra_tree& tree_;
    const hydra_rows* prompts_;
    const hydra_rows& rows_;
    std::vector<bool> has_prompt_;
};

// The rows whose number an operation sets; null where it sets none.
const hydra_rows* rows_set_by(const Operation& operation);
// Whether so many are set without regard to those that were there.
bool sets_anew(const Operation& operation);

// Walks through the operations of a run that set rows, in order, and tells how many there can be.
class LiveRows {
  public:
    // Rows that there are before the run.
    void find(const hydra_rows* rows);
    void set(const Operation& operation);

    // At most, from 1 to those that there is memory for; which are all where they were not found.
    int32_t of(const hydra_rows* rows) const;

  private:
    // Where trees are expanded, or grow.
    template <class O>
    int64_t expanded(const O& o) const;
    void put(const hydra_rows* rows, int64_t most);

    std::vector<std::pair<const hydra_rows*, int32_t>> most_;
    bool knows_roots_ = true;  // no operation has changed the sequences since the host knew them
};

}  // namespace hydra
