// Causal attention in float32: a block takes 32 rows of a text and meets the others 32 at a time, of which it keeps
// probabilities in shared memory alone. Backward computes the probabilities again from the kept sums: a kernel over
// blocks of queries, whose gradients are sums over keys, and one over blocks of keys, whose gradients are sums over
// queries. A warp has four of the block's rows, a lane one of those that they meet, and then some of a head's columns.
#include "train/cuda/kernels.cuh"

namespace hydra::cuda::training {

namespace {

constexpr int ROWS = ATTENTION_ROWS, OWN = ROWS / WARPS;  // rows of a block and of a warp
constexpr int LANE_COLUMNS = MOST_HEAD_SIZE / WARP;
static_assert(ROWS == WARP);

// Rows of a head in shared memory, an odd number of values apart: lanes that read one column of 32 rows meet no bank
// twice.
__host__ __device__ constexpr int pitch(int head_size) { return head_size | 1; }
constexpr int WEIGHTS_PITCH = ROWS + 1;

// Tiles of the block's dynamic shared memory, and two of weights behind them.
__device__ __forceinline__ float* tile(int index, int head_size) {
    return &shared_memory<float>() + index * ROWS * pitch(head_size);
}
size_t shared_bytes(int tiles, int weights, int head_size) {
    return static_cast<size_t>(tiles * ROWS * pitch(head_size) + weights * ROWS * WEIGHTS_PITCH) * sizeof(float);
}

// Rows [first, first + ROWS) of a text of a head of x [rows][heads][head_size]; zeros beyond the text.
__device__ void load_rows(float* target, const float* x, int heads, int head, int head_size, const TextRows& text,
                          int first) {
    for (int i = static_cast<int>(threadIdx.x); i < ROWS * head_size; i += THREADS) {
        const int row = i / head_size, column = i % head_size;
        const int64_t at = static_cast<int64_t>(text.text) + first + row;
        target[row * pitch(head_size) + column] =
            first + row < text.length ? x[(at * heads + head) * head_size + column] : 0;
    }
}

__device__ __forceinline__ float dot(const float* a, const float* b, int head_size) {
    float sum = 0;
    for (int i = 0; i < head_size; ++i) sum = fmaf(a[i], b[i], sum);
    return sum;
}

// sums[i][c] += the sum over rows j of weights[own row i][j] rows[j][lane + 32 c].
__device__ __forceinline__ void add_rows(float (&sums)[OWN][LANE_COLUMNS], const float* weights, const float* rows,
                                         int head_size) {
    const float* const own = weights + warp_index() * OWN * WEIGHTS_PITCH;
    for (int j = 0; j < ROWS; ++j) {
#pragma unroll
        for (int c = 0; c < LANE_COLUMNS; ++c) {
            const int column = lane_index() + WARP * c;
            if (column >= head_size) continue;
            const float value = rows[j * pitch(head_size) + column];
#pragma unroll
            for (int i = 0; i < OWN; ++i) sums[i][c] = fmaf(own[i * WEIGHTS_PITCH + j], value, sums[i][c]);
        }
    }
}

// target [rows][heads][head_size] = sums * factor of the warp's rows.
__device__ __forceinline__ void store_rows(const float (&sums)[OWN][LANE_COLUMNS], const float (&factors)[OWN],
                                           const TextRows& text, int heads, int head, int head_size, float* target) {
#pragma unroll
    for (int i = 0; i < OWN; ++i) {
        const int row = text.first + warp_index() * OWN + i;
        if (row >= text.length) continue;
#pragma unroll
        for (int c = 0; c < LANE_COLUMNS; ++c) {
            const int column = lane_index() + WARP * c;
            if (column >= head_size) continue;
            const int64_t at = (static_cast<int64_t>(text.text) + row) * heads + head;
            target[at * head_size + column] = sums[i][c] * factors[i];
        }
    }
}

__global__ __launch_bounds__(THREADS) void attention_kernel(Attention of) {
    begin_in_turn();
    const TextRows text = of.of[blockIdx.x];
    const int head = static_cast<int>(blockIdx.y), kv_head = head / (of.heads / of.kv_heads), size = of.head_size;
    float *const q = tile(0, size), *const k = tile(1, size), *const v = tile(2, size), *const weights = tile(3, size);
    const float scale = 1 / sqrtf(static_cast<float>(size));
    float best[OWN], total[OWN], sums[OWN][LANE_COLUMNS] = {};
    for (int i = 0; i < OWN; ++i) {
        best[i] = -INFINITY;
        total[i] = 0;
    }
    load_rows(q, of.q, of.heads, head, size, text, text.first);
    for (int first = 0; first <= text.first; first += ROWS) {
        __syncthreads();
        load_rows(k, of.k, of.kv_heads, kv_head, size, text, first);
        load_rows(v, of.v, of.kv_heads, kv_head, size, text, first);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < OWN; ++i) {
            const int own = warp_index() * OWN + i;
            // Of rows beyond the text nothing is kept.
            const bool sees = first + lane_index() <= text.first + own;
            const float score = dot(q + own * pitch(size), k + lane_index() * pitch(size), size) * scale;
            const float before = best[i];
            best[i] = fmaxf(before, warp_max(sees ? score : -INFINITY));
            const float weight = sees ? expf(score - best[i]) : 0, factor = expf(before - best[i]);
            total[i] = total[i] * factor + warp_sum(weight);
            for (int c = 0; c < LANE_COLUMNS; ++c) sums[i][c] *= factor;
            weights[own * WEIGHTS_PITCH + lane_index()] = weight;
        }
        __syncwarp();
        add_rows(sums, weights, v, size);
    }
    float factors[OWN];
    for (int i = 0; i < OWN; ++i) {
        factors[i] = 1 / total[i];
        const int row = text.first + warp_index() * OWN + i;
        if (lane_index() == 0 && row < text.length) {
            of.log_sum[(static_cast<int64_t>(text.text) + row) * of.heads + head] = best[i] + logf(total[i]);
        }
    }
    store_rows(sums, factors, text, of.heads, head, size, of.y);
}

// dots = sums of g_y y of each row and head: a warp takes one.
__global__ __launch_bounds__(THREADS) void attention_dots_kernel(Attention of) {
    begin_in_turn();
    const int64_t row = static_cast<int64_t>(blockIdx.x) * WARPS + warp_index();
    if (row >= of.rows * of.heads) return;
    float sum = 0;
    for (int i = lane_index(); i < of.head_size; i += WARP) {
        sum = fmaf(of.g_y[row * of.head_size + i], of.y[row * of.head_size + i], sum);
    }
    sum = warp_sum(sum);
    if (lane_index() == 0) of.dots[row] = sum;
}

// Of a query and a key: the probability, and the gradient of the score, 0 where the query does not see the key.
struct Pair {
    float probability, gradient;
};

__device__ __forceinline__ Pair pair_of(const Attention& of, const TextRows& text, int head, int query, int key,
                                        const float* q, const float* g_y, const float* k, const float* v, float scale) {
    if (key > query || query >= text.length) return {0, 0};
    const int64_t row = (static_cast<int64_t>(text.text) + query) * of.heads + head;
    const float probability = expf(fmaf(dot(q, k, of.head_size), scale, -of.log_sum[row]));
    return {probability, probability * (dot(g_y, v, of.head_size) - of.dots[row]) * scale};
}

__global__ __launch_bounds__(THREADS) void attention_query_gradient_kernel(Attention of) {
    begin_in_turn();
    const TextRows text = of.of[blockIdx.x];
    const int head = static_cast<int>(blockIdx.y), kv_head = head / (of.heads / of.kv_heads), size = of.head_size;
    float *const q = tile(0, size), *const g_y = tile(1, size), *const k = tile(2, size), *const v = tile(3, size);
    float* const gradients = tile(4, size);
    const float scale = 1 / sqrtf(static_cast<float>(size));
    float sums[OWN][LANE_COLUMNS] = {};
    load_rows(q, of.q, of.heads, head, size, text, text.first);
    load_rows(g_y, of.g_y, of.heads, head, size, text, text.first);
    for (int first = 0; first <= text.first; first += ROWS) {
        __syncthreads();
        load_rows(k, of.k, of.kv_heads, kv_head, size, text, first);
        load_rows(v, of.v, of.kv_heads, kv_head, size, text, first);
        __syncthreads();
        for (int i = 0; i < OWN; ++i) {
            const int own = warp_index() * OWN + i, other = lane_index();
            gradients[own * WEIGHTS_PITCH + other] =
                pair_of(of, text, head, text.first + own, first + other, q + own * pitch(size), g_y + own * pitch(size),
                        k + other * pitch(size), v + other * pitch(size), scale)
                    .gradient;
        }
        __syncwarp();
        add_rows(sums, gradients, k, size);
    }
    store_rows(sums, {1, 1, 1, 1}, text, of.heads, head, size, of.g_q);
}

__global__ __launch_bounds__(THREADS) void attention_key_gradient_kernel(Attention of) {
    begin_in_turn();
    const TextRows text = of.of[blockIdx.x];
    const int kv_head = static_cast<int>(blockIdx.y), group = of.heads / of.kv_heads, size = of.head_size;
    float *const k = tile(0, size), *const v = tile(1, size), *const q = tile(2, size), *const g_y = tile(3, size);
    float *const probabilities = tile(4, size), *const gradients = probabilities + ROWS * WEIGHTS_PITCH;
    const float scale = 1 / sqrtf(static_cast<float>(size));
    float of_k[OWN][LANE_COLUMNS] = {}, of_v[OWN][LANE_COLUMNS] = {};
    load_rows(k, of.k, of.kv_heads, kv_head, size, text, text.first);
    load_rows(v, of.v, of.kv_heads, kv_head, size, text, text.first);
    for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        for (int first = text.first; first < text.length; first += ROWS) {
            __syncthreads();
            load_rows(q, of.q, of.heads, head, size, text, first);
            load_rows(g_y, of.g_y, of.heads, head, size, text, first);
            __syncthreads();
            for (int i = 0; i < OWN; ++i) {
                const int own = warp_index() * OWN + i, other = lane_index();
                const Pair pair =
                    pair_of(of, text, head, first + other, text.first + own, q + other * pitch(size),
                            g_y + other * pitch(size), k + own * pitch(size), v + own * pitch(size), scale);
                probabilities[own * WEIGHTS_PITCH + other] = pair.probability;
                gradients[own * WEIGHTS_PITCH + other] = pair.gradient;
            }
            __syncwarp();
            add_rows(of_v, probabilities, g_y, size);
            add_rows(of_k, gradients, q, size);
        }
    }
    store_rows(of_k, {1, 1, 1, 1}, text, of.kv_heads, kv_head, size, of.g_k);
    store_rows(of_v, {1, 1, 1, 1}, text, of.kv_heads, kv_head, size, of.g_v);
}

dim3 grid_of(const Attention& of, int32_t heads) {
    return dim3(static_cast<unsigned>(of.blocks), static_cast<unsigned>(heads));
}

}  // namespace

hydra_status attention_forward(Stream* stream, Attention of) {
    return launch(stream, "attention_kernel", attention_kernel, grid_of(of, of.heads), THREADS,
                  shared_bytes(3, 1, of.head_size), of);
}

hydra_status attention_backward(Stream* stream, Attention of) {
    hydra_status status = launch(stream, "attention_dots_kernel", attention_dots_kernel,
                                 dim3(static_cast<unsigned>(pieces(of.rows * of.heads, WARPS))), THREADS, 0, of);
    if (status != HYDRA_OK) return status;
    status = launch(stream, "attention_query_gradient_kernel", attention_query_gradient_kernel, grid_of(of, of.heads),
                    THREADS, shared_bytes(4, 1, of.head_size), of);
    if (status != HYDRA_OK) return status;
    return launch(stream, "attention_key_gradient_kernel", attention_key_gradient_kernel, grid_of(of, of.kv_heads),
                  THREADS, shared_bytes(4, 2, of.head_size), of);
}

}  // namespace hydra::cuda::training
