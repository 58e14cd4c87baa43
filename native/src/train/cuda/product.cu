// Products of float32 matrices by the tensor cores, which multiply bf16 numbers and add float32 ones.
//
// A float32 number is the sum of three bf16 parts of 8 bits each, so that six products of parts, those of the greatest
// weight, are as exact as one of float32 (Henry, Tang, Heinecke: "Leveraging the bfloat16 Artificial Intelligence
// Datatype For Higher-Precision Computations", ARITH 2019). For products of precision BF16 there is one part: six times
// less work. Numbers are cut into parts on their way to shared memory, whatever way their matrix is stored: what is
// stored along the depth is read by ldmatrix as it is, what is stored across it transposed.
//
// A block of eight warps computes ROWS x COLUMNS sums over its part of the depth; values of the next DEPTH columns are
// on their way to registers while those before them are multiplied.
#include "cuda/mma.cuh"
#include "train/cuda/kernels.cuh"

namespace hydra::cuda::training {

namespace {

constexpr int ROWS = 128, COLUMNS = 64, DEPTH = 32;
constexpr int WARPS_DOWN = 4, WARP_TILE = 32;  // rows and columns of a warp
static_assert(ROWS == WARPS_DOWN * WARP_TILE && COLUMNS == WARPS / WARPS_DOWN * WARP_TILE);

// 16 bytes beyond a row's values put the rows that ldmatrix reads together into different banks.
constexpr int PADDING = 8;

// WIDTH rows of a side, of DEPTH values each.
template <int WIDTH, bool transposed>
struct Tile {
    static constexpr int INNER = transposed ? WIDTH : DEPTH, OUTER = transposed ? DEPTH : WIDTH;
    static constexpr int STRIDE = INNER + PADDING;
    alignas(16) uint16_t values[OUTER * STRIDE];
};

template <bool left_transposed, bool right_transposed, int parts>
struct Shared {
    Tile<ROWS, left_transposed> left[parts];
    Tile<COLUMNS, right_transposed> right[parts];
};

// One side of a product, in memory.
struct Side {
    const float* data;
    int64_t stride, count;  // count: rows that there are
    bool vectors;           // whether four values can be read at once
};

// Two values to nearest bf16, the first in the lower half.
__device__ __forceinline__ uint32_t bfloats_of(float lower, float upper) {
#ifdef __CUDACC__
    const __nv_bfloat162 pair = __floats2bfloat162_rn(lower, upper);
    return *reinterpret_cast<const uint32_t*>(&pair);
#else
    return uint32_t{float_to_bfloat(upper)} << 16 | float_to_bfloat(lower);
#endif
}

// A thread's share of a tile, four values along its rows in memory each.
template <class T>
struct Share {
    static constexpr int UNITS = T::OUTER * T::INNER / 4 / THREADS, ACROSS = T::INNER / 4;
    float4 values[UNITS];

    // From `inner` and `outer` on, below their ends.
    __device__ __forceinline__ void load(const Side& side, int64_t outer, int64_t outer_end, int64_t inner,
                                         int64_t inner_end) {
#pragma unroll
        for (int i = 0; i < UNITS; ++i) {
            const int unit = i * THREADS + static_cast<int>(threadIdx.x);
            const int64_t row = outer + unit / ACROSS, at = inner + unit % ACROSS * 4;
            const float* const from = side.data + row * side.stride + at;
            float4 value{0, 0, 0, 0};
            if (row < outer_end && side.vectors && at + 4 <= inner_end) {
                value = *reinterpret_cast<const float4*>(from);
            } else if (row < outer_end) {
                if (at < inner_end) value.x = from[0];
                if (at + 1 < inner_end) value.y = from[1];
                if (at + 2 < inner_end) value.z = from[2];
                if (at + 3 < inner_end) value.w = from[3];
            }
            values[i] = value;
        }
    }

