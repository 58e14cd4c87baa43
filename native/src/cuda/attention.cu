// Tree attention: every row sees the verified positions before the pass and those rows of it that are its ancestors.
//
// Floor: the bytes of the keys and values, read once. Version 1, here: the plain form in float32. Query heads of one KV
// head and rows make up that head's vectors. A block takes 16 vectors (4 for heads above 128 columns) through one split
// of the positions after another, in tiles of 32: keys and values of the prefix are staged in shared memory for all of
// them, those of the tail come from the caches. A second kernel merges the splits. Where tuning goes next: mma.m16n8k16
// for heads of 64, 96 and 128 with 64 vectors a block, so that keys and values are read once; cp.async for the next
// tile; the merge in the last block that is done.
//
// The result of a vector depends on its own keys and values alone, in the order prefix, then ancestors by row: the i-th
// of them belongs to tile i / 32 and to the split of that tile, wherever its slot is. So a path of a tree gives the
// bits of the same tokens one after another. A score is a chain over the head's columns; within a split, tiles follow
// one another with a running maximum; splits are merged in order.
#include <math.h>

#include <algorithm>

#include "cuda/kv.cuh"
#include "cuda/rows.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int WARPS = 4, THREADS = WARPS * WARP, TILE = 32;
constexpr int64_t MOST_WORKERS = 64;  // blocks that share out the splits of one KV head and its vectors

// Splits are finer where contexts are short: 32 of 256 positions, 24 of 1024, 24 of 4096, then of 16384.
struct Ladder {
    int32_t splits, size;
};
// The first position of a split.
__host__ __device__ constexpr int32_t split_begin(int32_t split) {
    constexpr Ladder steps[] = {{32, 256}, {24, 1024}, {24, 4096}};
    int32_t begin = 0;
    for (const Ladder& step : steps) {
        if (split <= step.splits) return begin + split * step.size;
        begin += step.splits * step.size;
        split -= step.splits;
    }
    return begin + split * 16384;
}

// Splits that `positions` positions reach into.
__host__ __device__ constexpr int32_t splits_of(int32_t positions) {
    int32_t splits = 0;
    while (split_begin(splits) < positions) ++splits;
    return splits;
}

// What the splits leave in the workspace, for vector v = row * heads + head of 64 * heads.
struct Partials {
    int64_t vectors;
    int32_t head_size;
    float* base;

    // float [head_size]: values by weight, not yet divided.
    __device__ float* values(int32_t split, int64_t v) const { return base + (split * vectors + v) * (head_size + 2); }
    // The largest score and the sum of weights.
    __device__ float* facts(int32_t split, int64_t v) const { return values(split, v) + head_size; }
};

__device__ __forceinline__ int nth_bit(uint64_t mask, int n) {
    for (; n > 0; --n) mask &= mask - 1;
    return __ffsll(static_cast<long long>(mask)) - 1;
}

__device__ __forceinline__ float chain(const float4& a, const float4& b, float sum) {
    return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

// One vector of a warp. COLUMNS: head size / 32, rounded up; column 32 c + lane is the lane's c-th.
template <int COLUMNS>
struct Vector {
    int row, head, length;  // length: keys that it sees; 0 where there is no such vector
    uint64_t ancestors;
    float best, total, out[COLUMNS];

    __device__ __forceinline__ void clear() {
        best = -INFINITY;
        total = 0;
        for (int c = 0; c < COLUMNS; ++c) out[c] = 0;
    }

    // Takes a tile's scores, one a lane (-infinity: no key), and returns the lane's weight.
    __device__ __forceinline__ float weigh(float score) {
        const float larger = fmaxf(best, warp_max(score));
        const float weight = expf(score - larger), shrink = expf(best - larger);
        total = fmaf(total, shrink, warp_sum(weight));
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c) out[c] *= shrink;
        best = larger;
        return weight;
    }
};

// Shared: queries [WARPS * VECTORS][head_size]; where STAGED, keys [TILE][head_size + 4] (so that the lanes' rows begin
// in different banks) and values [TILE][head_size].
template <int COLUMNS, int VECTORS, bool STAGED>
struct Split {
    static constexpr int MOST_VECTORS = WARPS * VECTORS;
    static size_t shared_bytes(int head_size) {
        return sizeof(float) * (MOST_VECTORS * head_size + (STAGED ? TILE * (2 * head_size + 4) : 0));
    }

    const Attention& work;
    const int32_t kv_head, head_size, first;
    float *queries, *keys, *values;
    Vector<COLUMNS> (&vectors)[VECTORS];

    __device__ __forceinline__ const float* query(int v) const {
        return queries + (warp_index() * VECTORS + v) * head_size;
    }
    __device__ __forceinline__ const float* row(int which, int32_t slot) const {
        return kv_row(work.kv, work.rows.pages, work.layer, kv_head, which, slot);
    }

