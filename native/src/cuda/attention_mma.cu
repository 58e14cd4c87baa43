// Tree attention over an F16 cache with the matrix instruction: head sizes 64, 96, 128 and 256, with windows and caps.
// What is computed of a leaf of 64 keys, and why its bits depend on nothing else, is in attention_leaf.cuh.
//
// Floor: the bytes of the keys and values, read once, or the instruction's rate: 64 nodes of 4 query heads a KV head
// need 128 multiply-adds for every byte. Not measured on any card yet. Counted (128 columns; version 1 was tiles of 32
// keys in blocks of eight warps, an own launch for every merge, and no windows, caps or 256 columns):
//                                        version 1            now
//   blocks by shared memory, sm_90       2, 1 of 83, 98 KB    3, 3, 2 of 58 (few), 68, 85 KB
//   registers there, nothing spilt       128, 255             154, 168, 255
//   launches for 1 row, for 64           2, 2                 1, 2
//   blocks of the prefix at 512, 2048 and 8192 positions
//     32 KV heads, 1 row, 64             64, 256, 640, same   256, 384, 384, 64, 256, 384
//      8 KV heads, 1 row, 64             32, 128, 224, same   64, 256, 352, 64, 128, 320
//   one after the other at 512, 1 row    4 tiles by a warp    a leaf by four
//   under way to a multiprocessor        17 to 70 KB          70 (four groups) to 104 KB
//   a warp folds 64 keys of 32 vectors   544 FMA, 48 SHFL     272 FMA, 24 SHFL
//   kept and read, 8 KV heads, 64 rows at 8192        60 MB   43 MB
// Of no size is anything spilt for sm_80 or sm_90: 64 columns take 117, 158 and 251 registers, 96 138, 165 and 255, 256
// 168 and 239. Four groups of 128 columns spilt 4160 bytes, 360 of them each leaf, while the compiler was free to keep
// the values of a leaf beside the sums that they are folded into (Sums::IS_APART), and what is looked up seldom was in
// registers (Facts).
// DRAM round trips in a row are two, page table and keys, as before; all others find the L2 cache.
//
// A block has four warps. The whole leaves of the prefix are shared out over blocks by parts (PrefixParts), keys and
// values of a leaf in turn through a ring of stages in shared memory that cp.async fills ahead, over the parts' borders
// too. Within a part, leaves are folded in registers, so that only a part's sums are kept in memory.
//   few vectors, up to 16 of a KV head: the warps divide a leaf, 16 keys each for the scores, then every fourth 16
//   columns of the values; the last block that is done merges the parts;
//   many: the warps divide the vectors, up to 128 a block, 4 WARP_GROUPS groups; what the blocks keep is too much for
//   the last one of them, so that a second kernel merges, a warp for each vector.
// Other blocks of the same grid compute the tails (attention_tail.cuh).
//
// Accuracy: queries (times scale) and weights are rounded to f16, an error of up to 2^-11 of each, about what rounding
// keys and values to f16 did before: of normal queries, keys and values the outputs' error in the tests is up to
// 3e-4. Sums are float32.
#include <algorithm>

#include "cuda/activations.cuh"
#include "cuda/attention_tail.cuh"
#include "cuda/rows.cuh"

