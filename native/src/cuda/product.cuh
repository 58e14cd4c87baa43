// Matrix products: out[r][n] = sum over c of weight[n][c] x[r][c]. A block computes up to 64 activation rows r; of a
// pass with more of them, those of a wave (activations.cuh) have blocks of their own, side by side in the grid, so that
// the weights come from memory once for a wave.
//
// Floor: the bytes of the weights, read once.
// Version 1: the plain form in float32; a block of 8 warps computes a tile of 16 output rows, the warps share out the
// tile's blocks of 32 columns, and 8 activation rows are computed at a time. Kept for F32 weights.
// Version 2, for all other types: the same with the matrix instruction, weight rows on its M side, so that 64
// activation rows read the weights once. Activations are two 16-bit numbers each (activations.cuh), which nearly keeps
// float32's accuracy; quants of block types are whole numbers to the instruction, and their scales are applied to the
// sums over a block.
// Version 3: large matrices in blocks of 128 output rows, as each block reads all activations of its columns (8 KB for
// 64 rows and 32 columns, from the L2 cache), and their columns split over blocks, so that there are enough of these;
// the last block that is done adds up the splits.
// Not measured on any card yet, so the shapes below are guesses. Where tuning goes: activations of a block in shared
// memory; weights by cp.async, on sm_90 by TMA, with 32 to 64 KB in flight on each multiprocessor; the preparation of
// activations at the end of the kernel that computes them.
//
// The order of additions of one value: the blocks of 32 columns that fall to a warp one after the other, then the warps
// in order, then the splits in order. Within a block of columns it is the instruction's (F32: a lane's slots, over all
// blocks of a warp, then the four lanes of a row in pairs). All of it follows from the matrix's shape; nothing depends
// on the rows computed beside it.
#pragma once

#include <algorithm>

#include "cuda/activations.cuh"
#include "cuda/mma.cuh"

namespace hydra::cuda {

constexpr int PRODUCT_THREADS = 256, PRODUCT_WARPS = PRODUCT_THREADS / WARP;

// How the warps of a block share out its part of a matrix: ROW_WARPS with TILES tiles of 16 output rows each, times
// COLUMN_WARPS that take blocks of 32 columns in turn.
template <int TILES_OF_A_WARP, int ROW_WARPS_OF_A_BLOCK>
struct Shape {
    static constexpr int TILES = TILES_OF_A_WARP, ROW_WARPS = ROW_WARPS_OF_A_BLOCK;
    static constexpr int COLUMN_WARPS = PRODUCT_WARPS / ROW_WARPS, BLOCK_TILES = TILES * ROW_WARPS;
    static constexpr int OUTPUTS = BLOCK_TILES * TILE_ROWS;

