// Tree attention: every row sees the slots before its segment and those rows of the segment that are its ancestors. So
// a long chunk of a prompt is several segments, whose later ones find the earlier ones in the cache.
//
// Floor: the bytes of the keys and values, read once. Here the plain form in float32, for F32 caches and for head sizes
// that the matrix instruction's kernels (attention_mma.cu) do not take. Query heads of one KV head and rows make up
// that head's vectors. A block takes up to 64 of them through one split of the positions after another, in tiles of 32:
// keys and values are staged in shared memory once for all (heads above 128 columns read them from the caches), a lane
// computes the score of its key and then its columns of the output. Tiles before all rows' windows are not read. A
// second kernel merges the splits. Not measured on any card yet.
//
// The result of a vector depends on its own keys and values alone, in the order prefix, then ancestors by row: the i-th
// of them belongs to tile i / 32 and to the split of that tile, wherever its slot is. So a path of a tree gives the
// bits of the same tokens one after another. A score is a chain over the head's columns; within a split, tiles follow
// one another with a running maximum; splits are merged in order.
#include <math.h>

#include <algorithm>

#include "cuda/attention.cuh"
#include "cuda/rows.cuh"

namespace hydra::cuda {

namespace {

constexpr int WARPS = 8, THREADS = WARPS * WARP;
constexpr int BLOCK_VECTORS = 64, MOST_VECTORS = BLOCK_VECTORS / WARPS;  // of a block, of a warp
constexpr int STAGED_COLUMNS = 4;  // head size / 32 to which keys and values are staged
constexpr int KEY_TILE = 32, TAIL_TILES = 3, TAIL_ROWS = TAIL_TILES * KEY_TILE;  // after the prefix's last whole tile
constexpr int32_t SLOTS = 132;  // a block for each multiprocessor of an H100

static_assert(KEY_TILE == HYDRA_PAGE_POSITIONS, "a tile of the prefix lies in one page");
static_assert(TAIL_ROWS >= KEY_TILE - 1 + HYDRA_MAX_NODES);

// The n-th (from 0) of the mask's bits that are set.
__device__ __forceinline__ int nth_bit(uint64_t mask, int n) {
    if ((mask & (mask + 1)) == 0) return n;  // a chain
    for (; n > 0; --n) mask &= mask - 1;
    return __ffsll(static_cast<long long>(mask)) - 1;
}

__device__ __forceinline__ float float_of(float value) { return value; }
__device__ __forceinline__ float float_of(uint16_t half) { return float_of_half(half); }

__device__ __forceinline__ float4 four_of(const float* values) { return *reinterpret_cast<const float4*>(values); }
__device__ __forceinline__ float4 four_of(const uint16_t* halves) {
    const uint2 pairs = *reinterpret_cast<const uint2*>(halves);
    const auto low = [](uint32_t pair) { return float_of_half(static_cast<uint16_t>(pair)); };
    return {low(pairs.x), low(pairs.x >> 16), low(pairs.y), low(pairs.y >> 16)};
}

__device__ __forceinline__ float chain(const float4& a, const float4& b, float sum) {
    return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

// One vector of a warp. COLUMNS: head size / 32 or more; column 32 c + lane is the lane's c-th.
template <int COLUMNS>
struct Vector {
    int row, head;
    int length, unseen;  // keys that it sees, 0 where there is no such vector; but for the first `unseen` of them
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
        if (larger == -INFINITY) return 0;  // all keys so far are before the window
        const float weight = expf(score - larger), shrink = expf(best - larger);
        total = fmaf(total, shrink, warp_sum(weight));
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c) out[c] *= shrink;
        best = larger;
        return weight;
    }
};

// Shared memory of a block, in floats. Rows of keys and values begin in different banks.
struct SharedLayout {
    int head_size;
    bool staged;  // keys and values

