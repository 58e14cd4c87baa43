// Attention of a few query vectors over the keys and values of one KV head: scores of all vectors against some blocks
// of 16 keys at a time, then weighted sums of the values for as many vectors as registers hold. Keys and values so come
// once from far for all vectors of the call, and enough chains run side by side to keep the units busy.
#include "cpu/attention.h"

#include "cpu/kernels/functions.h"
#include "cpu/simd.h"

namespace hydra::HYDRA_ISA {

namespace {

#if defined(HYDRA_AVX512)
constexpr int SCORE_VECTORS = 8, SCORE_CHAINS = 12, VALUE_VECTORS = 6, VALUE_COLUMNS = 4;
#else
constexpr int SCORE_VECTORS = 4, SCORE_CHAINS = 4, VALUE_VECTORS = 2, VALUE_COLUMNS = 2;
#endif

constexpr int NEAR_BLOCKS = 4;  // blocks of keys that stay in the nearest cache while all vectors see them

// Blocks of keys against V vectors at a time.
constexpr int score_blocks_of(int vectors) { return vectors >= SCORE_CHAINS ? 1 : SCORE_CHAINS / vectors; }

// Scores of vectors [first, first + V) against blocks [block, block + B), stored by slot. Each score is one chain over
// the columns; several blocks at a time keep the units busy where there are few vectors.
template <int V, int B>
void score_blocks(const AttentionWork& work, int first, int block) {
    F32 sums[V][B];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
#pragma GCC unroll 12
        for (int b = 0; b < B; ++b) sums[v][b] = zero();
    }
    const float* keys[B];
    const float* queries[V];
    for (int b = 0; b < B; ++b) keys[b] = work.keys[block + b];
    for (int v = 0; v < V; ++v) queries[v] = work.queries[first + v];
    for (int d = 0; d < work.head_size; ++d) {
        F32 key[B];
#pragma GCC unroll 12
        for (int b = 0; b < B; ++b) key[b] = load(keys[b] + d * KEY_BLOCK);
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
            const F32 query = broadcast(queries[v][d]);
#pragma GCC unroll 12
            for (int b = 0; b < B; ++b) sums[v][b] = fma(key[b], query, sums[v][b]);
        }
    }
    for (int v = 0; v < V; ++v) {
        float* scores = work.scores + (first + v) * work.score_stride + block * KEY_BLOCK;
        for (int b = 0; b < B; ++b) store(scores + b * KEY_BLOCK, mul(sums[v][b], broadcast(work.scale)));
    }
}

// Asks for the keys of the blocks after [block, block + count), and for these blocks' values, which are added up after
// the scores.
void prefetch(const AttentionWork& work, int block, int count, int blocks) {
    for (int b = block; b < block + count; ++b) {
        const float* keys = work.keys[b + count < blocks ? b + count : b];
        for (int d = 0; d < work.head_size; ++d) {
            __builtin_prefetch(keys + d * KEY_BLOCK);
            __builtin_prefetch(work.values[b] + d * KEY_BLOCK, 0, 2);
        }
    }
}

// Scores of vectors [first, first + V) against blocks [block, end).
template <int V>
void score(const AttentionWork& work, int first, int block, int end) {
    constexpr int B = score_blocks_of(V);
    for (; block + B <= end; block += B) score_blocks<V, B>(work, first, block);
    for (; block < end; ++block) score_blocks<V, 1>(work, first, block);
}

// Moves the scores of a vector's ancestors after those of the prefix, turns all into weights e^(score - best) and
// returns their sum.
float weigh(const AttentionWork& work, int vector, float* scores) {
    int count = work.prefix;
    for (uint64_t mask = work.ancestors[vector]; mask != 0; mask &= mask - 1) {
        scores[count++] = scores[work.prefix + __builtin_ctzll(mask)];
    }
    // What lies beyond is made as small as can be, so that it is never the best; its weight is not counted.
    const int padded = (count + LANES - 1) / LANES * LANES;
    for (int i = count; i < padded; ++i) scores[i] = -3.0e38f;
    F32 best = broadcast(-3.0e38f);
    for (int i = 0; i < padded; i += LANES) best = max(best, load(scores + i));
    const F32 shift = broadcast(maximum(best));
    F32 total = zero();
    for (int i = 0; i < padded; i += LANES) {
        F32 weight = exp(sub(load(scores + i), shift));
        store(scores + i, weight);
        if (i + LANES <= count) total = add(total, weight);
    }
    if (padded > count) {
        float last[LANES];
        for (int i = 0; i < LANES; ++i) last[i] = padded - LANES + i < count ? scores[padded - LANES + i] : 0.0f;
        total = add(total, load(last));
    }
    return sum(total);
}

