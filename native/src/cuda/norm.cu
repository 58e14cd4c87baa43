// RMSNorm on its own, or added to a residual.
#include "cuda/activations.cuh"
#include "cuda/rows.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

struct Warps {
    float sums[THREADS / WARP];
};

__global__ void __launch_bounds__(THREADS) norm_kernel(Norm work, Leaving left) {
    begin_in_turn();
    const int row = static_cast<int>(blockIdx.x);
    if (row >= work.rows.active()) return;
    const float* x = work.x + row * work.width;
    float* out = work.out + row * work.width;
    const float scale = rms_scale(x, work.width, work.epsilon, shared_memory<Warps>().sums);
    const float* residual = work.residual != nullptr ? work.residual + row * work.width : nullptr;
    const int64_t items = items_of(work.width);
    for (int64_t item = threadIdx.x; item < (items + WARP - 1) / WARP * WARP; item += THREADS) {
        float values[4] = {};
        for (int i = 0; i < 4; ++i) {
            const int64_t c = column_of(item, i);
            if (c >= work.width) continue;
            const float normed = x[c] * scale * work.norm[c];
            out[c] = values[i] = residual != nullptr ? residual[c] + normed : normed;
        }
        if (left.is_wanted()) leave_slots(left, row, column_of(item), item < items, values);
    }
}

}  // namespace

hydra_status norm(Stream* stream, const Norm* arguments) {
    return launch(stream, "norm_kernel", norm_kernel, static_cast<unsigned>(arguments->rows.max_rows), THREADS,
                  sizeof(Warps), *arguments, leave(arguments->left, arguments->rows, arguments->width, SQUARES_CHUNK));
}

}  // namespace hydra::cuda