    __host__ __device__ int stride() const { return head_size + 4; }
    __host__ __device__ int weights() const {
        return (staged ? BLOCK_VECTORS : WARPS) * head_size;
    }  // after the queries
    __host__ __device__ int rows() const { return weights() + WARPS * KEY_TILE * MOST_VECTORS; }
    __host__ __device__ int floats() const { return rows() + (staged ? TAIL_ROWS * stride() : 0); }
};

// A block's walk through the tiles for one KV head; each warp has VECTORS vectors.
template <class Element, int COLUMNS, int VECTORS, bool STAGED>
struct Walk {
    const Attention& work;
    const int32_t* pages;
    const int32_t kv_head, head_size, first, rows;
    const float scale;
    float* shared;
    Vector<COLUMNS> (&vectors)[VECTORS];

    __device__ __forceinline__ SharedLayout layout() const { return {head_size, STAGED}; }
    __device__ __forceinline__ const float* query(int v) const {
        return shared + (warp_index() * VECTORS + v) * head_size;
    }
    __device__ __forceinline__ float* weights() const {
        return shared + layout().weights() + warp_index() * KEY_TILE * VECTORS;
    }
    __device__ __forceinline__ float* staged(int row) const {
        return shared + layout().rows() + row * layout().stride();
    }
    __device__ __forceinline__ const Element* cached(int which, int32_t slot) const {
        return reinterpret_cast<const Element*>(kv_row(work.pool, pages, work.layer, kv_head, which, slot));
    }
    __device__ __forceinline__ int32_t slot_of_key(const Vector<COLUMNS>& vector, int32_t key) const {
        return key < first ? key : first + nth_bit(vector.ancestors, key - first);
    }

    // Brings `count` slots from `slot` on to the staged rows from `target` on, keys or values.
    __device__ __forceinline__ void stage(int which, int32_t slot, int count, int target) const {
        const int fours = head_size / 4;
        for (int i = static_cast<int>(threadIdx.x); i < count * fours; i += THREADS) {
            const int j = i / fours, column = i % fours * 4;
            *reinterpret_cast<float4*>(staged(target + j) + column) = four_of(cached(which, slot + j) + column);
        }
    }

    template <class Key>
    __device__ __forceinline__ float score(const float* q, const Key* key) const {
        float sum = 0;
        for (int d = 0; d < head_size; d += 4) sum = chain(four_of(q + d), four_of(key + d), sum);
        return score_of(sum);
    }

    __device__ __forceinline__ float score_of(float product) const {
        return work.cap != 0 ? soft_cap(product * scale, work.cap) : product * scale;
    }

    template <class Value>
    __device__ __forceinline__ void add_value(Vector<COLUMNS>& vector, float weight, const Value* value) const {
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c) {
            const int column = c * WARP + lane_index();
            if (column < head_size) vector.out[c] = fmaf(weight, float_of(value[column]), vector.out[c]);
        }
    }

    // The weights of key j for the warp's vectors.
    __device__ __forceinline__ void load_weights(int j, float (&weight)[VECTORS]) const {
        const float* from = weights() + j * VECTORS;
        if constexpr (VECTORS % 4 == 0) {
#pragma unroll
            for (int v = 0; v < VECTORS; v += 4) {
                const float4 four = four_of(from + v);
                weight[v] = four.x, weight[v + 1] = four.y, weight[v + 2] = four.z, weight[v + 3] = four.w;
            }
        } else {
#pragma unroll
            for (int v = 0; v < VECTORS; ++v) weight[v] = from[v];
        }
    }

