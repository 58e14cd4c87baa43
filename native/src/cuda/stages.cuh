// A stage of the pipeline of products (pipeline.cuh), and the two ways to fill one.
//
// All threads copy 16 bytes each (ThreadFeed); or, on devices of 9.0 and more, a lane of each warp asks for a tile's
// weights and for a group of rows by bulk copies (BulkFeed), whose addresses are the same for the warp and so take none
// of the registers that the sums need.
#pragma once

#include "cuda/activations.cuh"
#include "cuda/bulk_copies.cuh"
#include "cuda/weights.cuh"

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

constexpr int SUMS_TILE_BYTES = (ROW_GROUP * (TILE_ROWS + 4) + 8) * 4;  // a tile's in WarpSums (pipeline.cuh)

constexpr int MOST_STAGES = 8;

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
    // Where memory is short, as the kernel has some of its own or there are many sums, those of a row of tiles lie in a
    // stage that has just been multiplied.
    static constexpr int SUMS_BYTES = Shape::COLUMN_WARPS * WEIGHTS * SUMS_TILE_BYTES;
    static constexpr bool SUMS_IN_STAGE = (RESERVED > 0 || SUMS_BYTES > 11 * 1024) && SUMS_BYTES <= BYTES;
    // With the sums all below 99 KB, the most of compute capability 8.6, and twice below 227 KB.
    static constexpr int ALL_BYTES = std::min(86 * 1024 + SUMS_BYTES, 97 * 1024) - RESERVED;
    static constexpr int STAGES = std::clamp((ALL_BYTES - (SUMS_IN_STAGE ? 0 : SUMS_BYTES)) / BYTES, 2, MOST_STAGES);
};

// Where bulk copies have filled the stages. A kernel has them apart from what it uses for other things between walks,
// as phases go on: each walk leaves all of them at a phase of parity 0.
struct alignas(16) StageBarriers {
    CopyBarrier full[MOST_STAGES];

    // By all threads, once in a kernel.
    __device__ __forceinline__ void begin() {
        if (!has_bulk_copies()) return;
        if (threadIdx.x == 0) {
            for (CopyBarrier& barrier : full) begin_phases(barrier, PRODUCT_WARPS);
            order_before_copies();
        }
        __syncthreads();
    }
};

template <class Layout>
using Stages = uint8_t[Layout::STAGES][Layout::BYTES];

template <hydra_type type, int MATRICES, class Shape, int GROUPS, class Layout>
class ThreadFeed {
  public:
    static constexpr bool HAS_ALL_TILES = false;  // those that a matrix does not have are left out

    __device__ __forceinline__ ThreadFeed(Stages<Layout>& stages, StageBarriers&, const Prepared& x, int first_block)
        : stages_(stages), x_(x), blocks_(static_cast<int>(x.blocks)), first_block_(first_block) {}

    // What is filled from now on: weights of these tiles from this block of columns on, and so many rows in groups of
    // eight.
    __device__ __forceinline__ void take_tiles(const TileRow<MATRICES>& tiles, int block) {
        tiles_ = tiles, block_ = block;
    }
    __device__ __forceinline__ void take_rows(int rows, int groups) { rows_ = rows, groups_ = groups; }

    // Whether the lane has a row of a group: of a single group, rows that are not there are neither copied nor read.
    __device__ __forceinline__ bool has_row() const { return GROUPS > 1 || lane_index() / 4 < rows_; }

    // Begins to fill a stage with the next `turn` blocks: WITH_ROWS, or with weights alone.
    template <bool WITH_ROWS>
    __device__ __forceinline__ void fill(int stage, int turn) {
        fill_weights(stages_[stage], block_, turn);
        if (WITH_ROWS) fill_rows<true>(stages_[stage], block_, turn);
        block_ += turn;
    }
    // Where there is nothing to fill it with, too.
    __device__ __forceinline__ void end_fill() const { end_copies(); }

    // The rows beside weights that have been asked for, `turn` blocks from `block` on: copied at once, or the first
    // turn would wait for the weights of all these stages.
    __device__ __forceinline__ void add_rows(int stage, int block, int turn) const {
        if (rows_ > 0) fill_rows<false>(stages_[stage], block, turn);
    }

    // Until what the stage was filled with, STAGES - 1 fills ago, is there for those that meet behind.
    __device__ __forceinline__ void wait(int) const { copies_arrived<Layout::STAGES - 2>(); }
    __device__ __forceinline__ int after(int stage) const { return stage + 1 == Layout::STAGES ? 0 : stage + 1; }

    // When all that was asked for has been waited for, in stages up to this one, or nothing of it is to be read.
    __device__ __forceinline__ void end(int) const { copies_arrived<0>(); }

    // Stages have been written to.
    __device__ __forceinline__ void after_writing() const {}

  private:
    // Copies `turn` blocks of BYTES bytes each of the first `count` of PIECES pieces, which lie `stride` chunks of
    // 16 bytes apart, the first one `begin` of them behind source; ASYNC, or at once.
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