    static __device__ __forceinline__ int row_warp() { return warp_index() % ROW_WARPS; }
    static __device__ __forceinline__ int column_warp() { return warp_index() / ROW_WARPS; }
};
using SmallShape = Shape<1, 1>;
template <int MATRICES>
using LargeShape = Shape<2 / MATRICES, 4>;
constexpr int64_t LARGE_VALUES = int64_t{1} << 22;  // weights from which the large shape is taken
constexpr int BLOCKS_WANTED = 264;                  // by splitting columns: two for each multiprocessor of an H100
constexpr int LEAST_TURNS = 4;                      // blocks of columns that a warp keeps when they are split

// The warps' sums before they are added up: float [column warp][matrix][tile][row % ROWS][output row % 16], rows a
// little apart, so that the lanes of a fragment write to different banks.
template <int MATRICES, class Shape>
struct ProductShared {
    static constexpr int ROWS = 256 / (MATRICES * Shape::BLOCK_TILES * Shape::COLUMN_WARPS), STRIDE = TILE_ROWS + 4;
    float sums[Shape::COLUMN_WARPS][MATRICES][Shape::BLOCK_TILES][ROWS][STRIDE];
    bool last;
};

// What a block computes: tiles from first_tile on, as far as the matrices have `tiles`, over blocks [begin, end) of
// their columns, for rows [0, rows).
struct Part {
    int64_t first_tile, tiles, begin, end;
    int rows;
};

// Adds up the warps' sums of rows first ... first + ROWS - 1 and hands them to take.
template <int MATRICES, class Shape, class Take>
__device__ __forceinline__ void add_warps(const ProductShared<MATRICES, Shape>& shared, int first, int rows,
                                          Take& take) {
    constexpr int PAIRS = TILE_ROWS / 2, ROWS = ProductShared<MATRICES, Shape>::ROWS;
    for (int i = static_cast<int>(threadIdx.x); i < PAIRS * ROWS * Shape::BLOCK_TILES; i += PRODUCT_THREADS) {
        const int pair = i % PAIRS, r = i / PAIRS % ROWS, tile = i / (PAIRS * ROWS);
        if (first + r >= rows) continue;
        float values[MATRICES][2] = {};
#pragma unroll
        for (int m = 0; m < MATRICES; ++m) {
#pragma unroll
            for (int w = 0; w < Shape::COLUMN_WARPS; ++w) {
                values[m][0] += shared.sums[w][m][tile][r][2 * pair];
                values[m][1] += shared.sums[w][m][tile][r][2 * pair + 1];
            }
        }
        take(first + r, tile * TILE_ROWS + 2 * pair, values);
    }
}

// F32 weights: eight rows at a time with the arithmetic of ordinary threads.
template <int MATRICES, class Shape, class Take>
__device__ __forceinline__ void plain_tiles(const MatrixView (&matrices)[MATRICES], const Part& part, const Prepared& x,
                                            ProductShared<MATRICES, Shape>& shared, Take& take) {
    const int lane = lane_index(), g = lane / 4, t = lane % 4;
    for (int first = 0; first < part.rows; first += ROW_GROUP) {
        for (int i = 0; i < Shape::TILES; ++i) {
            const int place = Shape::row_warp() * Shape::TILES + i;
            const int64_t tile = part.first_tile + place;
            if (tile >= part.tiles) break;
            float sums[MATRICES][2][ROW_GROUP] = {};
            for (int64_t b = part.begin + Shape::column_warp(); b < part.end; b += Shape::COLUMN_WARPS) {
                float w[MATRICES][2][BLOCK_SLOTS];
#pragma unroll
                for (int m = 0; m < MATRICES; ++m) load_floats(matrices[m], tile * x.blocks + b, lane, w[m]);
#pragma unroll
                for (int j = 0; j < ROW_GROUP * 2; ++j) {
                    const int r = j / 2, half = j % 2;
                    const float4 four = x.load<float4>(first / ROW_GROUP, b, half, r * 4 + t);
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
                    if (t == 0) shared.sums[Shape::column_warp()][m / 2][place][r][m % 2 * 8 + g] = sum;
                }
            }
        }
        __syncthreads();
        add_warps<MATRICES, Shape>(shared, first, min(part.rows, first + ROW_GROUP), take);
        __syncthreads();
    }
}

// The sums over a block of 32 columns of 16-bit weights go straight into the warp's sums.
template <hydra_type type>
__device__ __forceinline__ void add_block(float (&sums)[4], const Fragment<type>& w, const uint4& upper,
                                          const uint4& rest) {
    multiply<type>(sums, w.a[0], upper.x, upper.y);
    multiply<type>(sums, w.a[0], rest.x, rest.y);
    multiply<type>(sums, w.a[1], upper.z, upper.w);
    multiply<type>(sums, w.a[1], rest.z, rest.w);
}

// Those of block types are scaled first. x_sums: of the block, for the lane's two activation rows.
template <hydra_type type>
__device__ __forceinline__ void add_scaled_block(float (&sums)[4], const Fragment<type>& w, const uint4& upper,
                                                 const uint4& rest, const float2& x_sums) {
    float block[4] = {};
    multiply<HYDRA_F16>(block, w.a[0], upper.x, upper.y);
    multiply<HYDRA_F16>(block, w.a[0], rest.x, rest.y);
    multiply<HYDRA_F16>(block, w.a[1], upper.z, upper.w);
    multiply<HYDRA_F16>(block, w.a[1], rest.z, rest.w);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        sums[i] = fmaf(w.scale[i / 2], block[i], sums[i]);
        if constexpr (has_minimum(type)) sums[i] = fmaf(w.minimum[i / 2], i % 2 == 0 ? x_sums.x : x_sums.y, sums[i]);
    }
}