    // A tile of the prefix, which all vectors see whole but for what is before their windows.
    __device__ __forceinline__ void prefix_tile(int32_t tile) const {
        __syncthreads();
        stage(0, tile, KEY_TILE, 0);
        stage(1, tile, KEY_TILE, KEY_TILE);
        __syncthreads();
        const int lane = lane_index();
        float sums[VECTORS] = {};
        for (int d = 0; d < head_size; d += 4) {
            const float4 key = four_of(staged(lane) + d);
#pragma unroll
            for (int v = 0; v < VECTORS; ++v) sums[v] = chain(four_of(query(v) + d), key, sums[v]);
        }
        // Each lane's weights go to shared memory, where all lanes find those of a key together.
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) {
            const bool seen = tile + lane >= vectors[v].unseen;
            weights()[lane * VECTORS + v] = vectors[v].weigh(seen ? score_of(sums[v]) : -INFINITY);
        }
        __syncwarp();
        for (int j = 0; j < KEY_TILE; ++j) {
            float weight[VECTORS];
            load_weights(j, weight);
            const float* row = staged(KEY_TILE + j);
#pragma unroll
            for (int c = 0; c < COLUMNS; ++c) {
                if (c * WARP >= head_size) break;
                const int column = c * WARP + lane;
                const float value = column < head_size ? row[column] : 0.0f;
#pragma unroll
                for (int v = 0; v < VECTORS; ++v) vectors[v].out[c] = fmaf(weight[v], value, vectors[v].out[c]);
            }
        }
        __syncwarp();
    }

    // The tiles that hold rows of the pass, from `begin` to `end`: first the scores of all of them, then the values, as
    // both would not fit. Staged row i is slot begin + i.
    __device__ __forceinline__ void tail_tiles(int32_t begin, int32_t end) const {
        const int count = first + rows - begin;
        float scores[VECTORS][TAIL_TILES];
        __syncthreads();
        stage(0, begin, count, 0);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < VECTORS * TAIL_TILES; ++i) {
            const int v = i / TAIL_TILES, tile = begin + i % TAIL_TILES * KEY_TILE, key = tile + lane_index();
            float& found = scores[v][i % TAIL_TILES];
            found = -INFINITY;
            if (tile < end && key < vectors[v].length && key >= vectors[v].unseen) {
                found = score(query(v), staged(slot_of_key(vectors[v], key) - begin));
            }
        }
        __syncthreads();
        stage(1, begin, count, 0);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < VECTORS * TAIL_TILES; ++i) {
            Vector<COLUMNS>& vector = vectors[i / TAIL_TILES];
            const int tile = begin + i % TAIL_TILES * KEY_TILE, present = min(vector.length - tile, KEY_TILE);
            if (tile >= end || present <= 0) continue;
            const int32_t slot = slot_of_key(vector, tile + min(lane_index(), present - 1));
            const float own = vector.weigh(scores[i / TAIL_TILES][i % TAIL_TILES]);
            for (int j = 0; j < present; ++j) {
                const float weight = __shfl_sync(ALL_LANES, own, j);
                add_value(vector, weight, staged(__shfl_sync(ALL_LANES, slot, j) - begin));
            }
        }
    }

    // Any tile for one vector, from the caches.
    __device__ __forceinline__ void cached_tile(Vector<COLUMNS>& vector, const float* q, int32_t tile) const {
        const int present = min(vector.length - tile, KEY_TILE);
        if (present <= 0) return;
        const int32_t slot = slot_of_key(vector, tile + min(lane_index(), present - 1));
        const float sum = score(q, cached(0, slot));
        const bool seen = lane_index() < present && tile + lane_index() >= vector.unseen;
        const float own = vector.weigh(seen ? sum : -INFINITY);
        for (int j = 0; j < present; ++j) {
            const float weight = __shfl_sync(ALL_LANES, own, j);
            add_value(vector, weight, cached(1, __shfl_sync(ALL_LANES, slot, j)));
        }
    }

    // Positions [begin, end) of a split.
    __device__ __forceinline__ void run(int32_t begin, int32_t end) const {
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) vectors[v].clear();
        if constexpr (STAGED) {
            const int32_t tail = first / KEY_TILE * KEY_TILE;
            for (int32_t tile = begin; tile < end && tile < tail; tile += KEY_TILE) prefix_tile(tile);
            if (end > tail) tail_tiles(max(begin, tail), end);
        } else {
            for (int32_t tile = begin; tile < end; tile += KEY_TILE) {
#pragma unroll
                for (int v = 0; v < VECTORS; ++v) cached_tile(vectors[v], query(v), tile);
            }
        }
    }
};

