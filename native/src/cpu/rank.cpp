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

    // Of each thread.
    struct Scratch {
        Aligned<float> scores, gathered, groups;  // [columns] in whole vectors
        Aligned<float> noise;                     // [stride]
        Aligned<uint64_t> keys;                   // [columns]
    };
    std::unique_ptr<Scratch[]> scratch;

    bool idle() const override { return rows->active() == 0; }

    void run(const Worker& worker) override {
        const SamplingKernels& kernels = worker.kernels().sampling;
        for (int r = worker.thread; r < rows->active(); r += worker.threads) rank(kernels, scratch[worker.thread], r);
    }

    void rank(const SamplingKernels& kernels, const Scratch& own, int r) const {
        const SelectedRow at = selected_row(rows->view, r);
        if (at.position < 0) return;
        float *scores = own.scores.get(), *groups = own.groups.get();
        const bool draws = sampling != nullptr && sampling->options[at.sequence].draws();
        kernels.score(logits + r * columns, draws ? noise_of_columns(kernels, own, at) : nullptr, columns,
                      draws ? sampling->options[at.sequence].inverse_temperature : 1, scores);
        const float best = kernels.best_logit(scores, columns).score;
        const float all = best + log_of_mass(kernels.masses(scores, columns, best, 1));
        // At least k groups, and so indices, are as near as the k-th best group.
        const int64_t count = kernels.group_maxima(scores, columns, std::max<int64_t>(columns / 512, 1), groups);
        float far = INFINITY;
        if (count > top->k) {
            std::nth_element(groups, groups + top->k - 1, groups + count, std::greater<float>());
            far = best - groups[top->k - 1];
        }
        uint64_t* keys = own.keys.get();
        const int64_t found = kernels.collect(scores, columns, best, 1, far, keys);
        // Distances are rounded, scores are not.
        const auto index_of = [](uint64_t key) { return static_cast<int32_t>(key & 0xffffffff); };
        std::partial_sort(keys, keys + top->k, keys + found, [&](uint64_t a, uint64_t b) {
            const int32_t i = index_of(a), j = index_of(b);
            return scores[i] != scores[j] ? scores[i] > scores[j] : i < j;
        });
        for (int i = 0; i < top->k; ++i) {
            const int32_t index = index_of(keys[i]);
            top->ids[r * top->k + i] = ids != nullptr ? ids[index] : index;
            top->values[r * top->k + i] = scores[index] - all;
        }
    }

    // [columns]
    const float* noise_of_columns(const SamplingKernels& kernels, const Scratch& own, const SelectedRow& at) const {
        const float* noise = own.noise.get();
        if (sampling->has_noise(at.sequence, at.position)) {
            noise = sampling->noise_at(at.sequence, at.position);
        } else {
            kernels.noise(sampling->options[at.sequence].seed, at.position, 0, sampling->stride, own.noise.get());
        }
        if (ids == nullptr) return noise;
        float* gathered = own.gathered.get();
        for (int64_t i = 0; i < columns; ++i) gathered[i] = sampling->knows(ids[i]) ? noise[ids[i]] : LEAST_NOISE;
        return gathered;
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
    const int threads = program.cpu.team.threads();
    const int64_t columns = operation.columns, stride = task->sampling != nullptr ? task->sampling->stride : 0;
    task->scratch = std::make_unique<RankTask::Scratch[]>(static_cast<size_t>(threads));
    for (int t = 0; t < threads; ++t) {
        task->scratch[t] = {allocate<float>(columns), allocate<float>(columns), allocate<float>(columns),
                            allocate<float>(stride), allocate<uint64_t>(columns)};
    }
    return task;
}

}  // namespace hydra
