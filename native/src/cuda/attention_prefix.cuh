// The prefix of tree attention with the matrix instruction: a block's way through the whole leaves of the parts that
// fall to it, keys and values of a leaf in turn through a ring of stages in shared memory that cp.async fills ahead,
// over the parts' borders too. Within a part, leaves are folded in registers, so that only a part's sums are kept in
// memory.
#pragma once

#include <algorithm>

#include "cuda/attention_leaf.cuh"

namespace hydra::cuda {

// Keys or values of so many leaves lie in shared memory at a time.
template <int D>
constexpr int STAGES = D == 64    ? 4
                       : D == 256 ? 2
                                  : 3;

// A block's way through the leaves of parts worker, worker + workers, ... from the last one on, as that is the longest.
struct Way {
    int32_t workers, part, leaf, end;  // part is negative behind the last one

    __device__ __forceinline__ Way(const PrefixParts& parts, int32_t worker, int32_t of)
        : workers(of), part(parts.count - 1 - worker) {
        open(parts);
    }
    __device__ __forceinline__ bool goes_on() const { return part >= 0; }
    __device__ __forceinline__ bool is_at_end_of_part() const { return leaf + 1 == end; }
    __device__ __forceinline__ void next(const PrefixParts& parts) {
        if (++leaf < end) return;
        part -= workers;
        open(parts);
    }

  private:
    __device__ __forceinline__ void open(const PrefixParts& parts) {
        if (!goes_on()) return;
        leaf = parts.begin(part);
        end = parts.end(part);
    }
};

// What a block's threads look up now and then, in shared memory, as registers are full. GROUPS of the block,
// WARP_GROUPS of a warp.
template <int GROUPS, int WARP_GROUPS>
struct alignas(16) Facts {
    // Of the part so far, best scores, then sums of weights of vectors 2t and 2t + 1 of a group: [warp][group][t].
    float4 bests[ATTENTION_WARPS * WARP_GROUPS * GROUP / 2];
    int32_t unseen[GROUPS * GROUP];  // keys before the windows, of the block's vectors
    PrefixParts parts;
    int32_t all_seen, vectors, number;  // of the pass; the first vector's in the wave
    Way ahead;                          // of what is copied, kept by the first thread
    int32_t leaves[2];                  // that keys and values are copied of next, negative behind the last one

    // Groups from `group` on; there after the next barrier.
    __device__ __forceinline__ void set(const AttentionPass& pass, const AttentionWave& wave, const PrefixParts& prefix,
                                        int group) {
        const auto i = static_cast<int>(threadIdx.x);
        if (i == 0) {
            parts = prefix;
            all_seen = pass.all_seen;
            vectors = pass.vectors;
            number = pass.number(wave, 0);
        }
        if (i < GROUPS * GROUP) unseen[i] = pass.unseen(group * GROUP + i);
    }
    // The lane's bests, of its warp's first group.
    __device__ __forceinline__ float4* own_bests() {
        return bests + warp_index() * WARP_GROUPS * (GROUP / 2) + lane_index() % 4;
    }
};

// The ring of stages: of each leaf on the way, keys, then values.
template <int D, class Known>
struct Ring {
    static constexpr int STAGE = LEAF * ROW_STRIDE<D>;
    static constexpr int PIECES = D / 8,
                         ROWS = ATTENTION_THREADS / PIECES;  // 16 bytes each of a row, rows that are copied at once

    const AttentionPass& pass;
    Known& facts;
    uint16_t* stages;
    int at = STAGES<D> - 1;  // the stage that is read

    __device__ __forceinline__ Ring(const AttentionPass& of, Known& of_block, uint16_t* memory, Way way)
        : pass(of), facts(of_block), stages(memory) {
#pragma unroll
        for (int i = 0; i < STAGES<D> - 1; ++i) {
            fill(i, i % 2, way.goes_on() ? way.leaf : -1);
            if (i % 2 == 1 && way.goes_on()) way.next(facts.parts);
        }
        if (threadIdx.x != 0) return;
        facts.ahead = way;
        facts.leaves[(STAGES<D> - 1) % 2] = way.goes_on() ? way.leaf : -1;
    }
    static constexpr size_t bytes() { return STAGES<D> * STAGE * sizeof(uint16_t); }

