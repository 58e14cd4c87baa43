// Options of sampling, and the memory that it needs.
#include "program/sampling.h"

#include <cmath>
#include <vector>

#include "program/backend.h"
#include "program/error.h"
#include "program/matrix.h"
#include "program/sequence.h"

namespace hydra {

namespace {

constexpr SelectionOptions GREEDY{0, INT32_MAX, 1, INFINITY, 1, 0, 0, 0, 0, 0};

void require_number(float value, const char* name) {
    HYDRA_REQUIRE(std::isfinite(value), "%s is %g, must be a number", name, static_cast<double>(value));
}

void require_share(float value, bool or_none, const char* name) {
    HYDRA_REQUIRE((value > 0 || (or_none && value == 0)) && value <= 1, "%s is %g, must be %s 0 and at most 1", name,
                  static_cast<double>(value), or_none ? "at least" : "more than");
}

SelectionOptions options_of(const hydra_sampling_options& given, int32_t vocabulary) {
    require_number(given.temperature, "temperature");
    HYDRA_REQUIRE(given.temperature >= 0, "temperature is %g, must be at least 0",
                  static_cast<double>(given.temperature));
    HYDRA_REQUIRE(given.top_k >= 0, "top_k is %d, must be at least 0", given.top_k);
    require_share(given.top_p, false, "top_p");
    require_share(given.min_p, true, "min_p");
    require_number(given.repetition_penalty, "repetition_penalty");
    HYDRA_REQUIRE(given.repetition_penalty > 0, "repetition_penalty is %g, must be more than 0",
                  static_cast<double>(given.repetition_penalty));
    require_number(given.presence_penalty, "presence_penalty");
    require_number(given.frequency_penalty, "frequency_penalty");
    SelectionOptions options = GREEDY;
    if (given.temperature > 0) options.inverse_temperature = finite(1.0f / given.temperature);
    if (given.top_k > 0 && given.top_k < vocabulary) options.top_k = given.top_k;
    options.top_p = given.top_p;
    options.most_distance = -std::log(given.min_p);
    options.repetition = given.repetition_penalty;
    options.presence = given.presence_penalty;
    options.frequency = given.frequency_penalty;
    options.seed = given.seed;
    options.penalised = given.repetition_penalty != 1 || given.presence_penalty != 0 || given.frequency_penalty != 0;
    options.biased = given.biases > 0;
    return options;
}

// [vocabulary] the bias of each token; empty where there are none.
std::vector<float> biases_of(const hydra_sampling_options& given, int32_t vocabulary) {
    HYDRA_REQUIRE(given.biases >= 0, "biases is %d, must be at least 0", given.biases);
    if (given.biases == 0) return {};
    HYDRA_REQUIRE(given.bias_tokens != nullptr, "bias_tokens is null");
    HYDRA_REQUIRE(given.bias_values != nullptr, "bias_values is null");
    std::vector<float> all(static_cast<size_t>(vocabulary));
    std::vector<bool> named(all.size());
    for (int32_t i = 0; i < given.biases; ++i) {
        const int32_t token = given.bias_tokens[i];
        const float value = given.bias_values[i];
        HYDRA_REQUIRE(token >= 0 && token < vocabulary, "entry %d of bias_tokens is %d, must be from 0 to %d", i, token,
                      vocabulary - 1);
        HYDRA_REQUIRE(!named[token], "entry %d of bias_tokens is %d, as one before is", i, token);
        HYDRA_REQUIRE(value < INFINITY, "entry %d of bias_values is %g, must be a number or -infinity", i,
                      static_cast<double>(value));
        named[token] = true;
        all[token] = value;
    }
    return all;
}

}  // namespace

}  // namespace hydra

hydra_sampling::hydra_sampling(hydra_batch* owner, int32_t its_vocabulary, int32_t its_levels)
    : backend(owner->backend),
      batch(owner),
      vocabulary(its_vocabulary),
      memory(backend->mirror(owner->sequences * int64_t{sizeof(hydra::SelectionOptions)})),
      options(memory.at<hydra::SelectionOptions>()),
      view{} {
    const int64_t sequences = owner->sequences, tokens = sequences * its_vocabulary;
    view.options = options;
    view.vocabulary = its_vocabulary;
    view.window = its_levels + 1;
    view.stride = (int64_t{its_vocabulary} + 63) / 64 * 64;
    view.positions = owner->capacity();
    tags = backend->allocate(sequences * view.window * int64_t{sizeof(hydra::NoiseTag)});
    noise = backend->allocate(sequences * view.window * view.stride * 4);
    history = backend->allocate(sequences * view.positions * 4);
    occurrences = backend->allocate(tokens * 4);
    bias = backend->allocate(tokens * 4);
    view.tags = reinterpret_cast<hydra::NoiseTag*>(tags.get());
    view.noise = reinterpret_cast<float*>(noise.get());
    view.history = reinterpret_cast<int32_t*>(history.get());
    view.occurrences = reinterpret_cast<int32_t*>(occurrences.get());
    view.bias = reinterpret_cast<const float*>(bias.get());
    memory.change();
    std::fill_n(options, sequences, hydra::GREEDY);
}

void hydra_sampling::set(int32_t sequence, const hydra::SelectionOptions& next, const float* biases) {
    memory.change();
    if (next.biased) {
        const int64_t bytes = int64_t{vocabulary} * 4;
        backend->copy_in(bias.get() + sequence * bytes, biases, bytes);
    }
    options[sequence] = next;
}

hydra_status hydra_sampling_create(hydra_batch* batch, int32_t vocabulary, int32_t levels, hydra_sampling** out) {
    return hydra::guarded("hydra_sampling_create", [&] {
        HYDRA_REQUIRE(batch != nullptr && out != nullptr, "batch or out is null");
        HYDRA_REQUIRE(vocabulary >= 1 && vocabulary <= hydra::MAX_EXTENT, "vocabulary is %d, must be from 1 to %d",
                      vocabulary, static_cast<int32_t>(hydra::MAX_EXTENT));
        HYDRA_REQUIRE(levels >= 0 && levels < HYDRA_MAX_NODES, "levels is %d, must be from 0 to %d", levels,
                      HYDRA_MAX_NODES - 1);
        *out = std::make_unique<hydra_sampling>(batch, vocabulary, levels).release();
    });
}

void hydra_sampling_destroy(hydra_sampling* sampling) { delete sampling; }

hydra_status hydra_sampling_set(hydra_sampling* sampling, int32_t sequence, const hydra_sampling_options* options) {
    return hydra::guarded("hydra_sampling_set", [&] {
        HYDRA_REQUIRE(sampling != nullptr && options != nullptr, "sampling or options is null");
        const int32_t sequences = sampling->batch->sequences;
        HYDRA_REQUIRE(sequence >= -1 && sequence < sequences, "sequence is %d, must be from 0 to %d, or -1", sequence,
                      sequences - 1);
        const hydra::SelectionOptions next = hydra::options_of(*options, sampling->vocabulary);
        const std::vector<float> biases = hydra::biases_of(*options, sampling->vocabulary);
        const int32_t first = sequence == -1 ? 0 : sequence, end = sequence == -1 ? sequences : sequence + 1;
        for (int32_t s = first; s < end; ++s) sampling->set(s, next, biases.data());
    });
}