    __device__ __forceinline__ void fill_weights(uint8_t* stage, int block, int turn) const {
        constexpr int TILES = Shape::BLOCK_TILES, BLOCKS = TILES * Layout::BLOCKS;  // of a matrix
        // Tiles that the matrix does not have are left out.
#pragma unroll
        for (int m = 0; m < MATRICES; ++m) {
            constexpr int BYTES = block_bytes(type), CHUNKS = BYTES / 16;
            fill_part<BYTES, TILES, true>(stage + m * BLOCKS * BYTES, tiles_.data[m],
                                          static_cast<unsigned>(block * CHUNKS), blocks_ * CHUNKS, tiles_.count, turn);
            if constexpr (scale_bytes(type) > 0) {
                constexpr int SCALES = scale_bytes(type), SCALE_CHUNKS = SCALES / 16;
                fill_part<SCALES, TILES, true>(stage + Layout::SCALES_AT + m * BLOCKS * SCALES, tiles_.data[m],
                                               tiles_.scales + static_cast<unsigned>(block * SCALE_CHUNKS),
                                               blocks_ * SCALE_CHUNKS, tiles_.count, turn);
            }
        }
        if constexpr (super_scale_bytes(type) > 0) {
            constexpr int CHUNKS = super_scale_bytes(type) / 16;
            static_assert(Layout::WEIGHTS * CHUNKS <= PRODUCT_THREADS);
            const auto i = static_cast<int>(threadIdx.x);
            const int place = i / CHUNKS, tile = place % TILES;
            if (place < Layout::WEIGHTS && tile < tiles_.count) {
                const auto at = tiles_.super_scales +
                                static_cast<unsigned>((tile * blocks_ + block) / SUPER_BLOCKS * CHUNKS + i % CHUNKS);
                copy_async(shared_address(stage + Layout::SUPER_SCALES_AT + i * 16),
                           (place < TILES ? tiles_.data[0] : tiles_.data[MATRICES - 1]) + uint64_t{at} * 16);
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
            fill_part<BYTES, GROUPS, ASYNC>(stage + Layout::X_AT, x_.data, at * CHUNKS, blocks_ * CHUNKS, groups_,
                                            turn);
        }
        if constexpr (UNIT_BYTES > 0) {
            fill_part<UNIT_BYTES, GROUPS, ASYNC>(stage + Layout::UNITS_AT, reinterpret_cast<const uint8_t*>(x_.units),
                                                 at * UNIT_CHUNKS, blocks_ * UNIT_CHUNKS, groups_, turn);
        }
    }

    Stages<Layout>& stages_;
    const Prepared& x_;
    TileRow<MATRICES> tiles_;
    int blocks_, first_block_, block_ = 0, groups_ = 0, rows_ = 0;  // first_block_: of the first group of rows in x_
};

// The same. Warp w asks for blocks of tile w, beyond a matrix' last tile for those of that one again, and for the same
// blocks of group w of the rows; of a single group, so that rows which are not there are not copied, for the rows of a
// unit of columns.
template <hydra_type type, int MATRICES, class Shape, int GROUPS, class Layout>
class BulkFeed {
  public:
    static constexpr bool HAS_ALL_TILES = true;

    __device__ __forceinline__ BulkFeed(Stages<Layout>& stages, StageBarriers& barriers, const Prepared& x,
                                        int first_block)
        : warp_(__shfl_sync(ALL_LANES, warp_index(), 0)),
          blocks_(static_cast<int>(x.blocks)),
          first_(static_cast<unsigned>(first_block + (BY_UNITS ? 0 : warp_ * blocks_))),
          stages_(stages),
          barriers_(barriers),
          x_(x) {
        order_before_copies();
    }

    __device__ __forceinline__ void take_tiles(const TileRow<MATRICES>& tiles, int block) {
        constexpr int TILES = Shape::BLOCK_TILES;
        static_assert(Layout::WEIGHTS <= PRODUCT_WARPS && GROUPS <= PRODUCT_WARPS);
        const auto index = static_cast<unsigned>(min(warp_ % TILES, tiles.count - 1) * blocks_);
        const auto* matrix = warp_ < TILES ? tiles.data[0] : tiles.data[MATRICES - 1];
        const unsigned begin = index * (BYTES / 16);
        data_ = matrix + uint64_t{begin} * 16;
        scales_ = tiles.scales + index * (SCALES / 16) - begin;
        super_scales_ = tiles.super_scales + index / SUPER_BLOCKS * (SUPER_SCALES / 16) - begin;
        block_ = block;
    }
    __device__ __forceinline__ void take_rows(int rows, int groups) { rows_ = BY_UNITS ? rows : groups; }
    __device__ __forceinline__ bool has_row() const { return !BY_UNITS || lane_index() / 4 < rows_; }

    template <bool WITH_ROWS>
    __device__ __forceinline__ void fill(int stage, int turn) {
        copy<true, WITH_ROWS>(stage, block_, turn);
        block_ += turn;
    }
    __device__ __forceinline__ void end_fill() const {}
    __device__ __forceinline__ void add_rows(int stage, int block, int turn) const {
        copy<false, true>(stage, block, turn);
    }

