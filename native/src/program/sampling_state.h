// How the sequences of a batch select, as plain data for both backends.
#pragma once

#include "program/noise.h"
#include "program/state.h"

namespace hydra {

struct SelectionOptions {
    float inverse_temperature;  // 0: nothing is drawn
    int32_t top_k;              // INT32_MAX: all
    double top_p;               // 1: all
    float most_distance;        // -log(min_p); infinity: all
    float repetition, presence, frequency;
    uint64_t seed;
    int32_t penalised, biased;

    HYDRA_HOST_DEVICE bool draws() const { return inverse_temperature > 0; }
    // Whether the best entry of the logits is what is selected.
    HYDRA_HOST_DEVICE bool takes_best() const { return !draws() && !penalised && !biased; }
};

// What noise there is in a place of the window. Position 0, where no token is ever selected: none.
struct NoiseTag {
    uint64_t seed;
    int32_t position;
};

// A token of the history: token << 1 | whether it was generated. Of an occurrence count: times generated << 1 |
// whether it occurs at all.
struct SamplingView {
    const SelectionOptions* options;  // [sequences]
    NoiseTag* tags;                   // [sequences][window]
    float* noise;                     // [sequences][window][stride], of a position at position % window
    int32_t* history;                 // [sequences][positions], by position
    int32_t* occurrences;             // [sequences][vocabulary], where there are penalties
    const float* bias;                // [sequences][vocabulary], where there are biases
    int32_t vocabulary, window;
    int64_t stride;  // of a vocabulary's noise, a multiple of 64
    int64_t positions;

    HYDRA_HOST_DEVICE int64_t place(int32_t sequence, int32_t position) const {
        return int64_t{sequence} * window + position % window;
    }
    HYDRA_HOST_DEVICE bool has_noise(int32_t sequence, int32_t position) const {
        const NoiseTag& tag = tags[place(sequence, position)];
        return tag.position == position && tag.seed == options[sequence].seed;
    }
    HYDRA_HOST_DEVICE float* noise_at(int32_t sequence, int32_t position) const {
        return noise + place(sequence, position) * stride;
    }
    // Makes the token that of a position of the history.
    HYDRA_HOST_DEVICE void keep(int32_t sequence, int32_t position, int32_t token, bool generated) const {
        history_of(sequence)[position] = static_cast<int32_t>(static_cast<uint32_t>(token) << 1 | generated);
    }
    HYDRA_HOST_DEVICE int32_t* history_of(int32_t sequence) const { return history + sequence * positions; }
    HYDRA_HOST_DEVICE int32_t* occurrences_of(int32_t sequence) const {
        return occurrences + int64_t{sequence} * vocabulary;
    }
    HYDRA_HOST_DEVICE const float* bias_of(int32_t sequence) const { return bias + int64_t{sequence} * vocabulary; }
    HYDRA_HOST_DEVICE bool knows(int32_t token) const { return token >= 0 && token < vocabulary; }
};

// A count with one more occurrence.
HYDRA_HOST_DEVICE int32_t with_occurrence(int32_t count, bool generated) { return (count | 1) + (generated ? 2 : 0); }

// A logit of a token with these occurrences.
HYDRA_EVERYWHERE float penalised_logit(float logit, int32_t count, const SelectionOptions& options) {
    if (count == 0) return logit;
    const float repeated = logit > 0 ? logit / options.repetition : logit * options.repetition;
    const int32_t generated = count >> 1;
    if (generated == 0) return repeated;
    return repeated - fma(scalar::F32{options.frequency}, scalar::F32{static_cast<float>(generated)},
                          scalar::F32{options.presence})
                          .v;
}

// What is not a number, or beyond the largest one, counts as the smallest or largest number.
HYDRA_EVERYWHERE float finite(float logit) {
    const scalar::F32 most{0x1.fffffep127f}, least{-0x1.fffffep127f};
    return min(max(scalar::F32{logit}, least), most).v;
}

// A row at which a token is selected, or for which one is drafted.
struct SelectedRow {
    int32_t sequence;
    int32_t position;    // of the token
    int32_t segment;     // -1: of a draft level
    uint64_t ancestors;  // rows of the segment whose tokens stand before it and are not in the history or counted yet
};

// A row of a pass, or of a draft level.
HYDRA_HOST_DEVICE SelectedRow selected_row(const RowsView& rows, int32_t row) {
    if (rows.state->segments == 0) return {rows.segment_of[row], rows.positions[row], -1, 0};
    const int32_t segment = rows.segment_of[row];
    return {rows.segments[segment].sequence, rows.positions[row] + 1, segment,
            segment < rows.state->trees ? rows.ancestors[row] : 0};
}

}  // namespace hydra
