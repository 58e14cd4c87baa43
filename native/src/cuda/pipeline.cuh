// The stream of weights and activations through shared memory that all products share.
//
// A block of threads walks through blocks of 32 columns of a few tiles (16 output rows each) side by side, and on to
// the next tiles without a pause. What a turn needs lies in a stage: of each tile the weights of a few blocks of
// columns, with their scales, and of the activation rows the same columns, once for all warps. The copies of a stage
// are issued STAGES - 1 turns ahead, before the arithmetic of the turn at hand. Weights of the first stages are asked
// for before the kernels before this one have ended, rows as soon as they have.
#pragma once

#include "cuda/activations.cuh"
#include "cuda/mma.cuh"

namespace hydra::cuda {

constexpr int PRODUCT_THREADS = 256, PRODUCT_WARPS = PRODUCT_THREADS / WARP;

// How the warps of a block share out its part of a matrix: ROW_WARPS with TILES tiles of 16 output rows each, times
// COLUMN_WARPS that take units of 16 columns in turn.
template <int TILES_OF_A_WARP, int ROW_WARPS_OF_A_BLOCK>
struct Shape {
    static constexpr int TILES = TILES_OF_A_WARP, ROW_WARPS = ROW_WARPS_OF_A_BLOCK;
    static constexpr int COLUMN_WARPS = PRODUCT_WARPS / ROW_WARPS, BLOCK_TILES = TILES * ROW_WARPS;
    static constexpr int OUTPUTS = BLOCK_TILES * TILE_ROWS;
    static constexpr int ROW_LANES = OUTPUTS / 4;  // that take a row's outputs, four each

    static __device__ __forceinline__ int row_warp() { return warp_index() % ROW_WARPS; }
    static __device__ __forceinline__ int column_warp() { return warp_index() / ROW_WARPS; }
};

// Tiles side by side: `count` of each matrix.
template <int MATRICES>
struct TileRow {
    int count;
    const uint8_t* data[MATRICES];  // of the first one
    // Where scales and those of super-blocks begin, 16 bytes each from data on: that fits one register for matrices of
    // any size, and is the same for matrices of one shape.
    uint32_t scales, super_scales;

    // Makes it begin at tile `first` of `matrix`, as the m-th one.
    template <hydra_type type>
    __device__ __forceinline__ void set(int m, const MatrixView& matrix, int64_t first) {
        const int64_t index = first * blocks_of(matrix.columns);
        data[m] = matrix.data + index * block_bytes(type);
        if (m > 0) return;
        scales = static_cast<uint32_t>((scales_at(matrix, type, index, 0) - data[0]) / 16);
        super_scales = static_cast<uint32_t>((super_scales_at(matrix, type, index, 0) - data[0]) / 16);
    }
};

// Where a walk stands: at block `block` of the columns of its row `row` of tiles, with `left` blocks to come.
struct Cursor {
    int row, block, left;

