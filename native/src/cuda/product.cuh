// Matrix products: out[r][n] = sum over c of weight[n][c] x[r][c]. A block computes up to 64 activation rows r; of a
// pass with more of them, those of a wave (activations.cuh) have blocks of their own, side by side in the grid, so that
// the weights come from memory once for a wave.
//
// Floor: the bytes of the weights, read once.
// Version 1: the plain form in float32; a block of 8 warps computes a tile of 16 output rows, the warps share out the
// tile's blocks of 32 columns, and 8 activation rows are computed at a time. Kept for F32 weights.
// Version 2, for all other types: the matrix instruction, weight rows on its M side, so that 64 activation rows read
// the weights once. Activations are two 16-bit numbers each (activations.cuh), which nearly keeps float32's accuracy;
// quants of block types are whole numbers to the instruction, and their scales are applied to the sums over a unit.
// Version 3: large matrices in blocks of 128 output rows, their columns split over blocks.
// Version 4: weights and activations come through shared memory in a pipeline (pipeline.cuh), in the order of the
// instruction's registers; a kernel for each bucket of rows; a grid of equal shares that all run at once; the sums of
// rows of tiles that shares divide are added up with four loads of 16 bytes of each thread under way.
// Version 5: no kernels that only prepare. Whoever computes a row leaves it times the next norm's weights in the
// instruction's order, with sums of squares; a product multiplies its results by 1 / rms (activations.cuh). Quants are
// bf16 to the instruction, whose range needs no scales of rows. What follows a product's sums stands once in its code.
// Version 6: the weights of the first stages are asked for before the kernels before this one have ended
// (platform.cuh); one address leads to all copies of a thread in a turn; small matrices in parts of fewer rows, that
// the grid fills the card.
// Version 7: the columns of a row of tiles are split over at most eight blocks, which form a cluster where the device
// has them. Their sums stay in shared memory: after one barrier the blocks read each other's and add them up, each for
// a part of the row's values, after a second one they end. Elsewhere they meet in global memory as before, where the
// last one adds up; the cut and the order are the same ones, and so are the bits.
// Version 8: on devices of 9.0 and more stages are filled by bulk copies (stages.cuh): a lane of each warp asks for
// what the warp fetches of a stage, two to five copies, where each thread copied 16 bytes several times. Their
// addresses lie in registers of the warp. The order of additions is the same, and so are the bits. The sizes of a
// whole turn's copies are constants of code of its own.
//
// Counted, not measured on any card yet (ptxas 13.0 for sm_90, large shape; H100, 132 multiprocessors):
//                                       version 3           version 4: 8, 16, 32, 64 rows   version 5
//   registers of a thread, BF16         178 to 182          82, 87, 106, 128                78, 84, 116, 128
//     Q8_0                              236                 87, 127, 128, 128               80, 95, 121, 128
//     Q4_K                              252 to 255          111, 116, 128, 128              102, 114, 127, 128
//   spills                              none                none; 64 rows of quants: 4      none; 64 rows: 8 bytes,
//                                                           to 12 bytes                     of gate and up none
//   blocks of a multiprocessor          1                   2                               2
//   weights under way in it, KB: BF16   64, 32, 16, 16      96, 112, 96, 64                 as version 4
//     Q8_0                              34, 17, 9, 9        119, 85, 68, 51
//     Q4_K                              19, 10, 5, 5        95, 70, 50, 33
//   moves between load and instruction  2 to 3              0                               0
//   waves of 7B's four products         1.9 to 2.6          1 each                          1 each
//   trips to memory before the first    1 a turn, after 8   1, after 1 of the preparation   1
//     sum, 4096 columns                 of the preparation
//   kernels of a layer                  10                  10                              6
//                                       version 6           version 7, clusters
//   sums of a split row of tiles        to the L2 cache     stay in shared memory
//     who adds them up                  the last block      all that have them
//     trips in a row before a result    stores and fence,   barrier, loads of the cluster (0.1 us each by
//                                       counter, loads      published figures)
//                                       (0.3 us each)
//     workspace, 64 / 256 rows, MB      17 / 69             0 (without clusters 17 / 67)
//   blocks of 7B's four products        264 each            256, 256, 232, 256
//   registers, BF16: 8 to 64 rows       70, 80, 102, 126    72, 68, 96, 120   (sm_80: 72, 74, 98, 124)
//     Q8_0                              80, 100, 121, 128   72, 90, 113, 126  (sm_80: 76, 89, 113, 128)
//     Q4_K                              99, 121, 127, 128   91, 112, 125, 128 (sm_80: 96, 111, 126, 127)
//   spills of any type, bytes           64 rows of quants 4 none, but 4 of 64 rows of gate and up in Q4_1 (sm_80: none)
//   shared memory, KB, BF16: 8, 64 rows 83, 91              87, 112 with the sums of a row kept
//   weights under way, 64 rows, KB      BF16 64, Q8_0 51    64, 42: the sums of warps lie in a stage that is free
//                                       version 7             version 8, sm_90      with constant sizes
//   registers, BF16: 8 to 64 rows       72, 68, 96, 120       70, 70, 90, 105       52, 70, 90, 105
//     Q8_0                              72, 90, 113, 126      68, 76, 96, 113       68, 76, 96, 113
//     Q4_K                              91, 112, 125, 128     79, 87, 117, 119      80, 72, 117, 119
//   spills                              gate and up of Q4_1   none                  none
//   copies of a lane in a turn, BF16    5, 4                  2, of one lane of a warp
//   instructions of a turn of a warp,
//     BF16: 8 to 64 rows                127, at 64 136        107, 84, 99, 118      97, 84, 99, 116
//     Q8_0                              233, at 64 251        236, 256, 307, 232    224, 246, 297, 232
//     Q4_K                              558, at 64 395        521, 374, 464, 358    515, 353, 446, 358
// Stages, and so the weights under way, are as they were: memory limits them, not registers. Instructions are those
// from the wait for a stage to the next one, with the copies of a later stage (benchmarks/count_instructions.py). Of
// BF16's 75 and 81 % (8 and 64 rows) are loads, products or their addresses, 86 and 88 % of version 7's longer turns:
// what is left are 24 and 22 instructions, waits, barriers and branches. Longer turns would have less of them, and less
// on their way. Where a stage is of one block of columns, BF16's from 16 rows on and all at 64, all turns are whole.
// What version 7 does for its registers: what is looked up seldom (how many rows there are, where a walk stands and
// ends) lies in shared memory; a matrix, its scales and the rows take one address each. When it first stood it had 64,
// 76, 96 and 126 for BF16, and spilt up to 24 bytes of 64 rows of all types but that. Counted with ptxas 13.0 of single
// matrices (gate and up: 122 for 64 rows of BF16, 124 of F16, 128 of quants; on sm_80 126 to 128).
// Spilt of these kernels for four cards (CUDA 13.0), bytes stored and loaded at most: of F32 weights 16 and 20 (sm_80),
// 28 and 32 (sm_90), 28 and 44 (sm_100), 32 and 48 (sm_120); 64 rows of quants 24 and 32 on sm_120, of qkv 4 and 4 on
// sm_80; else nothing.
//
// The order of additions of one value: the units of 16 columns that fall to a warp one after the other, then the warps
// in order, then the shares in order. Within a unit it is the instruction's (F32: a lane's slots, over all blocks of a
// warp, then the four lanes of a row in pairs). All of it follows from the matrix's type and shape; nothing depends on
// the rows computed beside it.
#pragma once

