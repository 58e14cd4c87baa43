// The stream of weights and activations through shared memory that all products share.
//
// A block of threads walks through blocks of 32 columns of a few tiles (16 output rows each) side by side, and on to
// the next tiles without a pause. What a turn needs lies in a stage: of each tile the weights of a few blocks of
// columns, with their scales, and of the activation rows the same columns, once for all warps. The copies of a stage
// are issued STAGES - 1 turns ahead, before the arithmetic of the turn at hand. Weights of the first stages are asked
// for before the kernels before this one have ended, rows as soon as they have.
#pragma once

#include "cuda/mma.cuh"
#include "cuda/stages.cuh"

namespace hydra::cuda {

// What a block of threads has in shared memory beside its stages, or in one: the warps' sums before they are added up,
// of 8 activation rows, rows and tiles a little apart, so that lanes that write fragments or read a row use different
// banks.
template <int MATRICES, class Shape>
struct WarpSums {
    static constexpr int STRIDE = TILE_ROWS + 4, TILE_STRIDE = SUMS_TILE_BYTES / 4;
    float values[Shape::COLUMN_WARPS][MATRICES][Shape::BLOCK_TILES][TILE_STRIDE];

    __device__ __forceinline__ float& at(int warp, int m, int tile, int row, int output) {
        return values[warp][m][tile][row * STRIDE + output];
    }
    // Outputs `output` and the next one, and the two 8 later.
    __device__ __forceinline__ float4 slots(int warp, int m, int tile, int row, int output) const {
        const float* all = &values[warp][m][tile][row * STRIDE + output];
        const float2 lower = *reinterpret_cast<const float2*>(all), upper = *reinterpret_cast<const float2*>(all + 8);
        return {lower.x, lower.y, upper.x, upper.y};
    }
};

template <hydra_type type, int MATRICES, class Shape, int GROUPS, int RESERVED = 0>
struct alignas(16) PipelineShared {
    using Layout = StageLayout<type, MATRICES, Shape, GROUPS, RESERVED>;
    using Sums = WarpSums<MATRICES, Shape>;
    static_assert(sizeof(Sums) == Layout::SUMS_BYTES);
    struct NoSums {};
    uint8_t stages[Layout::STAGES][Layout::BYTES];
    std::conditional_t<Layout::SUMS_IN_STAGE, NoSums, Sums> own_sums;
    StageBarriers barriers;
    float row_scales[BLOCK_ROWS];
    // As registers are full: rows of the block, the row of tiles that it stands at, and the end of its walk in blocks
    // from row 0 on.
    int rows, row;
    unsigned end;
    bool last;

