// Tree attention over an F16 cache with the matrix instruction: head sizes 64, 96 and 128.
//
// Floor: the bytes of the keys and values, read once, or the instruction's rate: 64 nodes of 4 query heads a KV head
// need 128 multiply-adds for every byte. Not measured on any card yet.
//
// Vectors are (node, query head) pairs of a segment and KV head, eight of them a group: vector v is query head v %
// heads of node v / heads. Keys stand on the M side of the instruction and vectors on N, as a group of eight fits few
// heads better than sixteen would:
//   scores [32 keys][8 vectors]   = keys [32][d] queries^T [d][8]
//   values [d][8 vectors]         = values^T [d][32 keys] weights^T [32 keys][8]
// so that the scores become the weights' fragment by transposing 8 x 8 matrices within the warp.
//
// What makes a path of a tree give the bits of the same tokens one after another. A vector's keys are counted in the
// order prefix, then ancestors by row; 32 of them are a tile. A tile's result (its best score, the sum of its weights,
// its values by weight) is computed from nothing:
//   score     a chain of the instruction over the head's columns, its result a matter of the key, the query and
//             nothing else;
//   weight    2^(score - best + 15) as f16;
//   values    two instructions over keys 0 ... 15 and 16 ... 31 of the tile, key i in slot i % 16; their sum the same,
//             with ones for values. Slots without a key have weight 0 and value 0.
// Tiles are folded into the result of their split one after another (fold), splits into the vector's. An element of the
// instruction's result depends on its row of A, its column of B and what it was before, not on where in the fragment
// these stand. So all that the bits depend on is the vector's own query, keys and values by their number, and whether
// the slots of the cache after them are those of a prefix or of a tree only decides who computes a tile:
//   * tiles that lie wholly in the prefix are the same for all vectors. A block takes a split and up to 256 vectors;
//     keys and values of a tile come to shared memory once for all, the next ones meanwhile under way.
//   * the up to three tiles after, the tail, hold ancestors and differ from node to node. Other blocks stage the rows
//     from the tail's begin to the pass's end; a warp computes one node at a time, reading the fragments' rows from
//     wherever the node's keys are. As a tile's result needs no other's, they run beside the prefix.
// A second kernel folds: the splits, and into each the tail's tiles that belong to it. It is a launch of its own, as
// the partial results of many vectors (512 bytes a vector and split) are too much for the blocks that are done last.
//
// Accuracy: queries (times scale) and weights are rounded to f16, an error of up to 2^-11 of each, about what rounding
// keys and values to f16 did before: of normal queries, keys and values the outputs' error in the tests is up to
// 3e-4. Sums are float32.
#include <math.h>

#include <algorithm>

#include "cuda/activations.cuh"
#include "cuda/attention.cuh"
#include "cuda/mma.cuh"
#include "cuda/rows.cuh"

namespace hydra::cuda {

namespace {

constexpr int WARPS = 8, THREADS = WARPS * WARP;
constexpr int GROUP = 8;               // vectors of a fragment
constexpr int TAIL_NODES = 2 * WARPS;  // of a block
constexpr int TAIL_BLOCKS = HYDRA_MAX_NODES / TAIL_NODES;
constexpr int NO_ROW = TAIL_ROWS - 1;  // a staged row of zeros: the tail has one less
static_assert(NO_ROW >= KEY_TILE - 1 + HYDRA_MAX_NODES);

constexpr float LOG2_E = 1.44269504f;
constexpr float PEAK = 15;  // the exponent of a tile's largest weight: small ones keep their bits in f16

__host__ __device__ constexpr int groups_of(int vectors) { return (vectors + GROUP - 1) / GROUP; }

// A segment as one KV head's blocks see it.
struct Pass {
    const Attention& work;
    int32_t table;                             // where the sequence's page table begins
    int kv_head, heads, begin, rows, vectors;  // heads: query heads of the KV head; begin: the segment's first row
    int32_t first, tail;                       // tail: the first position after the whole tiles of the prefix

