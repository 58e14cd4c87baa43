// Norms of rows, rotary embeddings, and sums of columns.
#include "train/cuda/kernels.cuh"

namespace hydra::cuda::training {

namespace {

// A warp takes a row.
__device__ __forceinline__ int64_t warps_row() { return static_cast<int64_t>(blockIdx.x) * WARPS + warp_index(); }

__global__ __launch_bounds__(THREADS) void rms_norm_kernel(int64_t rows, int64_t width, float epsilon, const float* x,
                                                           const float* weight, float* y, float* inverse) {
    begin_in_turn();
    const int64_t row = warps_row();
    if (row >= rows) return;
    const float* const from = x + row * width;
    float squares = 0;
    for (int64_t i = lane_index(); i < width; i += WARP) squares = fmaf(from[i], from[i], squares);
    const float factor = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(width) + epsilon);
    for (int64_t i = lane_index(); i < width; i += WARP) y[row * width + i] = from[i] * factor * weight[i];
    if (lane_index() == 0) inverse[row] = factor;
}

__global__ __launch_bounds__(THREADS) void rms_norm_gradient_kernel(int64_t rows, int64_t width, const float* x,
                                                                    const float* weight, const float* inverse,
                                                                    const float* gy, bool add, float* g_x) {
    begin_in_turn();
    const int64_t row = warps_row(), at = row * width;
    if (row >= rows) return;
    float dot = 0;
    for (int64_t i = lane_index(); i < width; i += WARP) dot = fmaf(x[at + i] * weight[i], gy[at + i], dot);
    const float own = inverse[row];
    const float factor = warp_sum(dot) * own * own * own / static_cast<float>(width);
    for (int64_t i = lane_index(); i < width; i += WARP) {
        const float value = fmaf(x[at + i], -factor, gy[at + i] * weight[i] * own);
        g_x[at + i] = add ? g_x[at + i] + value : value;
    }
}

struct Rope {
    int64_t heads, half;
    const int32_t* positions;
    const float* frequencies;
    bool inverse;
    float* x;
    __device__ void operator()(int64_t i) const {
        const int64_t pair = i % half, head = i / half;  // of all rows
        const float angle = static_cast<float>(positions[head / heads]) * frequencies[pair];
        const float cosine = cosf(angle), sine = inverse ? -sinf(angle) : sinf(angle);
        float* const first = x + head * 2 * half + pair;
        const float a = *first, b = first[half];
        *first = a * cosine - b * sine;
        first[half] = b * cosine + a * sine;
    }
};

struct SharedSums {
    float of[WARPS][WARP];
};

// A block takes WARP columns of a part of the rows; warp w its rows w, w + WARPS, ...
__global__ __launch_bounds__(THREADS) void column_sums_kernel(ColumnSums sums) {
    begin_in_turn();
    auto& shared = shared_memory<SharedSums>();
    const int64_t column = static_cast<int64_t>(blockIdx.x) * WARP + lane_index(), part = blockIdx.y;
    const int64_t first = part * COLUMN_SUM_ROWS;
    const int64_t end = first + COLUMN_SUM_ROWS < sums.rows ? first + COLUMN_SUM_ROWS : sums.rows;
    float sum = 0;
    if (column < sums.columns) {
        for (int64_t row = first + warp_index(); row < end; row += WARPS) {
            float value = sums.x[row * sums.columns + column];
            if (sums.scale != nullptr) value *= sums.scale[row];
            if (sums.y != nullptr) value *= sums.y[row * sums.columns + column];
            sum += value;
        }
    }
    shared.of[warp_index()][lane_index()] = sum;
    __syncthreads();
    if (warp_index() != 0 || column >= sums.columns) return;
    for (int warp = 1; warp < WARPS; ++warp) sum += shared.of[warp][lane_index()];
    sums.part_sums[part * sums.columns + column] = sum;
}

}  // namespace

hydra_status rms_norm_forward(Stream* stream, int64_t rows, int64_t width, float epsilon, const float* x,
                              const float* weight, float* y, float* inverse) {
    if (rows == 0) return HYDRA_OK;
    return launch(stream, "rms_norm_kernel", rms_norm_kernel, dim3(static_cast<unsigned>(pieces(rows, WARPS))), THREADS,
                  0, rows, width, epsilon, x, weight, y, inverse);
}

hydra_status rms_norm_backward(Stream* stream, int64_t rows, int64_t width, const float* x, const float* weight,
                               const float* inverse, const float* gy, bool add, float* g_x) {
    if (rows == 0) return HYDRA_OK;
    return launch(stream, "rms_norm_gradient_kernel", rms_norm_gradient_kernel,
                  dim3(static_cast<unsigned>(pieces(rows, WARPS))), THREADS, 0, rows, width, x, weight, inverse, gy,
                  add, g_x);
}

hydra_status rope(Stream* stream, int64_t rows, int64_t heads, int64_t head_size, const int32_t* positions,
                  const float* frequencies, bool inverse, float* x) {
    return each(stream, "rope_kernel", rows * heads * (head_size / 2),
                Rope{heads, head_size / 2, positions, frequencies, inverse, x});
}

hydra_status column_sums(Stream* stream, ColumnSums sums) {
    if (sums.rows == 0) return HYDRA_OK;
    const int64_t parts = column_sum_parts(sums.rows);
    const dim3 grid(static_cast<unsigned>(pieces(sums.columns, WARP)), static_cast<unsigned>(parts));
    const hydra_status status =
        launch(stream, "column_sums_kernel", column_sums_kernel, grid, THREADS, sizeof(SharedSums), sums);
    if (status != HYDRA_OK) return status;
    return add_parts(stream, 1, sums.columns, static_cast<int32_t>(parts), sums.part_sums, sums.out, sums.columns,
                     true);
}

}  // namespace hydra::cuda::training
