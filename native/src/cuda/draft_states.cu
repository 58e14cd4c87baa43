// The hidden state that the draft of each sequence starts from.
#include "cuda/notes.cuh"
#include "cuda/rows.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

struct Warps {
    float sums[THREADS / WARP];
};

// By all threads of a block.
__device__ void set_state(const DraftStates& work, int order) {
    const int32_t row = work.rows.last_rows[order];
    const float* x = work.x + row * work.width;
    float* state = work.states + work.rows.segment_of_row(row).sequence * work.width;
    if (work.norm == nullptr) {
        for (int64_t c = threadIdx.x; c < work.width; c += THREADS) state[c] = x[c];
        return;
    }
    const float scale = rms_scale(x, work.width, work.epsilon, shared_memory<Warps>().sums);
    for (int64_t c = threadIdx.x; c < work.width; c += THREADS) state[c] = x[c] * scale * work.norm[c];
}

// One block a sequence that has rows.
__global__ void __launch_bounds__(THREADS) draft_states_kernel(DraftStates work) {
    begin_in_turn();
    const int order = static_cast<int>(blockIdx.x);
    tell_time(work.notes.begin);
    if (order < work.rows.active_sequences()) set_state(work, order);
    tell_end(work.notes);
}

}  // namespace

hydra_status draft_states(Stream* stream, const DraftStates* arguments) {
    return launch(stream, "draft_states_kernel", draft_states_kernel,
                  static_cast<unsigned>(arguments->rows.most_sequences()), THREADS, sizeof(Warps), *arguments);
}

}  // namespace hydra::cuda