    __device__ Pass(const Attention& attention, const Segment& segment, int head)
        : work(attention),
          table(segment.sequence * attention.rows.max_pages),
          kv_head(head),
          heads(attention.heads / attention.pool.kv_heads),
          begin(segment.row),
          rows(segment.count),
          vectors(rows * heads),
          first(segment.first),
          tail(first / KEY_TILE * KEY_TILE) {}

    __device__ __forceinline__ uint64_t ancestors(int row) const { return work.rows.ancestors[begin + row]; }
    // Keys that a row sees.
    __device__ __forceinline__ int32_t length(int row) const { return first + __popcll(ancestors(row)); }
    __device__ __forceinline__ const uint16_t* cached(int which, int32_t slot) const {
        return reinterpret_cast<const uint16_t*>(
            kv_row(work.pool, work.rows.pages + table, work.layer, kv_head, which, slot));
    }
    // A vector's place in queries and outputs.
    __device__ __forceinline__ int64_t place(int v) const {
        return (int64_t{begin + v / heads} * work.heads + kv_head * heads + v % heads) * work.pool.head_size;
    }

    // Its number in the wave, where the vectors of a KV head stand together, by row. The parts of a vector's keys are
    // the tail's tiles, then the splits.
    __device__ __forceinline__ int32_t number(const AttentionWave& wave, int v) const {
        return (kv_head * wave.rows + begin - wave.begin) * heads + v;
    }
};

// A block's shared memory: fragments of `groups` groups of queries, and rows of keys and values.
template <int D>
struct Shared {
    static constexpr int STRIDE = D + 8;  // so that eight rows of 16 bytes lie in different banks
    static constexpr int FRAGMENTS = D / 32 * WARP;

    uint4* all_queries;  // [groups][D / 32][lane]: columns 32 i + 2t + {0, 1}, + 8, + 16, + 24
    uint16_t* rows;      // [rows][STRIDE]

    __device__ __forceinline__ explicit Shared(int groups)
        : all_queries(&shared_memory<uint4>()), rows(reinterpret_cast<uint16_t*>(all_queries + groups * FRAGMENTS)) {}

    __device__ __forceinline__ uint4* queries(int group) const { return all_queries + group * FRAGMENTS; }
    // Of a prefix: [stage][key, value][key of the tile].
    __device__ __forceinline__ uint16_t* row(int stage, int which, int key) const {
        return rows + ((stage * 2 + which) * KEY_TILE + key) * STRIDE;
    }
    // Of a tail: [key, value][slot - begin].
    __device__ __forceinline__ uint16_t* tail_row(int which, int place) const {
        return rows + (which == 1 && place != NO_ROW ? TAIL_ROWS + place : place) * STRIDE;
    }

    static constexpr size_t bytes(int groups, int rows) {
        return groups * FRAGMENTS * sizeof(uint4) + rows * STRIDE * sizeof(uint16_t);
    }
};

// Tiles in shared memory at a time; with the most queries there is room for two.
template <int D, int GROUPS>
constexpr int STAGES = D == 128 && GROUPS == 4 ? 2 : 3;

template <int D, int GROUPS>
constexpr size_t walk_bytes() {
    return Shared<D>::bytes(WARPS * GROUPS, STAGES<D, GROUPS> * 2 * KEY_TILE);
}

template <int D, int WARP_GROUPS>
constexpr size_t shared_bytes() {
    const size_t tail = Shared<D>::bytes(WARPS, 2 * TAIL_ROWS);
    const size_t bytes = std::max({tail, walk_bytes<D, 1>(), walk_bytes<D, 2>(), walk_bytes<D, WARP_GROUPS>()});
    return bytes;
}
static_assert(shared_bytes<128, 4>() <= 99 * 1024, "devices of 8.6, 8.9 and 12.0 give a block no more");

// By one warp: the queries of a group, times what makes scores exponents of 2. Zeros where there is no vector.
template <int D>
__device__ __forceinline__ void stage_queries(const Pass& pass, int group, uint4* target) {
    const int v = group * GROUP + lane_index() / 4, t = lane_index() % 4;
    const float scale = pass.work.scale != 0 ? LOG2_E * pass.work.scale : LOG2_E / sqrtf(static_cast<float>(D));
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

// The rows of a tile that a lane names when fragments of keys and of values are loaded.
struct TileRows {
    const uint16_t *keys[2], *values[2];  // of keys 0 ... 15, 16 ... 31

    // row(which, key): where a key of the tile is staged.
    template <class Row>
    __device__ __forceinline__ explicit TileRows(Row&& row) {
        const int lane = lane_index();
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            keys[half] = row(0, half * 16 + lane % 16) + lane / 16 * 8;
            values[half] = row(1, half * 16 + lane / 16 * 8 + lane % 8) + lane / 8 % 2 * 8;
        }
    }
};

// A tile's weights for GROUPS groups. Of a pair, [0] is of vector 2t, [1] of vector 2t + 1 of the group.
template <int D, int GROUPS>
struct TileWeights {
    float best[GROUPS][2], total[GROUPS][2];
    uint32_t weights[2][GROUPS][2];

