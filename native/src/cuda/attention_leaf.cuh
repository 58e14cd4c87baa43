// Attention with the matrix instruction: vectors, and what they get of one leaf of their keys.
//
// Vectors are (node, query head) pairs of a segment and KV head, eight of them a group: vector v is query head v %
// heads of node v / heads. Keys stand on the M side of the instruction and vectors on N, as a group of eight fits few
// heads better than sixteen would:
//   scores [16 keys][8 vectors]   = keys [16][d] queries^T [d][8]
//   values [16 columns][8 vectors] = values^T [16 columns][16 keys] weights^T [16 keys][8]
// so that the scores become the weights' fragment by transposing 8 x 8 matrices within the warp.
//
// What makes a path of a tree give the bits of the same tokens one after another. A vector's keys are counted in the
// order prefix, then ancestors by row; 64 of them are a leaf of the tree in which they are folded. A leaf's result (its
// best score, the sum of its weights, its values by weight) is computed from nothing:
//   score     a chain of the instruction over the head's columns, its result a matter of the key, the query and
//             nothing else;
//   weight    2^(score - best + 15) as f16, 0 where the vector does not see the key;
//   values    four instructions over 16 keys each, one after another, key i in slot i % 16; their sum the same, with
//             ones for values.
// The leaves of a split (attention.cuh) are folded one after another, then the splits: the number of a key says where
// in the tree it stands, whoever computes which part of it. An element of the instruction's result depends on its row
// of A, its column of B and what it was before, not on where in the fragment these stand. So all that the bits depend
// on is the vector's own query, keys and values by their number.
#pragma once

#include <math.h>

#include "cuda/attention.cuh"
#include "cuda/mma.cuh"

namespace hydra::cuda {

constexpr int GROUP = 8;              // vectors of a fragment
constexpr int LEAF = 64, SLICE = 16;  // keys
constexpr int SLICES = LEAF / SLICE;  // of a leaf
constexpr int ATTENTION_WARPS = SLICES, ATTENTION_THREADS = ATTENTION_WARPS * WARP;
static_assert(LEAF % HYDRA_PAGE_POSITIONS == 0 && Splits::SHORTEST % LEAF == 0);

// All threads of the attention meet; those of a larger block that come after them take no part.
__device__ __forceinline__ void meet_in_attention() { meet_first<ATTENTION_THREADS>(); }

constexpr float LOG2_E = 1.44269504f;
constexpr float PEAK = 15;  // the exponent of a leaf's largest weight: small ones keep their bits in f16

__host__ __device__ constexpr int groups_of(int vectors) { return (vectors + GROUP - 1) / GROUP; }

// 1 / x with a relative error below 2^-22; 0 for infinity.
__device__ __forceinline__ float fast_reciprocal(float x) {
#ifdef __CUDACC__
    float reciprocal;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(reciprocal) : "f"(x));
    return reciprocal;
#else
    return 1.0f / x;
#endif
}

// A segment as one KV head's blocks see it.
struct AttentionPass {
    const Attention& work;
    int32_t table;                             // where the sequence's page table begins
    int kv_head, heads, begin, rows, vectors;  // heads: query heads of the KV head; begin: the segment's first row
    int32_t first, leaves;                     // leaves: that lie wholly in the prefix
    int32_t all_seen;                          // the first position that all rows see, if they reach as far

    __device__ AttentionPass(const Attention& attention, const Segment& segment, int head)
        : work(attention),
          table(segment.sequence * attention.rows.max_pages),
          kv_head(head),
          heads(attention.heads / attention.pool.kv_heads),
          begin(segment.row),
          rows(segment.count),
          vectors(rows * heads),
          first(segment.first),
          leaves(first / LEAF),
          all_seen(unseen_of(attention, first + rows)) {}

