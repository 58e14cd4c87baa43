// Definition of the handle of hydra4j/sampling.h.
#pragma once

#include "hydra4j/sampling.h"
#include "program/memory.h"
#include "program/sampling_state.h"

struct hydra_sampling {
    hydra_sampling(hydra_batch* owner, int32_t its_vocabulary, int32_t its_levels);

    hydra_backend* backend;
    hydra_batch* batch;
    int32_t vocabulary;
    hydra::Mirror memory;                                   // of the options
    hydra::SelectionOptions* options;                       // [sequences]
    hydra::Memory tags, noise, history, occurrences, bias;  // of the device
    hydra::SamplingView view;                               // options are the host's

    void set(int32_t sequence, const hydra::SelectionOptions& next, const float* biases);
};
