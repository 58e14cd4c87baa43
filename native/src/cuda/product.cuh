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
// Version 6, BF16, 8 and 64 rows: 70 and 126 registers, nothing spilled in either shape. A turn takes a warp 146 and
// 150 instructions (188 for 64 rows before), of which 87 and 86 % are loads, products or their addresses, half of the
// rest barriers and waits (benchmarks/count_instructions.py). Of 64 rows of Q8_0 4 bytes are spilled, of gate and up
// 20, none of Q4_K. For 64 rows of quants the matrix instruction is what takes the time: 64 rows need 128 products for
// a weight.
//
// The order of additions of one value: the units of 16 columns that fall to a warp one after the other, then the warps
// in order, then the shares in order. Within a unit it is the instruction's (F32: a lane's slots, over all blocks of a
// warp, then the four lanes of a row in pairs). All of it follows from the matrix's type and shape; nothing depends on
// the rows computed beside it.
#pragma once

#include <algorithm>
#include <type_traits>

#include "cuda/pipeline.cuh"

namespace hydra::cuda {

using SmallShape = Shape<1, 1>;
template <int MATRICES>
using LargeShape = Shape<2 / MATRICES, 4>;
constexpr int64_t LARGE_VALUES = int64_t{1} << 22;  // weights from which the large shape is taken
constexpr int LEAST_BLOCKS = 8;                     // of columns in a share
constexpr int SPREAD_BLOCKS = 128;                  // of the grid, for which small matrices have short parts of rows

// Rows of a part: as many as the kernel for so many groups computes, F32's all.
__host__ __device__ constexpr int part_rows(hydra_type type, int groups) {
    return type == HYDRA_F32 ? BLOCK_ROWS : groups * ROW_GROUP;
}
__host__ __device__ constexpr int parts_of(int rows, int part_rows) { return (rows + part_rows - 1) / part_rows; }

__host__ __device__ constexpr int64_t rows_of_tiles(const MatrixView& matrix, int block_tiles) {
    return (tiles_of(matrix.rows) + block_tiles - 1) / block_tiles;
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
    int shares = 0, tile_rows[3] = {};  // set at the launch; rows of tiles side by side of each
    Leaving left{};                     // also; by a single product
};

// Where shares begin: whole steps of blocks, so that none divides what has scales in common.
template <hydra_type type>
struct Shares {
    static constexpr int STEP = super_scale_bytes(type) > 0 ? SUPER_BLOCKS / 2 : 1;
    unsigned shares, blocks;  // of columns of a row of tiles
    unsigned steps;           // of all rows; times shares below 2^32 for any matrix that a device has room for

    __device__ __forceinline__ Shares(int count, int64_t row_blocks, int rows)
        : shares(static_cast<unsigned>(count)),
          blocks(static_cast<unsigned>(row_blocks)),
          steps(static_cast<unsigned>(rows) * blocks / STEP) {}