// Weighted sums of columns [column, column + 16 C) of the values for vectors [first, first + V).
template <int V, int C>
void weighted_values(const AttentionWork& work, int first, int column, const float* inverse) {
    F32 sums[V][C];
    for (int v = 0; v < V; ++v) {
        for (int c = 0; c < C; ++c) sums[v][c] = zero();
    }
    const float* weights[V];
    for (int v = 0; v < V; ++v) weights[v] = work.scores + (first + v) * work.score_stride;
    for (int j = 0; j < work.prefix; ++j) {
        const float* row = work.values[j / KEY_BLOCK] + (j % KEY_BLOCK) * work.value_stride + column;
        F32 value[C];
        for (int c = 0; c < C; ++c) value[c] = load(row + c * LANES);
        for (int v = 0; v < V; ++v) {
            const F32 weight = broadcast(weights[v][j]);
            for (int c = 0; c < C; ++c) sums[v][c] = fma(value[c], weight, sums[v][c]);
        }
    }
    for (int v = 0; v < V; ++v) {
        int j = work.prefix;
        for (uint64_t mask = work.ancestors[first + v]; mask != 0; mask &= mask - 1, ++j) {
            const int slot = work.prefix + __builtin_ctzll(mask);
            const float* row = work.values[slot / KEY_BLOCK] + (slot % KEY_BLOCK) * work.value_stride + column;
            const F32 weight = broadcast(weights[v][j]);
            for (int c = 0; c < C; ++c) sums[v][c] = fma(load(row + c * LANES), weight, sums[v][c]);
        }
        for (int c = 0; c < C; ++c) {
            const F32 result = mul(sums[v][c], broadcast(inverse[first + v]));
            float* target = work.outputs[first + v] + column + c * LANES;
            const int lanes = work.head_size - column - c * LANES;
            if (lanes >= LANES) {
                store(target, result);
            } else {
                float lane[LANES];
                store(lane, result);
                for (int i = 0; i < lanes; ++i) target[i] = lane[i];
            }
        }
    }
}

template <int V>
void all_columns(const AttentionWork& work, int first, const float* inverse) {
    int column = 0;
    for (; column + VALUE_COLUMNS * LANES <= work.value_stride; column += VALUE_COLUMNS * LANES) {
        weighted_values<V, VALUE_COLUMNS>(work, first, column, inverse);
    }
    for (; column < work.value_stride; column += LANES) weighted_values<V, 1>(work, first, column, inverse);
}

// Calls run.operator()<count>(), 1 <= count <= MOST.
template <int MOST, class Run>
HYDRA_INLINE void call(int count, Run&& run) {
    if constexpr (MOST > 0) {
        if (count == MOST) return run.template operator()<MOST>();
        call<MOST - 1>(count, run);
    }
}

// Calls run.operator()<V>(first) for vectors [first, first + V), in as few groups of at most MOST as there can be, of
// sizes as equal as can be.
template <int MOST, class Run>
HYDRA_INLINE void in_groups(int count, Run&& run) {
    const int groups = (count + MOST - 1) / MOST;
    for (int g = 0; g < groups; ++g) {
        const int first = count * g / groups;
        call<MOST>(count * (g + 1) / groups - first, [&]<int V>() { run.template operator()<V>(first); });
    }
}

}  // namespace

void attention(const AttentionWork& work) {
    const int blocks = (work.prefix + work.rows + KEY_BLOCK - 1) / KEY_BLOCK;
    for (int block = 0; block < blocks; block += NEAR_BLOCKS) {
        const int end = block + NEAR_BLOCKS < blocks ? block + NEAR_BLOCKS : blocks;
        prefetch(work, block, end - block, blocks);
        in_groups<SCORE_VECTORS>(work.vectors, [&]<int V>(int first) { score<V>(work, first, block, end); });
    }
    float inverse[ATTENTION_VECTORS];
    for (int v = 0; v < work.vectors; ++v) inverse[v] = 1.0f / weigh(work, v, work.scores + v * work.score_stride);
    in_groups<VALUE_VECTORS>(work.vectors, [&]<int V>(int first) { all_columns<V>(work, first, inverse); });
}

}  // namespace hydra::HYDRA_ISA
