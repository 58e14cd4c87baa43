// Attention of a few query vectors over the keys and values of one KV head, in three steps: scores against some blocks
// of 16 keys at a time, weights of the scores, weighted sums of the values. Keys are read by all vectors of the call
// while the nearest cache holds them; sums of as many vectors as registers hold stay there, so that each key, value,
// query and weight that is read serves several multiplications.
#include "cpu/attention.h"

#include <algorithm>

#include "cpu/kernels/functions.h"
#include "cpu/simd.h"

namespace hydra::HYDRA_ISA {

namespace {

constexpr int VECTORS = 6;      // most vectors at a time
constexpr int NEAR_BLOCKS = 4;  // blocks of keys that stay in the nearest cache while all vectors see them

// Sums that registers hold, one for each vector and each block of keys or 16 columns of values.
#if defined(HYDRA_AVX512)
constexpr int SUMS = 24;
#else
constexpr int SUMS = 4;
#endif

// Blocks of keys, or 16 columns of values, against so many vectors at a time.
constexpr int width_of(int vectors) {
    const int width = SUMS / vectors;
    return width < 1 ? 1 : width < NEAR_BLOCKS ? width : NEAR_BLOCKS;
}

// Calls run.operator()<count>(), 1 <= count <= MOST.
template <int MOST, class Run>
HYDRA_INLINE void call(int count, Run&& run) {
    if constexpr (MOST > 0) {
        if (count == MOST) return run.template operator()<MOST>();
        call<MOST - 1>(count, run);
    }
}

// Calls run.operator()<N>(first) for the parts [first, first + N) of 0 ... count-1, as few of at most MOST as there can
// be, of sizes as equal as can be.
template <int MOST, class Run>
HYDRA_INLINE void in_parts(int count, Run&& run) {
    const int parts = (count + MOST - 1) / MOST;
    for (int i = 0; i < parts; ++i) {
        const int first = count * i / parts;
        call<MOST>(count * (i + 1) / parts - first, [&]<int N>() { run.template operator()<N>(first); });
    }
}

// Scores of vectors [first, first + V) against blocks [block, block + B), stored by slot. Each score is one chain over
// the columns.
template <int V, int B>
void score_blocks(const AttentionWork& work, int first, int block) {
    F32 sums[V][B];
#pragma GCC unroll 6
    for (int v = 0; v < V; ++v) {
#pragma GCC unroll 4
        for (int b = 0; b < B; ++b) sums[v][b] = zero();
    }
    const float* keys[B];
    const float* queries[V];
    for (int b = 0; b < B; ++b) keys[b] = work.keys[block + b];
    for (int v = 0; v < V; ++v) queries[v] = work.queries[first + v];
    for (int d = 0; d < work.head_size; ++d) {
        F32 key[B];
#pragma GCC unroll 4
        for (int b = 0; b < B; ++b) key[b] = load_once(keys[b] + d * KEY_BLOCK);
#pragma GCC unroll 6
        for (int v = 0; v < V; ++v) {
            const F32 query = broadcast(queries[v][d]);
#pragma GCC unroll 4
            for (int b = 0; b < B; ++b) sums[v][b] = fma(key[b], query, sums[v][b]);
        }
    }
    const F32 scale = broadcast(work.scale);
#pragma GCC unroll 6
    for (int v = 0; v < V; ++v) {
        float* scores = work.scores + (first + v) * work.score_stride + block * KEY_BLOCK;
#pragma GCC unroll 4
        for (int b = 0; b < B; ++b) store(scores + b * KEY_BLOCK, mul(sums[v][b], scale));
    }
}

// Scores of all vectors against blocks [begin, end).
void score(const AttentionWork& work, int begin, int end) {
    in_parts<VECTORS>(work.vectors, [&]<int V>(int first) {
        in_parts<width_of(V)>(end - begin, [&]<int B>(int part) { score_blocks<V, B>(work, first, begin + part); });
    });
}

// Moves the scores of a vector's ancestors after those of the prefix and returns how many there are then. What lies
// beyond is made as small as can be, so that it is never the best; its weight is not counted.
int gather_ancestors(const AttentionWork& work, int vector) {
    float* scores = work.scores + vector * work.score_stride;
    int count = work.prefix;
    for (uint64_t mask = work.ancestors[vector]; mask != 0; mask &= mask - 1) {
        scores[count++] = scores[work.prefix + __builtin_ctzll(mask)];
    }
    for (int i = count; i % LANES != 0; ++i) scores[i] = -3.0e38f;
    return count;
}

float best_of(const float* scores, int count) {
    F32 best = broadcast(-3.0e38f);
    for (int i = 0; i < count; i += LANES) best = max(best, load(scores + i));
    return maximum(best);
}

// Turns scores into weights e^(score - best) and returns their sum. The first `unseen` ones weigh nothing.
float weigh(float* scores, int unseen, int count, float best) {
    const F32 shift = broadcast(best);
    F32 total = zero();
    int i = 0;
    for (; i + LANES <= unseen; i += LANES) store(scores + i, zero());
    if (i < unseen) {
        const F32 weight = exp(sub(load(scores + i), shift));
        const F32 seen = first_lanes(sub(weight, first_lanes(weight, unseen - i)), std::min(count - i, LANES));
        store(scores + i, seen);
        total = seen;
        i += LANES;
    }
    for (; i + LANES <= count; i += LANES) {
        const F32 weight = exp(sub(load(scores + i), shift));
        store(scores + i, weight);
        total = add(total, weight);
    }
    if (i < count) {
        const F32 weight = exp(sub(load(scores + i), shift));
        store(scores + i, weight);
        total = add(total, first_lanes(weight, count - i));
    }
    return sum(total);
}

// Weighted sums of columns [column, column + 16 C) of the values for vectors [first, first + V).
template <int V, int C>
void weighted_values(const AttentionWork& work, int first, int column, const float* inverse) {
    F32 sums[V][C];
#pragma GCC unroll 6
    for (int v = 0; v < V; ++v) {
#pragma GCC unroll 4
        for (int c = 0; c < C; ++c) sums[v][c] = zero();
    }
    const float* weights[V];
    for (int v = 0; v < V; ++v) weights[v] = work.scores + (first + v) * work.score_stride;
    const auto add_slot = [&](const float* row, int place) __attribute__((always_inline)) {
        F32 value[C];
#pragma GCC unroll 4
        for (int c = 0; c < C; ++c) value[c] = load_once(row + c * LANES);
#pragma GCC unroll 6
        for (int v = 0; v < V; ++v) {
            const F32 weight = broadcast(weights[v][place]);
#pragma GCC unroll 4
            for (int c = 0; c < C; ++c) sums[v][c] = fma(value[c], weight, sums[v][c]);
        }
    };
    const auto row_of = [&](uint64_t mask) {
        const int slot = work.prefix + __builtin_ctzll(mask);
        return work.values[slot / KEY_BLOCK] + (slot % KEY_BLOCK) * work.value_stride + column;
    };
    int place = 0;
    for (int block = 0; block < work.prefix; block += KEY_BLOCK) {
        const float* row = work.values[block / KEY_BLOCK] + column;
        const int end = block + KEY_BLOCK < work.prefix ? block + KEY_BLOCK : work.prefix;
        for (; place < end; ++place, row += work.value_stride) add_slot(row, place);
    }
    // What all have of their paths, which comes first in each of them.
    uint64_t shared = work.ancestors[first];
    for (int v = 1; v < V; ++v) shared &= work.ancestors[first + v];
    for (uint64_t mask = shared; mask != 0; mask &= mask - 1, ++place) add_slot(row_of(mask), place);
#pragma GCC unroll 6
    for (int v = 0; v < V; ++v) {
        const float* weight = weights[v] + place;
        for (uint64_t mask = work.ancestors[first + v] & ~shared; mask != 0; mask &= mask - 1, ++weight) {
            const float* row = row_of(mask);
            const F32 own = broadcast(*weight);
#pragma GCC unroll 4
            for (int c = 0; c < C; ++c) sums[v][c] = fma(load(row + c * LANES), own, sums[v][c]);
        }
        const F32 scale = broadcast(inverse[first + v]);
#pragma GCC unroll 4
        for (int c = 0; c < C; ++c) {
            store_some(work.outputs[first + v] + column + c * LANES, mul(sums[v][c], scale),
                       work.head_size - column - c * LANES);
        }
    }
}

}  // namespace

void attention(const AttentionWork& work) {
    const int blocks = (work.prefix + work.rows + KEY_BLOCK - 1) / KEY_BLOCK;
    const int parts = (blocks + NEAR_BLOCKS - 1) / NEAR_BLOCKS;
    for (int i = 0; i < parts; ++i) score(work, blocks * i / parts, blocks * (i + 1) / parts);

    for (int v = 0; work.cap != 0 && v < work.vectors; ++v) {
        soft_cap(work.scores + v * work.score_stride, int64_t{blocks} * KEY_BLOCK, work.cap);
    }

    // One step after the other for all vectors: what is long in coming for one of them the next need not wait for.
    int counts[ATTENTION_VECTORS];
    float best[ATTENTION_VECTORS], inverse[ATTENTION_VECTORS];
    for (int v = 0; v < work.vectors; ++v) counts[v] = gather_ancestors(work, v);
    int unseen[ATTENTION_VECTORS] = {};
    for (int v = 0; work.unseen != nullptr && v < work.vectors; ++v) {
        unseen[v] = work.unseen[v];
        float* scores = work.scores + v * work.score_stride;
        for (int i = 0; i < unseen[v]; ++i) scores[i] = -3.0e38f;
    }
    for (int v = 0; v < work.vectors; ++v) best[v] = best_of(work.scores + v * work.score_stride, counts[v]);
    for (int v = 0; v < work.vectors; ++v) {
        inverse[v] = 1.0f / weigh(work.scores + v * work.score_stride, unseen[v], counts[v], best[v]);
    }
    in_parts<VECTORS>(work.vectors, [&]<int V>(int first) {
        in_parts<width_of(V)>(work.value_stride / LANES,
                              [&]<int C>(int column) { weighted_values<V, C>(work, first, column * LANES, inverse); });
    });
}

}  // namespace hydra::HYDRA_ISA
