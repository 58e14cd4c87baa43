// Embedding rows.
#include "cuda/embedding.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

// One block a row.
__global__ void __launch_bounds__(THREADS) embed_kernel(Embed work) {
    const int row = static_cast<int>(blockIdx.x);
    if (row >= work.rows.placed()) return;
    const int64_t columns = work.embedding.columns;
    float* out = work.out + row * columns;
    read_token(work.embedding, work.rows.tokens[row], out);
    // Each thread scales what it has written.
    for (int64_t c = threadIdx.x; work.scale != 0 && c < columns; c += THREADS) out[c] *= work.scale;
}

}  // namespace

hydra_status embed(Stream* stream, const Embed* arguments) {
    return launch(stream, "embed_kernel", embed_kernel, static_cast<unsigned>(arguments->rows.max_rows), THREADS, 0,
                  *arguments);
}

}  // namespace hydra::cuda