    // In blocks, and the row that it lies in.
    __device__ __forceinline__ unsigned begin(int share) const {
        return steps * static_cast<unsigned>(share) / shares * STEP;
    }
    __device__ __forceinline__ int first_row(int share) const { return static_cast<int>(begin(share) / blocks); }
    // The share that a row's block falls to.
    __device__ __forceinline__ int owner(int row, unsigned block) const {
        const unsigned step = (static_cast<unsigned>(row) * blocks + block) / STEP;
        return static_cast<int>(((step + 1) * shares - 1) / steps);
    }
};

// Whether what an operation stores can be left for the one that follows it, too.
template <class Finish, int MATRICES>
constexpr bool LEAVES =
    std::is_same_v<std::invoke_result_t<const Finish&, int, int, int64_t, const float (&)[MATRICES][2]>, float2>;

// Grid: parts of the wave's rows, times shares; the parts of a share, which read the same weights, are neighbours.
// finish(id, r, n, values) is called once for each row r of the pass and even n; values[m][i] belongs to output row n +
// i of matrix m, which may lie after the last. It returns what it has stored where that is what the operation leaves.
// GROUPS: of eight rows, for those of a part.
template <hydra_type type, int MATRICES, class Shape, int GROUPS, class Finish>
__global__ void __launch_bounds__(PRODUCT_THREADS, 2) product_kernel(Products<MATRICES> work, Finish finish) {
    constexpr int PART_ROWS = part_rows(type, GROUPS);
    const auto row_parts = static_cast<unsigned>(parts_of(work.source.wave_rows, PART_ROWS));
    const auto row_part = static_cast<int>(blockIdx.x % row_parts), first_row = row_part * PART_ROWS;
    const auto share = static_cast<int>(blockIdx.x / row_parts);
    let_next_kernel_begin();
    int rows = 0;  // known when the kernels before have ended
    const Prepared x = work.x.forms[static_cast<int>(form_of(type))].from(first_row);
    // Found anew where a row ends: kept, it would take registers that the sums need.
    const auto shares_of = [&] {
        const int rows_of_tiles = recomputed(work.tile_rows[0]) + work.tile_rows[1] + work.tile_rows[2];
        return Shares<type>(recomputed(work.shares), recomputed(static_cast<int>(x.blocks)), rows_of_tiles);
    };
    // Which matrix a row of tiles belongs to, and which of its rows it is.
    const auto find = [&](int& row) {
        int which = 0;
        for (; which < 2 && row >= work.tile_rows[which]; ++which) row -= work.tile_rows[which];
        return which;
    };
    const auto tiles_of_row = [&](int row) {
        const int which = find(row);
        const int64_t first = int64_t{row} * Shape::BLOCK_TILES;
        TileRow<MATRICES> tiles;
        for (int m = 0; m < MATRICES; ++m) tiles.template set<type>(m, work.matrices[which][m], first);
        tiles.count =
            static_cast<int>(min(tiles_of(work.matrices[which][0].rows) - first, int64_t{Shape::BLOCK_TILES}));
        return tiles;
    };
    auto& shared = shared_memory<PipelineShared<type, MATRICES, Shape, GROUPS>>();
    // Of a row of tiles: a share has at most two that it does not compute alone, its first and its last one.
    const auto partial = [&](const Shares<type>& shares, int of_share, int row, int r, int m, int place) {
        const int index = row == shares.first_row(of_share) ? 0 : 1;
        const int64_t block = int64_t{row_part * MOST_SHARES + of_share} * 2 + index;
        return reinterpret_cast<float4*>(work.area.partials +
                                         ((block * BLOCK_ROWS + r) * MATRICES + m) * Shape::OUTPUTS) +
               place;
    };
    const auto take_row = [&](int row, auto&& hand) {
        const Shares<type> shares = shares_of();
        const int first = shares.owner(row, 0), last = shares.owner(row, shares.blocks - 1);
        int row_of_matrix = row;
        const int id = work.ids[find(row_of_matrix)];
        const auto scale_and_finish = [&](int r, int place, bool real, const float4(&values)[MATRICES]) {
            const int64_t output = int64_t{row_of_matrix} * Shape::OUTPUTS + column_of(place);
            const int row_of_pass = work.source.first + first_row + r;
            const float scale = real && x.run > 0 ? shared.row_scales[r] : 1.0f;
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
        const bool is_alone = first == last;
        const auto take = [&](int r, int place, bool real, const float4(&values)[MATRICES]) {
            if (is_alone) {
                scale_and_finish(r, place, real, values);
            } else if (real) {
                for (int m = 0; m < MATRICES; ++m) *partial(shares, share, row, r, m, place) = values[m];
            }
        };
        hand(take, NothingAfter{});
        if (is_alone) return;
        if (!is_last(work.area.counters + row_part * MOST_SHARES + first, last - first + 1, shared.last)) return;
        const int tiles = tiles_of_row(row).count, lanes = rows * Shape::ROW_LANES;
        for (int i = static_cast<int>(threadIdx.x); i < (lanes + WARP - 1) / WARP * WARP; i += PRODUCT_THREADS) {
            const int r = i / Shape::ROW_LANES, place = i % Shape::ROW_LANES;
            const bool real = r < rows && place / 4 < tiles;
            float4 values[MATRICES] = {};
#pragma unroll 4
            for (int other = real ? first : last + 1; other <= last; ++other) {
                for (int m = 0; m < MATRICES; ++m) {
                    const float4 four = __ldcg(partial(shares, other, row, r, m, place));
                    values[m].x += four.x, values[m].y += four.y, values[m].z += four.z, values[m].w += four.w;
                }
            }
            scale_and_finish(r, place, real, values);
        }
    };
    const auto wait_for_rows = [&] {
        wait_for_kernels_before();
        rows = min(product_rows(work.source) - first_row, PART_ROWS);
        if (rows > 0 && x.run > 0) {
            find_row_scales(x, rows, work.source.columns, work.source.epsilon, shared.row_scales);
        }
        return rows;
    };
    const Shares<type> shares = shares_of();
    const unsigned begin = shares.begin(share);
    const Cursor start{shares.first_row(share), static_cast<int>(begin % shares.blocks),
                       static_cast<int>(shares.begin(share + 1) - begin)};
    walk<type, MATRICES, Shape, GROUPS>(shared, x, start, tiles_of_row, take_row, wait_for_rows);
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

template <hydra_type type, int MATRICES, class Shape, class Finish>
hydra_status launch_shape(Stream* stream, const char* name, Products<MATRICES> work, const Finish& finish,
                          Handover* left) {
    static_assert(Shape::ROW_WARPS == 1 || MATRICES * Shape::OUTPUTS <= 128, "partial sums must fit their place");
    int64_t rows = 0;
    for (int i = 0; i < work.count; ++i) {
        work.tile_rows[i] = static_cast<int>(rows_of_tiles(work.matrices[i][0], Shape::BLOCK_TILES));
        rows += work.tile_rows[i];
    }
    const int64_t most = rows * blocks_of(work.source.columns) / LEAST_BLOCKS;
    work.shares = static_cast<int>(Shape::ROW_WARPS == 1 ? rows : std::clamp<int64_t>(most, 1, MOST_SHARES));
    work.left = leave(left, work.source.rows, work.matrices[0][0].rows, std::min(Shape::OUTPUTS, SQUARES_CHUNK));
    // Of a small matrix, parts of fewer rows read the weights again, from the cache, and have multiprocessors of their
    // own.
    constexpr bool IS_SMALL = Shape::ROW_WARPS == 1;
    int part = std::min(work.source.wave_rows, IS_SMALL ? BLOCK_ROWS / 2 : BLOCK_ROWS);
    if (IS_SMALL && rows * parts_of(work.source.wave_rows, part) < SPREAD_BLOCKS) part = std::min(part, BLOCK_ROWS / 4);
    return with_groups < type,
           IS_SMALL ? 4 : 8 > (part, [&](auto groups) {
                              const int parts = parts_of(work.source.wave_rows, part_rows(type, groups.value));
                              return launch(stream, name, product_kernel<type, MATRICES, Shape, groups.value, Finish>,
                                            static_cast<unsigned>(work.shares * parts), PRODUCT_THREADS,
                                            sizeof(PipelineShared<type, MATRICES, Shape, groups.value>), work, finish);
                          });
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