    // present: keys of the tile; all 32 where WHOLE.
    template <bool WHOLE>
    __device__ __forceinline__ void compute(const TileRows& rows, const uint4* queries, int present) {
        float scores[2][GROUPS][4] = {};
#pragma unroll
        for (int i = 0; i < D / 32; ++i) {
            uint32_t keys[2][2][4];
#pragma unroll
            for (int j = 0; j < 4; ++j) load_matrices(keys[j / 2][j % 2], rows.keys[j / 2] + 32 * i + j % 2 * 16);
#pragma unroll
            for (int n = 0; n < GROUPS; ++n) {
                const uint4 query = queries[(n * (D / 32) + i) * WARP + lane_index()];
#pragma unroll
                for (int half = 0; half < 2; ++half) {
                    multiply<HYDRA_F16>(scores[half][n], keys[half][0], query.x, query.y);
                    multiply<HYDRA_F16>(scores[half][n], keys[half][1], query.z, query.w);
                }
            }
        }
        if constexpr (!WHOLE) {
#pragma unroll
            for (int i = 0; i < 2 * GROUPS * 4; ++i) {
                const int half = i / 4 / GROUPS, key = half * 16 + lane_index() / 4 + i % 4 / 2 * 8;
                if (key >= present) scores[half][i / 4 % GROUPS][i % 4] = -INFINITY;
            }
        }
        weigh(scores);
    }

  private:
    __device__ __forceinline__ void weigh(const float (&scores)[2][GROUPS][4]) {
#pragma unroll
        for (int n = 0; n < GROUPS; ++n) {
#pragma unroll
            for (int v = 0; v < 2; ++v) {
                float largest =
                    fmaxf(fmaxf(scores[0][n][v], scores[0][n][v + 2]), fmaxf(scores[1][n][v], scores[1][n][v + 2]));
#pragma unroll
                for (int mask = 4; mask < WARP; mask *= 2) {
                    largest = fmaxf(largest, __shfl_xor_sync(ALL_LANES, largest, mask));
                }
                best[n][v] = largest;
            }
            float sums[4] = {};
#pragma unroll
            for (int half = 0; half < 2; ++half) {
#pragma unroll
                for (int rows = 0; rows < 2; ++rows) {
                    float weight[2];
#pragma unroll
                    for (int v = 0; v < 2; ++v) {
                        weight[v] = fast_exp2(scores[half][n][2 * rows + v] - (best[n][v] - PEAK));
                    }
                    weights[half][n][rows] = transposed(halves_of(weight[0], weight[1]));
                }
                constexpr uint32_t ONES[4] = {0x3c003c00, 0x3c003c00, 0x3c003c00, 0x3c003c00};
                multiply<HYDRA_F16>(sums, ONES, weights[half][n][0], weights[half][n][1]);
            }
            total[n][0] = sums[0];
            total[n][1] = sums[1];
        }
    }