    __device__ __forceinline__ Sums& sums(int free_stage) {
        if constexpr (Layout::SUMS_IN_STAGE) {
            return *reinterpret_cast<Sums*>(stages[free_stage]);
        } else {
            return own_sums;
        }
    }
};

// F32 weights go straight to registers.
template <int MATRICES, class Shape, int GROUPS, int RESERVED>
struct alignas(16) PipelineShared<HYDRA_F32, MATRICES, Shape, GROUPS, RESERVED> {
    WarpSums<MATRICES, Shape> sums;
    StageBarriers barriers;
    float row_scales[BLOCK_ROWS];
    bool last;
};

// Adds up the warps' sums of activation rows first ... first + 7 and hands them to take(r, place, real, values), by
// whole warps: lane `place` takes four outputs of the row, an item of what the next product reads; where there is no
// such row or tile, it is not real.
template <int MATRICES, class Shape, class Take>
__device__ __forceinline__ void add_warps(const WarpSums<MATRICES, Shape>& sums, int first, int rows, int tiles,
                                          Take& take) {
    constexpr int LANES = Shape::ROW_LANES;
    static_assert(ROW_GROUP * LANES <= PRODUCT_THREADS && ROW_GROUP * LANES % WARP == 0);
    // Or what follows from it would be kept while products are computed.
    const int i = recomputed(static_cast<int>(threadIdx.x));
    if (i >= ROW_GROUP * LANES) return;
    const int r = i / LANES, place = i % LANES, tile = place / 4, output = static_cast<int>(column_of(place % 4));
    const bool real = first + r < rows && tile < tiles;
    float4 values[MATRICES] = {};
#pragma unroll
    for (int m = 0; m < MATRICES; ++m) {
#pragma unroll
        for (int w = 0; w < Shape::COLUMN_WARPS; ++w) {
            if (!real) break;
            const float4 own = sums.slots(w, m, tile, r, output);
            values[m].x += own.x, values[m].y += own.y, values[m].z += own.z, values[m].w += own.w;
        }
    }
    take(first + r, place, real, values);
}

// For takers that need nothing after.
struct NothingAfter {
    __device__ __forceinline__ void operator()(int) const {}
};

// F32 weights, blocks [begin, end) of the columns: eight rows at a time with the arithmetic of ordinary threads.
template <int MATRICES, class Shape, class Take, class After>
__device__ __forceinline__ void plain_tiles(const TileRow<MATRICES>& tiles, int64_t begin, int64_t end,
                                            const Prepared& x, int rows, WarpSums<MATRICES, Shape>& shared, Take& take,
                                            After& after) {
    const int lane = lane_index(), g = lane / 4, t = lane % 4;
    for (int first = 0; first < rows; first += ROW_GROUP) {
        for (int i = 0; i < Shape::TILES; ++i) {
            const int place = Shape::row_warp() * Shape::TILES + i;
            if (place >= tiles.count) break;
            float sums[MATRICES][2][ROW_GROUP] = {};
            for (int64_t b = begin + Shape::column_warp(); b < end; b += Shape::COLUMN_WARPS) {
                float w[MATRICES][2][BLOCK_SLOTS];
#pragma unroll
                for (int m = 0; m < MATRICES; ++m) {
                    load_floats(tiles.data[m] + (place * x.blocks + b) * block_bytes(HYDRA_F32), lane, w[m]);
                }
#pragma unroll
                for (int j = 0; j < ROW_GROUP * 2; ++j) {
                    const int r = j / 2, half = j % 2;
                    const float4 four = x.floats(first / ROW_GROUP, b, half, r * 4 + t);
#pragma unroll
                    for (int m = 0; m < MATRICES * 2; ++m) {
                        const float* weights = w[m / 2][m % 2] + half * 4;
                        float& sum = sums[m / 2][m % 2][r];
                        sum = fmaf(weights[0], four.x, sum);
                        sum = fmaf(weights[1], four.y, sum);
                        sum = fmaf(weights[2], four.z, sum);
                        sum = fmaf(weights[3], four.w, sum);
                    }
                }
            }
#pragma unroll
            for (int m = 0; m < MATRICES * 2; ++m) {
#pragma unroll
                for (int r = 0; r < ROW_GROUP; ++r) {
                    float sum = sums[m / 2][m % 2][r];
                    sum += __shfl_xor_sync(ALL_LANES, sum, 1);
                    sum += __shfl_xor_sync(ALL_LANES, sum, 2);
                    if (t == 0) shared.at(Shape::column_warp(), m / 2, place, r, m % 2 * 8 + g) = sum;
                }
            }
        }
        __syncthreads();
        add_warps<MATRICES, Shape>(shared, first, rows, tiles.count, take);
        __syncthreads();
        after(first);
    }
}

// The pipeline of all other types: GROUPS groups of eight rows with the matrix instruction.
template <hydra_type type, int MATRICES, class Shape, int GROUPS, int RESERVED, class Feed>
class Pipeline {
  public:
    using Shared = PipelineShared<type, MATRICES, Shape, GROUPS, RESERVED>;

    // x: of the wave, of which the block has the rows from `first_row` on.
    __device__ __forceinline__ Pipeline(Shared& shared, StageBarriers& barriers, const Prepared& x, int first_row)
        : shared_(shared),
          blocks_(static_cast<int>(x.blocks)),
          feed_(shared.stages, barriers, x, first_row / ROW_GROUP * blocks_) {}