    // Waits for the next keys (which is 0) or values (1), in turn, and lets others come to where the ones before were.
    __device__ __forceinline__ const uint16_t* next(int which) {
        copies_arrived<STAGES<D> - 2>();
        meet_in_attention();
        const int filled = (which + STAGES<D> - 1) % 2;
        fill(at, filled, facts.leaves[filled]);
        if (threadIdx.x == 0) facts.leaves[1 - filled] = leaf_after(filled);
        at = at + 1 == STAGES<D> ? 0 : at + 1;
        return stages + at * STAGE;
    }

  private:
    __device__ __forceinline__ int32_t leaf_after(int filled) const {
        if (filled == 1 && facts.ahead.goes_on()) facts.ahead.next(facts.parts);
        return facts.ahead.goes_on() ? facts.ahead.leaf : -1;
    }

    __device__ __forceinline__ void fill(int stage, int which, int32_t leaf) const {
        if (leaf >= 0) {
            // Of 96 columns, what follows from it does not stay in registers.
            const int index = static_cast<int>(threadIdx.x), thread = D == 96 ? recomputed(index) : index;
            const int first = thread / PIECES, column = thread % PIECES * 8;
#pragma unroll
            for (int page = 0; page < LEAF / HYDRA_PAGE_POSITIONS; ++page) {
                const int begin = page * HYDRA_PAGE_POSITIONS;
                const uint16_t* source = pass.cached(which, leaf * LEAF + begin) + first * D + column;
                uint16_t* target = stages + stage * STAGE + (begin + first) * ROW_STRIDE<D> + column;
#pragma unroll
                for (int row = 0; row < HYDRA_PAGE_POSITIONS; row += ROWS) {
                    const bool is_there = first < min(ROWS, HYDRA_PAGE_POSITIONS - row);
                    if (is_there) copy_async(target + row * ROW_STRIDE<D>, source + row * D);
                }
            }
        }
        end_copies();
    }
};

// What a warp has of the sums over a part: 16 columns a step of GROUPS groups, as C has them.
template <int STEPS, int GROUPS>
struct Sums {
    static constexpr bool IS_APART = STEPS * GROUPS >= APART_SUMS;  // steps (attention_leaf.cuh)

    float4* bests;  // the lane's in Facts
    float out[STEPS][GROUPS][4];

    __device__ __forceinline__ explicit Sums(float4* own_bests) : bests(own_bests) { clear(); }

    __device__ __forceinline__ void clear() {
        if (lane_index() < 4) {
#pragma unroll
            for (int n = 0; n < GROUPS; ++n) bests[n * (GROUP / 2)] = {-INFINITY, -INFINITY, 0, 0};
        }
#pragma unroll
        for (int i = 0; i < STEPS * GROUPS * 4; ++i) out[i / 4 / GROUPS][i / 4 % GROUPS][i % 4] = 0;
    }

    // Folds a leaf in, whose best scores and weights are given; step i is columns column(i) ... + 15, if that is in the
    // head's `columns`. A barrier of the block is between two calls, and behind clear().
    template <int D, class Column>
    __device__ __forceinline__ void add(int columns, const uint16_t* stage, const float (&leaf_best)[GROUPS][2],
                                        const uint2 (&weights)[GROUPS][SLICES], Column&& column) {
        Fold folds[GROUPS][2];
        float4 folded[GROUPS];
#pragma unroll
        for (int n = 0; n < GROUPS; ++n) {
            float totals[4];
            sum_weights(weights[n], totals);
            const float4 before = bests[n * (GROUP / 2)];
            folds[n][0] = Fold(before.x, leaf_best[n][0]);
            folds[n][1] = Fold(before.y, leaf_best[n][1]);
            folded[n] = {folds[n][0].best, folds[n][1].best, folds[n][0](before.z, totals[0]),
                         folds[n][1](before.w, totals[1])};
        }
        __syncwarp();
        if (lane_index() < 4) {
#pragma unroll
            for (int n = 0; n < GROUPS; ++n) bests[n * (GROUP / 2)] = folded[n];
        }
        const uint16_t* rows[SLICES];
#pragma unroll
        for (int slice = 0; slice < SLICES; ++slice) {
            rows[slice] = stage + (slice * SLICE + value_key()) * ROW_STRIDE<D> + value_column();
        }
#pragma unroll
        for (int step = 0; step < STEPS; ++step) {
            if (column(step) >= (IS_APART ? recomputed(columns) : D)) continue;
            float sums[GROUPS][4];
            weigh_values<GROUPS>(rows, column(step), weights, sums);
#pragma unroll
            for (int i = 0; i < GROUPS * 4; ++i) {
                float& sum = out[step][i / 4][i % 4];
                sum = folds[i / 4][i % 2](sum, sums[i / 4][i % 4]);
            }
        }
    }