    // Blocks of the next turn, of which there are `most` in a stage; a turn does not go beyond a row's end.
    __device__ __forceinline__ int turn(int blocks, int most) const {
        return most == 1 ? 1 : min(most, min(blocks - block, left));
    }
    // True where that turn ends the row, or the walk.
    __device__ __forceinline__ bool advance(int turn, int blocks) {
        block += turn;
        left -= turn;
        const bool ends = block == blocks;
        if (ends) block = 0, ++row;
        return ends || left == 0;
    }
};

// Whether what rows have of their units (activations.cuh) goes into products with weights of this type.
__host__ __device__ constexpr bool needs_units(hydra_type type) {
    return has_minimum(type) || form_of(type) == Form::HALVES;
}

constexpr int SUMS_TILE_BYTES = (ROW_GROUP * (TILE_ROWS + 4) + 8) * 4;  // a tile's in WarpSums

// The layout of a stage, and how many there are beside RESERVED bytes of shared memory of the kernel's own. Blocks of
// columns in a stage: as many as let four stages or more fit, but a unit for each column warp.
template <hydra_type type, int MATRICES, class Shape, int GROUPS, int RESERVED = 0>
struct StageLayout {
    static constexpr int WEIGHTS = MATRICES * Shape::BLOCK_TILES;
    static constexpr int UNIT_BYTES = needs_units(type) ? UNITS * ROW_GROUP * 4 : 0;
    static constexpr int bytes(int blocks) {
        return WEIGHTS * (blocks * (block_bytes(type) + scale_bytes(type)) + super_scale_bytes(type)) +
               GROUPS * blocks * (PREPARED_BLOCK_BYTES + UNIT_BYTES);
    }
    static constexpr int MOST_BYTES = (GROUPS == 1 ? 20 : 17) * 1024;
    static constexpr int FITTING = bytes(4) <= MOST_BYTES ? 4 : bytes(2) <= MOST_BYTES ? 2 : 1;
    static constexpr int BLOCKS = std::max(Shape::COLUMN_WARPS / UNITS, FITTING), BYTES = bytes(BLOCKS);
    static constexpr int SCALES_AT = WEIGHTS * BLOCKS * block_bytes(type);
    static constexpr int SUPER_SCALES_AT = SCALES_AT + WEIGHTS * BLOCKS * scale_bytes(type);
    static constexpr int X_AT = SUPER_SCALES_AT + WEIGHTS * super_scale_bytes(type);
    static constexpr int UNITS_AT = X_AT + GROUPS * BLOCKS * PREPARED_BLOCK_BYTES;
    // Where the kernel has memory of its own, the sums of a row of tiles lie in a stage that has just been multiplied.
    static constexpr int SUMS_BYTES = Shape::COLUMN_WARPS * WEIGHTS * SUMS_TILE_BYTES;
    static constexpr bool SUMS_IN_STAGE = RESERVED > 0 && SUMS_BYTES <= BYTES;
    // All below 99 KB, the most of compute capability 8.6, and twice below 227 KB.
    static constexpr int STAGES = std::clamp((86 * 1024 + (SUMS_IN_STAGE ? SUMS_BYTES : 0) - RESERVED) / BYTES, 2, 8);
};

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
template <hydra_type type, int MATRICES, class Shape, int GROUPS, int RESERVED>
class Pipeline {
  public:
    using Shared = PipelineShared<type, MATRICES, Shape, GROUPS, RESERVED>;

    // x: of the wave, of which the block has the rows from `first_row` on.
    __device__ __forceinline__ Pipeline(Shared& shared, const Prepared& x, int first_row)
        : shared_(shared), x_(x), blocks_(static_cast<int>(x.blocks)), first_block_(first_row / ROW_GROUP * blocks_) {}

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
        Cursor ahead = start;
        TileRow<MATRICES> tiles_ahead = tiles_of_row(ahead.row);
        int tiles = tiles_ahead.count;
        const auto fill_next = [&](int stage, bool with_rows, auto&& end) {
            if (ahead.left > 0) {
                const int turn = ahead.turn(blocks_, Layout::BLOCKS);
                fill_weights(shared_.stages[stage], tiles_ahead, ahead.block, turn);
                if (with_rows) fill_rows<true>(shared_.stages[stage], ahead.block, turn);
                ahead.advance(turn, blocks_);
                if (ahead.left > 0 && ahead.block == 0) {
                    // Found anew at a row's end: kept, the row would take a register that the sums need.
                    tiles_ahead = tiles_of_row(
                        static_cast<int>((end() - static_cast<unsigned>(ahead.left)) / static_cast<unsigned>(blocks_)));
                }
            }
            end_copies();
        };
        const auto end = static_cast<unsigned>(start.row * blocks_ + start.block + start.left);
        for (int stage = 0; stage < Layout::STAGES - 1; ++stage) fill_next(stage, false, [&] { return end; });
        const int rows = wait_for_rows();
        if (rows <= 0) return copies_arrived<0>();
        if (threadIdx.x == 0) {
            shared_.rows = rows;
            shared_.row = start.row;
            shared_.end = end;
        }
        live_groups_ = min(GROUPS, (rows + PAIR_ROWS - 1) / PAIR_ROWS * PAIR);
        live_rows_ = rows;
        // Copied at once: the first turn would wait for the weights of all these stages, which were asked for before.
        Cursor first = start;
        for (int stage = 0; stage < Layout::STAGES - 1 && first.left > 0; ++stage) {
            const int turn = first.turn(blocks_, Layout::BLOCKS);
            fill_rows<false>(shared_.stages[stage], first.block, turn);
            first.advance(turn, blocks_);
        }
        float sums[MATRICES][Shape::TILES][GROUPS][4] = {};
        int stage = 0, until = min(blocks_ - start.block, start.left);  // of the row, what is to come
        while (until > 0) {
            // What this stage was filled with has arrived, and all warps are done with the one before it.
            copies_arrived<Layout::STAGES - 2>();
            __syncthreads();
            fill_next(stage == 0 ? Layout::STAGES - 1 : stage - 1, true, [&] { return shared_.end; });
            const int turn = Layout::BLOCKS == 1 ? 1 : min(Layout::BLOCKS, until);
            multiply_stage(shared_.stages[stage], tiles, turn, sums);
            const int multiplied = stage;
            stage = stage + 1 == Layout::STAGES ? 0 : stage + 1;
            until -= turn;
            if (until > 0) continue;
            const int row = shared_.row;
            until = min(blocks_, static_cast<int>(shared_.end - static_cast<unsigned>((row + 1) * blocks_)));
            // At the end all stages are free, and the first ones are the taker's.
            const int free_stage = until > 0 ? multiplied : Layout::STAGES - 1;
            take_row(row, [&](auto&& take, auto&& after) { hand_over(sums, tiles, free_stage, take, after); });
            if (threadIdx.x == 0) shared_.row = row + 1;
            if (until > 0) tiles = tiles_of_row(row + 1).count;
#pragma unroll
            for (int i = 0; i < MATRICES * Shape::TILES * GROUPS * 4; ++i) (&sums[0][0][0][0])[i] = 0;
        }
        copies_arrived<0>();
    }

