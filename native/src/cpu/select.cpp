// The token selected at each row that asks for one: the best of its candidates, or the winner of a race with noise.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/program.h"
#include "program/buffer.h"
#include "program/sampling.h"
#include "program/sequence.h"

namespace hydra {

namespace {

// Beyond this distance of the best token no noise makes up for it.
constexpr float HOPELESS = MOST_NOISE - LEAST_NOISE;

// Keys of candidates, in order: their distance's bits, then the token.
float distance_of(uint64_t key) { return float_of_bits(static_cast<uint32_t>(key >> 32)); }
int32_t token_of(uint64_t key) { return static_cast<int32_t>(key & 0xffffffff); }

// The mass of keys; scratch is [count].
int64_t mass_of_keys(const SamplingKernels& kernels, const uint64_t* keys, int64_t count, float* scratch) {
    for (int64_t i = 0; i < count; ++i) scratch[i] = -distance_of(keys[i]);
    return kernels.masses(scratch, count, 0, 1);
}

// Puts the best keys in front, as many as their mass needs to reach `needed`, and returns their number; -1: all
// together do not.
int64_t keep_mass(const SamplingKernels& kernels, uint64_t* keys, int64_t count, double needed, float* scratch) {
    if (static_cast<double>(mass_of_keys(kernels, keys, count, scratch)) < needed) return -1;
    // Those before `end` reach it, those before `begin` do not.
    int64_t begin = 0, end = count, sum = 0;
    while (end - begin > 1) {
        const int64_t middle = begin + (end - begin) / 2;
        std::nth_element(keys + begin, keys + middle, keys + end);
        const int64_t mass = mass_of_keys(kernels, keys + begin, middle - begin, scratch);
        if (static_cast<double>(sum + mass) >= needed) {
            end = middle;
        } else {
            sum += mass;
            begin = middle;
        }
    }
    return end;
}

struct SelectTask : Task {
    const hydra_rows* rows;
    const hydra_top* top;
    const float* logits;  // or null
    int64_t vocabulary;
    const SamplingView* sampling;  // or null
    int32_t* selection;
    float* log_probabilities;  // or null

    // Of each thread.
    struct Scratch {
        Aligned<float> logits, noise, groups;  // [stride]
        Aligned<uint64_t> keys;                // [vocabulary]
        Aligned<int32_t> occurring;            // [vocabulary]
    };
    std::unique_ptr<Scratch[]> scratch;

    bool takes_best() const { return sampling == nullptr && log_probabilities == nullptr; }
    bool by_one_thread() const override { return takes_best(); }

    void run(const Worker& worker) override {
        const int count = std::min(rows->view.active_selections(), top->max_rows);
        if (takes_best()) {
            for (int i = 0; i < count; ++i) selection[i] = top->ids[i * top->k];
            return;
        }
        const SamplingKernels& kernels = worker.kernels().sampling;
        for (int i = worker.thread; i < count; i += worker.threads) {
            const float* row = logits + i * vocabulary;
            selection[i] = sampling != nullptr ? select(kernels, scratch[worker.thread], i, row) : top->ids[i * top->k];
            if (log_probabilities == nullptr) continue;
            const float most = kernels.best_logit(row, vocabulary).score;
            const bool scored = selection[i] >= 0 && selection[i] < vocabulary;
            log_probabilities[2 * i] = scored ? row[selection[i]] : -INFINITY;
            log_probabilities[2 * i + 1] = most + log_of_mass(kernels.masses(row, vocabulary, most, 1));
        }
    }

    int32_t select(const SamplingKernels& kernels, const Scratch& own, int i, const float* row) const {
        const SelectedRow at = selected_row(rows->view, rows->view.row_of_selection(i));
        const SelectionOptions& options = sampling->options[at.sequence];
        if (options.takes_best()) return top->ids[i * top->k];
        if (options.penalised || options.biased) {
            adjust(kernels, own, at, options, row);
            row = own.logits.get();
        }
        const Scored best = kernels.best_logit(row, vocabulary);
        if (!options.draws()) return best.token;
        const float* noise = own.noise.get();
        if (sampling->has_noise(at.sequence, at.position)) {
            noise = sampling->noise_at(at.sequence, at.position);
        } else {
            kernels.noise(options.seed, at.position, 0, sampling->stride, own.noise.get());
        }
        if (options.top_k == INT32_MAX && options.top_p >= 1) {
            return kernels
                .race(row, noise, vocabulary, best.score, options.inverse_temperature,
                      std::min(options.most_distance, HOPELESS))
                .token;
        }
        uint64_t* keys = own.keys.get();
        return winner(keys, keep(kernels, own, options, row, best.score), options.most_distance, noise);
    }