    // Walks from `start` to its end. tiles_of_row(i) is row i of tiles; take_row(i, hand) is called by all threads when
    // the sums of what the walk has of a row are there: hand(take, after) calls take(r, place, real, values) as
    // add_warps does, of the last row with all stages but the last one free for the taker: the components of values[m]
    // belong to outputs of matrix m, counted from the row of tiles. All threads call after(first), a barrier later,
    // when rows first to first + 7 are taken, and take no others before the next barrier. They call wait_for_rows()
    // once, when the first weights have been asked for: until it returns the number of rows, nothing of them is read;
    // where there are none, the walk ends.
    template <class TilesOfRow, class TakeRow, class WaitForRows>
    __device__ __forceinline__ void walk(Cursor start, TilesOfRow&& tiles_of_row, TakeRow&& take_row,
                                         WaitForRows&& wait_for_rows) {
        // Blocks that are to be asked for: of the row at hand, and of later ones.
        int until_ahead = min(blocks_ - start.block, start.left), later = start.left - until_ahead;
        const TileRow<MATRICES> first_tiles = tiles_of_row(start.row);
        int tiles = first_tiles.count;
        feed_.take_tiles(first_tiles, start.block);
        const auto fill_next = [&](int stage, auto with_rows, auto&& end) {
            if (until_ahead > 0) {
                const int turn = Layout::BLOCKS == 1 ? 1 : min(Layout::BLOCKS, until_ahead);
                feed_.template fill<with_rows.value>(stage, turn);
                until_ahead -= turn;
                if (until_ahead == 0 && later > 0) {
                    // Found anew at a row's end: kept, the row would take a register that the sums need.
                    const auto row = (end() - static_cast<unsigned>(later)) / static_cast<unsigned>(blocks_);
                    feed_.take_tiles(tiles_of_row(static_cast<int>(row)), 0);
                    until_ahead = min(blocks_, later);
                    later -= until_ahead;
                }
            }
            feed_.end_fill();
        };
        const auto end = static_cast<unsigned>(start.row * blocks_ + start.block + start.left);
        for (int stage = 0; stage < Layout::STAGES - 1; ++stage) {
            fill_next(stage, std::false_type{}, [&] { return end; });
        }
        const int rows = max(0, wait_for_rows());
        live_groups_ = min(GROUPS, (rows + PAIR_ROWS - 1) / PAIR_ROWS * PAIR);
        feed_.take_rows(rows, live_groups_);
        Cursor first = start;
        for (int stage = 0; stage < Layout::STAGES - 1 && first.left > 0; ++stage) {
            const int turn = first.turn(blocks_, Layout::BLOCKS);
            feed_.add_rows(stage, first.block, turn);
            first.advance(turn, blocks_);
        }
        if (rows == 0) return give_up(start);
        if (threadIdx.x == 0) {
            shared_.rows = rows;
            shared_.row = start.row;
            shared_.end = end;
        }
        float sums[MATRICES][Shape::TILES][GROUPS][4] = {};
        int stage = 0, before = Layout::STAGES - 1;
        int until = min(blocks_ - start.block, start.left);  // of the row, what is to come
        while (until > 0) {
            // What this stage was filled with has arrived, and all warps are done with the one before it.
            feed_.wait(stage);
            __syncthreads();
            fill_next(before, std::true_type{}, [&] { return shared_.end; });
            const int turn = Layout::BLOCKS == 1 ? 1 : min(Layout::BLOCKS, until);
            multiply_stage(shared_.stages[stage], tiles, turn, sums);
            before = stage;
            stage = feed_.after(stage);
            until -= turn;
            if (until > 0) continue;
            const int row = shared_.row;
            until = min(blocks_, static_cast<int>(shared_.end - static_cast<unsigned>((row + 1) * blocks_)));
            // At the end all stages are free, and the first ones are the taker's.
            const int free_stage = until > 0 ? before : Layout::STAGES - 1;
            take_row(row, [&](auto&& take, auto&& after) { hand_over(sums, tiles, free_stage, take, after); });
            if (Layout::SUMS_IN_STAGE) feed_.after_writing();
            if (threadIdx.x == 0) shared_.row = row + 1;
            if (until > 0) tiles = tiles_of_row(row + 1).count;
#pragma unroll
            for (int i = 0; i < MATRICES * Shape::TILES * GROUPS * 4; ++i) (&sums[0][0][0][0])[i] = 0;
        }
        feed_.end(stage);
    }

