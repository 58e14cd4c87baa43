// Matrix products of up to 64 activation rows: out[r][n] = sum over c of weight[n][c] x[r][c].
//
// Floor: the bytes of the weights, read once.
// Version 1: the plain form in float32; a block of 8 warps computes a tile of 16 output rows, the warps share out the
// tile's blocks of 32 columns, and 8 activation rows are computed at a time. Kept for F32 weights.
// Version 2, for all other types: the same with the matrix instruction, weight rows on its M side, so that 64
// activation rows read the weights once. Activations are two 16-bit numbers each (activations.cuh), which nearly keeps
// float32's accuracy; quants of block types are whole numbers to the instruction, and their scales are applied to the
// sums over a block.
// Not measured on any card yet. Where tuning goes: at 64 rows each block of the grid reads all activations, 8 KB from
// the L2 cache for every 2 KB of BF16 weights of two tiles; that asks for splits of the columns over blocks (merged in
// a fixed order by the last one done) with more tiles a block, activations in shared memory, and cp.async, on sm_90
// TMA, with 32 to 64 KB of weights in flight on each multiprocessor.
//
// The order of additions of one value: the blocks w, w + 8, w + 16, ... of 32 columns one after the other (w: warp),
// then the warps in order. Within a block it is the instruction's (F32: a lane's slots, over the warp's blocks, then
// the four lanes of a row in pairs). Nothing in it depends on the rows computed beside it.
#pragma once

#include "cuda/activations.cuh"
#include "cuda/mma.cuh"