  private:
    using Layout = StageLayout<type, MATRICES, Shape, GROUPS, RESERVED>;

    // Whether the lane has a row of a group: of a single group, rows that are not there are neither copied nor read.
    __device__ __forceinline__ bool has_row() const { return GROUPS > 1 || lane_index() / 4 < live_rows_; }

    // Groups are skipped by pairs, so that the loads of one hide behind the arithmetic of the other.
    static constexpr int PAIR = GROUPS == 1 ? 1 : 2, PAIR_ROWS = PAIR * ROW_GROUP;

    // Copies `turn` blocks of BYTES bytes each of the first `count` of PIECES pieces, which lie `stride` chunks of
    // 16 bytes apart, the first one `begin` of them behind source;
    // ASYNC, or at once.
    template <int BYTES, int PIECES, bool ASYNC>
    static __device__ __forceinline__ void fill_part(uint8_t* target, const uint8_t* source, unsigned begin, int stride,
                                                     int count, int turn) {
        constexpr int CHUNKS = BYTES / 16, PIECE = Layout::BLOCKS * CHUNKS, ALL = PIECES * PIECE;
        const auto thread = static_cast<int>(threadIdx.x);
        target += thread * 16;
        const SharedAddress address = shared_address(target);
        const auto copy = [&](int offset, const uint8_t* from) {
            if constexpr (ASYNC) {
                copy_async(address + offset, from);
            } else {
                *reinterpret_cast<uint4*>(target + offset) = __ldcg(reinterpret_cast<const uint4*>(from));
            }
        };
        if constexpr (PRODUCT_THREADS % PIECE == 0) {
            // A thread's chunks are the same ones of pieces STEP apart: one address leads to all.
            constexpr int STEP = PRODUCT_THREADS / PIECE;
            const int first = thread / PIECE, chunk = thread % PIECE;
            if (Layout::BLOCKS > 1 && chunk / CHUNKS >= turn) return;
            source += uint64_t{begin + static_cast<unsigned>(first * stride + chunk)} * 16;
#pragma unroll
            for (int k = 0; k < (PIECES + STEP - 1) / STEP; ++k) {
                if (first + k * STEP < count) copy(k * PRODUCT_THREADS * 16, source + k * STEP * stride * 16);
            }
        } else {
#pragma unroll
            for (int done = 0; done < ALL; done += PRODUCT_THREADS) {
                const int i = done + thread, piece = i / PIECE, chunk = i % PIECE;
                if (ALL - done < PRODUCT_THREADS && i >= ALL) break;
                if (piece >= count || (Layout::BLOCKS > 1 && chunk / CHUNKS >= turn)) continue;
                copy(done * 16, source + uint64_t{begin + static_cast<unsigned>(piece * stride + chunk)} * 16);
            }
        }
    }

