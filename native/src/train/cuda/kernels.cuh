// What the kernels of training share: blocks of eight warps, elements by themselves, and sums over a block.
#pragma once

#include "cuda/runtime.cuh"
#include "train/cuda/api.h"

namespace hydra::cuda::training {

constexpr int THREADS = 256, WARPS = THREADS / WARP;
constexpr int64_t MOST_BLOCKS = 4096;  // of a grid whose threads take element after element

// Calls body(i) for i < count.
template <class Body>
__global__ __launch_bounds__(THREADS) void each_kernel(int64_t count, Body body) {
    begin_in_turn();
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; i < count; i += step) body(i);
}

template <class Body>
hydra_status each(Stream* stream, const char* name, int64_t count, const Body& body) {
    if (count == 0) return HYDRA_OK;
    const int64_t blocks = pieces(count, THREADS);
    return launch(stream, name, each_kernel<Body>,
                  dim3(static_cast<unsigned>(blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS)), THREADS, 0, count, body);
}

struct Sum {
    template <class T>
    __device__ T operator()(T a, T b) const {
        return a + b;
    }
};
struct Most {
    __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

// The values of all threads of the block combined, the same in each of them: lanes 16, 8, 4, 2, 1 apart, then warps in
// their order. `kept` is shared memory for it.
template <class Combine, class T>
__device__ T combined(T value, T* kept) {
    for (int mask = WARP / 2; mask > 0; mask /= 2) value = Combine{}(value, __shfl_xor_sync(ALL_LANES, value, mask));
    if (lane_index() == 0) kept[warp_index()] = value;
    __syncthreads();
    value = kept[0];
    for (int warp = 1; warp < WARPS; ++warp) value = Combine{}(value, kept[warp]);
    __syncthreads();
    return value;
}

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// The derivative of x * s with s = sigmoid(x).
__device__ __forceinline__ float silu_slope(float x, float s) { return s * fmaf(x, 1.0f - s, 1.0f); }

// out[i] += the sum over p of sums[p * count + i], in the order of p. out has rows of `columns` values, `stride` apart.
hydra_status add_parts(Stream* stream, int64_t rows, int64_t columns, int32_t parts, const float* sums, float* out,
                       int64_t stride, bool add);

hydra_status fill(Stream* stream, int64_t count, float value, float* x);
hydra_status add(Stream* stream, int64_t count, float scale, const float* x, float* y);
hydra_status copy_columns(Stream* stream, int64_t rows, int64_t columns, bool add, Columns<const float> source,
                          Columns<float> target);
hydra_status gather(Stream* stream, int64_t rows, int64_t columns, const float* table, const int32_t* ids,
                    Columns<float> target);
hydra_status scatter_add(Stream* stream, int64_t columns, Columns<const float> source, Meetings meetings, float* table);
hydra_status dropout(Stream* stream, int64_t count, float probability, Draw draw, const float* x, float* y);
hydra_status noise(Stream* stream, int64_t count, float scale, Draw draw, const float* x, float* y);
hydra_status silu_forward(Stream* stream, int64_t count, const float* x, float* y);
hydra_status silu_backward(Stream* stream, int64_t count, const float* x, const float* gy, float* gx);
hydra_status swiglu_forward(Stream* stream, int64_t count, const float* gate, const float* up, float* y);
hydra_status swiglu_backward(Stream* stream, int64_t count, const float* gate, const float* up, const float* gy,
                             float* g_gate, float* g_up);
hydra_status residual(Stream* stream, int64_t count, const float* x, const float* a, float* y);
hydra_status rms_norm_forward(Stream* stream, int64_t rows, int64_t width, float epsilon, const float* x,
                              const float* weight, float* y, float* inverse);
hydra_status rms_norm_backward(Stream* stream, int64_t rows, int64_t width, const float* x, const float* weight,
                               const float* inverse, const float* gy, bool add, float* g_x);
hydra_status column_sums(Stream* stream, ColumnSums sums);
hydra_status product(Stream* stream, Product product);
hydra_status rope(Stream* stream, int64_t rows, int64_t heads, int64_t head_size, const int32_t* positions,
                  const float* frequencies, bool inverse, float* x);
hydra_status attention_forward(Stream* stream, Attention attention);
hydra_status attention_backward(Stream* stream, Attention attention);
hydra_status teach(Stream* stream, TeacherPart part);
hydra_status loss(Stream* stream, LossPart part);
hydra_status square_sums(Stream* stream, int64_t count, const float* x, double* sums);
hydra_status nonfinite_counts(Stream* stream, int64_t count, const float* x, int64_t* counts);
hydra_status adamw(Stream* stream, int64_t count, train::AdamWFactors factors, const float* gradients,
                   float* parameters, float* first, float* second);

}  // namespace hydra::cuda::training
