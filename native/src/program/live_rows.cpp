#include "program/live_rows.h"

#include <algorithm>

#include "program/sequence.h"

namespace hydra {

ExpandedNodes::ExpandedNodes(const hydra_tree& tree, const hydra_rows* prompts, const hydra_rows& rows)
    : tree_(tree), prompts_(prompts), rows_(rows), has_prompt_(static_cast<size_t>(rows.batch->sequences)) {
    for (int32_t c = 0; prompts != nullptr && c < prompts->view.active_segments(); ++c) {
        has_prompt_[static_cast<size_t>(prompts->view.segments[c].sequence)] = true;
    }
}

int32_t ExpandedNodes::of(int32_t sequence) const {
    if (has_prompt_[static_cast<size_t>(sequence)]) return 0;
    const Growth& growth = tree_.growth[sequence];
    // Of a tree that grows the root must have room.
    const bool grows = growth.nodes > 0;
    const int32_t now = rows_.view.nodes_with_room(sequence, grows ? root_alone() : tree_.data[sequence]);
    return now > 0 && grows ? growth.nodes : now;
}

int64_t ExpandedNodes::rows() const {
    int64_t all = prompts_ != nullptr ? prompts_->active() : 0;
    int64_t growing = 0, chained = 0;  // nodes below the roots of trees that grow: at most, and at first
    for (int32_t s = 0; s < rows_.batch->sequences; ++s) {
        const int32_t nodes = of(s);
        const Growth& growth = tree_.growth[s];
        all += nodes;
        if (nodes == 0 || growth.nodes == 0) continue;
        growing += nodes - 1;
        chained += std::min(growth.guesses, nodes - 1);
    }
    return all - growing + std::max(chained, std::min<int64_t>(growing, *tree_.budget));
}

const hydra_rows* rows_set_by(const Operation& operation) {
    if (const auto* o = std::get_if<Expand>(&operation)) return o->rows;
    if (const auto* o = std::get_if<DraftInputs>(&operation)) return o->level_rows;
    if (const auto* o = std::get_if<TableBlock>(&operation)) return o->level_rows;
    if (const auto* o = std::get_if<DraftLevels>(&operation)) return o->rows;
    if (const auto* o = std::get_if<Grow>(&operation)) return o->rows;
    if (const auto* o = std::get_if<Commit>(&operation)) return o->uncommitted_rows;
    return nullptr;
}

bool sets_anew(const Operation& operation) {
    const auto* commit = std::get_if<Commit>(&operation);
    return !std::holds_alternative<Grow>(operation) && (commit == nullptr || commit->append == 0);
}

template <class O>
int64_t LiveRows::expanded(const O& o) const {
    return knows_roots_ ? ExpandedNodes(*o.tree, o.prompts, *o.rows).rows() : o.rows->max_rows;
}

void LiveRows::find(const hydra_rows* rows) { put(rows, rows->stale ? rows->most : rows->active()); }

void LiveRows::set(const Operation& operation) {
    if (const auto* o = std::get_if<Expand>(&operation)) {
        put(o->rows, expanded(*o));
    } else if (const auto* o = std::get_if<Grow>(&operation)) {
        put(o->rows, expanded(*o));
    } else if (const auto* o = std::get_if<DraftInputs>(&operation)) {
        const int64_t rows = o->embedding != nullptr ? o->tree->level_rows(o->level) : o->tree->drafted();
        put(o->level_rows, std::min<int64_t>(rows, of(o->nodes)));
    } else if (const auto* o = std::get_if<TableBlock>(&operation)) {
        put(o->level_rows, std::min<int64_t>(o->tree->level_rows(o->level), of(o->nodes)));
    } else if (const auto* o = std::get_if<DraftLevels>(&operation)) {
        const int32_t levels = o->tree->largest([&](int32_t s) { return o->tree->most_levels(s); });
        put(o->rows, std::min<int64_t>(o->tree->drafted(), of(o->nodes)) * levels);
    } else if (const auto* o = std::get_if<Commit>(&operation)) {
        knows_roots_ = false;
        if (o->uncommitted_rows == nullptr) return;
        int64_t accepted = of(o->rows);
        if (o->tree != nullptr) {
            const int64_t paths = o->tree->sum([&](int32_t s) { return o->tree->most_depth(s) + 1; });
            accepted = std::min(accepted, paths + o->rows->prompt_rows);
        }
        put(o->uncommitted_rows, accepted + (o->append != 0 ? of(o->uncommitted_rows) : 0));
    }
}

int32_t LiveRows::of(const hydra_rows* rows) const {
    for (const auto& [known, most] : most_) {
        if (known == rows) return most;
    }
    return rows->max_rows;
}

void LiveRows::put(const hydra_rows* rows, int64_t most) {
    const auto bounded = static_cast<int32_t>(std::clamp<int64_t>(most, 1, rows->max_rows));
    for (auto& [known, before] : most_) {
        if (known != rows) continue;
        before = bounded;
        return;
    }
    most_.emplace_back(rows, bounded);
}

}  // namespace hydra
