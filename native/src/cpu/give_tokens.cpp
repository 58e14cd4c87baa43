// Tokens that the host guessed become those of the nodes.
#include <algorithm>

#include "cpu/program.h"
#include "program/buffer.h"
#include "program/sequence.h"

namespace hydra {

namespace {

struct GiveTokensTask : Task {
    const int32_t* guesses;
    hydra_rows* nodes;

    bool by_one_thread() const override { return true; }

    void run(const Worker&) override {
        const RowsView& view = nodes->view;
        for (int s = 0; s < view.active_trees(); ++s) {
            const Segment& segment = view.segments[s];
            const int32_t* from = guesses + int64_t{segment.sequence} * HYDRA_MAX_NODES;
            std::copy(from + 1, from + segment.count, view.tokens + segment.row + 1);
        }
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const GiveTokens& operation, CpuProgram&) {
    auto task = std::make_unique<GiveTokensTask>();
    task->guesses = operation.tokens->ints();
    task->nodes = operation.nodes;
    return task;
}

}  // namespace hydra