    __device__ __forceinline__ uint64_t ancestors(int row) const { return work.rows.ancestors[begin + row]; }
    // Keys that a row sees, but for those before its window.
    __device__ __forceinline__ int32_t length(int row) const { return first + __popcll(ancestors(row)); }
    // Keys of a vector that are before its window; of any where there is no such vector.
    __device__ __forceinline__ int32_t unseen(int v) const {
        return unseen_of(work, length(min(v, vectors - 1) / heads));
    }
    __device__ __forceinline__ const uint16_t* cached(int which, int32_t slot) const {
        return reinterpret_cast<const uint16_t*>(
            kv_row(work.pool, work.rows.pages + table, work.layer, kv_head, which, slot));
    }
    // A vector's place in queries and outputs.
    __device__ __forceinline__ int64_t place(int v) const {
        return (int64_t{begin + v / heads} * work.heads + kv_head * heads + v % heads) * work.pool.head_size;
    }
    // Its number in the wave, where the vectors of a KV head stand together, by row.
    __device__ __forceinline__ int32_t number(const AttentionWave& wave, int v) const {
        return (kv_head * wave.rows + begin - wave.begin) * heads + v;
    }
};

// A step over a head's columns that the compiler does not know to be there is computed after the one before, where it
// would else have several of them in registers at once, for which there are not enough. That is so with sums of so many
// tiles of accumulators or more; in code for 10.0 and later, which loads further ahead, also with fewer of them and
// with so many scores.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000
constexpr int APART_SUMS = 16;
template <int D, int TILES>
constexpr bool SCORES_ARE_APART = D == 128 && TILES == 16;
#else
constexpr int APART_SUMS = 17;
template <int D, int TILES>
constexpr bool SCORES_ARE_APART = false;
#endif

// Rows of keys or values in shared memory, so far apart that eight times 16 bytes lie in different banks.
template <int D>
constexpr int ROW_STRIDE = D + 8;

// A group's queries as fragments: uint4 [D / 32][lane], columns 32 i + 2t + {0, 1}, + 8, + 16, + 24.
template <int D>
constexpr int QUERY_FRAGMENTS = D / 32 * WARP;

// By one warp: the queries of a group, times what makes scores exponents of 2. Zeros where there is no vector.
template <int D>
__device__ __forceinline__ void stage_queries(const AttentionPass& pass, int group, uint4* target) {
    const int v = group * GROUP + lane_index() / 4, t = lane_index() % 4;
    const float scale = LOG2_E * scale_of(pass.work);
    const float* query = pass.work.query + (v < pass.vectors ? pass.place(v) : 0);
#pragma unroll
    for (int i = 0; i < D / 32; ++i) {
        uint32_t pairs[4] = {};
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            if (v >= pass.vectors) continue;
            const float2 two = *reinterpret_cast<const float2*>(query + 32 * i + 8 * j + 2 * t);
            pairs[j] = uint32_t{kv_half(two.y * scale)} << 16 | kv_half(two.x * scale);
        }
        target[i * WARP + lane_index()] = {pairs[0], pairs[1], pairs[2], pairs[3]};
    }
}

// Calls copy(row, column) for the 16 bytes from `column` on of each of `rows` rows, shared out over the block.
template <int D, class Copy>
__device__ __forceinline__ void for_pieces(int rows, Copy&& copy) {
    constexpr int PIECES = D / 8, ROWS = ATTENTION_THREADS / PIECES;
    const int begin = static_cast<int>(threadIdx.x) / PIECES, column = static_cast<int>(threadIdx.x) % PIECES * 8;
    if (begin >= ROWS) return;
#pragma unroll 4
    for (int row = begin; row < rows; row += ROWS) copy(row, column);
}