  public:
    // take(step, sums [GROUPS][4]): the values by weight, columns 16 step ... 16 step + 15.
    template <class Take>
    __device__ __forceinline__ void weighted_values(const TileRows& rows, Take&& take) const {
#pragma unroll
        for (int step = 0; step < D / 16; ++step) {
            float sums[GROUPS][4] = {};
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                uint32_t values[4];
                load_transposed_matrices(values, rows.values[half] + 16 * step);
#pragma unroll
                for (int n = 0; n < GROUPS; ++n) {
                    multiply<HYDRA_F16>(sums[n], values, weights[half][n][0], weights[half][n][1]);
                }
            }
            take(step, sums);
        }
    }
};

// How the sums of two parts of the keys become those of both.
struct Fold {
    float best, old, other;  // the new largest score, and the factors of the sums

    __device__ __forceinline__ Fold() {}
    __device__ __forceinline__ Fold(float old_best, float other_best) {
        const float less = exp2f(-fabsf(old_best - other_best));
        const bool larger = other_best > old_best;
        best = larger ? other_best : old_best;
        old = larger ? less : 1.0f;
        other = larger ? 1.0f : less;
    }
    __device__ __forceinline__ float operator()(float sum, float other_sum) const {
        return fmaf(sum, old, other_sum * other);
    }
};

// A warp's walk through the whole tiles of a split for GROUPS groups of vectors.
template <int D, int GROUPS>
struct Walk {
    float best[GROUPS][2], total[GROUPS][2], out[D / 16][GROUPS][4];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int i = 0; i < 2 * GROUPS; ++i) {
            best[i / 2][i % 2] = -INFINITY;
            total[i / 2][i % 2] = 0;
        }
#pragma unroll
        for (int i = 0; i < D / 16 * GROUPS * 4; ++i) out[i / 4 / GROUPS][i / 4 % GROUPS][i % 4] = 0;
    }

    __device__ __forceinline__ void add(const TileRows& rows, const uint4* queries) {
        TileWeights<D, GROUPS> tile;
        tile.template compute<true>(rows, queries, KEY_TILE);
        Fold folds[GROUPS][2];
#pragma unroll
        for (int i = 0; i < 2 * GROUPS; ++i) {
            const int n = i / 2, v = i % 2;
            folds[n][v] = Fold(best[n][v], tile.best[n][v]);
            best[n][v] = folds[n][v].best;
            total[n][v] = folds[n][v](total[n][v], tile.total[n][v]);
        }
        tile.weighted_values(rows, [&](int step, const float(&sums)[GROUPS][4]) {
#pragma unroll
            for (int i = 0; i < GROUPS * 4; ++i) {
                float& sum = out[step][i / 4][i % 4];
                sum = folds[i / 4][i % 2](sum, sums[i / 4][i % 4]);
            }
        });
    }

    // As part `part` of the vectors of groups from `group` on.
    __device__ __forceinline__ void store(const Pass& pass, const AttentionWave& wave, int part, int group) const {
        const int first = group * GROUP + lane_index() % 4 * 2;  // the lane's first vector
        float* target = wave.partial(part, pass.number(wave, first), D) + lane_index() / 4;
#pragma unroll
        for (int i = 0; i < 2 * GROUPS; ++i) {
            const int n = i / 2, v = i % 2, vector = n * GROUP + v;  // after the first
            if (first + vector >= pass.vectors) break;
            float* values = target + vector * (D + 2);
#pragma unroll
            for (int step = 0; step < D / 16; ++step) {
                values[16 * step] = out[step][n][v];
                values[16 * step + 8] = out[step][n][v + 2];
            }
            if (lane_index() < 4) {
                values[D] = best[n][v];
                values[D + 1] = total[n][v];
            }
        }
    }
};

// Calls copy(row, column) for the 16 bytes from `column` on of each of `rows` rows, shared out over the block.
template <int D, class Copy>
__device__ __forceinline__ void for_pieces(int rows, Copy&& copy) {
    constexpr int PIECES = D / 8, ROWS = THREADS / PIECES;
    const int begin = static_cast<int>(threadIdx.x) / PIECES, column = static_cast<int>(threadIdx.x) % PIECES * 8;
    if (begin >= ROWS) return;
#pragma unroll 4
    for (int row = begin; row < rows; row += ROWS) copy(row, column);
}

