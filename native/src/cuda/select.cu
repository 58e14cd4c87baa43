// The token selected at each row that asks for one: the best of its candidates. In a step it has no launch of its own,
// as the LM head before it selects.
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

__global__ void __launch_bounds__(THREADS) select_kernel(Select work) {
    const int i = static_cast<int>(blockIdx.x) * THREADS + static_cast<int>(threadIdx.x);
    if (i >= min(work.rows.active_selections(), work.top.max_rows)) return;
    work.selection[i] = work.top.ids[i * work.top.k];
}

}  // namespace

hydra_status select(Stream* stream, const Select* arguments) {
    if (arguments->logits != nullptr) return refuse(HYDRA_UNAVAILABLE, "CUDA has no sampling yet");
    const auto blocks = static_cast<unsigned>((arguments->top.max_rows + THREADS - 1) / THREADS);
    return launch(stream, "select_kernel", select_kernel, blocks, THREADS, 0, *arguments);
}

hydra_status prepare_selection(Stream*, const PrepareSelection*) {
    return refuse(HYDRA_UNAVAILABLE, "CUDA has no sampling yet");
}

hydra_status rank(Stream*, const Rank*) { return refuse(HYDRA_UNAVAILABLE, "CUDA has no sampling yet"); }

}  // namespace hydra::cuda