#include <algorithm>
#include <type_traits>

#include "cuda/cluster.cuh"
#include "cuda/pipeline.cuh"
#include "cuda/tasks.cuh"

namespace hydra::cuda {

using SmallShape = Shape<1, 1>;
template <int MATRICES>
using LargeShape = Shape<2 / MATRICES, 4>;
constexpr int64_t LARGE_VALUES = int64_t{1} << 22;  // weights from which the large shape is taken
constexpr int LEAST_BLOCKS = 8;                     // of columns in a share of a row of tiles
constexpr int SPREAD_BLOCKS = 128;                  // of the grid, for which small matrices have short parts of rows

// Rows of a part: as many as the kernel for so many groups computes, F32's all.
__host__ __device__ constexpr int part_rows(hydra_type type, int groups) {
    return type == HYDRA_F32 ? BLOCK_ROWS : groups * ROW_GROUP;
}
__host__ __device__ constexpr int parts_of(int rows, int part_rows) { return (rows + part_rows - 1) / part_rows; }

__host__ __device__ constexpr int64_t rows_of_tiles(const MatrixView& matrix, int block_tiles) {
    return (tiles_of(matrix.rows) + block_tiles - 1) / block_tiles;
}

// How rows of tiles side by side, times blocks of columns, are cut into shares: each of `clusters` clusters of blocks
// has whole rows of tiles, and each of its `size` blocks an equal share of them.
struct Cut {
    int clusters, size;
};

// The cut with the shortest of the longest shares, of clusters that all run at once: eight parts of an H100 (GPCs) have
// room for 32 blocks at least. The least of these sizes.
inline Cut cut_of(int64_t rows, int64_t blocks) {
    Cut best{1, 1};
    int64_t least = 0;
    for (int size = 1; size <= MOST_CLUSTER_BLOCKS; size *= 2) {
        const int64_t most = MOST_SHARES / size, of_each = (rows + most - 1) / most;
        const int64_t clusters = (rows + of_each - 1) / of_each, longest = (of_each * blocks + size - 1) / size;
        if (size > 1 && rows / clusters * blocks / size < LEAST_BLOCKS) break;
        if (size == 1 || longest < least) best = {static_cast<int>(clusters), size}, least = longest;
    }
    return best;
}

// What one launch computes: up to three matrices (or pairs of them) of equally many columns. Rows of tiles side by
// side, of one matrix after the other, times blocks of columns are cut into equal shares, a block of the grid each.
template <int MATRICES>
struct Products {
    RowSource source;
    Preparation x;
    SplitArea area;
    int count;
    int ids[3];  // finish is told which one a value belongs to
    MatrixView matrices[3][MATRICES];
    Cut cut{};  // set at the launch
    bool in_clusters = false;
    int tile_rows[3] = {};  // rows of tiles side by side of each
    Leaving left{};         // by a single product