// Brings a tile of the prefix, whose keys and values lie together, to a stage.
template <int D>
__device__ __forceinline__ void load_tile(const Pass& pass, const Shared<D>& shared, int32_t position, int stage) {
    const uint16_t* source = pass.cached(0, position);
    for_pieces<D>(2 * KEY_TILE, [&](int row, int column) {
        copy_async(shared.row(stage, 0, row) + column, source + row * D + column);
    });
}

// Splits worker, worker + workers, ... from the last one on, for groups [begin, end) of vectors: GROUPS a warp.
template <int D, int GROUPS>
__device__ __forceinline__ void walk_splits(const Pass& pass, const AttentionWave& wave, int begin, int end, int worker,
                                            int workers) {
    constexpr int STAGED = STAGES<D, GROUPS>;
    const Shared<D> shared(WARPS * GROUPS);
    const int own = warp_index() * GROUPS;
    for (int n = own; n < own + GROUPS; ++n) stage_queries<D>(pass, begin + n, shared.queries(n));
    const Splits splits = splits_of(pass.work.pool);
    for (int32_t split = splits.count(pass.tail) - 1 - worker; split >= 0; split -= workers) {
        const int32_t from = splits.begin(split), tiles = (min(splits.begin(split + 1), pass.tail) - from) / KEY_TILE;
        const auto load = [&](int32_t tile) {
            if (tile < tiles) load_tile(pass, shared, from + tile * KEY_TILE, tile % STAGED);
            end_copies();
        };
        Walk<D, GROUPS> walk;
        walk.clear();
        __syncthreads();  // the stages are free
        for (int32_t tile = 0; tile < STAGED - 1; ++tile) load(tile);
        for (int32_t tile = 0; tile < tiles; ++tile) {
            copies_arrived<STAGED - 2>();
            __syncthreads();
            load(tile + STAGED - 1);  // to where the tile before this one was
            if (begin + own >= end) continue;
            const int stage = tile % STAGED;
            const TileRows rows([&](int which, int key) { return shared.row(stage, which, key); });
            walk.add(rows, shared.queries(own));
        }
        walk.store(pass, wave, TAIL_TILES + split, begin + own);
    }
}

// The tail of nodes [begin, end).
template <int D>
__device__ __forceinline__ void walk_tails(const Pass& pass, const AttentionWave& wave, int begin, int end) {
    const Shared<D> shared(WARPS);
    for_pieces<D>(pass.first + pass.rows - pass.tail, [&](int place, int column) {
        for (int which = 0; which < 2; ++which) {
            copy_async(shared.tail_row(which, place) + column, pass.cached(which, pass.tail + place) + column);
        }
    });
    end_copies();
    for (int i = static_cast<int>(threadIdx.x); i < D; i += THREADS) shared.tail_row(0, NO_ROW)[i] = 0;
    copies_arrived<0>();
    __syncthreads();
    uint4* queries = shared.queries(warp_index());
    for (int node = begin + warp_index(); node < end; node += WARPS) {
        const int32_t length = pass.length(node);
        const uint64_t ancestors = pass.ancestors(node);
        const int from = node * pass.heads, to = from + pass.heads;  // its vectors
        for (int group = from / GROUP; group < groups_of(to); ++group) {
            __syncwarp();
            stage_queries<D>(pass, group, queries);
            __syncwarp();
            const int vector = group * GROUP + lane_index() % 4 * 2;  // the lane's first
            for (int32_t tile = pass.tail; tile < length; tile += KEY_TILE) {
                const TileRows rows([&](int which, int key) {
                    const int32_t number = tile + key;
                    const int place = number >= length ? NO_ROW
                                      : number < pass.first
                                          ? number - pass.tail
                                          : pass.first - pass.tail + nth_bit(ancestors, number - pass.first);
                    return shared.tail_row(which, place);
                });
                TileWeights<D, 1> weights;
                weights.template compute<false>(rows, queries, length - tile);
                // Where the lane's vectors of this node are kept, null for others.
                float* targets[2];
                for (int v = 0; v < 2; ++v) {
                    const bool own = vector + v >= from && vector + v < to;
                    const int part = (tile - pass.tail) / KEY_TILE;
                    targets[v] = own ? wave.partial(part, pass.number(wave, vector + v), D) : nullptr;
                }
                weights.weighted_values(rows, [&](int step, const float(&sums)[1][4]) {
#pragma unroll
                    for (int i = 0; i < 4; ++i) {
                        float* target = targets[i % 2];
                        if (target != nullptr) target[16 * step + lane_index() / 4 + i / 2 * 8] = sums[0][i];
                    }
                });
                for (int v = 0; v < 2; ++v) {
                    if (targets[v] == nullptr || lane_index() >= 4) continue;
                    targets[v][D] = weights.best[0][v];
                    targets[v][D + 1] = weights.total[0][v];
                }
            }
        }
    }
}