namespace hydra::cuda {

constexpr int PRODUCT_THREADS = 256, PRODUCT_WARPS = PRODUCT_THREADS / WARP;
// From this many tiles on a block computes two of them at once, so that each activation is read for 32 output rows.
constexpr int64_t TILES_FOR_PAIRS = 256;

// The warps' sums before they are added up: float [warp][matrix][tile][row % ROWS][output row % 16], rows a little
// apart, so that the lanes of a fragment write to different banks.
template <int MATRICES, int TILES>
struct ProductShared {
    static constexpr int ROWS = 32 / (MATRICES * TILES), STRIDE = TILE_ROWS + 4;
    float sums[PRODUCT_WARPS][MATRICES][TILES][ROWS][STRIDE];
};

// Adds up the warps' sums of rows first ... first + ROWS - 1 and hands them to finish.
template <int MATRICES, int TILES, class Finish>
__device__ __forceinline__ void add_warps(const ProductShared<MATRICES, TILES>& shared, int64_t tile, int first,
                                          int rows, const float* scales, Finish& finish) {
    constexpr int PAIRS = TILE_ROWS / 2, ROWS = ProductShared<MATRICES, TILES>::ROWS;
    const int pair = static_cast<int>(threadIdx.x) % PAIRS, r = static_cast<int>(threadIdx.x) / PAIRS % ROWS;
    const int t = static_cast<int>(threadIdx.x) / (PAIRS * ROWS);
    if (t >= TILES || first + r >= rows) return;
    float values[MATRICES][2] = {};
#pragma unroll
    for (int m = 0; m < MATRICES; ++m) {
#pragma unroll
        for (int w = 0; w < PRODUCT_WARPS; ++w) {
            values[m][0] += shared.sums[w][m][t][r][2 * pair];
            values[m][1] += shared.sums[w][m][t][r][2 * pair + 1];
        }
        if (scales != nullptr) {
            values[m][0] *= scales[first + r];
            values[m][1] *= scales[first + r];
        }
    }
    finish(first + r, (tile + t) * TILE_ROWS + 2 * pair, values);
}

// F32 weights: eight rows at a time with the arithmetic of ordinary threads.
template <int MATRICES, int TILES, class Finish>
__device__ __forceinline__ void plain_tiles(const MatrixView (&matrices)[MATRICES], int64_t first_tile, int64_t tiles,
                                            const Prepared& x, int rows, ProductShared<MATRICES, TILES>& shared,
                                            Finish& finish) {
    const int lane = lane_index(), g = lane / 4, t = lane % 4;
    for (int first = 0; first < rows; first += ROW_GROUP) {
        for (int tile = 0; tile < TILES && first_tile + tile < tiles; ++tile) {
            float sums[MATRICES][2][ROW_GROUP] = {};
            for (int64_t b = warp_index(); b < x.blocks; b += PRODUCT_WARPS) {
                float w[MATRICES][2][BLOCK_SLOTS];
#pragma unroll
                for (int m = 0; m < MATRICES; ++m) {
                    load_floats(matrices[m], (first_tile + tile) * x.blocks + b, lane, w[m]);
                }
#pragma unroll
                for (int i = 0; i < ROW_GROUP * 2; ++i) {
                    const int r = i / 2, half = i % 2;
                    const float4 four = x.load<float4>(first / ROW_GROUP, b, half, r * 4 + t);
#pragma unroll
                    for (int j = 0; j < MATRICES * 2; ++j) {
                        const float* weights = w[j / 2][j % 2] + half * 4;
                        float& sum = sums[j / 2][j % 2][r];
                        sum = fmaf(weights[0], four.x, sum);
                        sum = fmaf(weights[1], four.y, sum);
                        sum = fmaf(weights[2], four.z, sum);
                        sum = fmaf(weights[3], four.w, sum);
                    }
                }
            }
#pragma unroll
            for (int j = 0; j < MATRICES * 2; ++j) {
#pragma unroll
                for (int r = 0; r < ROW_GROUP; ++r) {
                    float sum = sums[j / 2][j % 2][r];
                    sum += __shfl_xor_sync(ALL_LANES, sum, 1);
                    sum += __shfl_xor_sync(ALL_LANES, sum, 2);
                    if (t == 0) shared.sums[warp_index()][j / 2][tile][r][j % 2 * 8 + g] = sum;
                }
            }
        }
        __syncthreads();
        add_warps<MATRICES, TILES>(shared, first_tile, first, min(rows, first + ROW_GROUP), nullptr, finish);
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
        if constexpr (type == HYDRA_Q4_1) sums[i] = fmaf(w.minimum[i / 2], i % 2 == 0 ? x_sums.x : x_sums.y, sums[i]);
    }
}

// The other types: GROUPS groups of eight rows with the matrix instruction.
template <hydra_type type, int MATRICES, int TILES, int GROUPS, class Finish>
__device__ __forceinline__ void mma_tiles(const MatrixView (&matrices)[MATRICES], int64_t first_tile, int64_t tiles,
                                          const Prepared& x, int rows, ProductShared<MATRICES, TILES>& shared,
                                          Finish& finish) {
    constexpr int WEIGHTS = MATRICES * TILES, GROUPS_AT_ONCE = ProductShared<MATRICES, TILES>::ROWS / ROW_GROUP;
    [[maybe_unused]] constexpr int UNROLLED = GROUPS * WEIGHTS <= 2 ? 4 : GROUPS * WEIGHTS <= 8 ? 2 : 1;
    const int lane = lane_index(), warp = warp_index(), g = lane / 4, t = lane % 4;
    float sums[MATRICES][TILES][GROUPS][4] = {};
#pragma unroll UNROLLED
    for (int64_t b = warp; b < x.blocks; b += PRODUCT_WARPS) {
        Fragment<type> w[MATRICES][TILES];
#pragma unroll
        for (int i = 0; i < WEIGHTS; ++i) {
            // Behind the last tile the last one is computed again, for nothing.
            const int64_t tile = first_tile + i % TILES < tiles ? first_tile + i % TILES : tiles - 1;
            w[i / TILES][i % TILES] = load_fragment<type>(matrices[i / TILES], tile * x.blocks + b, lane);
        }
#pragma unroll
        for (int group = 0; group < GROUPS; ++group) {
            const auto upper = x.load<uint4>(group, b, 0, lane), rest = x.load<uint4>(group, b, 1, lane);
            float2 x_sums{};
            if constexpr (type == HYDRA_Q4_1) {
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
        if (first * ROW_GROUP >= rows) break;
#pragma unroll
        for (int group = first; group < GROUPS && group < first + GROUPS_AT_ONCE; ++group) {
#pragma unroll
            for (int i = 0; i < WEIGHTS * 4; ++i) {
                const int m = i / 4 / TILES, tile = i / 4 % TILES, element = i % 4;
                shared.sums[warp][m][tile][(group - first) * ROW_GROUP + 2 * t + element % 2][element / 2 * 8 + g] =
                    sums[m][tile][group][element];
            }
        }
        __syncthreads();
        add_warps<MATRICES, TILES>(shared, first_tile, first * ROW_GROUP, rows,
                                   form_of(type) == Form::HALVES ? x.inverse_scales : nullptr, finish);
        __syncthreads();
    }
}

// Computes tiles first_tile ... first_tile + TILES - 1, as far as they exist, of each matrix (all of the same shape)
// for rows [0, rows). Calls finish(r, n, values) once for each row r and each even n of a tile: values[m][i] belongs to
// output row n + i of matrix m, which may lie behind the last. All threads of the block take part; ends with a barrier.
template <hydra_type type, int MATRICES, int TILES, class Finish>
__device__ __forceinline__ void product_tiles(const MatrixView (&matrices)[MATRICES], int64_t first_tile,
                                              void* workspace, int rows, ProductShared<MATRICES, TILES>& shared,
                                              Finish&& finish) {
    const Prepared x = prepared_of(workspace, matrices[0].columns, form_of(type));
    const int64_t tiles = tiles_of(matrices[0].rows);
    if constexpr (type == HYDRA_F32) {
        plain_tiles<MATRICES, TILES>(matrices, first_tile, tiles, x, rows, shared, finish);
    } else if (rows <= ROW_GROUP) {
        mma_tiles<type, MATRICES, TILES, 1>(matrices, first_tile, tiles, x, rows, shared, finish);
    } else if (rows <= 2 * ROW_GROUP) {
        mma_tiles<type, MATRICES, TILES, 2>(matrices, first_tile, tiles, x, rows, shared, finish);
    } else if (rows <= 4 * ROW_GROUP) {
        mma_tiles<type, MATRICES, TILES, 4>(matrices, first_tile, tiles, x, rows, shared, finish);
    } else {
        mma_tiles<type, MATRICES, TILES, 8>(matrices, first_tile, tiles, x, rows, shared, finish);
    }
}

// What one launch computes: up to three parts, whose tiles follow one another in the grid.
template <int MATRICES>
struct ProductParts {
    RowSource source;
    void* workspace;
    int parts;
    int ids[3];  // finish is told which part a value belongs to
    MatrixView matrices[3][MATRICES];
};

__host__ __device__ constexpr int64_t groups_of_tiles(const MatrixView& matrix, int tiles) {
    return (tiles_of(matrix.rows) + tiles - 1) / tiles;
}

// finish(part, r, n, values) as in product_tiles.
template <hydra_type type, int MATRICES, int TILES, class Finish>
__global__ void __launch_bounds__(PRODUCT_THREADS) product_kernel(ProductParts<MATRICES> work, Finish finish) {
    const int rows = product_rows(work.source);
    if (rows == 0) return;
    int64_t group = blockIdx.x;
    int part = 0;
    while (part + 1 < work.parts && group >= groups_of_tiles(work.matrices[part][0], TILES)) {
        group -= groups_of_tiles(work.matrices[part][0], TILES);
        ++part;
    }
    MatrixView matrices[MATRICES];
    for (int m = 0; m < MATRICES; ++m) matrices[m] = work.matrices[part][m];
    product_tiles<type, MATRICES, TILES>(
        matrices, group * TILES, work.workspace, rows, shared_memory<ProductShared<MATRICES, TILES>>(),
        [&](int r, int64_t n, const float(&values)[MATRICES][2]) { finish(work.ids[part], r, n, values); });
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
        default:
            return refuse(HYDRA_INVALID_ARGUMENT, "no kernel for matrices of type %d", static_cast<int>(type));
    }
}

template <hydra_type type, int MATRICES, int TILES, class Finish>
hydra_status launch_tiles(Stream* stream, const char* name, const ProductParts<MATRICES>& work, const Finish& finish) {
    int64_t groups = 0;
    for (int part = 0; part < work.parts; ++part) groups += groups_of_tiles(work.matrices[part][0], TILES);
    return launch(stream, name, product_kernel<type, MATRICES, TILES, Finish>, static_cast<unsigned>(groups),
                  PRODUCT_THREADS, sizeof(ProductShared<MATRICES, TILES>), work, finish);
}

// Enqueues the products of parts of one type.
template <int MATRICES, class Finish>
hydra_status launch_products(Stream* stream, const char* name, const ProductParts<MATRICES>& work,
                             const Finish& finish) {
    int64_t tiles = 0;
    for (int part = 0; part < work.parts; ++part) tiles += tiles_of(work.matrices[part][0].rows);
    return with_type(work.matrices[0][0].type, [&](auto tag) {
        constexpr hydra_type type = decltype(tag)::type;
        return tiles < TILES_FOR_PAIRS ? launch_tiles<type, MATRICES, 1>(stream, name, work, finish)
                                       : launch_tiles<type, MATRICES, 2>(stream, name, work, finish);
    });
}

}  // namespace hydra::cuda