namespace hydra::cuda {

namespace {

constexpr int WARPS = ATTENTION_WARPS, THREADS = ATTENTION_THREADS;
constexpr int FEW_GROUPS = 2;  // whose vectors are few
// Groups of a warp where the prefix has so few parts that blocks of fewer vectors are needed to fill the device.
constexpr int SHARED_GROUPS = 2, FEW_PARTS = 4;

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
    float4 bests[WARPS * WARP_GROUPS * GROUP / 2];
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
                         ROWS = THREADS / PIECES;  // 16 bytes each of a row, rows that are copied at once

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
        __syncthreads();
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
            const int first = static_cast<int>(threadIdx.x) / PIECES;
            const int column = static_cast<int>(threadIdx.x) % PIECES * 8;
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
    // A step whose columns the compiler does not know to be there is computed after the one before, where it would else
    // keep the sums of all steps beside one another, for which there are not enough registers.
    static constexpr bool IS_APART = STEPS * GROUPS > 16;

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
        const int g = lane_index() / 4, first = group * GROUP + lane_index() % 4 * 2;  // the lane's first vector
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
    static constexpr int STEPS = (D / 16 + WARPS - 1) / WARPS;

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
        __syncthreads();
        Way way(facts->parts, worker, workers);
        Ring<D, Known> ring(pass, *facts, stages, way);
        const auto column = [&](int step) { return (step * WARPS + warp) * 16; };
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
            __syncthreads();
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

    using Known = Facts<WARPS * GROUPS, GROUPS>;

    Known* facts;
    uint4* queries;  // [group][QUERY_FRAGMENTS]
    uint16_t* stages;

    __device__ __forceinline__ DividedVectors()
        : facts(&shared_memory<Known>()),
          queries(reinterpret_cast<uint4*>(facts + 1)),
          stages(reinterpret_cast<uint16_t*>(queries + WARPS * GROUPS * QUERY_FRAGMENTS<D>)) {}

    static constexpr size_t bytes() {
        return sizeof(Known) + WARPS * GROUPS * QUERY_FRAGMENTS<D> * sizeof(uint4) + Ring<D, Known>::bytes();
    }