// Grid: KV heads; first TAIL_BLOCKS blocks for tails, then `workers` on splits for each 8 WARP_GROUPS groups of
// vectors, the long splits first; segments. WARP_GROUPS: the most groups of a warp; with two, two blocks fit a
// multiprocessor. Registers are full either way: at 128 columns ptxas puts up to 16 words, mostly addresses, on the
// stack.
template <int D, int WARP_GROUPS>
__global__ void __launch_bounds__(THREADS, WARP_GROUPS == 2 ? 2 : 1)
    mma_attention_kernel(Attention work, AttentionWave wave, int workers) {
    begin_in_turn();
    const Segment* segment = wave.segment(work.rows, blockIdx.z);
    if (segment == nullptr) return;
    const Pass pass(work, *segment, static_cast<int>(blockIdx.x));
    const int block = static_cast<int>(blockIdx.y);
    if (block < TAIL_BLOCKS) {
        const int begin = block * TAIL_NODES;
        if (begin < pass.rows) walk_tails<D>(pass, wave, begin, min(begin + TAIL_NODES, pass.rows));
        return;
    }
    const int worker = (block - TAIL_BLOCKS) % workers;
    const int begin = (block - TAIL_BLOCKS) / workers * (WARPS * WARP_GROUPS), end = groups_of(pass.vectors);
    if (begin >= end) return;
    // More groups a warp mean fewer reads of the staged rows; fewer, that more warps share the work.
    if (end - begin <= WARPS / 2) {
        walk_splits<D, 1>(pass, wave, begin, end, worker, workers);
    } else if (WARP_GROUPS == 2 || end - begin <= 2 * WARPS) {
        walk_splits<D, 2>(pass, wave, begin, end, worker, workers);
    } else {
        walk_splits<D, WARP_GROUPS>(pass, wave, begin, end, worker, workers);
    }
}

// A vector's sums over some of its keys; the first D / 4 lanes have an item of it each (activations.cuh).
template <int D>
struct Merged {
    float best = -INFINITY, total = 0, out[4] = {};

    __device__ __forceinline__ void add(const Merged& other) {
        const Fold fold(best, other.best);
        best = fold.best;
        total = fold(total, other.total);
#pragma unroll
        for (int i = 0; i < 4; ++i) out[i] = fold(out[i], other.out[i]);
    }
};

