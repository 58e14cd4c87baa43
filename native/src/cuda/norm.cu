// Embedding rows, RMSNorm on its own, and the preparation of activation rows for products.
#include "cuda/embedding.cuh"
#include "cuda/product.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

struct Warps {
    float sums[THREADS / WARP];
};

// One block a row.
__global__ void __launch_bounds__(THREADS) embed_kernel(Embed work) {
    const int row = static_cast<int>(blockIdx.x);
    if (row >= active_rows(work.rows)) return;
    read_token(work.embedding, work.rows.rows->tokens[row], work.out + row * work.embedding.columns);
}

__global__ void __launch_bounds__(THREADS) norm_kernel(Norm work) {
    const int row = static_cast<int>(blockIdx.x);
    if (row >= active_rows(work.rows)) return;
    const float* x = work.x + row * work.columns;
    float* out = work.out + row * work.columns;
    const float scale = rms_scale(x, work.columns, work.epsilon, shared_memory<Warps>().sums);
    for (int64_t c = threadIdx.x; c < work.columns; c += THREADS) out[c] = x[c] * scale * work.norm[c];
}

// One block a row, those that only fill up the last group included.
__global__ void __launch_bounds__(THREADS) prepare_rows_kernel(RowSource source, float* out) {
    const int rows = product_rows(source), row = static_cast<int>(blockIdx.x);
    if (row >= (rows + ROW_GROUP - 1) / ROW_GROUP * ROW_GROUP) return;
    const int64_t blocks = blocks_of(source.columns);
    const int from = source.last_row_only ? active_rows(source.rows) - 1 : row;
    const float* x = source.x + from * source.columns;
    float scale = 1;
    if (row < rows && source.norm != nullptr) {
        scale = rms_scale(x, source.columns, source.epsilon, shared_memory<Warps>().sums);
    }
    for (int64_t c = threadIdx.x; c < blocks * BLOCK_COLUMNS; c += THREADS) {
        float value = 0;
        if (row < rows && c < source.columns) {
            value = source.norm != nullptr ? x[c] * scale * source.norm[c] : x[c];
        }
        const int place = static_cast<int>(c % BLOCK_COLUMNS), slot = slot_of(place);
        const int64_t block = row / ROW_GROUP * blocks + c / BLOCK_COLUMNS;
        out[((block * 2 + slot / 4) * WARP + row % ROW_GROUP * 4 + thread_of(place)) * 4 + slot % 4] = value;
    }
}

}  // namespace

int64_t product_workspace_bytes(int64_t max_columns) { return prepared_floats(max_columns) * 4; }

hydra_status embed(Stream* stream, const Embed* arguments) {
    return launch(stream, "embed_kernel", embed_kernel, HYDRA_MAX_ROWS, THREADS, 0, *arguments);
}

hydra_status norm(Stream* stream, const Norm* arguments) {
    return launch(stream, "norm_kernel", norm_kernel, HYDRA_MAX_ROWS, THREADS, sizeof(Warps), *arguments);
}

hydra_status prepare_rows(Stream* stream, const RowSource& source, void* workspace) {
    return launch(stream, "prepare_rows_kernel", prepare_rows_kernel, HYDRA_MAX_ROWS, THREADS, sizeof(Warps), source,
                  static_cast<float*>(workspace));
}

}  // namespace hydra::cuda
