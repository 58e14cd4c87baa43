// Sequences that select by options, and the plain rule that they are compared with.
#pragma once

#include <map>
#include <numeric>
#include <optional>

#include "fixture.h"
#include "program/sampling.h"
#include "trees.h"

namespace hydra::test {

using Sampling = Handle<hydra_sampling, hydra_sampling_destroy>;

inline Sampling sampling(hydra_batch* batch, int32_t vocabulary, int32_t levels = 4) {
    hydra_sampling* out = nullptr;
    must(hydra_sampling_create(batch, vocabulary, levels, &out));
    return Sampling(out);
}

struct Options {
    float temperature = 0;
    int32_t top_k = 0;
    float top_p = 1, min_p = 0, repetition = 1, presence = 0, frequency = 0;
    uint64_t seed = 0;
    std::map<int32_t, float> bias{};

    hydra_status set(hydra_sampling* sampling, int32_t sequence = -1) const {
        std::vector<int32_t> tokens;
        Floats values;
        for (const auto& [token, value] : bias) {
            tokens.push_back(token);
            values.push_back(value);
        }
        const hydra_sampling_options options{temperature,
                                             top_k,
                                             top_p,
                                             min_p,
                                             repetition,
                                             presence,
                                             frequency,
                                             seed,
                                             tokens.data(),
                                             values.data(),
                                             static_cast<int32_t>(tokens.size())};
        return hydra_sampling_set(sampling, sequence, &options);
    }
    bool takes_best() const {
        return temperature == 0 && repetition == 1 && presence == 0 && frequency == 0 && bias.empty();
    }
};

// Tokens before the selected one: those of the prompt, and generated ones.
struct Before {
    std::vector<int32_t> prompt, generated;
};

// The token selected at `position`, step by step as hydra4j/sampling.h says it: sorted, in whole numbers and doubles
// where the rule is in such.
inline int32_t expected_token(const Floats& logits, const Options& options, const Before& before, int32_t position) {
    const auto count = static_cast<int32_t>(logits.size());
    const auto times = [](const std::vector<int32_t>& all, int32_t token) {
        return std::count(all.begin(), all.end(), token);
    };
    Floats l = logits;
    for (int32_t v = 0; v < count; ++v) {
        if (const auto found = options.bias.find(v); found != options.bias.end()) l[v] += found->second;
        const auto generated = times(before.generated, v);
        if (generated > 0 || times(before.prompt, v) > 0) {
            l[v] = l[v] > 0 ? l[v] / options.repetition : l[v] * options.repetition;
        }
        if (generated > 0) l[v] -= std::fma(options.frequency, static_cast<float>(generated), options.presence);
        l[v] = std::isnan(l[v]) ? -FLT_MAX : std::clamp(l[v], -FLT_MAX, FLT_MAX);
    }
    const auto best = std::max_element(l.begin(), l.end());
    if (options.temperature == 0) return static_cast<int32_t>(best - l.begin());
    const float most = *best, inverse = std::min(1 / options.temperature, FLT_MAX);
    Floats d;
    for (float logit : l) d.push_back((most - logit) * inverse);
    std::vector<int32_t> left(l.size());
    std::iota(left.begin(), left.end(), 0);
    std::stable_sort(left.begin(), left.end(), [&](int32_t a, int32_t b) { return d[a] < d[b]; });
    if (options.top_k > 0 && options.top_k < count) left.resize(static_cast<size_t>(options.top_k));
    if (options.top_p < 1) {
        std::vector<uint64_t> sums{0};
        for (int32_t v : left) sums.push_back(sums.back() + mass_of<scalar::U32>(scalar::F32{d[v]}).v);
        const double needed = static_cast<double>(options.top_p) * static_cast<double>(sums.back());
        size_t kept = 1;
        while (static_cast<double>(sums[kept]) < needed) ++kept;
        left.resize(kept);
    }
    while (left.size() > 1 && d[left.back()] > -std::log(options.min_p)) left.pop_back();
    std::sort(left.begin(), left.end());
    int32_t winner = -1;
    float score = -INFINITY;
    for (int32_t v : left) {
        const float own = noise_of(options.seed, position, v) - d[v];
        if (winner < 0 || own > score) {
            winner = v;
            score = own;
        }
    }
    return winner;
}

// The best entries of rows of logits, as an LM head would leave them.
inline void set_best(hydra_top* top, const Floats& logits, int32_t vocabulary) {
    std::vector<int32_t> ids;
    for (size_t row = 0; row < logits.size(); row += static_cast<size_t>(vocabulary)) {
        const auto begin = logits.begin() + static_cast<int64_t>(row);
        ids.push_back(static_cast<int32_t>(std::max_element(begin, begin + vocabulary) - begin));
        for (int i = 1; i < top->k; ++i) ids.push_back(-7);
    }
    set_ids(top, ids);
}

}  // namespace hydra::test
