// Adds a level of candidates to trees that grow, and keeps the nodes that are likeliest to be right.
#include <algorithm>

#include "cpu/levels.h"
#include "cpu/pass.h"
#include "cpu/program.h"
#include "program/growth.h"

namespace hydra {

namespace {

struct GrowTask : Task {
    hydra_tree* trees;
    int level;
    const hydra_top* top;  // or null
    int group;
    const hydra_rows* prompts;  // or null
    hydra_rows* rows;
    std::unique_ptr<Candidate[]> candidates;  // of a tree
    std::unique_ptr<int32_t[]> order;

    bool changes_rows() const override { return true; }
    bool by_one_thread() const override { return true; }

    void run(const Worker&) override {
        const RowsView& view = rows->view;
        const int count = view.active_trees();
        if (count == 0) return;
        const Level at{{trees->data, view, level}};
        int row = group < 0 ? 0 : group * at.all_guesses();
        int below_roots = 0;
        for (int s = 0; s < count; ++s) {
            const int sequence = view.segments[s].sequence;
            if (at.tree(s).grows >= 0) {
                choose(at, s, row);
                below_roots += trees->sprouts()[sequence].count - 1;
            }
            row += group < 0 ? at.parents(s) : at.guesses(s);
        }
        if (below_roots > *trees->budget) share_budget(view, count);
        for (int s = 0; s < count; ++s) {
            const int sequence = view.segments[s].sequence;
            if (at.tree(s).grows < 0) continue;
            const Sprouts& sprouts = trees->sprouts()[sequence];
            build(trees->data[sequence], trees->grown()[sequence], sprouts, sprouts.count, trees->growth[sequence],
                  level, 0, 1, [] {});
        }
        place_rows(*trees, prompts, *rows);
    }

    // The best nodes of a tree, from its candidates' first row of top on.
    void choose(const Level& at, int s, int row) const {
        const RowsView& view = rows->view;
        const Segment& segment = view.segments[s];
        const TreeData& tree = at.tree(s);
        const int32_t count = tree.nodes_of(segment.count);
        const int32_t guess = guess_below(tree, count, level);
        const int32_t open = top != nullptr ? at.parents(s) : 0;
        const int32_t k = top != nullptr ? top->k : 1;
        const int64_t first = int64_t{row} * k;
        const Proposals proposals{tree,
                                  trees->grown()[segment.sequence],
                                  view.tokens + segment.row,
                                  count,
                                  level,
                                  open,
                                  top != nullptr ? top->ids + first : nullptr,
                                  top != nullptr ? top->values + first : nullptr,
                                  k,
                                  group < 0 ? k : 0,
                                  segment.first,
                                  view.state->position_limit,
                                  trees->growth[segment.sequence].least,
                                  guess};
        const float opinion = guess >= 0 ? proposals.second_opinion() : 1;
        int32_t found = 0;
        for (int32_t i = 0; i < proposals.candidates(); ++i) {
            candidates[found] = proposals.candidate(i, opinion);
            if (candidates[found].score == -INFINITY) continue;
            order[found] = found;
            ++found;
        }
        int32_t kept = std::min(found, trees->growth[segment.sequence].nodes);
        while (!view.has_pages(segment.sequence, segment.first, kept)) --kept;
        std::partial_sort(order.get(), order.get() + kept, order.get() + found, [&](int32_t one, int32_t other) {
            return is_better(candidates[one], candidates[other], one < other);
        });
        Sprouts& sprouts = trees->sprouts()[segment.sequence];
        sprouts.count = kept;
        for (int32_t i = 0; i < kept; ++i) put(sprouts, i, candidates[order[i]]);
    }

    // Leaves the trees no more nodes below their roots than the budget: the best of all.
    void share_budget(const RowsView& view, int count) const {
        const auto sprouts_of = [&](int s) -> Sprouts& { return trees->sprouts()[view.segments[s].sequence]; };
        int left = *trees->budget;
        int32_t taken[HYDRA_MAX_SEQUENCES];
        std::fill_n(taken, count, 1);
        const auto grows = [&](int s) { return trees->data[view.segments[s].sequence].grows >= 0; };
        const auto worse = [&](int one, int other) {
            const float a = sprouts_of(one).scores[taken[one]], b = sprouts_of(other).scores[taken[other]];
            return a != b ? a < b : one > other;
        };
        int32_t heap[HYDRA_MAX_SEQUENCES];
        int waiting = 0;
        for (int s = 0; s < count; ++s) {
            if (grows(s) && sprouts_of(s).count > 1) heap[waiting++] = s;
        }
        std::make_heap(heap, heap + waiting, worse);
        while (left-- > 0) {
            std::pop_heap(heap, heap + waiting, worse);
            const int s = heap[waiting - 1];
            if (++taken[s] < sprouts_of(s).count) {
                std::push_heap(heap, heap + waiting, worse);
            } else {
                --waiting;
            }
        }
        for (int s = 0; s < count; ++s) {
            if (grows(s)) sprouts_of(s).count = taken[s];
        }
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Grow& operation, CpuProgram&) {
    auto task = std::make_unique<GrowTask>();
    task->trees = operation.tree;
    task->level = operation.level;
    task->top = operation.top;
    task->group = operation.group;
    task->prompts = operation.prompts;
    task->rows = operation.rows;
    const int64_t most = HYDRA_MAX_NODES * int64_t{1 + (operation.top != nullptr ? operation.top->k : 0)};
    task->candidates.reset(new Candidate[most]);
    task->order.reset(new int32_t[most]);
    return task;
}

}  // namespace hydra