    __device__ void stage(int32_t tile) const {
        __syncthreads();
        const int fours = head_size / 4;
        for (int i = static_cast<int>(threadIdx.x); i < TILE * fours; i += THREADS) {
            const int j = i / fours, column = i % fours * 4;
            *reinterpret_cast<float4*>(keys + j * (head_size + 4) + column) =
                *reinterpret_cast<const float4*>(row(0, tile + j) + column);
            *reinterpret_cast<float4*>(values + j * head_size + column) =
                *reinterpret_cast<const float4*>(row(1, tile + j) + column);
        }
        __syncthreads();
    }

    // A tile that all vectors see whole, from shared memory.
    __device__ void staged_tile(float scale) const {
        const int lane = lane_index();
        float scores[VECTORS] = {}, weights[VECTORS];
        for (int d = 0; d < head_size; d += 4) {
            const float4 key = *reinterpret_cast<const float4*>(keys + lane * (head_size + 4) + d);
#pragma unroll
            for (int v = 0; v < VECTORS; ++v) {
                scores[v] = chain(*reinterpret_cast<const float4*>(query(v) + d), key, scores[v]);
            }
        }
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) weights[v] = vectors[v].weigh(scores[v] * scale);
        for (int j = 0; j < TILE; ++j) {
            float weight[VECTORS];
#pragma unroll
            for (int v = 0; v < VECTORS; ++v) weight[v] = __shfl_sync(ALL_LANES, weights[v], j);
#pragma unroll
            for (int c = 0; c < COLUMNS; ++c) {
                const int column = c * WARP + lane;
                const float value = column < head_size ? values[j * head_size + column] : 0.0f;
#pragma unroll
                for (int v = 0; v < VECTORS; ++v) vectors[v].out[c] = fmaf(weight[v], value, vectors[v].out[c]);
            }
        }
    }

    // Any tile for one vector, from the cache's pages.
    __device__ void tile_of(Vector<COLUMNS>& vector, const float* q, int32_t tile, float scale) const {
        const int lane = lane_index(), present = min(vector.length - tile, TILE);
        if (present <= 0) return;
        const int32_t index = min(tile + lane, vector.length - 1);
        const int32_t slot = index < first ? index : first + nth_bit(vector.ancestors, index - first);
        const float* key = row(0, slot);
        float score = 0;
        for (int d = 0; d < head_size; d += 4) {
            score = chain(*reinterpret_cast<const float4*>(q + d), *reinterpret_cast<const float4*>(key + d), score);
        }
        const float weights = vector.weigh(lane < present ? score * scale : -INFINITY);
        for (int j = 0; j < present; ++j) {
            const float weight = __shfl_sync(ALL_LANES, weights, j);
            const float* value = row(1, __shfl_sync(ALL_LANES, slot, j));
#pragma unroll
            for (int c = 0; c < COLUMNS; ++c) {
                const int column = c * WARP + lane;
                if (column < head_size) vector.out[c] = fmaf(weight, value[column], vector.out[c]);
            }
        }
    }

    __device__ void run(int32_t begin, int32_t end, float scale) const {
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) vectors[v].clear();
        for (int32_t tile = begin; tile < end; tile += TILE) {
            if (STAGED && tile + TILE <= first) {
                stage(tile);
                staged_tile(scale);
                continue;
            }
#pragma unroll
            for (int v = 0; v < VECTORS; ++v) tile_of(vectors[v], query(v), tile, scale);
        }
    }
};