    // The row's logits with biases and penalties.
    void adjust(const SamplingKernels& kernels, const Scratch& own, const SelectedRow& at,
                const SelectionOptions& options, const float* row) const {
        const float* bias = options.biased ? sampling->bias_of(at.sequence) : nullptr;
        float* out = own.logits.get();
        if (bias != nullptr) {
            kernels.add_bias(row, bias, vocabulary, out);
        } else {
            std::memcpy(out, row, sizeof(float) * vocabulary);
        }
        if (!options.penalised) return;
        const int32_t* occurrences = sampling->occurrences_of(at.sequence);
        int32_t* occurring = own.occurring.get();
        const int64_t count = kernels.occurring(occurrences, vocabulary, occurring);
        for (int64_t i = 0; i < count; ++i) {
            const int32_t token = occurring[i];
            out[token] = penalised_logit(out[token], occurrences[token], options);
        }
        const int32_t* tokens = rows->view.tokens + rows->view.segments[at.segment].row;
        for (uint64_t rest = at.ancestors; rest != 0; rest &= rest - 1) {
            const int32_t token = tokens[__builtin_ctzll(rest)];
            if (!sampling->knows(token)) continue;
            int32_t all = occurrences[token];
            for (uint64_t others = at.ancestors; others != 0; others &= others - 1) {
                if (tokens[__builtin_ctzll(others)] == token) all = with_occurrence(all, true);
            }
            out[token] = penalised_logit(bias != nullptr ? row[token] + bias[token] : row[token], all, options);
        }
    }

    // Leaves the keys of what top-k and top-p keep, but for hopeless ones, and returns their number.
    int64_t keep(const SamplingKernels& kernels, const Scratch& own, const SelectionOptions& options, const float* row,
                 float best) const {
        uint64_t* keys = own.keys.get();
        float* distances = own.groups.get();
        const float inverse = options.inverse_temperature;
        const auto collect = [&](float most_distance) {
            return kernels.collect(row, vocabulary, best, inverse, most_distance, keys);
        };
        if (options.top_k == INT32_MAX) {
            const int64_t all = kernels.masses(row, vocabulary, best, inverse);
            const double needed = options.top_p * static_cast<double>(all);
            // Tokens that have less than an equal share of the mass that is not needed are not needed either, but for
            // the rounding of masses.
            const double share = (1 - options.top_p) * static_cast<double>(all) / static_cast<double>(vocabulary);
            const auto near = static_cast<float>(std::log(0x1p31 / std::max(share, 1.0)) + 0.01);
            const int64_t kept = keep_mass(kernels, keys, collect(std::min(near, HOPELESS)), needed, distances);
            return kept >= 0 ? kept : keep_mass(kernels, keys, collect(HOPELESS), needed, distances);
        }
        int64_t count = collect(distance_of_best(kernels, own, options, row, best));
        if (count > options.top_k) {
            std::nth_element(keys, keys + options.top_k - 1, keys + count);
            count = options.top_k;
        }
        if (options.top_p >= 1) return count;
        const int64_t all = mass_of_keys(kernels, keys, count, distances);
        return keep_mass(kernels, keys, count, options.top_p * static_cast<double>(all), distances);
    }

    // A distance at which the top_k best are, or further: as many groups have one that is at least as near.
    float distance_of_best(const SamplingKernels& kernels, const Scratch& own, const SelectionOptions& options,
                           const float* row, float best) const {
        constexpr int64_t LEAST_GROUPS = 512;
        float* groups = own.groups.get();
        const int64_t wanted = std::max(4 * int64_t{options.top_k}, LEAST_GROUPS);
        const int64_t count = kernels.group_maxima(row, vocabulary, std::max<int64_t>(vocabulary / wanted, 1), groups);
        if (count <= options.top_k) return HOPELESS;
        std::nth_element(groups, groups + options.top_k - 1, groups + count, std::greater<float>());
        const float distance = (best - groups[options.top_k - 1]) * options.inverse_temperature;
        return std::min(std::max(distance, 0.0f), HOPELESS);
    }

    static int32_t winner(const uint64_t* keys, int64_t count, float most_distance, const float* noise) {
        float score = -INFINITY;
        int32_t found = 0;
        for (int64_t i = 0; i < count; ++i) {
            const float distance = distance_of(keys[i]);
            const int32_t token = token_of(keys[i]);
            const float own = noise[token] - distance;
            if (distance > most_distance || own < score || (own == score && token > found)) continue;
            score = own;
            found = token;
        }
        return found;
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
    if (operation.sampling == nullptr) return task;
    const int threads = program.cpu.team.threads();
    const int64_t stride = operation.sampling->view.stride;
    task->scratch = std::make_unique<SelectTask::Scratch[]>(static_cast<size_t>(threads));
    for (int t = 0; t < threads; ++t) {
        task->scratch[t] = {allocate<float>(stride), allocate<float>(stride), allocate<float>(stride),
                            allocate<uint64_t>(operation.vocabulary), allocate<int32_t>(operation.vocabulary)};
    }
    return task;
}

}  // namespace hydra