    __device__ __forceinline__ void wait(int stage) const { wait_for_phase(full(stage), parity_); }
    __device__ __forceinline__ int after(int stage) {
        if (++stage < Layout::STAGES) return stage;
        parity_ ^= 1;
        return 0;
    }

    __device__ __forceinline__ void end(int stage) const {
        const int lane = lane_index();
        __syncwarp();
        if (lane < Layout::STAGES && (lane < stage) != (parity_ != 0)) arrive_with(full(lane), 0);
    }

    __device__ __forceinline__ void after_writing() const { order_before_copies(); }

  private:
    static constexpr int BYTES = block_bytes(type), SCALES = scale_bytes(type), SUPER_SCALES = super_scale_bytes(type);
    static constexpr bool BY_UNITS = GROUPS == 1;
    static_assert(!BY_UNITS || Layout::BLOCKS * UNITS <= PRODUCT_WARPS);

    // Not kept as addresses from turn to turn: the compiler would no longer see that they are the same for the warp.
    __device__ __forceinline__ SharedAddress full(int stage) const { return shared_address(&barriers_.full[stage]); }

    // A stage's phase does not end before the rows have been asked for.
    template <bool WEIGHTS, bool ROWS>
    __device__ __forceinline__ void copy(int stage, int block, int turn) const {
        if (!is_one_lane()) return;
        // The sizes of a whole turn's copies are constants.
        if (turn == Layout::BLOCKS) {
            copy_blocks<WEIGHTS, ROWS>(stage, block, Layout::BLOCKS);
        } else {
            copy_blocks<WEIGHTS, ROWS>(stage, block, turn);
        }
    }

    template <bool WEIGHTS, bool ROWS>
    __device__ __forceinline__ void copy_blocks(int stage, int block, int turn) const {
        const SharedAddress barrier = full(stage), target = shared_address(stages_[stage]);
        const bool has_tile = WEIGHTS && (Layout::WEIGHTS == PRODUCT_WARPS || warp_ < Layout::WEIGHTS);
        const bool has_rows = ROWS && (BY_UNITS ? rows_ > 0 && warp_ / UNITS < turn : warp_ < rows_);
        const int x_bytes = BY_UNITS ? rows_ * (PREPARED_BLOCK_BYTES / UNITS / ROW_GROUP) : turn * PREPARED_BLOCK_BYTES;
        constexpr int UNIT_BYTES = Layout::UNIT_BYTES;
        const int unit_bytes = BY_UNITS ? UNIT_BYTES / UNITS : turn * UNIT_BYTES;
        const int bytes =
            (has_tile ? turn * (BYTES + SCALES) + SUPER_SCALES : 0) + (has_rows ? x_bytes + unit_bytes : 0);
        if constexpr (ROWS) {
            arrive_with(barrier, bytes);
        } else {
            expect_bytes(barrier, bytes);
        }
        const int place = warp_ * Layout::BLOCKS;
        const auto at = static_cast<unsigned>(block), row_at = first_ + at;
        const auto copy_from = [&](const uint8_t* source, int to, int bytes) {
            copy_bulk(target + to, source, bytes, barrier);
        };
        if (has_tile) {
            copy_from(data_ + uint64_t{at} * BYTES, place * BYTES, turn * BYTES);
            if constexpr (SCALES > 0) {
                copy_from(data_ + uint64_t{scales_ + at * (SCALES / 16)} * 16, Layout::SCALES_AT + place * SCALES,
                          turn * SCALES);
            }
            if constexpr (SUPER_SCALES > 0) {
                copy_from(data_ + uint64_t{super_scales_ + at / SUPER_BLOCKS * (SUPER_SCALES / 16)} * 16,
                          Layout::SUPER_SCALES_AT + warp_ * SUPER_SCALES, SUPER_SCALES);
            }
        }
        if (has_rows) {
            // Units of a block follow each other, in the stage as in x_.
            const int offset = BY_UNITS ? warp_ * (PREPARED_BLOCK_BYTES / UNITS) : 0;
            copy_from(x_.data + uint64_t{row_at} * PREPARED_BLOCK_BYTES + offset,
                      Layout::X_AT + (BY_UNITS ? offset : place * PREPARED_BLOCK_BYTES), x_bytes);
            if constexpr (UNIT_BYTES > 0) {
                const int unit_offset = BY_UNITS ? warp_ * (UNIT_BYTES / UNITS) : 0;
                copy_from(reinterpret_cast<const uint8_t*>(x_.units) + uint64_t{row_at} * UNIT_BYTES + unit_offset,
                          Layout::UNITS_AT + (BY_UNITS ? unit_offset : place * UNIT_BYTES), unit_bytes);
            }
        }
    }

    int warp_, blocks_;
    unsigned first_;  // block of the warp's rows in x_
    Stages<Layout>& stages_;
    StageBarriers& barriers_;
    const Prepared& x_;
    const uint8_t* data_ = nullptr;           // of the warp's tile
    uint32_t scales_ = 0, super_scales_ = 0;  // of it, from data_ on, 16 bytes each
    int block_ = 0;                           // the next one
    uint32_t parity_ = 0;                     // of the phases that are waited for
    int rows_ = 0;                            // or groups of them
};

}  // namespace hydra::cuda