// Grid: vectors of a KV head, a warp each, KV heads.
template <int D>
__global__ void __launch_bounds__(THREADS)
    merge_mma_attention_kernel(Attention work, AttentionWave wave, Leaving left) {
    begin_in_turn();
    const int heads = work.heads / work.pool.kv_heads, number = static_cast<int>(blockIdx.x) * WARPS + warp_index();
    const int row = wave.begin + number / heads, head = static_cast<int>(blockIdx.y) * heads + number % heads;
    if (!wave.has(work.rows, row)) return;
    const int32_t v = static_cast<int32_t>(blockIdx.y) * wave.rows * heads + number;
    const bool real = lane_index() < D / 4;
    const auto column = static_cast<int>(column_of(lane_index()));
    const auto load = [&](int part) {
        Merged<D> merged;
        const float* values = wave.partial(part, v, D);
        merged.best = values[D];
        merged.total = values[D + 1];
        if (!real) return merged;
        const float2 lower = *reinterpret_cast<const float2*>(values + column);
        const float2 upper = *reinterpret_cast<const float2*>(values + column + UNIT_COLUMNS / 2);
        merged.out[0] = lower.x, merged.out[1] = lower.y, merged.out[2] = upper.x, merged.out[3] = upper.y;
        return merged;
    };
    const int32_t first = work.rows.segment_of_row(row).first, tail = first / KEY_TILE * KEY_TILE;
    const int32_t length = first + __popcll(work.rows.ancestors[row]);
    const Splits splits = splits_of(work.pool);
    const int32_t whole = splits.count(tail);
    // The last split of whole tiles goes on with the tail if that does not begin with another one.
    const int32_t open = splits.begin(whole) == tail ? whole : whole - 1;
    Merged<D> all;
#pragma unroll 4
    for (int32_t split = 0; split < open; ++split) all.add(load(TAIL_TILES + split));
    int32_t tile = tail;
    for (int32_t split = open; splits.begin(split) < length; ++split) {
        Merged<D> other = split < whole ? load(TAIL_TILES + split) : Merged<D>();
        for (; tile < min(length, splits.begin(split + 1)); tile += KEY_TILE) other.add(load((tile - tail) / KEY_TILE));
        all.add(other);
    }
#pragma unroll
    for (float& value : all.out) value /= all.total;
    float* out = work.out + (int64_t{row} * work.heads + head) * D + column;
    if (real) {
        *reinterpret_cast<float2*>(out) = {all.out[0], all.out[1]};
        *reinterpret_cast<float2*>(out + UNIT_COLUMNS / 2) = {all.out[2], all.out[3]};
    }
    if (left.is_wanted()) leave_slots(left, row, int64_t{head} * D + column, real, all.out);
}

template <int D, int WARP_GROUPS>
hydra_status launch_attention(Stream* stream, const Attention& work) {
    const int groups = groups_of(most_vectors(work)), most = WARPS * WARP_GROUPS, workers = workers_of(work);
    const auto heads = static_cast<unsigned>(work.pool.kv_heads);
    const dim3 grid(heads, static_cast<unsigned>(TAIL_BLOCKS + (groups + most - 1) / most * workers),
                    static_cast<unsigned>(most_segments(work.rows)));
    const int reach = std::min(work.rows.max_rows, WAVE_REACH) * (work.heads / work.pool.kv_heads);
    const dim3 merge_grid(static_cast<unsigned>((reach + WARPS - 1) / WARPS), heads);
    const Leaving left = leave(work.left, work.rows, int64_t{work.heads} * D, 0);
    return each_wave(work, [&](const AttentionWave& wave) {
        const hydra_status status = launch(stream, "mma_attention_kernel", mma_attention_kernel<D, WARP_GROUPS>, grid,
                                           THREADS, shared_bytes<D, WARP_GROUPS>(), work, wave, workers);
        if (status != HYDRA_OK) return status;
        return launch(stream, "merge_mma_attention_kernel", merge_mma_attention_kernel<D>, merge_grid, THREADS, 0, work,
                      wave, left);
    });
}

// Few query heads a KV head make fewer vectors than the large blocks are for.
template <int D>
hydra_status launch_for_heads(Stream* stream, const Attention& work) {
    return work.heads / work.pool.kv_heads <= 2 ? launch_attention<D, 2>(stream, work)
                                                : launch_attention<D, 4>(stream, work);
}

}  // namespace

hydra_status mma_attention(Stream* stream, const Attention& work) {
    if (work.pool.head_size == 64) return launch_for_heads<64>(stream, work);
    if (work.pool.head_size == 96) return launch_for_heads<96>(stream, work);
    return launch_for_heads<128>(stream, work);
}

}  // namespace hydra::cuda