    template <int parts>
    __device__ __forceinline__ void store(T (&tiles)[parts]) const {
#pragma unroll
        for (int i = 0; i < UNITS; ++i) {
            const int unit = i * THREADS + static_cast<int>(threadIdx.x);
            const int at = unit / ACROSS * T::STRIDE + unit % ACROSS * 4;
            float4 rest = values[i];
#pragma unroll
            for (int part = 0; part < parts; ++part) {
                const uint2 words{bfloats_of(rest.x, rest.y), bfloats_of(rest.z, rest.w)};
                *reinterpret_cast<uint2*>(tiles[part].values + at) = words;
                rest = {rest.x - float_of_pair<HYDRA_BF16>(words.x, 0), rest.y - float_of_pair<HYDRA_BF16>(words.x, 1),
                        rest.z - float_of_pair<HYDRA_BF16>(words.y, 0), rest.w - float_of_pair<HYDRA_BF16>(words.y, 1)};
            }
        }
    }
};

// Four 8 x 8 matrices of a tile: rows row and row + 8, values of the depth k and k + 8. They come in the order (row,
// k), then, of the left side, (row + 8, k), (row, k + 8), (row + 8, k + 8); of the right side (row, k + 8), (row + 8,
// k), (row + 8, k + 8).
template <bool is_left, int WIDTH, bool transposed>
__device__ __forceinline__ void load_fragments(uint32_t (&out)[4], const Tile<WIDTH, transposed>& tile, int row,
                                               int k) {
    const int lane = lane_index(), second = lane / 8 % 2 * 8, third = lane / 16 * 8;
    row += is_left ? second : third;
    k += is_left ? third : second;
    if constexpr (transposed) {
        load_transposed_matrices(out, tile.values + (k + lane % 8) * tile.STRIDE + row);
    } else {
        load_matrices(out, tile.values + (row + lane % 8) * tile.STRIDE + k);
    }
}

template <bool left_transposed, bool right_transposed, int parts>
__global__ __launch_bounds__(THREADS) void product_kernel(Product of, int64_t part_depth, bool left_vectors,
                                                          bool right_vectors) {
    begin_in_turn();
    using LeftTile = Tile<ROWS, left_transposed>;
    using RightTile = Tile<COLUMNS, right_transposed>;
    auto& shared = shared_memory<Shared<left_transposed, right_transposed, parts>>();
    const Side left{of.left.data, of.left.stride, of.rows, left_vectors};
    const Side right{of.right.data, of.right.stride, of.columns, right_vectors};
    const int64_t row = static_cast<int64_t>(blockIdx.x) * ROWS, column = static_cast<int64_t>(blockIdx.y) * COLUMNS;
    const int64_t begin = blockIdx.z * part_depth;
    const int64_t end = begin + part_depth < of.depth ? begin + part_depth : of.depth;
    Share<LeftTile> left_share;
    Share<RightTile> right_share;
    const auto load = [&](int64_t k) {
        if constexpr (left_transposed) {
            left_share.load(left, k, end, row, left.count);
        } else {
            left_share.load(left, row, left.count, k, end);
        }
        if constexpr (right_transposed) {
            right_share.load(right, k, end, column, right.count);
        } else {
            right_share.load(right, column, right.count, k, end);
        }
    };
    const int warp_row = warp_index() % WARPS_DOWN * WARP_TILE, warp_column = warp_index() / WARPS_DOWN * WARP_TILE;
    const bool has_tile = row + warp_row < of.rows && column + warp_column < of.columns;
    float sums[2][4][4] = {};  // of 16 rows and 8 columns each
    load(begin);
    for (int64_t k = begin; k < end; k += DEPTH) {
        __syncthreads();
        left_share.store(shared.left);
        right_share.store(shared.right);
        __syncthreads();
        if (k + DEPTH < end) load(k + DEPTH);
        if (!has_tile) continue;
#pragma unroll
        for (int step = 0; step < DEPTH; step += 16) {
            uint32_t b[parts][2][4];
#pragma unroll
            for (int part = 0; part < parts; ++part) {
                for (int n = 0; n < 2; ++n) {
                    load_fragments<false>(b[part][n], shared.right[part], warp_column + 16 * n, step);
                }
            }
#pragma unroll
            for (int m = 0; m < 2; ++m) {
                uint32_t a[parts][4];
#pragma unroll
                for (int part = 0; part < parts; ++part) {
                    load_fragments<true>(a[part], shared.left[part], warp_row + 16 * m, step);
                }
                // The smallest first.
#pragma unroll
                for (int both = parts - 1; both >= 0; --both) {
#pragma unroll
                    for (int part = 0; part <= both; ++part) {
#pragma unroll
                        for (int n = 0; n < 4; ++n) {
                            const uint32_t(&right_part)[4] = b[both - part][n / 2];
                            multiply<HYDRA_BF16>(sums[m][n], a[part], right_part[n % 2 * 2], right_part[n % 2 * 2 + 1]);
                        }
                    }
                }
            }
        }
    }
    const bool is_part = of.part_sums != nullptr;
    float* const out = is_part ? of.part_sums + blockIdx.z * of.rows * of.columns : of.c;
    const int64_t stride = is_part ? of.columns : of.stride;
#pragma unroll
    for (int m = 0; m < 2; ++m) {
#pragma unroll
        for (int n = 0; n < 4; ++n) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int64_t r = row + warp_row + 16 * m + lane_index() / 4 + i / 2 * 8;
                const int64_t c = column + warp_column + 8 * n + lane_index() % 4 * 2 + i % 2;
                if (r >= of.rows || c >= of.columns) continue;
                float value = sums[m][n][i];
                if (of.bias != nullptr) value += of.bias[c];
                float* const target = out + r * stride + c;
                *target = of.add && !is_part ? *target + value : value;
            }
        }
    }
}

bool has_vectors(const Operand& operand) {
    return operand.stride % 4 == 0 && reinterpret_cast<uintptr_t>(operand.data) % sizeof(float4) == 0;
}

template <bool left_transposed, bool right_transposed, int parts>
hydra_status launch_product(Stream* stream, const Product& of) {
    const dim3 grid(static_cast<unsigned>(pieces(of.rows, ROWS)), static_cast<unsigned>(pieces(of.columns, COLUMNS)),
                    static_cast<unsigned>(of.parts));
    const int64_t part_depth = pieces(pieces(of.depth, DEPTH), of.parts) * DEPTH;
    return launch(stream, "product_kernel", product_kernel<left_transposed, right_transposed, parts>, grid, THREADS,
                  sizeof(Shared<left_transposed, right_transposed, parts>), of, part_depth, has_vectors(of.left),
                  has_vectors(of.right));
}

template <int parts>
hydra_status launch_product(Stream* stream, const Product& of) {
    if (of.left.transposed) return launch_product<true, true, parts>(stream, of);
    if (of.right.transposed) return launch_product<false, true, parts>(stream, of);
    return launch_product<false, false, parts>(stream, of);
}

}  // namespace

hydra_status product(Stream* stream, Product of) {
    if (of.rows == 0) return HYDRA_OK;
    const hydra_status status =
        of.precision == HYDRA_TRAIN_BF16 ? launch_product<1>(stream, of) : launch_product<3>(stream, of);
    if (status != HYDRA_OK || of.part_sums == nullptr) return status;
    return add_parts(stream, of.rows, of.columns, of.parts, of.part_sums, of.c, of.stride, of.add);
}

}  // namespace hydra::cuda::training