    // Groups from `begin` on.
    __device__ __forceinline__ void run(const AttentionPass& pass, const AttentionWave& wave, const PrefixParts& parts,
                                        int worker, int workers, int begin) const {
        const int group = begin + warp_index() * GROUPS;
        uint4* own = queries + warp_index() * GROUPS * QUERY_FRAGMENTS<D>;
        for (int n = 0; n < GROUPS; ++n) stage_queries<D>(pass, group + n, own + n * QUERY_FRAGMENTS<D>);
        facts->set(pass, wave, parts, begin);
        __syncthreads();
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

// By a warp: folds what a vector has kept of its keys, in 128 of its columns or as many as there are. Lanes have an
// item of them each (activations.cuh).
constexpr int MERGED_COLUMNS = 128;

template <int D>
struct Merge {
    static constexpr int BATCH = 8;  // parts whose loads are under way together

    struct Part {
        float best = -INFINITY, total = 0, out[4] = {};

        __device__ __forceinline__ void add(const Part& other) {
            const Fold fold(best, other.best);
            best = fold.best;
            total = fold(total, other.total);
#pragma unroll
            for (int i = 0; i < 4; ++i) out[i] = fold(out[i], other.out[i]);
        }
    };

    const AttentionPass& pass;
    const AttentionWave& wave;
    const PrefixParts& parts;

    __device__ __forceinline__ void run(int v, int begin_column, const Leaving& left) const {
        const int column = begin_column + static_cast<int>(column_of(lane_index())), row = v / pass.heads;
        const bool real = column < D;
        const int32_t number = pass.number(wave, v);
        const int count = parts.count + (pass.length(row) - pass.leaves * LEAF + LEAF - 1) / LEAF;
        Part all, split;
        int32_t open = -1;
        for (int begin = 0; begin < count; begin += BATCH) {
            Part batch[BATCH];
#pragma unroll
            for (int i = 0; i < BATCH; ++i) {
                const int part = begin + i < parts.count ? TAIL_LEAVES + begin + i : begin + i - parts.count;
                if (begin + i < count) load(wave.partial(part, number, D), column, real, batch[i]);
            }
#pragma unroll
            for (int i = 0; i < BATCH; ++i) {
                const int part = begin + i;
                if (part >= count) break;
                const int32_t leaf = part < parts.count ? parts.begin(part) : pass.leaves + part - parts.count;
                const int32_t own = parts.split_of(leaf);
                if (own != open) {
                    all.add(split);
                    split = Part();
                    open = own;
                }
                split.add(batch[i]);
            }
        }
        all.add(split);
#pragma unroll
        for (float& value : all.out) value /= all.total;
        float* out = pass.work.out + pass.place(v) + column;
        if (real) {
            *reinterpret_cast<float2*>(out) = {all.out[0], all.out[1]};
            *reinterpret_cast<float2*>(out + UNIT_COLUMNS / 2) = {all.out[2], all.out[3]};
        }
        if (left.is_wanted()) {
            const int head = pass.kv_head * pass.heads + v % pass.heads;
            leave_slots(left, pass.begin + row, int64_t{head} * D + column, real, all.out);
        }
    }

  private:
    static __device__ __forceinline__ void load(const float* kept, int column, bool real, Part& part) {
        part.best = __ldcg(kept + D);
        part.total = __ldcg(kept + D + 1);
        if (!real) return;
        const float2 lower = __ldcg(reinterpret_cast<const float2*>(kept + column));
        const float2 upper = __ldcg(reinterpret_cast<const float2*>(kept + column + UNIT_COLUMNS / 2));
        part.out[0] = lower.x, part.out[1] = lower.y, part.out[2] = upper.x, part.out[3] = upper.y;
    }
};

template <int D>
constexpr int MERGES = (D + MERGED_COLUMNS - 1) / MERGED_COLUMNS;  // of a vector

// Few vectors: fewer rows, so that the tail is shorter and its keys and values come together.
template <int D>
using FewTail = Tail<D, (LEAF - 1 + FEW_GROUPS * GROUP + SLICE) / SLICE * SLICE, true>;
template <int D>
using ManyTail = Tail<D, TAIL_LEAVES * LEAF, false>;

// Grid: KV heads, a block for the tail and `workers` for the prefix, segments. counters: int32 [segments][KV heads],
// zero before and after; null where a second kernel merges.
template <int D>
__global__ void __launch_bounds__(THREADS, 3)
    few_attention_kernel(Attention work, AttentionWave wave, Leaving left, int workers, int32_t* counters) {
    begin_in_turn();
    const Segment* segment = wave.segment(work.rows, blockIdx.z);
    if (segment == nullptr) return;
    const AttentionPass pass(work, *segment, static_cast<int>(blockIdx.x));
    const PrefixParts parts(pass, true);
    const int worker = static_cast<int>(blockIdx.y) - 1;
    if (worker >= parts.count) return;
    if (worker < 0) {
        FewTail<D>().run(pass, wave, 0);
    } else if (pass.vectors <= GROUP) {
        DividedLeaves<D, 1>().run(pass, wave, parts, worker, workers);
    } else {
        DividedLeaves<D, 2>().run(pass, wave, parts, worker, workers);
    }
    if (counters == nullptr) return;
    int32_t* counter = counters + blockIdx.z * gridDim.x + blockIdx.x;
    if (!is_last(counter, min(workers, parts.count) + 1, shared_memory<bool>())) return;
    for (int i = warp_index(); i < pass.vectors * MERGES<D>; i += WARPS) {
        Merge<D>{pass, wave, parts}.run(i / MERGES<D>, i % MERGES<D> * MERGED_COLUMNS, left);
    }
}

// Grid: KV heads, `workers` blocks times `vector_blocks` for the prefix, long parts first, and blocks for tails,
// segments. With two groups a warp, three blocks fit a multiprocessor, with four, two.
template <int D, int WARP_GROUPS>
__global__ void __launch_bounds__(THREADS, WARP_GROUPS == 4 || D == 256 ? 2 : 3)
    many_attention_kernel(Attention work, AttentionWave wave, int workers, int vector_blocks) {
    begin_in_turn();
    const Segment* segment = wave.segment(work.rows, blockIdx.z);
    if (segment == nullptr) return;
    const AttentionPass pass(work, *segment, static_cast<int>(blockIdx.x));
    const int block = static_cast<int>(blockIdx.y), groups = groups_of(pass.vectors);
    if (block >= workers * vector_blocks) {
        const int begin = (block - workers * vector_blocks) * TAIL_GROUPS;
        if (begin < groups) ManyTail<D>().run(pass, wave, begin);
        return;
    }
    // More groups a warp mean fewer reads of the staged rows; fewer, that more blocks share the work.
    const PrefixParts parts(pass, false);
    const int most = parts.count <= FEW_PARTS ? SHARED_GROUPS : WARP_GROUPS;
    const int worker = block / vector_blocks, begin = block % vector_blocks * WARPS * most;
    if (worker >= parts.count || begin >= groups) return;
    if (groups - begin <= WARPS) {
        DividedVectors<D, 1>().run(pass, wave, parts, worker, workers, begin);
    } else if (WARP_GROUPS == 2 || most == 2 || groups - begin <= 2 * WARPS) {
        DividedVectors<D, 2>().run(pass, wave, parts, worker, workers, begin);
    } else {
        DividedVectors<D, WARP_GROUPS>().run(pass, wave, parts, worker, workers, begin);
    }
}

// Grid: vectors of a KV head, a warp each, KV heads, columns by 128.
template <int D>
__global__ void __launch_bounds__(THREADS)
    merge_mma_attention_kernel(Attention work, AttentionWave wave, Leaving left, bool few) {
    begin_in_turn();
    const int heads = work.heads / work.pool.kv_heads, number = static_cast<int>(blockIdx.x) * WARPS + warp_index();
    const int row = wave.begin + number / heads;
    if (!wave.has(work.rows, row)) return;
    const Segment segment = work.rows.segment_of_row(row);
    const AttentionPass pass(work, segment, static_cast<int>(blockIdx.y));
    const PrefixParts parts(pass, few);
    const int v = (row - segment.row) * heads + number % heads;
    Merge<D>{pass, wave, parts}.run(v, static_cast<int>(blockIdx.z) * MERGED_COLUMNS, left);
}

// Parts of the whole leaves of so many positions, at most.
int32_t most_parts(int32_t window, int32_t positions, bool few) {
    const Splits splits = splits_of(window);
    const int32_t seen = splits.rungs == 0 ? std::min(positions, window + HYDRA_MAX_NODES + LEAF) : positions;
    const int32_t shortest = splits.rungs == 0 ? seen : std::min(seen, Splits::FIRST_RUNG * Splits::SHORTEST);
    return splits.count(seen) + 1 + (few ? (shortest + LEAF - 1) / LEAF : 0);
}

bool is_few(const Attention& work) { return most_vectors(work) <= FEW_GROUPS * GROUP; }

template <int D>
hydra_status merge(Stream* stream, const Attention& work, const AttentionWave& wave, const Leaving& left, bool few) {
    const int reach = std::min(work.rows.max_rows, WAVE_REACH) * (work.heads / work.pool.kv_heads);
    const dim3 grid(static_cast<unsigned>((reach + WARPS - 1) / WARPS), static_cast<unsigned>(work.pool.kv_heads),
                    MERGES<D>);
    return launch(stream, "merge_mma_attention_kernel", merge_mma_attention_kernel<D>, grid, THREADS, 0, work, wave,
                  left, few);
}

template <int D>
hydra_status launch_few(Stream* stream, const Attention& work) {
    constexpr size_t BYTES = std::max(FewTail<D>::bytes(), DividedLeaves<D, FEW_GROUPS>::bytes());
    static_assert(BYTES <= 99 * 1024, "devices of 8.6, 8.9 and 12.0 give a block no more");
    constexpr int32_t SLOTS = 3 * 132;
    const int32_t segments = most_segments(work.rows), heads = work.pool.kv_heads;
    const int32_t workers = workers_of(work, most_parts(work.window, most_positions(work), true), heads, SLOTS);
    const bool is_merged = int64_t{segments} * heads * 4 <= WORKSPACE_ZEROS;
    auto* counters = is_merged ? static_cast<int32_t*>(work.workspace) : nullptr;
    const dim3 grid(static_cast<unsigned>(heads), static_cast<unsigned>(1 + workers), static_cast<unsigned>(segments));
    const Leaving left = leave(work.left, work.rows, int64_t{work.heads} * D, 0);
    return each_wave(work, [&](const AttentionWave& wave) {
        const hydra_status status = launch(stream, "few_attention_kernel", few_attention_kernel<D>, grid, THREADS,
                                           BYTES, work, wave, left, workers, counters);
        return status == HYDRA_OK && !is_merged ? merge<D>(stream, work, wave, left, true) : status;
    });
}

template <int D, int WARP_GROUPS>
hydra_status launch_many(Stream* stream, const Attention& work) {
    constexpr size_t BYTES = std::max(ManyTail<D>::bytes(), DividedVectors<D, WARP_GROUPS>::bytes());
    static_assert(BYTES <= 99 * 1024, "devices of 8.6, 8.9 and 12.0 give a block no more");
    constexpr int32_t SLOTS = 3 * 132;
    const int32_t heads = work.pool.kv_heads, groups = groups_of(most_vectors(work));
    const auto blocks_of = [&](int32_t warp_groups) {
        return (groups + WARPS * warp_groups - 1) / (WARPS * warp_groups);
    };
    const int32_t tails = (groups + TAIL_GROUPS - 1) / TAIL_GROUPS;
    const int32_t workers =
        workers_of(work, most_parts(work.window, most_positions(work), false), heads * blocks_of(WARP_GROUPS), SLOTS);
    const dim3 grid(static_cast<unsigned>(heads), static_cast<unsigned>(workers * blocks_of(SHARED_GROUPS) + tails),
                    static_cast<unsigned>(most_segments(work.rows)));
    const Leaving left = leave(work.left, work.rows, int64_t{work.heads} * D, 0);
    return each_wave(work, [&](const AttentionWave& wave) {
        const hydra_status status = launch(stream, "many_attention_kernel", many_attention_kernel<D, WARP_GROUPS>, grid,
                                           THREADS, BYTES, work, wave, workers, blocks_of(SHARED_GROUPS));
        return status == HYDRA_OK ? merge<D>(stream, work, wave, left, false) : status;
    });
}

// Few query heads a KV head make fewer vectors than the large blocks are for; of 256 columns, registers are full with
// two groups a warp.
template <int D>
hydra_status launch_attention(Stream* stream, const Attention& work) {
    if (is_few(work)) return launch_few<D>(stream, work);
    if constexpr (D < 256) {
        if (work.heads / work.pool.kv_heads > 2) return launch_many<D, 4>(stream, work);
    }
    return launch_many<D, 2>(stream, work);
}

}  // namespace

int64_t mma_attention_bytes(int32_t max_rows, int32_t heads, int32_t head_size, int32_t max_positions) {
    int64_t most = 0;
    for (bool few : {false, true}) {
        const int32_t rows = std::min(max_rows, few ? FEW_GROUPS * GROUP : WAVE_REACH);
        for (int32_t window : {0, SHORT_WINDOW}) {
            most = std::max(most, int64_t{TAIL_LEAVES + most_parts(window, max_positions, few)} * rows);
        }
    }
    return most * heads * (head_size + 2) * 4;
}

hydra_status mma_attention(Stream* stream, const Attention& work) {
    switch (work.pool.head_size) {
        case 64:
            return launch_attention<64>(stream, work);
        case 96:
            return launch_attention<96>(stream, work);
        case 128:
            return launch_attention<128>(stream, work);
        default:
            return launch_attention<256>(stream, work);
    }
}

}  // namespace hydra::cuda