    // Which matrix a row of tiles belongs to; then it is the row's number there.
    __device__ __forceinline__ int matrix_of(int& row) const {
        int which = 0;
        for (; which < 2 && row >= tile_rows[which]; ++which) row -= tile_rows[which];
        return which;
    }
};

// The shares of a cluster. They begin at whole steps of blocks, so that none divides what has scales in common.
template <hydra_type type>
struct Shares {
    static constexpr int STEP = super_scale_bytes(type) > 0 ? SUPER_BLOCKS / 2 : 1;
    unsigned size, blocks;  // shares; blocks of columns of a row of tiles
    unsigned first, steps;  // the cluster's first row of tiles, and steps in all its rows; times 8 below 2^32 for any
                            // matrix that a device has room for

    // Of cluster `which` of all rows of tiles.
    __device__ __forceinline__ Shares(const Cut& cut, unsigned row_blocks, unsigned rows, unsigned which)
        : size(static_cast<unsigned>(cut.size)), blocks(row_blocks) {
        const auto clusters = static_cast<unsigned>(cut.clusters);
        first = rows * which / clusters;
        steps = (rows * (which + 1) / clusters - first) * blocks / STEP;
    }

    // In blocks from the cluster's first row on.
    __device__ __forceinline__ unsigned begin(unsigned share) const { return steps * share / size * STEP; }
    __device__ __forceinline__ unsigned first_row(unsigned share) const { return first + begin(share) / blocks; }
    __device__ __forceinline__ unsigned last_row(unsigned share) const {
        return first + (begin(share + 1) - 1) / blocks;
    }
    // The share that a row's block falls to.
    __device__ __forceinline__ unsigned owner(unsigned row, unsigned block) const {
        const unsigned step = ((row - first) * blocks + block) / STEP;
        return ((step + 1) * size - 1) / steps;
    }
};

// The sums that a share of a cluster has of rows of tiles that it does not compute alone: its first row's, and its last
// one's, each [rows][MATRICES][Shape::ROW_LANES] of four outputs. The last one's lie where the stages were.
template <hydra_type type, int MATRICES, class Shape, int GROUPS>
struct ClusterShared {
    static constexpr bool IN_STAGES = type != HYDRA_F32;
    static constexpr int SUMS = part_rows(type, GROUPS) * MATRICES * Shape::ROW_LANES, SUMS_BYTES = SUMS * 16;
    // What is beside 86 KB of stages is 11 KB.
    static constexpr int RESERVED = std::max(0, SUMS_BYTES - CLUSTER_BLOCK_BYTES + 97 * 1024);
    using Pipeline = PipelineShared<type, MATRICES, Shape, GROUPS, RESERVED>;
    Pipeline pipeline;
    float4 kept[IN_STAGES ? 1 : 2][SUMS];  // in launches of clusters alone