  private:
    using Layout = StageLayout<type, MATRICES, Shape, GROUPS, RESERVED>;

    // Groups are skipped by pairs, so that the loads of one hide behind the arithmetic of the other.
    static constexpr int PAIR = GROUPS == 1 ? 1 : 2, PAIR_ROWS = PAIR * ROW_GROUP;

    // Waits for what was asked for, where there are no rows.
    __device__ __forceinline__ void give_up(Cursor cursor) {
        int stage = 0;
        for (; stage < Layout::STAGES - 1 && cursor.left > 0; ++stage) {
            feed_.wait(stage);
            cursor.advance(cursor.turn(blocks_, Layout::BLOCKS), blocks_);
        }
        feed_.end(stage);
    }

    __device__ __forceinline__ void multiply_stage(const uint8_t* stage, int tiles, int turn,
                                                   float (&sums)[MATRICES][Shape::TILES][GROUPS][4]) const {
        constexpr int TILES = Shape::TILES, WEIGHTS = MATRICES * TILES;
        const int lane = lane_index(), column_warp = Shape::column_warp(), unit = column_warp % UNITS;
        const int place = Shape::row_warp() * TILES;
        if (!Feed::HAS_ALL_TILES && place >= tiles) return;
#pragma unroll
        for (int b = Shape::COLUMN_WARPS == UNITS ? 0 : column_warp / UNITS; b < Layout::BLOCKS;
             b += Shape::COLUMN_WARPS / UNITS) {
            if (b >= turn) break;
            Fragment w[WEIGHTS];
#pragma unroll
            for (int i = 0; i < WEIGHTS; ++i) {
                // After the last tile the one before it is computed again, for nothing.
                const int tile = Feed::HAS_ALL_TILES || place + i % TILES < tiles ? place + i % TILES : place;
                const int at = (i / TILES * Shape::BLOCK_TILES + tile) * Layout::BLOCKS + b;
                w[i] = load_fragment<type>(
                    stage + at * block_bytes(type), stage + Layout::SCALES_AT + at * scale_bytes(type),
                    stage + Layout::SUPER_SCALES_AT + (i / TILES * Shape::BLOCK_TILES + tile) * super_scale_bytes(type),
                    unit, lane);
            }
#pragma unroll
            for (int pair = 0; pair < GROUPS; pair += PAIR) {
                if (pair > 0 && pair >= live_groups_) break;
#pragma unroll
                for (int group = pair; group < pair + PAIR; ++group) {
                    const uint8_t* data = stage + Layout::X_AT + (group * Layout::BLOCKS + b) * PREPARED_BLOCK_BYTES;
                    uint4 x{};
                    if (feed_.has_row()) x = *reinterpret_cast<const uint4*>(data + (unit * WARP + lane) * 16);
                    float2 x_units{};
                    if constexpr (needs_units(type)) {
                        const uint8_t* all =
                            stage + Layout::UNITS_AT + (group * Layout::BLOCKS + b) * Layout::UNIT_BYTES;
                        x_units = reinterpret_cast<const float2*>(all)[unit * (ROW_GROUP / 2) + lane % 4];
                    }
#pragma unroll
                    for (int i = 0; i < WEIGHTS; ++i) add_unit(sums[i / TILES][i % TILES][group], w[i], x, x_units);
                }
            }
        }
    }

