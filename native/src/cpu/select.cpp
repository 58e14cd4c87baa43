// The token selected at each row that asks for one: the best of its candidates, or a draw.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "cpu/program.h"
#include "program/buffer.h"
#include "program/sampling.h"
#include "program/sequence.h"

namespace hydra {

namespace {

struct SelectTask : Task {
    const hydra_rows* rows;
    const hydra_top* top;
    const float* logits;  // or null
    int64_t vocabulary;
    const SamplingView* sampling;  // or null
    int32_t* selection;
    float* log_probabilities;  // or null
    Aligned<float> scratch;    // [threads][vocabulary]

    bool takes_best() const { return sampling == nullptr && log_probabilities == nullptr; }
    bool by_one_thread() const override { return takes_best(); }

    void run(const Worker& worker) override {
        const int count = std::min(rows->view.active_selections(), top->max_rows);
        if (takes_best()) {
            for (int i = 0; i < count; ++i) selection[i] = top->ids[i * top->k];
            return;
        }
        float* own = scratch.get() + worker.thread * vocabulary;
        for (int i = worker.thread; i < count; i += worker.threads) {
            const float* row = logits + i * vocabulary;
            selection[i] = sampling != nullptr ? select(i, row, own) : top->ids[i * top->k];
            if (log_probabilities == nullptr) continue;
            log_probabilities[2 * i] = selection[i] < vocabulary ? row[selection[i]] : -INFINITY;
            log_probabilities[2 * i + 1] = log_sum(row);
        }
    }

    float log_sum(const float* row) const {
        float most = finite(row[0]);
        for (int64_t v = 1; v < vocabulary; ++v) most = std::max(most, finite(row[v]));
        int64_t mass = 0;
        for (int64_t v = 0; v < vocabulary; ++v) {
            mass += mass_of<scalar::U32>(scalar::F32{most - finite(row[v])}).v;
        }
        return most + log_of_mass(mass);
    }

    int32_t select(int i, const float* row, float* own) const {
        const SelectedRow at = selected_row(rows->view, rows->view.row_of_selection(i));
        const SelectionOptions& options = sampling->options[at.sequence];
        if (options.takes_best()) return top->ids[i * top->k];
        adjust(at, options, row, own);
        const float* best = std::max_element(own, own + vocabulary);
        if (!options.draws()) return static_cast<int32_t>(best - own);
        const float most = *best;
        for (int64_t v = 0; v < vocabulary; ++v) {
            own[v] = max(scalar::F32{(most - own[v]) * options.inverse_temperature}, scalar::F32{0}).v;
        }
        if (options.filters()) filter(options, own);
        return race(at, options, own);
    }

    // The logits with biases and penalties.
    void adjust(const SelectedRow& at, const SelectionOptions& options, const float* row, float* own) const {
        const float* bias = options.biased ? sampling->bias_of(at.sequence) : nullptr;
        const int32_t* occurrences = options.penalised ? sampling->occurrences_of(at.sequence) : nullptr;
        const auto adjusted = [&](int64_t v, int32_t count) {
            float logit = row[v];
            if (bias != nullptr) logit += bias[v];
            return finite(penalised_logit(logit, count, options));
        };
        for (int64_t v = 0; v < vocabulary; ++v) own[v] = adjusted(v, occurrences != nullptr ? occurrences[v] : 0);
        if (occurrences == nullptr) return;
        const int32_t* tokens = rows->view.tokens + rows->view.segments[at.segment].row;
        for (uint64_t rest = at.ancestors; rest != 0; rest &= rest - 1) {
            const int32_t token = tokens[__builtin_ctzll(rest)];
            if (!sampling->knows(token)) continue;
            int32_t count = occurrences[token];
            for (uint64_t all = at.ancestors; all != 0; all &= all - 1) {
                if (tokens[__builtin_ctzll(all)] == token) count = with_occurrence(count, true);
            }
            own[token] = adjusted(token, count);
        }
    }

    // Makes the distance of what is filtered out infinite.
    void filter(const SelectionOptions& options, float* distances) const {
        std::vector<int32_t> order(static_cast<size_t>(vocabulary));
        std::iota(order.begin(), order.end(), 0);
        std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
            return distances[a] != distances[b] ? distances[a] < distances[b] : a < b;
        });
        size_t kept = std::min<size_t>(order.size(), static_cast<size_t>(options.top_k));
        if (options.top_p < 1) {
            const auto mass = [&](size_t i) {
                return int64_t{mass_of<scalar::U32>(scalar::F32{distances[order[i]]}).v};
            };
            int64_t all = 0, sum = 0;
            for (size_t i = 0; i < kept; ++i) all += mass(i);
            const double needed = options.top_p * static_cast<double>(all);
            size_t count = 0;
            while (count < kept && (count == 0 || static_cast<double>(sum) < needed)) sum += mass(count++);
            kept = count;
        }
        while (kept > 1 && distances[order[kept - 1]] > options.most_distance) --kept;
        for (size_t i = kept; i < order.size(); ++i) distances[order[i]] = INFINITY;
    }

    int32_t race(const SelectedRow& at, const SelectionOptions& options, const float* distances) const {
        const float* noise =
            sampling->has_noise(at.sequence, at.position) ? sampling->noise_at(at.sequence, at.position) : nullptr;
        float best = -INFINITY;
        int32_t winner = 0;
        for (int32_t v = 0; v < vocabulary; ++v) {
            if (distances[v] > MOST_NOISE - LEAST_NOISE) continue;
            const float drawn = noise != nullptr ? noise[v] : noise_of(options.seed, at.position, v);
            if (drawn - distances[v] > best) {
                best = drawn - distances[v];
                winner = v;
            }
        }
        return winner;
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Select& operation, CpuProgram& program) {
    auto task = std::make_unique<SelectTask>();
    task->rows = operation.rows;
    task->top = operation.top;
    task->logits = operation.logits != nullptr ? operation.logits->floats() : nullptr;
    task->vocabulary = operation.vocabulary;
    task->sampling = operation.sampling != nullptr ? &operation.sampling->view : nullptr;
    task->selection = operation.selection->ints();
    task->log_probabilities = operation.log_probabilities != nullptr ? operation.log_probabilities->floats() : nullptr;
    if (operation.sampling != nullptr) {
        task->scratch = allocate<float>(program.cpu.team.threads() * operation.vocabulary);
    }
    return task;
}

}  // namespace hydra