// The part of a block for vectors begin_vector ... begin_vector + WARPS * VECTORS - 1 of the segment and KV head, as
// far as they exist.
template <class Element, int COLUMNS, int VECTORS, bool STAGED>
__device__ __forceinline__ void attend(const Attention& work, const AttentionWave& wave, const Segment& segment,
                                       int kv_head, int begin_vector) {
    const int lane = lane_index(), group = work.heads / work.pool.kv_heads, head_size = work.pool.head_size;
    const int32_t first = segment.first, rows = segment.count;
    float* shared = &shared_memory<float>();
    Vector<COLUMNS> vectors[VECTORS];
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) {
        const int place = warp_index() * VECTORS + v, number = begin_vector + place;
        const bool real = number < rows * group;
        vectors[v].row = segment.row + (real ? number / group : 0);
        vectors[v].head = kv_head * group + number % group;
        vectors[v].ancestors = work.rows.ancestors[vectors[v].row];
        vectors[v].length = real ? first + __popcll(vectors[v].ancestors) : 0;
        vectors[v].unseen = unseen_of(work, vectors[v].length);
        for (int d = lane; d < head_size; d += WARP) {
            const int64_t from = int64_t{vectors[v].row} * work.heads + vectors[v].head;
            shared[place * head_size + d] = real ? work.query[from * head_size + d] : 0.0f;
        }
    }
    __syncthreads();
    const float scale = scale_of(work);
    const Walk<Element, COLUMNS, VECTORS, STAGED> walk{
        work, work.rows.pages_of(segment.sequence), kv_head, head_size, first, rows, scale, shared, vectors};
    const int32_t longest = first + rows;
    const Splits splits{};
    const int32_t first_tile = first_seen_of(work, segment) / KEY_TILE * KEY_TILE;
    for (auto s = static_cast<int32_t>(blockIdx.x); splits.begin(s) < longest; s += static_cast<int32_t>(gridDim.x)) {
        walk.run(max(splits.begin(s), first_tile), min(splits.begin(s + 1), longest));
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) {
            if (vectors[v].length <= splits.begin(s)) continue;
            const int32_t number = (vectors[v].row - wave.begin) * work.heads + vectors[v].head;
            float* target = wave.partial(s, number, head_size);
#pragma unroll
            for (int c = 0; c < COLUMNS; ++c) {
                if (c * WARP + lane < head_size) target[c * WARP + lane] = vectors[v].out[c];
            }
            if (lane == 0) {
                target[head_size] = vectors[v].best;
                target[head_size + 1] = vectors[v].total;
            }
        }
    }
}

// Grid: workers on splits, KV heads times blocks of vectors, segments; vector v of a KV head is query head v % group of
// row v / group of the segment. One block a multiprocessor is asked for, or ptxas spills registers to make room for
// more.
template <class Element, int COLUMNS>
__global__ void __launch_bounds__(THREADS, 1) attention_kernel(Attention work, AttentionWave wave) {
    begin_in_turn();
    const Segment* found = wave.segment(work.rows, blockIdx.z);
    if (found == nullptr) return;
    const Segment segment = *found;
    const int kv_head = static_cast<int>(blockIdx.y) % work.pool.kv_heads;
    const int begin = static_cast<int>(blockIdx.y) / work.pool.kv_heads * BLOCK_VECTORS;
    const int count = segment.count * (work.heads / work.pool.kv_heads) - begin;
    if (count <= 0) return;
    constexpr bool STAGED = COLUMNS <= STAGED_COLUMNS;
    if constexpr (!STAGED) {
        for (int done = 0; done < min(count, BLOCK_VECTORS); done += WARPS) {
            attend<Element, COLUMNS, 1, STAGED>(work, wave, segment, kv_head, begin + done);
            __syncthreads();
        }
    } else if (count <= WARPS) {
        attend<Element, COLUMNS, 1, STAGED>(work, wave, segment, kv_head, begin);
    } else if (count <= 2 * WARPS) {
        attend<Element, COLUMNS, 2, STAGED>(work, wave, segment, kv_head, begin);
    } else if (count <= 4 * WARPS) {
        attend<Element, COLUMNS, 4, STAGED>(work, wave, segment, kv_head, begin);
    } else {
        attend<Element, COLUMNS, 8, STAGED>(work, wave, segment, kv_head, begin);
    }
}