// The other types: GROUPS groups of eight rows with the matrix instruction.
template <hydra_type type, int MATRICES, class Shape, int GROUPS, class Take>
__device__ __forceinline__ void mma_tiles(const MatrixView (&matrices)[MATRICES], const Part& part, const Prepared& x,
                                          ProductShared<MATRICES, Shape>& shared, Take& take) {
    constexpr int TILES = Shape::TILES, WEIGHTS = MATRICES * TILES;
    constexpr int GROUPS_AT_ONCE = ProductShared<MATRICES, Shape>::ROWS / ROW_GROUP;
    [[maybe_unused]] constexpr int UNROLLED = GROUPS * WEIGHTS <= 2 ? 4 : GROUPS * WEIGHTS <= 4 ? 2 : 1;
    const int lane = lane_index(), g = lane / 4, t = lane % 4, place = Shape::row_warp() * TILES;
    float sums[MATRICES][TILES][GROUPS][4] = {};
#pragma unroll UNROLLED
    for (int64_t b = part.begin + Shape::column_warp(); b < part.end; b += Shape::COLUMN_WARPS) {
        Fragment<type> w[MATRICES][TILES];
#pragma unroll
        for (int i = 0; i < WEIGHTS; ++i) {
            // After the last tile the last one is computed again, for nothing.
            const int64_t wanted = part.first_tile + place + i % TILES;
            const int64_t tile = wanted < part.tiles ? wanted : part.tiles - 1;
            w[i / TILES][i % TILES] = load_fragment<type>(matrices[i / TILES], tile * x.blocks + b, lane);
        }
#pragma unroll
        for (int group = 0; group < GROUPS; ++group) {
            const auto upper = x.load<uint4>(group, b, 0, lane), rest = x.load<uint4>(group, b, 1, lane);
            float2 x_sums{};
            if constexpr (has_minimum(type)) {
                x_sums = reinterpret_cast<const float2*>(x.sums)[(group * x.blocks + b) * (ROW_GROUP / 2) + t];
            }
#pragma unroll
            for (int i = 0; i < WEIGHTS; ++i) {
                float(&target)[4] = sums[i / TILES][i % TILES][group];
                if constexpr (scale_bytes(type) == 0) {
                    add_block(target, w[i / TILES][i % TILES], upper, rest);
                } else {
                    add_scaled_block(target, w[i / TILES][i % TILES], upper, rest, x_sums);
                }
            }
        }
    }
#pragma unroll
    for (int first = 0; first < GROUPS; first += GROUPS_AT_ONCE) {
        if (first * ROW_GROUP >= part.rows) break;
#pragma unroll
        for (int group = first; group < GROUPS && group < first + GROUPS_AT_ONCE; ++group) {
#pragma unroll
            for (int i = 0; i < WEIGHTS * 4; ++i) {
                const int m = i / 4 / TILES, tile = i / 4 % TILES, element = i % 4;
                shared.sums[Shape::column_warp()][m][place + tile][(group - first) * ROW_GROUP + 2 * t + element % 2]
                           [element / 2 * 8 + g] = sums[m][tile][group][element];
            }
        }
        __syncthreads();
        add_warps<MATRICES, Shape>(shared, first * ROW_GROUP, part.rows, take);
        __syncthreads();
    }
}

