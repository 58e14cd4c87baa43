// Matrix products of up to 64 activation rows: out[r][n] = sum over c of weight[n][c] x[r][c].
//
// Floor: the bytes of the weights, read once. Version 1, here: the plain form. A block of 8 warps computes a tile of 16
// output rows; the warps share out the tile's blocks of 32 columns, and each lane multiplies its slots (weights.cuh)
// with 8 activation rows at a time in float32. Weights come in 16-byte loads; beyond 8 activation rows they are read
// again, from the caches. Where tuning goes next: mma.m16n8k16 on the same layout, so that 64 rows cost what 8 do;
// then several tiles a block and asynchronous copies with 32 to 64 KB in flight on each multiprocessor; then TMA.
//
// The order of additions of one value: a lane's slots of blocks w, w + 8, w + 16, ... one after the other (w: warp),
// then the four lanes of a row in pairs, then the warps in order. Nothing in it depends on the rows computed beside it.
#pragma once

#include "cuda/rows.cuh"
#include "cuda/runtime.cuh"
#include "cuda/weights.cuh"

namespace hydra::cuda {

constexpr int PRODUCT_THREADS = 256, PRODUCT_WARPS = PRODUCT_THREADS / WARP;
constexpr int ROW_GROUP = 8;  // activation rows that are computed together
constexpr int ROW_GROUPS = HYDRA_MAX_ROWS / ROW_GROUP;

// How the activation rows of an operation come about: x[64][columns], normalised first where norm is not null. With
// last_row_only the last row alone, as row 0.
struct RowSource {
    RowsView rows;
    bool last_row_only;
    const float* x;
    const float* norm;
    float epsilon;
    int64_t columns;
};

__device__ __forceinline__ int product_rows(const RowSource& source) {
    const int active = active_rows(source.rows);
    return source.last_row_only && active > 1 ? 1 : active;
}

// Prepared activations: float [group of 8 rows][block][slot / 4][4 (row % 8) + column's lane % 4][slot % 4], rows
// beyond the active ones and columns beyond the last zero, groups without active rows undefined.
__host__ __device__ constexpr int64_t prepared_floats(int64_t columns) {
    return HYDRA_MAX_ROWS * blocks_of(columns) * BLOCK_COLUMNS;
}

// The address of the four floats of a lane's slots 4 half ... 4 half + 3.
__device__ __forceinline__ const float4* prepared_slots(const float* prepared, int64_t blocks, int group, int64_t block,
                                                        int half, int lane) {
    return reinterpret_cast<const float4*>(prepared) + ((group * blocks + block) * 2 + half) * WARP + lane;
}

// Enqueues the preparation of the activations into the workspace.
hydra_status prepare_rows(Stream* stream, const RowSource& source, void* workspace);

// Memory that a block needs beside what its operation keeps.
template <int MATRICES>
struct ProductShared {
    float partial[PRODUCT_WARPS][MATRICES][ROW_GROUP][TILE_ROWS];
};

// Computes tile `tile` of each matrix (all of the same shape) for rows [0, rows). Calls finish(r, n, values) once for
// each row r and each even n of the tile: values[m][i] belongs to output row n + i < rows of matrix m, rounded up to
// the tile. The same thread calls for the same (r, n % 16) each time. All threads of the block take part.
template <hydra_type type, int MATRICES, class Finish>
__device__ __forceinline__ void product_tile(const MatrixView (&matrices)[MATRICES], int64_t tile,
                                             const float* prepared, int rows, ProductShared<MATRICES>& shared,
                                             Finish&& finish) {
    const int lane = lane_index(), warp = warp_index(), g = lane / 4, t = lane % 4;
    const int64_t blocks = blocks_of(matrices[0].columns);
    const uint8_t* scales[MATRICES];
#pragma unroll
    for (int m = 0; m < MATRICES; ++m) {
        scales[m] = matrices[m].data + tiles_of(matrices[m].rows) * blocks * block_bytes(type);
    }
    for (int group = 0; group * ROW_GROUP < rows; ++group) {
        float sums[MATRICES][2][ROW_GROUP] = {};
        for (int64_t b = warp; b < blocks; b += PRODUCT_WARPS) {
            float w[MATRICES][2][BLOCK_SLOTS];
#pragma unroll
            for (int m = 0; m < MATRICES; ++m) {
                load_block<type>(matrices[m].data, scales[m], tile * blocks + b, lane, w[m]);
            }
#pragma unroll
            for (int r = 0; r < ROW_GROUP; ++r) {
#pragma unroll
                for (int half = 0; half < 2; ++half) {
                    const float4 x = *prepared_slots(prepared, blocks, group, b, half, r * 4 + t);
#pragma unroll
                    for (int m = 0; m < MATRICES; ++m) {
#pragma unroll
                        for (int i = 0; i < 2; ++i) {
                            const float* four = w[m][i] + half * 4;
                            float sum = sums[m][i][r];
                            sum = fmaf(four[0], x.x, sum);
                            sum = fmaf(four[1], x.y, sum);
                            sum = fmaf(four[2], x.z, sum);
                            sums[m][i][r] = fmaf(four[3], x.w, sum);
                        }
                    }
                }
            }
        }
#pragma unroll
        for (int m = 0; m < MATRICES; ++m) {
#pragma unroll
            for (int i = 0; i < 2; ++i) {
#pragma unroll
                for (int r = 0; r < ROW_GROUP; ++r) {
                    float sum = sums[m][i][r];
                    sum += __shfl_xor_sync(ALL_LANES, sum, 1);
                    sum += __shfl_xor_sync(ALL_LANES, sum, 2);
                    if (t == 0) shared.partial[warp][m][r][i * 8 + g] = sum;
                }
            }
        }
        __syncthreads();
        const int r = static_cast<int>(threadIdx.x) / (TILE_ROWS / 2), row = group * ROW_GROUP + r;
        if (r < ROW_GROUP && row < rows) {
            const int n = static_cast<int>(threadIdx.x) % (TILE_ROWS / 2) * 2;
            float values[MATRICES][2] = {};
#pragma unroll
            for (int m = 0; m < MATRICES; ++m) {
                for (int w = 0; w < PRODUCT_WARPS; ++w) {
                    values[m][0] += shared.partial[w][m][r][n];
                    values[m][1] += shared.partial[w][m][r][n + 1];
                }
            }
            finish(row, tile * TILE_ROWS + n, values);
        }
        __syncthreads();
    }
}

// What one launch computes: up to three parts, whose tiles follow one another in the grid.
template <int MATRICES>
struct ProductParts {
    RowSource source;
    const float* prepared;
    int parts;
    int ids[3];  // finish is told which part a value belongs to
    MatrixView matrices[3][MATRICES];
};

// finish(part, r, n, values) as in product_tile.
template <hydra_type type, int MATRICES, class Finish>
__global__ void __launch_bounds__(PRODUCT_THREADS) product_kernel(ProductParts<MATRICES> work, Finish finish) {
    const int rows = product_rows(work.source);
    if (rows == 0) return;
    int64_t tile = blockIdx.x;
    int part = 0;
    while (part + 1 < work.parts && tile >= tiles_of(work.matrices[part][0].rows)) {
        tile -= tiles_of(work.matrices[part][0].rows);
        ++part;
    }
    MatrixView matrices[MATRICES];
    for (int m = 0; m < MATRICES; ++m) matrices[m] = work.matrices[part][m];
    product_tile<type, MATRICES>(
        matrices, tile, work.prepared, rows, shared_memory<ProductShared<MATRICES>>(),
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

// Enqueues the products of one type's parts.
template <int MATRICES, class Finish>
hydra_status launch_products(Stream* stream, const char* name, const ProductParts<MATRICES>& work,
                             const Finish& finish) {
    int64_t tiles = 0;
    for (int part = 0; part < work.parts; ++part) tiles += tiles_of(work.matrices[part][0].rows);
    return with_type(work.matrices[0][0].type, [&](auto tag) {
        return launch(stream, name, product_kernel<decltype(tag)::type, MATRICES, Finish>, static_cast<unsigned>(tiles),
                      PRODUCT_THREADS, sizeof(ProductShared<MATRICES>), work, finish);
    });
}

}  // namespace hydra::cuda