// Grid: workers on splits, KV heads, groups of vectors; vector v of a KV head is query head v % group of row v / group.
template <int COLUMNS, int VECTORS, bool STAGED>
__global__ void __launch_bounds__(THREADS) attention_kernel(Attention work, Partials partials) {
    using ThisSplit = Split<COLUMNS, VECTORS, STAGED>;
    const int rows = active_rows(work.rows), kv_head = static_cast<int>(blockIdx.y), lane = lane_index();
    const int group = work.heads / work.kv.kv_heads, head_size = work.kv.head_size;
    const int begin_vector = static_cast<int>(blockIdx.z) * ThisSplit::MOST_VECTORS;
    if (begin_vector >= rows * group) return;
    const int32_t first = work.rows.rows->first;
    float* queries = &shared_memory<float>();
    float* keys = queries + ThisSplit::MOST_VECTORS * head_size;
    Vector<COLUMNS> vectors[VECTORS];
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) {
        const int place = warp_index() * VECTORS + v, number = begin_vector + place;
        const bool real = number < rows * group;
        vectors[v].row = real ? number / group : 0;
        vectors[v].head = kv_head * group + number % group;
        vectors[v].ancestors = work.rows.rows->ancestors[vectors[v].row];
        vectors[v].length = real ? first + __popcll(vectors[v].ancestors) : 0;
        for (int d = lane; d < head_size; d += WARP) {
            const int64_t from = int64_t{vectors[v].row} * work.heads + vectors[v].head;
            queries[place * head_size + d] = real ? work.query[from * head_size + d] : 0.0f;
        }
    }
    __syncthreads();
    const ThisSplit split{work, kv_head, head_size, first, queries, keys, keys + TILE * (head_size + 4), vectors};
    const float scale = 1.0f / sqrtf(static_cast<float>(head_size));
    const int32_t longest = first + rows;
    for (int32_t s = static_cast<int32_t>(blockIdx.x); split_begin(s) < longest; s += gridDim.x) {
        split.run(split_begin(s), min(split_begin(s + 1), longest), scale);
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) {
            if (vectors[v].length <= split_begin(s)) continue;
            const int64_t number = int64_t{vectors[v].row} * work.heads + vectors[v].head;
            float* target = partials.values(s, number);
#pragma unroll
            for (int c = 0; c < COLUMNS; ++c) {
                if (c * WARP + lane < head_size) target[c * WARP + lane] = vectors[v].out[c];
            }
            if (lane == 0) {
                partials.facts(s, number)[0] = vectors[v].best;
                partials.facts(s, number)[1] = vectors[v].total;
            }
        }
    }
}

// One block for each row and head.
__global__ void __launch_bounds__(THREADS) merge_attention_kernel(Attention work, Partials partials) {
    const int row = static_cast<int>(blockIdx.x), head_size = work.kv.head_size;
    if (row >= active_rows(work.rows)) return;
    const int64_t v = int64_t{row} * work.heads + blockIdx.y;
    const int32_t splits = splits_of(work.rows.rows->first + __popcll(work.rows.rows->ancestors[row]));
    float best = -INFINITY, total = 0;
    for (int32_t s = 0; s < splits; ++s) best = fmaxf(best, partials.facts(s, v)[0]);
    for (int32_t s = 0; s < splits; ++s) {
        total = fmaf(partials.facts(s, v)[1], expf(partials.facts(s, v)[0] - best), total);
    }
    for (int d = static_cast<int>(threadIdx.x); d < head_size; d += THREADS) {
        float sum = 0;
        for (int32_t s = 0; s < splits; ++s) {
            sum = fmaf(partials.values(s, v)[d], expf(partials.facts(s, v)[0] - best), sum);
        }
        work.out[v * head_size + d] = sum / total;
    }
}

template <int COLUMNS, int VECTORS, bool STAGED>
hydra_status launch_attention(Stream* stream, const Attention& work, const Partials& partials) {
    using ThisSplit = Split<COLUMNS, VECTORS, STAGED>;
    const int vectors = HYDRA_MAX_ROWS * (work.heads / work.kv.kv_heads);
    const int64_t workers = std::min<int64_t>(MOST_WORKERS, splits_of(work.max_positions));
    const dim3 grid(static_cast<unsigned>(workers), static_cast<unsigned>(work.kv.kv_heads),
                    static_cast<unsigned>((vectors + ThisSplit::MOST_VECTORS - 1) / ThisSplit::MOST_VECTORS));
    const hydra_status status = launch(stream, "attention_kernel", attention_kernel<COLUMNS, VECTORS, STAGED>, grid,
                                       THREADS, ThisSplit::shared_bytes(work.kv.head_size), work, partials);
    if (status != HYDRA_OK) return status;
    return launch(stream, "merge_attention_kernel", merge_attention_kernel,
                  dim3(HYDRA_MAX_ROWS, static_cast<unsigned>(work.heads)), THREADS, 0, work, partials);
}

}  // namespace

int64_t attention_workspace_bytes(int32_t heads, int32_t head_size, int32_t max_positions) {
    return int64_t{splits_of(max_positions)} * HYDRA_MAX_ROWS * heads * (head_size + 2) * 4;
}

hydra_status attention(Stream* stream, const Attention* arguments) {
    const Attention& work = *arguments;
    const Partials partials{int64_t{HYDRA_MAX_ROWS} * work.heads, work.kv.head_size,
                            static_cast<float*>(work.workspace)};
    const int columns = (work.kv.head_size + WARP - 1) / WARP;
    if (columns <= 1) return launch_attention<1, 4, true>(stream, work, partials);
    if (columns <= 2) return launch_attention<2, 4, true>(stream, work, partials);
    if (columns <= 3) return launch_attention<3, 4, true>(stream, work, partials);
    if (columns <= 4) return launch_attention<4, 4, true>(stream, work, partials);
    if (columns <= 8) return launch_attention<8, 1, false>(stream, work, partials);
    return launch_attention<32, 1, false>(stream, work, partials);
}

}  // namespace hydra::cuda
