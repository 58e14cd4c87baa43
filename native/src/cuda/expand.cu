// The beginning of a pass: its rows become the nodes of the trees, and the chains of prompts.
#include "cuda/notes.cuh"
#include "cuda/pass.cuh"
#include "cuda/runtime.cuh"
#include "program/growth.h"

namespace hydra::cuda {

namespace {

__global__ void __launch_bounds__(HYDRA_MAX_SEQUENCES) expand_kernel(Expand work) {
    begin_in_turn();
    const auto sequence = static_cast<int>(threadIdx.x);
    tell_time(work.notes.begin);
    if (sequence < work.rows.batch_size) {
        const Growth& growth = work.tree.growth[sequence];
        if (growth.nodes > 0) begin_growth(work.tree.data[sequence], growth, work.tree.grown[sequence]);
    }
    // A thread reads its own sequence's tree, and others after a barrier.
    place_rows(work.tree, work.prompts, work.rows, shared_memory<Expansion>());
}

}  // namespace

hydra_status expand(Stream* stream, const Expand* arguments) {
    return launch(stream, "expand_kernel", expand_kernel, 1, HYDRA_MAX_SEQUENCES, sizeof(Expansion), *arguments);
}

}  // namespace hydra::cuda
