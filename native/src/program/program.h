// A recorded program: operations in order, with the times of its marks.
#pragma once

#include <memory>
#include <vector>

#include "cpu/backend.h"
#include "hydra4j/program.h"

namespace hydra {

struct Worker {
    hydra_backend& backend;
    int thread, threads;

    Scratch& scratch() const { return backend.scratch; }
    Scratch::PerThread& own() const { return backend.scratch.threads[thread]; }
    const Kernels& kernels() const { return *backend.kernels; }
    void barrier() const { backend.team.barrier(); }

    // The part of 0 ... total-1 that falls to this thread.
    int64_t begin(int64_t total) const { return total * thread / threads; }
    int64_t end(int64_t total) const { return total * (thread + 1) / threads; }
};

// One operation. Every thread of the team calls run; a barrier follows each operation.
class Operation {
  public:
    virtual ~Operation() = default;
    virtual void run(const Worker& worker) = 0;
    // Refuses a run that would leave the memory of its state; called before anything runs.
    virtual void check() const {}
};

}  // namespace hydra

struct hydra_program {
    hydra_backend* backend;
    std::vector<std::unique_ptr<hydra::Operation>> operations;
    std::vector<int64_t> times{0, 0};  // mark 0, recorded marks, end

    template <class Op, class... Arguments>
    void record(int64_t columns, int64_t positions, Arguments&&... arguments) {
        {
            std::lock_guard<std::mutex> lock(backend->mutex);
            backend->scratch.reserve(backend->team.threads(), columns, positions);
        }
        operations.push_back(std::make_unique<Op>(std::forward<Arguments>(arguments)...));
    }
};

struct hydra_top {
    int32_t k;
    hydra::Aligned<int32_t> ids;  // [HYDRA_MAX_ROWS][k]
    hydra::Aligned<float> values;
};
