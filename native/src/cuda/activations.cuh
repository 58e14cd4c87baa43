// Activation rows as products read them.
//
// Prepared rows lie in the workspace in one of three forms, in the fragment order of the matrix instruction: blocks
// [group of 8 rows][32 columns], and in each, for lane = 4 (row % 8) + t, the lane's eight slots of its row (the
// columns are those of weights.cuh). Rows beyond the active ones and columns beyond the last are zero; groups without
// an active row are undefined.
//   FLOATS    float [slot / 4][lane][slot % 4]                        for F32 weights
//   BFLOATS   bf16 [upper, rest][lane][slot]: x = upper + rest          for BF16 weights; keeps 16 bits of x
//   HALVES    f16 [upper, rest][lane][slot]: scale x = upper + rest     for all others; keeps 22 bits of x
// A row's scale is the power of two that brings its largest value to 2^14 ... 2^15; what it scales is scaled back
// exactly. Behind the blocks: float inverse_scales [64], float sums [group][block][row % 8]: of scale x.
#pragma once

#include <initializer_list>

#include "cuda/rows.cuh"
#include "cuda/runtime.cuh"
#include "cuda/weights.cuh"

namespace hydra::cuda {

constexpr int ROW_GROUP = 8;

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

enum class Form { FLOATS, BFLOATS, HALVES };
constexpr int FORMS = 3;

__host__ __device__ constexpr Form form_of(hydra_type type) {
    return type == HYDRA_F32 ? Form::FLOATS : type == HYDRA_BF16 ? Form::BFLOATS : Form::HALVES;
}

struct Prepared {
    int64_t blocks;
    uint8_t* data;  // [8][blocks][1024]
    float *inverse_scales, *sums;

    // The 16 bytes of `lane` in half 0 or 1 of a block.
    template <class Sixteen>
    __device__ __forceinline__ Sixteen load(int group, int64_t block, int half, int lane) const {
        return reinterpret_cast<const Sixteen*>(data)[((group * blocks + block) * 2 + half) * WARP + lane];
    }
};

// Bytes of one form of rows of this many columns.
__host__ __device__ constexpr int64_t prepared_bytes(int64_t columns) {
    const int64_t bytes = HYDRA_MAX_ROWS * (blocks_of(columns) * (BLOCK_COLUMNS * 4 + 4) + 4);
    return (bytes + 255) / 256 * 256;
}

// Where a form lies in the workspace.
__host__ __device__ inline Prepared prepared_of(void* workspace, int64_t columns, Form form) {
    const int64_t blocks = blocks_of(columns);
    uint8_t* data = static_cast<uint8_t*>(workspace) + static_cast<int>(form) * prepared_bytes(columns);
    float* scales = reinterpret_cast<float*>(data + HYDRA_MAX_ROWS * blocks * BLOCK_COLUMNS * 4);
    return {blocks, data, scales, scales + HYDRA_MAX_ROWS};
}

// Where products whose columns are split over blocks meet (product.cuh): behind the forms of the prepared rows.
constexpr int MOST_SPLIT_BLOCKS = 512;
struct SplitArea {
    int32_t* counters;  // [MOST_SPLIT_BLOCKS]: zero but while a product runs
    float* partials;    // [MOST_SPLIT_BLOCKS][64][128]
};
constexpr int64_t SPLIT_AREA_BYTES = int64_t{MOST_SPLIT_BLOCKS} * 4 * (1 + HYDRA_MAX_ROWS * 128);

__host__ __device__ inline SplitArea split_area_of(void* workspace, int64_t columns) {
    uint8_t* area = static_cast<uint8_t*>(workspace) + FORMS * prepared_bytes(columns);
    return {reinterpret_cast<int32_t*>(area), reinterpret_cast<float*>(area) + MOST_SPLIT_BLOCKS};
}

// Enqueues the preparation of the rows for weights of these types.
hydra_status prepare_rows(Stream* stream, const RowSource& source, void* workspace,
                          std::initializer_list<hydra_type> types);

}  // namespace hydra::cuda