// One block for each row and head.
__global__ void __launch_bounds__(THREADS) merge_attention_kernel(Attention work, AttentionWave wave) {
    begin_in_turn();
    const int row = wave.begin + static_cast<int>(blockIdx.x), head_size = work.pool.head_size;
    if (!wave.has(work.rows, row)) return;
    const auto v = static_cast<int32_t>(blockIdx.x * work.heads + blockIdx.y);
    const int32_t length = work.rows.segment_of_row(row).first + __popcll(work.rows.ancestors[row]);
    const int32_t splits = Splits{}.count(length);
    float* out = work.out + (int64_t{row} * work.heads + blockIdx.y) * head_size;
    const auto values = [&](int32_t split) { return wave.partial(split, v, head_size); };
    float best = -INFINITY, total = 0;
    for (int32_t s = 0; s < splits; ++s) best = fmaxf(best, values(s)[head_size]);
    for (int32_t s = 0; s < splits; ++s) {
        total = fmaf(values(s)[head_size + 1], expf(values(s)[head_size] - best), total);
    }
    for (int d = static_cast<int>(threadIdx.x); d < head_size; d += THREADS) {
        float sum = 0;
        for (int32_t s = 0; s < splits; ++s) sum = fmaf(values(s)[d], expf(values(s)[head_size] - best), sum);
        out[d] = sum / total;
    }
}

template <class Element, int COLUMNS>
hydra_status launch_attention(Stream* stream, const Attention& work) {
    const int32_t blocks = (most_vectors(work) + BLOCK_VECTORS - 1) / BLOCK_VECTORS;
    const int32_t heads = work.pool.kv_heads * blocks;
    const int32_t workers = workers_of(work, Splits{}.count(most_positions(work)), heads, SLOTS);
    const dim3 grid(static_cast<unsigned>(workers), static_cast<unsigned>(heads),
                    static_cast<unsigned>(most_segments(work.rows)));
    const dim3 merge_grid(static_cast<unsigned>(std::min(work.rows.max_rows, WAVE_REACH)),
                          static_cast<unsigned>(work.heads));
    const int floats = SharedLayout{work.pool.head_size, COLUMNS <= STAGED_COLUMNS}.floats();
    return each_wave(work, [&](const AttentionWave& wave) {
        const hydra_status status = launch(stream, "attention_kernel", attention_kernel<Element, COLUMNS>, grid,
                                           THREADS, sizeof(float) * static_cast<size_t>(floats), work, wave);
        if (status != HYDRA_OK) return status;
        return launch(stream, "merge_attention_kernel", merge_attention_kernel, merge_grid, THREADS, 0, work, wave);
    });
}

template <class Element>
hydra_status plain_attention(Stream* stream, const Attention& work) {
    const int columns = (work.pool.head_size + WARP - 1) / WARP;
    // Not one for each number: a kernel takes half a minute to compile.
    if (columns <= 2) return launch_attention<Element, 2>(stream, work);
    if (columns <= 4) return launch_attention<Element, 4>(stream, work);
    if (columns <= 8) return launch_attention<Element, 8>(stream, work);
    return launch_attention<Element, 32>(stream, work);
}

}  // namespace

int64_t attention_workspace_bytes(int32_t max_rows, int32_t heads, int32_t head_size, int32_t max_positions) {
    const int64_t plain = int64_t{Splits{}.count(max_positions)} * std::min(max_rows, WAVE_REACH) * heads;
    return std::max(plain * (head_size + 2) * 4, mma_attention_bytes(max_rows, heads, head_size, max_positions));
}

hydra_status attention(Stream* stream, const Attention* arguments) {
    if (is_for_mma(arguments->pool)) return mma_attention(stream, *arguments);
    return arguments->pool.type == HYDRA_F16 ? plain_attention<uint16_t>(stream, *arguments)
                                             : plain_attention<float>(stream, *arguments);
}

}  // namespace hydra::cuda