// Scores of GROUPS groups with COUNT times 16 keys, whose rows follow one another in shared memory from `rows` on. Of a
// pair, [0] is of vector 2t, [1] of vector 2t + 1 of the group; the lane's keys are g and g + 8.
template <int D, int COUNT, int GROUPS>
__device__ __forceinline__ void compute_scores(const Attention& work, const uint16_t* rows, const uint4* queries,
                                               float (&scores)[COUNT][GROUPS][4]) {
    const uint16_t* row = rows + lane_index() % 16 * ROW_STRIDE<D> + lane_index() / 16 * 8;
#pragma unroll
    for (int i = 0; i < COUNT * GROUPS * 4; ++i) scores[i / 4 / GROUPS][i / 4 % GROUPS][i % 4] = 0;
#pragma unroll
    for (int i = 0; i < D / 16; ++i) {
        if (SCORES_ARE_APART<D, COUNT * GROUPS> && i > 0 && 16 * i >= recomputed(work.pool.head_size)) break;
        uint2 query[GROUPS];
#pragma unroll
        for (int n = 0; n < GROUPS; ++n) {
            const uint4* both = queries + n * QUERY_FRAGMENTS<D> + i / 2 * WARP + lane_index();
            query[n] = reinterpret_cast<const uint2*>(both)[i % 2];
        }
#pragma unroll
        for (int slice = 0; slice < COUNT; ++slice) {
            uint32_t keys[4];
            load_matrices(keys, row + slice * SLICE * ROW_STRIDE<D> + 16 * i);
#pragma unroll
            for (int n = 0; n < GROUPS; ++n) multiply<HYDRA_F16>(scores[slice][n], keys, query[n].x, query[n].y);
        }
    }
    if (work.cap == 0) return;
    // cap tanh(x / cap) = cap - 2 cap / (1 + e^(2 x / cap)), in exponents of 2.
    const float cap = work.cap * LOG2_E, twice = 2 * fast_reciprocal(work.cap);
#pragma unroll
    for (int i = 0; i < COUNT * GROUPS * 4; ++i) {
        float& score = scores[i / 4 / GROUPS][i / 4 % GROUPS][i % 4];
        score = fmaf(-2 * cap, fast_reciprocal(1 + fast_exp2(score * twice)), cap);
    }
}

// Takes from the lane's scores with keys from number `key` on those that are before their vectors' windows, which begin
// at unseen[GROUPS * GROUP].
template <int COUNT, int GROUPS>
__device__ __forceinline__ void mask_unseen(const int32_t* unseen, int32_t key, float (&scores)[COUNT][GROUPS][4]) {
#pragma unroll
    for (int i = 0; i < 2 * GROUPS; ++i) {
        const int n = i / 2, v = i % 2;
        const int32_t keys = unseen[n * GROUP + lane_index() % 4 * 2 + v] - key - lane_index() / 4;
#pragma unroll
        for (int slice = 0; slice < COUNT; ++slice) {
            if (slice * SLICE < keys) scores[slice][n][v] = -INFINITY;
            if (slice * SLICE + 8 < keys) scores[slice][n][v + 2] = -INFINITY;
        }
    }
}

// The largest of a lane's scores over the warp's lanes of the same vectors.
__device__ __forceinline__ float largest_of_keys(float score) {
#pragma unroll
    for (int mask = 4; mask < WARP; mask *= 2) score = fmaxf(score, __shfl_xor_sync(ALL_LANES, score, mask));
    return score;
}

// What exponents of weights are counted from, where the vector sees no key as well.
__device__ __forceinline__ float reference_of(float best) { return best == -INFINITY ? 0.0f : best - PEAK; }

// The fragment of 16 keys' weights for a group of vectors.
__device__ __forceinline__ uint2 weights_of(const float (&scores)[4], const float (&best)[2]) {
    const float reference[2] = {reference_of(best[0]), reference_of(best[1])};
    uint32_t pairs[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        pairs[half] = transposed(
            halves_of(fast_exp2(scores[2 * half] - reference[0]), fast_exp2(scores[2 * half + 1] - reference[1])));
    }
    return {pairs[0], pairs[1]};
}

// The sums of a leaf's weights; of the lane's two vectors in [0] and [1].
__device__ __forceinline__ void sum_weights(const uint2 (&weights)[SLICES], float (&sums)[4]) {
    constexpr uint32_t ONES[4] = {0x3c003c00, 0x3c003c00, 0x3c003c00, 0x3c003c00};
#pragma unroll
    for (float& sum : sums) sum = 0;
#pragma unroll
    for (int slice = 0; slice < SLICES; ++slice) {
        multiply<HYDRA_F16>(sums, ONES, weights[slice].x, weights[slice].y);
    }
}

