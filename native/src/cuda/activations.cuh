// Activation rows as products read them.
//
// Prepared rows lie in the workspace in one of three forms, in the fragment order of the matrix instruction: blocks
// [group of 8 rows][32 columns], and in each, for lane = 4 (row % 8) + t, the lane's eight slots of its row (units and
// the columns of slots are those of weights.cuh). Rows beyond the active ones and columns beyond the last are zero;
// groups without an active row are undefined.
//   FLOATS    float [slot / 4][lane][slot % 4]                          for F32 weights
//   BFLOATS   bf16 [unit][lane][upper, rest][slot % 4]: x = upper + rest      for BF16 weights; keeps 16 bits of x
//   HALVES    f16 [unit][lane][upper, rest][slot % 4]: scale x = upper + rest   for all others; keeps 22 bits of x
// A row's scale is the power of two that brings its largest value to 2^14 ... 2^15; what it scales is scaled back
// exactly. After the blocks: float inverse_scales [row], float sums [group][block][unit][row % 8]: of scale x.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "cuda/rows.cuh"
#include "cuda/runtime.cuh"
#include "cuda/weights.cuh"

namespace hydra::cuda {

constexpr int ROW_GROUP = 8;

// A block of a product computes up to so many rows. A pass of more is computed in waves: what lies in the workspace is
// of one wave, and its parts of 64 rows read the same weights at the same time.
constexpr int BLOCK_ROWS = 64, WAVE_ROWS = 4 * BLOCK_ROWS;

enum class Taken {
    ALL,      // the pass's rows
    PLACED,   // where they have slots
    SELECTED  // those at which a token is selected
};

// How the activation rows of an operation come about: x[rows][columns], normalised first where norm is not null. Of
// them, those of a wave: from `first` on, as far as `wave_rows` rows.
struct RowSource {
    RowsView rows;
    Taken taken;
    const float* x;
    const float* norm;
    float epsilon;
    int64_t columns;
    int32_t first = 0, wave_rows = 0;

    // Parts of BLOCK_ROWS rows.
    __host__ __device__ int parts() const { return (wave_rows + BLOCK_ROWS - 1) / BLOCK_ROWS; }
};

// Rows of the wave that are there.
__device__ __forceinline__ int product_rows(const RowSource& source) {
    const int all = source.taken == Taken::ALL      ? source.rows.active()
                    : source.taken == Taken::PLACED ? source.rows.placed()
                                                    : source.rows.active_selections();
    return max(0, min(all - source.first, source.wave_rows));
}

// Calls run(the source of a wave) for `rows` rows of an operation, `most` at a time, until one fails.
template <class Run>
hydra_status each_wave(RowSource source, int32_t rows, int32_t most, Run&& run) {
    hydra_status status = HYDRA_OK;
    for (source.first = 0; source.first < rows && status == HYDRA_OK; source.first += most) {
        source.wave_rows = std::min(most, rows - source.first);
        status = run(source);
    }
    return status;
}

enum class Form { FLOATS, BFLOATS, HALVES };
constexpr int FORMS = 3;

__host__ __device__ constexpr Form form_of(hydra_type type) {
    return type == HYDRA_F32 ? Form::FLOATS : type == HYDRA_BF16 ? Form::BFLOATS : Form::HALVES;
}

constexpr int PREPARED_BLOCK_BYTES = ROW_GROUP * BLOCK_COLUMNS * 4;

struct Prepared {
    int64_t blocks;
    uint8_t* data;  // [group][blocks][PREPARED_BLOCK_BYTES]
    float *inverse_scales, *sums;

    // FLOATS: four slots of `lane` in half 0 or 1 of a block.
    __device__ __forceinline__ float4 floats(int group, int64_t block, int half, int lane) const {
        return reinterpret_cast<const float4*>(data)[((group * blocks + block) * 2 + half) * WARP + lane];
    }
};

// The parts of BLOCK_ROWS rows of the largest wave of so many rows.
__host__ __device__ constexpr int wave_parts(int32_t rows) {
    return ((rows < WAVE_ROWS ? rows : WAVE_ROWS) + BLOCK_ROWS - 1) / BLOCK_ROWS;
}

// Bytes of one form of so many parts of BLOCK_ROWS rows of this many columns.
__host__ __device__ constexpr int64_t prepared_bytes(int parts, int64_t columns) {
    const int64_t bytes = int64_t{parts} * BLOCK_ROWS * (blocks_of(columns) * (BLOCK_COLUMNS * 4 + UNITS * 4) + 4);
    return (bytes + 255) / 256 * 256;
}

// Where a form of the wave's rows lies in the workspace, from those of part `part` on.
__host__ __device__ inline Prepared prepared_of(void* workspace, const RowSource& source, Form form, int part = 0) {
    const int64_t blocks = blocks_of(source.columns), rows = int64_t{source.parts()} * BLOCK_ROWS;
    uint8_t* data =
        static_cast<uint8_t*>(workspace) + static_cast<int>(form) * prepared_bytes(source.parts(), source.columns);
    float* scales = reinterpret_cast<float*>(data + rows * blocks * BLOCK_COLUMNS * 4);
    const int64_t before = int64_t{part} * BLOCK_ROWS;
    return {blocks, data + before * blocks * BLOCK_COLUMNS * 4, scales + before,
            scales + rows + before * blocks * UNITS};
}

// Where products whose columns are split over blocks meet (product.cuh): after the forms of the prepared rows.
constexpr int MOST_SHARES = 264;  // of a product: two for each multiprocessor of an H100
struct SplitArea {
    int32_t* counters;  // [parts][MOST_SHARES]: zero but while a product runs
    float* partials;    // [parts][MOST_SHARES][2][BLOCK_ROWS][128]
};
constexpr int64_t SPLIT_AREA_BYTES = int64_t{MOST_SHARES} * 4 * (1 + 2 * BLOCK_ROWS * 128);  // of each part

__host__ __device__ inline SplitArea split_area_of(void* workspace, const RowSource& source) {
    uint8_t* area = static_cast<uint8_t*>(workspace) + FORMS * prepared_bytes(source.parts(), source.columns);
    return {reinterpret_cast<int32_t*>(area), reinterpret_cast<float*>(area) + source.parts() * MOST_SHARES};
}

// Enqueues the preparation of a wave's rows for weights of these types.
hydra_status prepare_rows(Stream* stream, const RowSource& source, void* workspace,
                          std::initializer_list<hydra_type> types);

}  // namespace hydra::cuda
