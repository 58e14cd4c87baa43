// Embedding rows.
#include "cuda/activations.cuh"
#include "cuda/embedding.cuh"
#include "cuda/notes.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

// Grid: rows, runs of 4 THREADS columns; a thread takes the four that it leaves for the next operation, if it does.
__global__ void __launch_bounds__(THREADS) embed_kernel(Embed work, Leaving left) {
    begin_in_turn();
    const int row = static_cast<int>(blockIdx.x);
    tell_time(work.notes.begin);
    if (row >= work.rows.placed()) return;
    const MatrixView& embedding = work.embedding;
    const int32_t token = work.rows.tokens[row];
    const int64_t item = int64_t{blockIdx.y} * THREADS + threadIdx.x;
    float values[4] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const int64_t c = column_of(item, i);
        if (c >= embedding.columns) continue;
        values[i] = embedded(embedding, token, c);
        if (work.scale != 0) values[i] *= work.scale;
        work.out[row * embedding.columns + c] = values[i];
    }
    if (left.is_wanted()) leave_slots(left, row, column_of(item), item < items_of(embedding.columns), values);
}

}  // namespace

hydra_status embed(Stream* stream, const Embed* arguments) {
    const auto runs = static_cast<unsigned>((items_of(arguments->embedding.columns) + THREADS - 1) / THREADS);
    return launch(stream, "embed_kernel", embed_kernel, dim3(static_cast<unsigned>(arguments->rows.max_rows), runs),
                  THREADS, 0, *arguments,
                  leave(arguments->left, arguments->rows, arguments->embedding.columns, SQUARES_CHUNK));
}

}  // namespace hydra::cuda