    __device__ __forceinline__ float4* sums(bool of_last_row) {
        if constexpr (IN_STAGES) {
            static_assert(SUMS_BYTES <= (Pipeline::Layout::STAGES - 1) * Pipeline::Layout::BYTES);
            return of_last_row ? reinterpret_cast<float4*>(pipeline.stages) : kept[0];
        } else {
            return kept[of_last_row ? 1 : 0];
        }
    }
};

// Whether what an operation stores can be left for the one that follows it, too.
template <class Finish, int MATRICES>
constexpr bool LEAVES =
    std::is_same_v<std::invoke_result_t<const Finish&, int, int, int64_t, const float (&)[MATRICES][2]>, float2>;

// By block `block` of the shares of a cluster, times parts of the wave's rows, which read the same weights at the same
// time, times clusters. wait(count) waits for what the rows follow from, and returns how many count() finds.
// finish(id, r, n, values) is called once for each row r of the pass and even n; values[m][i] belongs to output row n +
// i of matrix m, which may lie after the last. It returns what it has stored where that is what the operation leaves.
// GROUPS: of eight rows, for those of a part.
template <hydra_type type, int MATRICES, class Shape, int GROUPS, class Finish, class Wait>
__device__ __forceinline__ void compute_products(const Products<MATRICES>& work, const Finish& finish, unsigned block,
                                                 StageBarriers& barriers, Wait&& wait) {
    constexpr int PART_ROWS = part_rows(type, GROUPS);
    constexpr bool CAN_SPLIT = Shape::ROW_WARPS > 1;  // small matrices' shares are rows of tiles
    const auto row_parts = static_cast<unsigned>(parts_of(work.source.wave_rows, PART_ROWS));
    const unsigned share = block % static_cast<unsigned>(work.cut.size);
    const unsigned of_all = block / static_cast<unsigned>(work.cut.size), which = of_all / row_parts;
    const auto row_part = static_cast<int>(of_all % row_parts), first_row = row_part * PART_ROWS;
    const auto count_rows = [&] { return min(product_rows(work.source) - first_row, PART_ROWS); };
    const Prepared& x = work.x.forms[static_cast<int>(form_of(type))];
    // Found anew where a row ends: kept, it would take registers that the sums need.
    const auto shares_of = [&] {
        const int rows_of_tiles = recomputed(work.tile_rows[0]) + work.tile_rows[1] + work.tile_rows[2];
        return Shares<type>({recomputed(work.cut.clusters), work.cut.size},
                            static_cast<unsigned>(recomputed(static_cast<int>(x.blocks))),
                            static_cast<unsigned>(rows_of_tiles), which);
    };
    const auto tiles_of_row = [&](int row) {
        const int matrix = work.matrix_of(row);
        const int64_t first = int64_t{row} * Shape::BLOCK_TILES;
        TileRow<MATRICES> tiles;
        for (int m = 0; m < MATRICES; ++m) tiles.template set<type>(m, work.matrices[matrix][m], first);
        tiles.count =
            static_cast<int>(min(tiles_of(work.matrices[matrix][0].rows) - first, int64_t{Shape::BLOCK_TILES}));
        return tiles;
    };
    using Shared = ClusterShared<type, MATRICES, Shape, GROUPS>;
    auto& shared = shared_memory<Shared>();
    const bool in_clusters = CODE_HAS_CLUSTERS && work.in_clusters;
    // Without clusters, where share `of` has the sums of its first or last row; and how many shares have come there.
    const auto in_area = [&](unsigned of) {
        return int64_t{row_part} * MOST_SHARES + which * static_cast<unsigned>(work.cut.size) + of;
    };
    const auto sums_in_area = [&](unsigned of, bool of_last_row) {
        return reinterpret_cast<float4*>(work.area.partials) +
               (in_area(of) * 2 + (of_last_row ? 1 : 0)) * BLOCK_ROWS * MATRICES * Shape::ROW_LANES;
    };
    const auto place_of = [](int r, int m, int place) { return (r * MATRICES + m) * Shape::ROW_LANES + place; };
    const auto scale_and_finish = [&](int row, int r, int place, bool real, const float4(&values)[MATRICES]) {
        const int id = work.ids[work.matrix_of(row)];
        const int64_t output = int64_t{row} * Shape::OUTPUTS + column_of(place);
        const int row_of_pass = work.source.first + first_row + r;
        const float scale = real && x.run > 0 ? shared.pipeline.row_scales[r] : 1.0f;
        float lower[MATRICES][2], upper[MATRICES][2];
        for (int m = 0; m < MATRICES; ++m) {
            lower[m][0] = values[m].x * scale, lower[m][1] = values[m].y * scale;
            upper[m][0] = values[m].z * scale, upper[m][1] = values[m].w * scale;
        }
        if constexpr (LEAVES<Finish, MATRICES>) {
            float2 two{}, others{};
            if (real) {
                two = finish(id, row_of_pass, output, lower);
                others = finish(id, row_of_pass, output + 8, upper);
            }
            if (work.left.is_wanted()) {
                leave_slots(work.left, first_row + r, output, real, {two.x, two.y, others.x, others.y});
            }
        } else if (real) {
            finish(id, row_of_pass, output, lower);
            finish(id, row_of_pass, output + 8, upper);
        }
    };
    const auto take_row = [&](int row, auto&& hand) {
        float4* sums = nullptr;  // where they go that the share does not have alone
        if constexpr (CAN_SPLIT) {
            const Shares<type> shares = shares_of();
            const auto of_all_rows = static_cast<unsigned>(row);
            if (shares.owner(of_all_rows, 0) != shares.owner(of_all_rows, shares.blocks - 1)) {
                const bool is_last_row = of_all_rows == shares.last_row(share);
                sums = in_clusters ? shared.sums(is_last_row) : sums_in_area(share, is_last_row);
            }
        }
        const auto take = [&](int r, int place, bool real, const float4(&values)[MATRICES]) {
            if (sums == nullptr) {
                scale_and_finish(row, r, place, real, values);
            } else if (real) {
                for (int m = 0; m < MATRICES; ++m) sums[place_of(r, m, place)] = values[m];
            }
        };
        hand(take, NothingAfter{});
    };
    const auto wait_for_rows = [&] {
        const int rows = wait(count_rows);
        if (rows > 0 && x.run > 0) {
            find_row_scales(x.from(first_row), rows, work.source.columns, work.source.epsilon,
                            shared.pipeline.row_scales);
        }
        return rows;
    };
    {
        const Shares<type> shares = shares_of();
        const unsigned begin = shares.begin(share);
        const Cursor start{static_cast<int>(shares.first_row(share)), static_cast<int>(begin % shares.blocks),
                           static_cast<int>(shares.begin(share + 1) - begin)};
        walk<type, MATRICES, Shape, GROUPS>(shared.pipeline, barriers, x, first_row, start, tiles_of_row, take_row,
                                            wait_for_rows);
    }
    if constexpr (CAN_SPLIT) {
        const int rows = count_rows();
        if (rows <= 0 || work.cut.size == 1) return;
        // What shares have of a row of tiles is added up, in their order: in a cluster by the blocks that have them,
        // which divide the row's values by whole warps; otherwise by the block that is the last to come here.
        if (in_clusters) cluster_barrier();
        const Shares<type> shares = shares_of();
        const unsigned own_first = shares.first_row(share), own_last = shares.last_row(share);
#pragma unroll 1
        for (int i = own_first == own_last ? 1 : 0; i < 2; ++i) {
            const unsigned row = i == 0 ? own_first : own_last;
            const unsigned first = shares.owner(row, 0), last = shares.owner(row, shares.blocks - 1);
            if (first == last) continue;
            int part = 0, parts = 1;
            if (in_clusters) {
                part = static_cast<int>(share - first), parts = static_cast<int>(last - first + 1);
            } else if (!is_last<PRODUCT_THREADS>(work.area.counters + in_area(first),
                                                 static_cast<int>(last - first + 1), shared.pipeline.last)) {
                continue;
            }
            const int tiles = tiles_of_row(static_cast<int>(row)).count, lanes = rows * Shape::ROW_LANES;
            for (int lane = part * PRODUCT_THREADS + static_cast<int>(threadIdx.x);
                 lane < (lanes + WARP - 1) / WARP * WARP; lane += parts * PRODUCT_THREADS) {
                const int r = lane / Shape::ROW_LANES, place = lane % Shape::ROW_LANES;
                const bool real = r < rows && place / 4 < tiles;
                float4 values[MATRICES] = {};
#pragma unroll 4
                for (unsigned other = real ? first : last + 1; other <= last; ++other) {
                    const bool is_last_row = row == shares.last_row(other);
                    for (int m = 0; m < MATRICES; ++m) {
                        const int at = place_of(r, m, place);
                        const float4 four = in_clusters
                                                ? load_of_block(shared.sums(is_last_row) + at, static_cast<int>(other))
                                                : __ldcg(sums_in_area(other, is_last_row) + at);
                        values[m].x += four.x, values[m].y += four.y, values[m].z += four.z, values[m].w += four.w;
                    }
                }
                scale_and_finish(static_cast<int>(row), r, place, real, values);
            }
        }
        if (in_clusters) cluster_barrier();
    }
}

template <hydra_type type, int MATRICES, class Shape, int GROUPS, class Finish>
__global__ void __launch_bounds__(PRODUCT_THREADS, 2) product_kernel(Products<MATRICES> work, Finish finish) {
    let_next_kernel_begin();
    StageBarriers& barriers = shared_memory<ClusterShared<type, MATRICES, Shape, GROUPS>>().pipeline.barriers;
    barriers.begin();
    compute_products<type, MATRICES, Shape, GROUPS>(work, finish, blockIdx.x, barriers, [](auto&& count) {
        wait_for_kernels_before();
        return count();
    });
}

// Asks for the weights that compute_products takes of small matrices, where there are bulk copies, for its part of the
// rows a part of them. By a warp.
template <hydra_type type, int MATRICES, class Shape, int GROUPS>
__device__ __forceinline__ void bring_weights(const Products<MATRICES>& work, unsigned block) {
    const auto parts = static_cast<unsigned>(parts_of(work.source.wave_rows, part_rows(type, GROUPS)));
    const unsigned which = block / parts, part = block % parts, clusters = static_cast<unsigned>(work.cut.clusters);
    const auto rows = static_cast<unsigned>(work.tile_rows[0] + work.tile_rows[1] + work.tile_rows[2]);
    const unsigned end = rows * (which + 1) / clusters * MATRICES;
    for (unsigned i = rows * which / clusters * MATRICES + threadIdx.x % WARP; i < end; i += WARP) {
        auto row = static_cast<int>(i / MATRICES);
        const MatrixView& matrix = work.matrices[work.matrix_of(row)][i % MATRICES];
        const int64_t first = int64_t{row} * Shape::BLOCK_TILES, row_blocks = blocks_of(matrix.columns);
        const int64_t tiles = min(int64_t{Shape::BLOCK_TILES}, tiles_of(matrix.rows) - first);
        const auto blocks = static_cast<unsigned>(tiles * row_blocks);
        const unsigned begin = blocks * part / parts, count = blocks * (part + 1) / parts - begin;
        const int64_t index = first * row_blocks + begin;
        if (count == 0) continue;
        bring_to_cache(matrix.data + index * block_bytes(type), count * block_bytes(type));
        if constexpr (scale_bytes(type) > 0) {
            bring_to_cache(scales_at(matrix, type, index, 0), count * scale_bytes(type));
        }
    }
}

template <hydra_type value>
struct TypeTag {
    static constexpr hydra_type type = value;
};

// Calls run(TypeTag<type>{}).
template <class Run>
hydra_status with_type(hydra_type type, Run&& run) {
    switch (type) {
        case HYDRA_F32:
            return run(TypeTag<HYDRA_F32>{});
        case HYDRA_F16:
            return run(TypeTag<HYDRA_F16>{});
        case HYDRA_BF16:
            return run(TypeTag<HYDRA_BF16>{});
        case HYDRA_Q8_0:
            return run(TypeTag<HYDRA_Q8_0>{});
        case HYDRA_Q4_0:
            return run(TypeTag<HYDRA_Q4_0>{});
        case HYDRA_Q4_1:
            return run(TypeTag<HYDRA_Q4_1>{});
        case HYDRA_Q5_0:
            return run(TypeTag<HYDRA_Q5_0>{});
        case HYDRA_Q5_1:
            return run(TypeTag<HYDRA_Q5_1>{});
        case HYDRA_Q4_K:
            return run(TypeTag<HYDRA_Q4_K>{});
        case HYDRA_Q5_K:
            return run(TypeTag<HYDRA_Q5_K>{});
        case HYDRA_Q6_K:
            return run(TypeTag<HYDRA_Q6_K>{});
        default:
            return refuse(HYDRA_INVALID_ARGUMENT, "no kernel for matrices of type %d", static_cast<int>(type));
    }
}

// Calls run with the groups of eight rows, up to MOST, that the kernel for so many rows is made for; F32 has one kernel
// for all.
template <hydra_type type, int MOST, class Run>
hydra_status with_groups(int rows, Run&& run) {
    if constexpr (type == HYDRA_F32) {
        return run(std::integral_constant<int, 1>{});
    } else {
        if (rows <= ROW_GROUP) return run(std::integral_constant<int, 1>{});
        if (rows <= 2 * ROW_GROUP) return run(std::integral_constant<int, 2>{});
        if (rows <= 4 * ROW_GROUP) return run(std::integral_constant<int, 4>{});
        return run(std::integral_constant<int, MOST>{});
    }
}

// A product of small matrices as a task.
template <int MATRICES, class Finish>
struct ProductTask {
    Products<MATRICES> work;
    Finish finish;
};

// Groups of eight rows that a kernel of tasks is made for: 1, 2, 4 or 8. So few are the blocks that a task of many rows
// falls to that bringing rows and weights to each of them takes the time: then a row of tiles is two tiles wide, and
// parts are of so many rows that about as many bytes are weights as are rows, and that the grid fills the card.
__host__ __device__ constexpr int task_groups(int rows) {
    return rows <= ROW_GROUP ? 1 : rows <= 2 * ROW_GROUP ? 2 : rows <= 4 * ROW_GROUP ? 4 : 8;
}
__host__ __device__ constexpr int task_tiles(int groups) { return groups > 2 ? 2 : 1; }
__host__ __device__ constexpr int task_part_groups(int groups, int matrices) {
    const int of_two = groups / task_tiles(groups);
    return matrices == 1 && of_two > 1 ? of_two / 2 : of_two;
}

// Adds a product to a list of tasks, where there can be one: `added`.
template <hydra_type type, int MATRICES, class Finish, class Launch>
hydra_status add_task(Stream* stream, Products<MATRICES> work, const Finish& finish, Launch&& launch_alone,
                      bool* added) {
    *added = false;
    if (stream->tasks == nullptr || work.source.rows.max_rows > MOST_TASK_ROWS) return HYDRA_OK;
    const int groups = task_groups(work.source.wave_rows);
    const int parts = parts_of(work.source.wave_rows, task_part_groups(groups, MATRICES) * ROW_GROUP);
    int blocks = 0;
    const hydra_status status = open_tasks(stream, type, groups, &blocks);
    if (status != HYDRA_OK || blocks == 0) return status;
    int rows = 0;
    for (int i = 0; i < work.count; ++i) {
        rows += work.tile_rows[i] = static_cast<int>(rows_of_tiles(work.matrices[i][0], task_tiles(groups)));
    }
    work.cut = {std::clamp(blocks / parts, 1, rows), 1};
    work.in_clusters = false;
    stream->tasks->add(TASK_KIND<Finish>, dim3(static_cast<unsigned>(work.cut.clusters * parts)),
                       ProductTask<MATRICES, Finish>{work, finish}, launch_alone);
    *added = true;
    return HYDRA_OK;
}

template <hydra_type type, int MATRICES, class Shape, class Finish>
hydra_status launch_shape(Stream* stream, const char* name, Products<MATRICES> work, const Finish& finish,
                          Handover* left) {
    static_assert(Shape::ROW_WARPS == 1 || MATRICES * Shape::OUTPUTS <= 128, "partial sums must fit their place");
    int64_t rows = 0;
    for (int i = 0; i < work.count; ++i) {
        work.tile_rows[i] = static_cast<int>(rows_of_tiles(work.matrices[i][0], Shape::BLOCK_TILES));
        rows += work.tile_rows[i];
    }
    constexpr bool IS_SMALL = Shape::ROW_WARPS == 1;
    work.cut = IS_SMALL ? Cut{static_cast<int>(rows), 1} : cut_of(rows, blocks_of(work.source.columns));
    work.in_clusters = stream->device->has_clusters && work.cut.size > 1;
    work.left = leave(left, work.source.rows, work.matrices[0][0].rows, std::min(Shape::OUTPUTS, SQUARES_CHUNK));
    // Of a small matrix, parts of fewer rows read the weights again, from the cache, and have multiprocessors of their
    // own.
    int part = std::min(work.source.wave_rows, IS_SMALL ? BLOCK_ROWS / 2 : BLOCK_ROWS);
    if (IS_SMALL && rows * parts_of(work.source.wave_rows, part) < SPREAD_BLOCKS) part = std::min(part, BLOCK_ROWS / 4);
    constexpr int MOST_GROUPS = IS_SMALL ? 4 : 8;
    const auto launch_alone = [=] {
        return with_groups<type, MOST_GROUPS>(part, [&](auto groups) {
            using Shared = ClusterShared<type, MATRICES, Shape, groups.value>;
            static_assert(sizeof(Shared) <= CLUSTER_BLOCK_BYTES || IS_SMALL);
            const int parts = parts_of(work.source.wave_rows, part_rows(type, groups.value));
            return launch_clusters(stream, name, product_kernel<type, MATRICES, Shape, groups.value, Finish>,
                                   work.in_clusters ? work.cut.size : 1,
                                   static_cast<unsigned>(work.cut.clusters * work.cut.size * parts), PRODUCT_THREADS,
                                   work.in_clusters ? sizeof(Shared) : sizeof(typename Shared::Pipeline), work, finish);
        });
    };
    if constexpr (IS_SMALL && TASK_KIND<Finish> != TaskKind::NONE && has_tasks(type)) {
        bool added = false;
        const hydra_status status = add_task<type>(stream, work, finish, launch_alone, &added);
        if (added || status != HYDRA_OK) return status;
    }
    return launch_alone();
}

// Enqueues the products of matrices of one type. left: null where the rows are not left for the next operation.
template <int MATRICES, class Finish>
hydra_status launch_products(Stream* stream, const char* name, const Products<MATRICES>& work, const Finish& finish,
                             Handover* left = nullptr) {
    int64_t values = 0;
    for (int i = 0; i < work.count; ++i) values += MATRICES * work.matrices[i][0].rows * work.source.columns;
    return with_type(work.matrices[0][0].type, [&](auto tag) {
        constexpr hydra_type type = decltype(tag)::type;
        return values < LARGE_VALUES
                   ? launch_shape<type, MATRICES, SmallShape>(stream, name, work, finish, left)
                   : launch_shape<type, MATRICES, LargeShape<MATRICES>>(stream, name, work, finish, left);
    });
}

}  // namespace hydra::cuda
