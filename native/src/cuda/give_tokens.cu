// Tokens that the host guessed become those of the nodes.
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

// One block a segment, a thread a node.
__global__ void __launch_bounds__(HYDRA_MAX_NODES) give_tokens_kernel(GiveTokens work) {
    begin_in_turn();
    const int s = static_cast<int>(blockIdx.x), i = static_cast<int>(threadIdx.x);
    if (s >= work.nodes.active_trees()) return;
    const Segment segment = work.nodes.segments[s];
    if (i == 0 || i >= segment.count) return;
    work.nodes.tokens[segment.row + i] = work.tokens[int64_t{segment.sequence} * HYDRA_MAX_NODES + i];
}

}  // namespace

hydra_status give_tokens(Stream* stream, const GiveTokens* arguments) {
    return launch(stream, "give_tokens_kernel", give_tokens_kernel,
                  static_cast<unsigned>(arguments->nodes.most_sequences()), HYDRA_MAX_NODES, 0, *arguments);
}

}  // namespace hydra::cuda
