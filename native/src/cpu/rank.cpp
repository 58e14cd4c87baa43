// The best candidates of a draft head, with the noise by which the tokens will be selected.
#include <algorithm>
#include <cmath>

#include "cpu/program.h"
#include "program/buffer.h"
#include "program/sampling.h"
#include "program/sequence.h"

namespace hydra {

namespace {

struct RankTask : Task {
    const hydra_rows* rows;
    const float* logits;
    int64_t columns;
    const int32_t* ids;            // or null
    const SamplingView* sampling;  // or null
    hydra_top* top;
    Aligned<float> scratch;  // [threads][columns]

    bool idle() const override { return rows->active() == 0; }

    void run(const Worker& worker) override {
        float* own = scratch.get() + worker.thread * columns;
        for (int r = worker.thread; r < rows->active(); r += worker.threads) rank(r, own);
    }

    void rank(int r, float* scores) const {
        const SelectedRow at = selected_row(rows->view, r);
        if (at.position < 0) return;
        score(at, logits + r * columns, scores);
        const float most = *std::max_element(scores, scores + columns);
        int64_t mass = 0;
        for (int64_t i = 0; i < columns; ++i) mass += mass_of<scalar::U32>(scalar::F32{most - scores[i]}).v;
        const float all = most + log_of_mass(mass);
        int32_t* best = top->ids + r * top->k;
        float* values = top->values + r * top->k;
        std::fill_n(values, top->k, -INFINITY);
        for (int64_t i = 0; i < columns; ++i) {
            if (!(scores[i] > values[top->k - 1])) continue;
            int place = top->k - 1;
            for (; place > 0 && values[place - 1] < scores[i]; --place) {
                values[place] = values[place - 1];
                best[place] = best[place - 1];
            }
            values[place] = scores[i];
            best[place] = ids != nullptr ? ids[i] : static_cast<int32_t>(i);
        }
        for (int i = 0; i < top->k; ++i) values[i] -= all;
    }

    void score(const SelectedRow& at, const float* row, float* scores) const {
        if (sampling == nullptr || !sampling->options[at.sequence].draws()) {
            for (int64_t i = 0; i < columns; ++i) scores[i] = finite(row[i]);
            return;
        }
        const SelectionOptions& options = sampling->options[at.sequence];
        const float* noise =
            sampling->has_noise(at.sequence, at.position) ? sampling->noise_at(at.sequence, at.position) : nullptr;
        for (int64_t i = 0; i < columns; ++i) {
            const int32_t token = ids != nullptr ? ids[i] : static_cast<int32_t>(i);
            const float drawn = noise == nullptr         ? noise_of(options.seed, at.position, token)
                                : sampling->knows(token) ? noise[token]
                                                         : LEAST_NOISE;
            scores[i] = finite(finite(row[i]) * options.inverse_temperature + drawn);
        }
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Rank& operation, CpuProgram& program) {
    auto task = std::make_unique<RankTask>();
    task->rows = operation.rows;
    task->logits = operation.logits->floats();
    task->columns = operation.columns;
    task->ids = operation.ids != nullptr ? operation.ids->ints() : nullptr;
    task->sampling = operation.sampling != nullptr ? &operation.sampling->view : nullptr;
    task->top = operation.top;
    task->scratch = allocate<float>(program.cpu.team.threads() * operation.columns);
    return task;
}

}  // namespace hydra