    // The sums over a unit of BF16 weights go straight into the warp's sums, the others' are scaled first. x_units:
    // what the lane's two activation rows have of the unit.
    static __device__ __forceinline__ void add_unit(float (&sums)[4], const Fragment& w, const uint4& x,
                                                    [[maybe_unused]] const float2& x_units) {
        constexpr hydra_type inputs = type == HYDRA_F16 ? HYDRA_F16 : HYDRA_BF16;
        if constexpr (type == HYDRA_BF16) {
            multiply<inputs>(sums, w.a, x.x, x.y);
            multiply<inputs>(sums, w.a, x.z, x.w);
        } else {
            float unit[4] = {};
            multiply<inputs>(unit, w.a, x.x, x.y);
            multiply<inputs>(unit, w.a, x.z, x.w);
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float x_unit = i % 2 == 0 ? x_units.x : x_units.y;
                sums[i] = fmaf(type == HYDRA_F16 ? x_unit : w.scale[i / 2], unit[i], sums[i]);
                if constexpr (has_minimum(type)) sums[i] = fmaf(w.minimum[i / 2], x_unit, sums[i]);
            }
        }
    }

    template <class Take, class After>
    __device__ __forceinline__ void hand_over(const float (&sums)[MATRICES][Shape::TILES][GROUPS][4], int tiles,
                                              [[maybe_unused]] int free_stage, Take& take, After& after) {
        const int lane = lane_index(), g = lane / 4, t = lane % 4, place = Shape::row_warp() * Shape::TILES;
        auto& shared_sums = shared_.sums(free_stage);
        if constexpr (Layout::SUMS_IN_STAGE) __syncthreads();  // all warps have multiplied it
            // Once in the code for all groups: it is long, and would take the registers that the sums need.
#pragma unroll 1
        for (int group = 0;;) {
#pragma unroll
            for (int i = 0; i < GROUPS * MATRICES * Shape::TILES * 4; ++i) {
                const int m = i / 4 / Shape::TILES % MATRICES, tile = i / 4 % Shape::TILES, element = i % 4;
                const int of_group = i / 4 / Shape::TILES / MATRICES;
                if (of_group != group) continue;
                shared_sums.at(Shape::column_warp(), m, place + tile, 2 * t + element % 2, element / 2 * 8 + g) =
                    sums[m][tile][of_group][element];
            }
            __syncthreads();
            add_warps<MATRICES, Shape>(shared_sums, group * ROW_GROUP, shared_.rows, tiles, take);
            __syncthreads();
            after(group * ROW_GROUP);
            if (++group * ROW_GROUP >= shared_.rows) break;
        }
    }

    Shared& shared_;
    int blocks_, live_groups_ = 0;
    Feed feed_;
};

// The walk of a block of threads, whatever the type.
template <hydra_type type, int MATRICES, class Shape, int GROUPS, int RESERVED, class TilesOfRow, class TakeRow,
          class WaitForRows>
__device__ __forceinline__ void walk(PipelineShared<type, MATRICES, Shape, GROUPS, RESERVED>& shared,
                                     StageBarriers& barriers, const Prepared& x, int first_row, Cursor start,
                                     TilesOfRow&& tiles_of_row, TakeRow&& take_row, WaitForRows&& wait_for_rows) {
    if constexpr (type == HYDRA_F32) {
        const int rows = wait_for_rows();
        if (rows <= 0) return;
        const Prepared own = x.from(first_row);
        const auto blocks = static_cast<int>(x.blocks);
        while (start.left > 0) {
            const int row = start.row, first = start.block, count = start.turn(blocks, blocks);
            const TileRow<MATRICES> tiles = tiles_of_row(row);
            take_row(row, [&](auto&& take, auto&& after) {
                plain_tiles<MATRICES, Shape>(tiles, first, first + count, own, rows, shared.sums, take, after);
            });
            start.advance(count, blocks);
        }
    } else {
        using Layout = StageLayout<type, MATRICES, Shape, GROUPS, RESERVED>;
        with_copies([&](auto bulk) {
            using Feed = std::conditional_t<bulk.value, BulkFeed<type, MATRICES, Shape, GROUPS, Layout>,
                                            ThreadFeed<type, MATRICES, Shape, GROUPS, Layout>>;
            Pipeline<type, MATRICES, Shape, GROUPS, RESERVED, Feed>(shared, barriers, x, first_row)
                .walk(start, tiles_of_row, take_row, wait_for_rows);
        });
    }
}

}  // namespace hydra::cuda