// Computes a part. Calls take(r, n, values) once for each row r and each even n < OUTPUTS: values[m][i] belongs to
// output row 16 first_tile + n + i of matrix m, which may lie after the last, and must be multiplied by row_scale(x,
// r). All threads of the block take part; ends with a barrier.
template <hydra_type type, int MATRICES, class Shape, class Take>
__device__ __forceinline__ void compute_part(const MatrixView (&matrices)[MATRICES], const Part& part,
                                             const Prepared& x, ProductShared<MATRICES, Shape>& shared, Take&& take) {
    if constexpr (type == HYDRA_F32) {
        plain_tiles<MATRICES, Shape>(matrices, part, x, shared, take);
    } else if (part.rows <= ROW_GROUP) {
        mma_tiles<type, MATRICES, Shape, 1>(matrices, part, x, shared, take);
    } else if (part.rows <= 2 * ROW_GROUP) {
        mma_tiles<type, MATRICES, Shape, 2>(matrices, part, x, shared, take);
    } else if (part.rows <= 4 * ROW_GROUP) {
        mma_tiles<type, MATRICES, Shape, 4>(matrices, part, x, shared, take);
    } else {
        mma_tiles<type, MATRICES, Shape, 8>(matrices, part, x, shared, take);
    }
}

template <hydra_type type>
__device__ __forceinline__ float row_scale(const Prepared& x, int row) {
    return form_of(type) == Form::HALVES ? x.inverse_scales[row] : 1.0f;
}

// What one launch computes: up to three matrices (or pairs of them), whose blocks follow one another in the grid. The
// parts of the wave's rows come in turn: block i belongs to part i % parts.
template <int MATRICES>
struct Products {
    RowSource source;
    void* workspace;
    int count;
    int ids[3];  // finish is told which one a value belongs to
    MatrixView matrices[3][MATRICES];
};

__host__ __device__ constexpr int64_t blocks_of_tiles(const MatrixView& matrix, int block_tiles) {
    return (tiles_of(matrix.rows) + block_tiles - 1) / block_tiles;
}

// True in the last of the blocks that share blockIdx.x to come here; it sees what the others have written before.
__device__ __forceinline__ bool is_last_split(int32_t* counters, bool& shared_answer) {
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        int32_t* counter = counters + blockIdx.x;
        shared_answer = atomicAdd(counter, 1) == static_cast<int>(gridDim.y) - 1;
        if (shared_answer) *counter = 0;
    }
    __syncthreads();
    __threadfence();
    return shared_answer;
}