    __device__ __forceinline__ void fill_weights(uint8_t* stage, const TileRow<MATRICES>& tiles, int block,
                                                 int turn) const {
        constexpr int TILES = Shape::BLOCK_TILES, BLOCKS = TILES * Layout::BLOCKS;  // of a matrix
        // Tiles that the matrix does not have are left out.
#pragma unroll
        for (int m = 0; m < MATRICES; ++m) {
            constexpr int BYTES = block_bytes(type), CHUNKS = BYTES / 16;
            fill_part<BYTES, TILES, true>(stage + m * BLOCKS * BYTES, tiles.data[m],
                                          static_cast<unsigned>(block * CHUNKS), blocks_ * CHUNKS, tiles.count, turn);
            if constexpr (scale_bytes(type) > 0) {
                constexpr int SCALES = scale_bytes(type), SCALE_CHUNKS = SCALES / 16;
                fill_part<SCALES, TILES, true>(stage + Layout::SCALES_AT + m * BLOCKS * SCALES, tiles.data[m],
                                               tiles.scales + static_cast<unsigned>(block * SCALE_CHUNKS),
                                               blocks_ * SCALE_CHUNKS, tiles.count, turn);
            }
        }
        if constexpr (super_scale_bytes(type) > 0) {
            constexpr int CHUNKS = super_scale_bytes(type) / 16;
            static_assert(Layout::WEIGHTS * CHUNKS <= PRODUCT_THREADS);
            const auto i = static_cast<int>(threadIdx.x);
            const int place = i / CHUNKS, tile = place % TILES;
            if (place < Layout::WEIGHTS && tile < tiles.count) {
                const auto at = tiles.super_scales +
                                static_cast<unsigned>((tile * blocks_ + block) / SUPER_BLOCKS * CHUNKS + i % CHUNKS);
                copy_async(shared_address(stage + Layout::SUPER_SCALES_AT + i * 16),
                           (place < TILES ? tiles.data[0] : tiles.data[MATRICES - 1]) + uint64_t{at} * 16);
            }
        }
    }

    template <bool ASYNC>
    __device__ __forceinline__ void fill_rows(uint8_t* stage, int block, int turn) const {
        constexpr int BYTES = PREPARED_BLOCK_BYTES, CHUNKS = BYTES / 16;
        constexpr int UNIT_BYTES = Layout::UNIT_BYTES, UNIT_CHUNKS = UNIT_BYTES / 16;
        const auto at = static_cast<unsigned>(first_block_ + block);
        static_assert(GROUPS > 1 || PRODUCT_THREADS % (Layout::BLOCKS * CHUNKS) == 0, "a lane copies of one row");
        if (has_row()) {
            fill_part<BYTES, GROUPS, ASYNC>(stage + Layout::X_AT, x_.data, at * CHUNKS, blocks_ * CHUNKS, live_groups_,
                                            turn);
        }
        if constexpr (UNIT_BYTES > 0) {
            fill_part<UNIT_BYTES, GROUPS, ASYNC>(stage + Layout::UNITS_AT, reinterpret_cast<const uint8_t*>(x_.units),
                                                 at * UNIT_CHUNKS, blocks_ * UNIT_CHUNKS, live_groups_, turn);
        }
    }

    __device__ __forceinline__ void multiply_stage(const uint8_t* stage, int tiles, int turn,
                                                   float (&sums)[MATRICES][Shape::TILES][GROUPS][4]) const {
        constexpr int TILES = Shape::TILES, WEIGHTS = MATRICES * TILES;
        const int lane = lane_index(), column_warp = Shape::column_warp(), unit = column_warp % UNITS;
        const int place = Shape::row_warp() * TILES;
        if (place >= tiles) return;
#pragma unroll
        for (int b = column_warp / UNITS; b < Layout::BLOCKS; b += Shape::COLUMN_WARPS / UNITS) {
            if (b >= turn) break;
            Fragment w[WEIGHTS];
#pragma unroll
            for (int i = 0; i < WEIGHTS; ++i) {
                // After the last tile the one before it is computed again, for nothing.
                const int tile = place + i % TILES < tiles ? place + i % TILES : place;
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
                    if (has_row()) x = *reinterpret_cast<const uint4*>(data + (unit * WARP + lane) * 16);
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
    const Prepared& x_;
    int blocks_, first_block_, live_groups_ = 0;  // first_block_: of the block's first group of rows in x_
    int live_rows_ = 0;
};

// The walk of a block of threads, whatever the type.
template <hydra_type type, int MATRICES, class Shape, int GROUPS, int RESERVED, class TilesOfRow, class TakeRow,
          class WaitForRows>
__device__ __forceinline__ void walk(PipelineShared<type, MATRICES, Shape, GROUPS, RESERVED>& shared, const Prepared& x,
                                     int first_row, Cursor start, TilesOfRow&& tiles_of_row, TakeRow&& take_row,
                                     WaitForRows&& wait_for_rows) {
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
        Pipeline<type, MATRICES, Shape, GROUPS, RESERVED>(shared, x, first_row)
            .walk(start, tiles_of_row, take_row, wait_for_rows);
    }
}

}  // namespace hydra::cuda