    // As part `part` of the vectors of groups from `group` on, those below `vectors`; `number`: the first of all in the
    // wave. HEAD: best and total too.
    template <int D, class Column>
    __device__ __forceinline__ void keep(const AttentionWave& wave, int part, int32_t number, int vectors, int group,
                                         bool head, Column&& column) const {
        const int g = lane_index() / 4;
        const int first = recomputed(group * GROUP + lane_index() % 4 * 2);  // the lane's first vector
        float* target = wave.partial(part, number + first, D);
#pragma unroll
        for (int i = 0; i < 2 * GROUPS; ++i) {
            const int n = i / 2, v = i % 2, vector = n * GROUP + v;  // after the first
            if (first + vector >= recomputed(vectors)) continue;
            float* values = target + vector * (D + 2);
#pragma unroll
            for (int step = 0; step < STEPS; ++step) {
                if (column(step) >= D) break;
                values[column(step) + g] = out[step][n][v];
                values[column(step) + g + 8] = out[step][n][v + 2];
            }
            if (head && g == 0) {
                const float4 all = bests[n * (GROUP / 2)];
                values[D] = v == 0 ? all.x : all.y;
                values[D + 1] = v == 0 ? all.z : all.w;
            }
        }
    }
};

// By a block whose warps divide the leaves: GROUPS groups from the segment's first on.
template <int D, int GROUPS>
struct DividedLeaves {
    static constexpr int STEPS = (D / 16 + ATTENTION_WARPS - 1) / ATTENTION_WARPS;

    using Known = Facts<GROUPS, GROUPS>;

    Known* facts;
    uint4* queries;  // [group][QUERY_FRAGMENTS]
    uint2* weights;  // [slice][group][lane]
    float* bests;    // [slice][group][vector]
    uint16_t* stages;

    __device__ __forceinline__ DividedLeaves()
        : facts(&shared_memory<Known>()),
          queries(reinterpret_cast<uint4*>(facts + 1)),
          weights(reinterpret_cast<uint2*>(queries + GROUPS * QUERY_FRAGMENTS<D>)),
          bests(reinterpret_cast<float*>(weights + SLICES * GROUPS * WARP)),
          stages(reinterpret_cast<uint16_t*>(bests + SLICES * GROUPS * GROUP)) {}

    static constexpr size_t bytes() {
        return sizeof(Known) + Ring<D, Known>::bytes() +
               GROUPS * (QUERY_FRAGMENTS<D> * sizeof(uint4) + SLICES * (WARP * sizeof(uint2) + GROUP * sizeof(float)));
    }

    __device__ __forceinline__ void run(const AttentionPass& pass, const AttentionWave& wave, const PrefixParts& parts,
                                        int worker, int workers) const {
        const int warp = warp_index(), lane = lane_index();
        facts->set(pass, wave, parts, 0);
        if (warp < GROUPS) stage_queries<D>(pass, warp, queries + warp * QUERY_FRAGMENTS<D>);
        meet_in_attention();
        Way way(facts->parts, worker, workers);
        Ring<D, Known> ring(pass, *facts, stages, way);
        const auto column = [&](int step) { return (step * ATTENTION_WARPS + warp) * 16; };
        Sums<STEPS, GROUPS> sums(facts->own_bests());
        for (; way.goes_on(); way.next(facts->parts)) {
            const uint16_t* keys = ring.next(0);
            float scores[1][GROUPS][4];
            compute_scores<D, 1, GROUPS>(pass.work, keys + warp * SLICE * ROW_STRIDE<D>, queries, scores);
            const int32_t key = way.leaf * LEAF;
            if (key < facts->all_seen) mask_unseen<1, GROUPS>(facts->unseen, key + warp * SLICE, scores);
            float best[GROUPS][2];
#pragma unroll
            for (int i = 0; i < 2 * GROUPS; ++i) {
                const int n = i / 2, v = i % 2;
                const float largest = largest_of_keys(fmaxf(scores[0][n][v], scores[0][n][v + 2]));
                if (lane < 4) bests[(warp * GROUPS + n) * GROUP + 2 * lane + v] = largest;
            }
            meet_in_attention();
#pragma unroll
            for (int i = 0; i < 2 * GROUPS; ++i) {
                const float* found = bests + i / 2 * GROUP + lane % 4 * 2 + i % 2;
                float& largest = best[i / 2][i % 2] = found[0];
#pragma unroll
                for (int slice = 1; slice < SLICES; ++slice) {
                    largest = fmaxf(largest, found[slice * GROUPS * GROUP]);
                }
            }
#pragma unroll
            for (int n = 0; n < GROUPS; ++n) {
                weights[(warp * GROUPS + n) * WARP + lane] = weights_of(scores[0][n], best[n]);
            }
            const uint16_t* values = ring.next(1);
            uint2 all[GROUPS][SLICES];
#pragma unroll
            for (int i = 0; i < GROUPS * SLICES; ++i) {
                all[i / SLICES][i % SLICES] = weights[(i % SLICES * GROUPS + i / SLICES) * WARP + lane];
            }
            sums.template add<D>(pass.work.pool.head_size, values, best, all, column);
            if (way.is_at_end_of_part()) {
                sums.template keep<D>(wave, TAIL_LEAVES + way.part, facts->number, facts->vectors, 0, warp == 0,
                                      column);
                sums.clear();
            }
        }
    }
};

// By a block whose warps divide the vectors: GROUPS groups a warp.
template <int D, int GROUPS>
struct DividedVectors {
    static constexpr int STEPS = D / 16;