// Where a lane finds its row of a fragment of values: key and column within 16 of each.
__device__ __forceinline__ int value_key() { return lane_index() / 16 * 8 + lane_index() % 8; }
__device__ __forceinline__ int value_column() { return lane_index() / 8 % 2 * 8; }

// The values by weight of GROUPS groups, 16 columns: those from rows[slice] on, the lane's rows of the leaf's slices.
template <int GROUPS>
__device__ __forceinline__ void weigh_values(const uint16_t* const (&rows)[SLICES], int column,
                                             const uint2 (&weights)[GROUPS][SLICES], float (&sums)[GROUPS][4]) {
#pragma unroll
    for (int i = 0; i < GROUPS * 4; ++i) sums[i / 4][i % 4] = 0;
#pragma unroll
    for (int slice = 0; slice < SLICES; ++slice) {
        uint32_t values[4];
        load_transposed_matrices(values, rows[slice] + column);
#pragma unroll
        for (int n = 0; n < GROUPS; ++n) {
            multiply<HYDRA_F16>(sums[n], values, weights[n][slice].x, weights[n][slice].y);
        }
    }
}

// How the sums of two parts of the keys become those of both. A part without keys changes nothing.
struct Fold {
    float best, old, other;  // the new largest score, and the factors of the sums

    __device__ __forceinline__ Fold() {}
    __device__ __forceinline__ Fold(float old_best, float other_best) {
        const float less = other_best == -INFINITY ? 0.0f : exp2f(-fabsf(old_best - other_best));
        const bool larger = other_best > old_best;
        best = larger ? other_best : old_best;
        old = larger ? less : 1.0f;
        other = larger ? 1.0f : less;
    }
    __device__ __forceinline__ float operator()(float sum, float other_sum) const {
        return fmaf(sum, old, other_sum * other);
    }
};

// The parts into which the prefix's leaves are cut for the vectors of a segment: splits, or where vectors are few the
// leaves of the shortest splits, so that more blocks have something to do, then splits. Leaves that are before the
// windows of all rows belong to none. A vector keeps its sums over part i of the prefix as part TAIL_LEAVES + i, those
// over the leaves that hold rows of the pass before.
constexpr int TAIL_LEAVES = 2;
constexpr int32_t SHORT_WINDOW = 4096;  // up to it, all splits are short: the window is where the ladder is long

__host__ __device__ constexpr Splits splits_of(int32_t window) {
    return {window != 0 && window <= SHORT_WINDOW ? 0 : Splits{}.rungs};
}

struct PrefixParts {
    Splits splits;
    int32_t first, leaves;        // the first leaf that somebody sees, and the end
    int32_t alone, split, count;  // leaves that are parts, the first split that is one, parts

    __device__ PrefixParts(const AttentionPass& pass, bool few) : splits(splits_of(pass.work.window)) {
        leaves = pass.leaves;
        first = min(unseen_of(pass.work, pass.first + 1) / LEAF, leaves);
        const int32_t shortest = splits.rungs == 0 ? leaves : min(leaves, splits.FIRST_RUNG * splits.SHORTEST / LEAF);
        alone = few ? max(shortest - first, 0) : 0;
        split = splits.of((first + alone) * LEAF);
        count = alone + (first + alone < leaves ? splits.of(leaves * LEAF - 1) + 1 - split : 0);
    }

    // Leaves of part i.
    __device__ __forceinline__ int32_t begin(int32_t i) const {
        return i < alone ? first + i : max(first + alone, splits.begin(split + i - alone) / LEAF);
    }
    __device__ __forceinline__ int32_t end(int32_t i) const {
        return i < alone ? first + i + 1 : min(leaves, splits.begin(split + i - alone + 1) / LEAF);
    }
    __device__ __forceinline__ int32_t split_of(int32_t leaf) const { return splits.of(leaf * LEAF); }
};

}  // namespace hydra::cuda
