// The noise of the positions at which a pass may select tokens or draft them, and the tokens that stand before.
#include <algorithm>

#include "cpu/program.h"
#include "program/sampling.h"
#include "program/sequence.h"

namespace hydra {

namespace {

struct PrepareSelectionTask : Task {
    const hydra_rows* rows;
    const SamplingView* sampling;

    bool idle() const override { return rows->view.active_selections() == 0; }

    void run(const Worker& worker) override {
        each_sequence([&](const Selecting& one) {
            if (sampling->options[one.sequence].penalised && one.order % worker.threads == worker.thread) count(one);
            for (int32_t p = one.position; p < one.position + one.positions; ++p) draw(worker, one.sequence, p);
        });
        worker.barrier();
        if (worker.thread != 0) return;
        each_sequence([&](const Selecting& one) {
            const SelectionOptions& options = sampling->options[one.sequence];
            if (!options.draws()) return;
            for (int32_t p = one.position; p < one.position + one.positions; ++p) {
                sampling->tags[sampling->place(one.sequence, p)] = {options.seed, p};
            }
        });
    }

    // A sequence that selects, and at which positions.
    struct Selecting {
        int32_t sequence, order, first_segment, last_segment, position, positions;
    };

    template <class Use>
    void each_sequence(Use&& use) const {
        const RowsView& view = rows->view;
        for (int32_t begin = 0, s = 0; s < view.state->segments; ++s) {
            if (!view.ends_sequence(s)) continue;
            const Segment& last = view.segments[s];
            if (last.sets_root != 0) {
                // Trees may still grow to their most levels; what is drawn too early is used later.
                const bool is_tree = s < view.state->trees;
                use(Selecting{last.sequence, last.order, begin, s, is_tree ? last.first + 1 : last.first + last.count,
                              is_tree ? sampling->window : 1});
            }
            begin = s + 1;
        }
    }

    void draw(const Worker& worker, int32_t sequence, int32_t position) const {
        const SelectionOptions& options = sampling->options[sequence];
        if (!options.draws() || sampling->has_noise(sequence, position)) return;
        const int64_t runs = sampling->stride / NOISE_RUN, begin = worker.begin(runs) * NOISE_RUN;
        worker.kernels().sampling.noise(options.seed, position, begin, worker.end(runs) * NOISE_RUN - begin,
                                        sampling->noise_at(sequence, position) + begin);
    }

    void count(const Selecting& one) const {
        const RowsView& view = rows->view;
        int32_t* occurrences = sampling->occurrences_of(one.sequence);
        std::fill_n(occurrences, sampling->vocabulary, 0);
        const Segment& first = view.segments[one.first_segment];
        const int32_t* history = sampling->history_of(one.sequence);
        const auto add = [&](int32_t token, bool generated) {
            if (sampling->knows(token)) occurrences[token] = with_occurrence(occurrences[token], generated);
        };
        for (int32_t p = 0; p < first.first; ++p) add(history[p] >> 1, (history[p] & 1) != 0);
        if (one.first_segment < view.state->trees) return;
        const Segment& last = view.segments[one.last_segment];
        for (int32_t row = first.row; row < last.row + last.count; ++row) add(view.tokens[row], false);
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const PrepareSelection& operation, CpuProgram&) {
    auto task = std::make_unique<PrepareSelectionTask>();
    task->rows = operation.rows;
    task->sampling = &operation.sampling->view;
    return task;
}

}  // namespace hydra