    using Known = Facts<ATTENTION_WARPS * GROUPS, GROUPS>;

    Known* facts;
    uint4* queries;  // [group][QUERY_FRAGMENTS]
    uint16_t* stages;

    __device__ __forceinline__ DividedVectors()
        : facts(&shared_memory<Known>()),
          queries(reinterpret_cast<uint4*>(facts + 1)),
          stages(reinterpret_cast<uint16_t*>(queries + ATTENTION_WARPS * GROUPS * QUERY_FRAGMENTS<D>)) {}

    static constexpr size_t bytes() {
        return sizeof(Known) + ATTENTION_WARPS * GROUPS * QUERY_FRAGMENTS<D> * sizeof(uint4) + Ring<D, Known>::bytes();
    }

    // Groups from `begin` on.
    __device__ __forceinline__ void run(const AttentionPass& pass, const AttentionWave& wave, const PrefixParts& parts,
                                        int worker, int workers, int begin) const {
        const int group = begin + warp_index() * GROUPS;
        uint4* own = queries + warp_index() * GROUPS * QUERY_FRAGMENTS<D>;
        for (int n = 0; n < GROUPS; ++n) stage_queries<D>(pass, group + n, own + n * QUERY_FRAGMENTS<D>);
        facts->set(pass, wave, parts, begin);
        meet_in_attention();
        Way way(facts->parts, worker, workers);
        Ring<D, Known> ring(pass, *facts, stages, way);
        const auto column = [](int step) { return step * 16; };
        Sums<STEPS, GROUPS> sums(facts->own_bests());
        const bool is_idle = group * GROUP >= pass.vectors;
        for (; way.goes_on(); way.next(facts->parts)) {
            const uint16_t* keys = ring.next(0);
            float best[GROUPS][2];
            uint2 weights[GROUPS][SLICES];
            if (!is_idle) weigh(pass, keys, way.leaf * LEAF, own, best, weights);
            const uint16_t* values = ring.next(1);
            if (is_idle) continue;
            sums.template add<D>(pass.work.pool.head_size, values, best, weights, column);
            if (way.is_at_end_of_part()) {
                sums.template keep<D>(wave, TAIL_LEAVES + way.part, facts->number, facts->vectors, group, true, column);
                sums.clear();
            }
        }
    }

  private:
    __device__ __forceinline__ void weigh(const AttentionPass& pass, const uint16_t* keys, int32_t key,
                                          const uint4* own, float (&best)[GROUPS][2],
                                          uint2 (&weights)[GROUPS][SLICES]) const {
        float scores[SLICES][GROUPS][4];
        compute_scores<D, SLICES, GROUPS>(pass.work, keys, own, scores);
        if (key < facts->all_seen) {
            mask_unseen<SLICES, GROUPS>(facts->unseen + warp_index() * GROUPS * GROUP, key, scores);
        }
#pragma unroll
        for (int n = 0; n < GROUPS; ++n) {
#pragma unroll
            for (int v = 0; v < 2; ++v) {
                float largest = -INFINITY;
#pragma unroll
                for (int slice = 0; slice < SLICES; ++slice) {
                    largest = fmaxf(largest, fmaxf(scores[slice][n][v], scores[slice][n][v + 2]));
                }
                best[n][v] = largest_of_keys(largest);
            }
#pragma unroll
            for (int slice = 0; slice < SLICES; ++slice) weights[n][slice] = weights_of(scores[slice][n], best[n]);
        }
    }
};

}  // namespace hydra::cuda
