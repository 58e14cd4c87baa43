// The CPU backend: instruction set, thread team, and the scratch memory that operations share.
#pragma once

#include <mutex>

#include "cpu/kernels.h"
#include "cpu/team.h"
#include "hydra4j/backend.h"
#include "hydra4j/sequence.h"
#include "program/memory.h"

namespace hydra {

// Memory that operations use while they run. Programs of a backend run one at a time, so one set serves all.
struct Scratch {
    // Makes room for activation rows of `columns` columns and attention over `positions` positions.
    void reserve(int threads, int64_t columns, int64_t positions);

    struct Rows {
        Activations activations{};
        Aligned<ValueBlock> values;
        Aligned<QuantisedBlock> quantised;
    };
    struct PerThread {
        Rows row;                            // one activation row, when every thread prepares it for itself
        Aligned<float> normed;               // [columns]
        Aligned<float> product;              // [2][MAX_TILES][HYDRA_MAX_ROWS][TILE_ROWS]
        Aligned<float> scores;               // [ATTENTION_VECTORS][positions]
        Aligned<const float*> keys, values;  // [positions / 16]
    };
    Rows rows;  // up to HYDRA_MAX_ROWS activation rows, prepared by all threads together
    std::unique_ptr<PerThread[]> threads;
    int64_t columns = 0, positions = 0;
};

}  // namespace hydra

struct hydra_backend {
    hydra_backend(int threads, const hydra::Kernels* table) : kernels(table), team(threads) {
        scratch.threads.reset(new hydra::Scratch::PerThread[threads]);
    }
    const hydra::Kernels* kernels;
    hydra::Team team;
    std::mutex mutex;  // held while a program runs or scratch grows
    hydra::Scratch scratch;
};