// Grid: parts of all matrices times those of the rows, splits of the columns. finish(id, r, n, values) is called once
// for each row r of the pass and even n; values[m][i] belongs to output row n + i of matrix m, which may lie after the
// last.
template <hydra_type type, int MATRICES, class Shape, class Finish>
__global__ void __launch_bounds__(PRODUCT_THREADS, 1) product_kernel(Products<MATRICES> work, Finish finish) {
    const auto row_parts = static_cast<unsigned>(work.source.parts());
    const auto row_part = static_cast<int>(blockIdx.x % row_parts), first_row = row_part * BLOCK_ROWS;
    const int rows = min(product_rows(work.source) - first_row, BLOCK_ROWS);
    if (rows <= 0) return;
    int64_t index = blockIdx.x / row_parts;
    int which = 0;
    while (which + 1 < work.count && index >= blocks_of_tiles(work.matrices[which][0], Shape::BLOCK_TILES)) {
        index -= blocks_of_tiles(work.matrices[which][0], Shape::BLOCK_TILES);
        ++which;
    }
    MatrixView matrices[MATRICES];
    for (int m = 0; m < MATRICES; ++m) matrices[m] = work.matrices[which][m];
    const int id = work.ids[which];
    const Prepared x = prepared_of(work.workspace, work.source, form_of(type), row_part);
    const int64_t first_tile = index * Shape::BLOCK_TILES;
    const Part part{first_tile, tiles_of(matrices[0].rows), x.blocks * blockIdx.y / gridDim.y,
                    x.blocks * (blockIdx.y + 1) / gridDim.y, rows};
    const auto scale_and_finish = [&](int r, int n, float(&values)[MATRICES][2]) {
        for (int m = 0; m < MATRICES; ++m) {
            values[m][0] *= row_scale<type>(x, r);
            values[m][1] *= row_scale<type>(x, r);
        }
        finish(id, work.source.first + first_row + r, first_tile * TILE_ROWS + n, values);
    };
    const SplitArea area = split_area_of(work.workspace, work.source);
    const auto partial = [&](unsigned split, int r, int m, int n) {
        const int64_t block = int64_t{split} * gridDim.x + blockIdx.x;
        return reinterpret_cast<float2*>(area.partials + ((block * BLOCK_ROWS + r) * MATRICES + m) * Shape::OUTPUTS +
                                         n);
    };
    auto& shared = shared_memory<ProductShared<MATRICES, Shape>>();
    compute_part<type, MATRICES, Shape>(matrices, part, x, shared, [&](int r, int n, float(&values)[MATRICES][2]) {
        if (gridDim.y == 1) return scale_and_finish(r, n, values);
        for (int m = 0; m < MATRICES; ++m) *partial(blockIdx.y, r, m, n) = {values[m][0], values[m][1]};
    });
    if (gridDim.y == 1) return;
    if (!is_last_split(area.counters, shared.last)) return;
    for (int i = static_cast<int>(threadIdx.x); i < rows * (Shape::OUTPUTS / 2); i += PRODUCT_THREADS) {
        const int r = i / (Shape::OUTPUTS / 2), n = i % (Shape::OUTPUTS / 2) * 2;
        float values[MATRICES][2] = {};
        for (unsigned split = 0; split < gridDim.y; ++split) {
            for (int m = 0; m < MATRICES; ++m) {
                const float2 two = __ldcg(partial(split, r, m, n));
                values[m][0] += two.x;
                values[m][1] += two.y;
            }
        }
        scale_and_finish(r, n, values);
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
        case HYDRA_Q4_K:
            return run(TypeTag<HYDRA_Q4_K>{});
        default:
            return refuse(HYDRA_INVALID_ARGUMENT, "no kernel for matrices of type %d", static_cast<int>(type));
    }
}

template <hydra_type type, int MATRICES, class Shape, class Finish>
hydra_status launch_shape(Stream* stream, const char* name, const Products<MATRICES>& work, const Finish& finish) {
    int64_t parts = 0, splits = 1;
    for (int i = 0; i < work.count; ++i) parts += blocks_of_tiles(work.matrices[i][0], Shape::BLOCK_TILES);
    if (Shape::ROW_WARPS > 1) {
        static_assert(MATRICES * Shape::OUTPUTS <= 128, "the partial sums of a block must fit its place");
        const int64_t most = blocks_of(work.source.columns) / (Shape::COLUMN_WARPS * LEAST_TURNS);
        splits = std::clamp<int64_t>((BLOCKS_WANTED + parts / 2) / parts, 1, std::max<int64_t>(most, 1));
    }
    return launch(stream, name, product_kernel<type, MATRICES, Shape, Finish>,
                  dim3(static_cast<unsigned>(parts * work.source.parts()), static_cast<unsigned>(splits)),
                  PRODUCT_THREADS, sizeof(ProductShared<MATRICES, Shape>), work, finish);
}

// Enqueues the products of matrices of one type.
template <int MATRICES, class Finish>
hydra_status launch_products(Stream* stream, const char* name, const Products<MATRICES>& work, const Finish& finish) {
    int64_t values = 0;
    for (int i = 0; i < work.count; ++i) values += MATRICES * work.matrices[i][0].rows * work.source.columns;
    return with_type(work.matrices[0][0].type, [&](auto tag) {
        constexpr hydra_type type = decltype(tag)::type;
        return values < LARGE_VALUES ? launch_shape<type, MATRICES, SmallShape>(stream, name, work, finish)
                                     : launch_shape<type, MATRICES, LargeShape<MATRICES>>(stream, name, work, finish);
    });
}

}  // namespace hydra::cuda
