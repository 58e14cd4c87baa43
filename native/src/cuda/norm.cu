// RMSNorm on its own, or added to a residual.
#include "cuda/rows.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

struct Warps {
    float sums[THREADS / WARP];
};

__global__ void __launch_bounds__(THREADS) norm_kernel(Norm work) {
    const int row = static_cast<int>(blockIdx.x);
    if (row >= work.rows.active()) return;
    const float* x = work.x + row * work.width;
    float* out = work.out + row * work.width;
    const float scale = rms_scale(x, work.width, work.epsilon, shared_memory<Warps>().sums);
    const float* residual = work.residual != nullptr ? work.residual + row * work.width : nullptr;
    for (int64_t c = threadIdx.x; c < work.width; c += THREADS) {
        const float normed = x[c] * scale * work.norm[c];
        out[c] = residual != nullptr ? residual[c] + normed : normed;
    }
}

}  // namespace

hydra_status norm(Stream* stream, const Norm* arguments) {
    return launch(stream, "norm_kernel", norm_kernel, static_cast<unsigned>(arguments->rows.max_rows), THREADS,
                  sizeof(Warps), *arguments);
}

}  // namespace hydra::cuda
