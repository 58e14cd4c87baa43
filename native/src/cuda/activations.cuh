// Activation rows as products read them.
//
// Prepared rows come in one of three forms, in the fragment order of the matrix instruction: blocks [group of 8
// rows][32 columns], and in each, for lane = 4 (row % 8) + t, the lane's eight slots of its row (units and the columns
// of slots are those of weights.cuh). Columns beyond the last are zero; rows beyond the active ones are undefined.
//   FLOATS    float [slot / 4][lane][slot % 4]                          for F32 weights
//   BFLOATS   bf16 [unit][lane][upper, rest][slot % 4]: x = upper + rest      for BF16 weights and quants; 16 bits of x
//   HALVES    f16 [unit][lane][upper, rest][slot % 4]: scale x = upper + rest   for F16 weights; 22 bits of x
// After the blocks: float units [group][block][unit][row % 8]: the sum of x over the unit (BFLOATS), or 1 / scale
// (HALVES), where a unit's scale is the power of two that brings its largest value to 2^14 ... 2^15. Then the sums of
// squares.
//
// Rows that are to be normalised lie there times the norm's weights, but not divided by their root mean square: what
// needs a whole row is left to the product, which multiplies its results by 1 / rms. So whoever computes a row can
// leave it in this form, unit by unit, for the product that follows (Leaving), and nothing has to run in between. The
// squares are added in one order, whoever leaves them: the four slots of a lane, the lanes of a unit and the units of
// 128 columns in pairs, then 128 columns after 128 columns in four chains, and these in pairs.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "cuda/mma.cuh"
#include "cuda/rows.cuh"
#include "cuda/runtime.cuh"
#include "cuda/weights.cuh"

namespace hydra::cuda {

constexpr int ROW_GROUP = 8;

// A block of a product computes up to so many rows. A pass of more is computed in waves: what lies in the workspace is
// of one wave, and its parts of 64 rows read the same weights at the same time.
constexpr int BLOCK_ROWS = 64, WAVE_ROWS = 4 * BLOCK_ROWS;
static_assert(HANDOVER_ROWS == WAVE_ROWS);

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
    return type == HYDRA_F32 ? Form::FLOATS : type == HYDRA_F16 ? Form::HALVES : Form::BFLOATS;
}

constexpr int PREPARED_BLOCK_BYTES = ROW_GROUP * BLOCK_COLUMNS * 4;
constexpr int SQUARES_CHUNK = 128;  // columns of the largest part of a row whose squares come as one sum

struct Prepared {
    int64_t blocks;
    int32_t run;     // columns of a sum of squares, 16 to SQUARES_CHUNK; 0: the rows are not to be normalised
    uint8_t* data;   // [group][blocks][PREPARED_BLOCK_BYTES]
    float* units;    // [group][blocks][UNITS][ROW_GROUP]
    float* squares;  // [row][blocks * UNITS], of which a row has one for each run

    // FLOATS: four slots of `lane` in half 0 or 1 of a block.
    __device__ __forceinline__ float4 floats(int group, int64_t block, int half, int lane) const {
        return reinterpret_cast<const float4*>(data)[((group * blocks + block) * 2 + half) * WARP + lane];
    }

    // The same from row `row` on, the first of a group.
    __host__ __device__ Prepared from(int64_t row) const {
        return {blocks, run, data + row * blocks * BLOCK_COLUMNS * 4, units + row * blocks * UNITS,
                squares + row * blocks * UNITS};
    }
};

// The parts of BLOCK_ROWS rows of the largest wave of so many rows.
__host__ __device__ constexpr int wave_parts(int32_t rows) {
    return ((rows < WAVE_ROWS ? rows : WAVE_ROWS) + BLOCK_ROWS - 1) / BLOCK_ROWS;
}

// Bytes of one form of so many parts of BLOCK_ROWS rows of this many columns.
__host__ __device__ constexpr int64_t prepared_bytes(int parts, int64_t columns) {
    const int64_t bytes = int64_t{parts} * BLOCK_ROWS * blocks_of(columns) * (BLOCK_COLUMNS * 4 + 2 * UNITS * 4);
    return (bytes + 255) / 256 * 256;
}

// A form of so many parts that begins at `memory`.
inline Prepared prepared_at(void* memory, int parts, int64_t columns, int32_t run) {
    const int64_t blocks = blocks_of(columns), rows = int64_t{parts} * BLOCK_ROWS;
    auto* data = static_cast<uint8_t*>(memory);
    auto* units = reinterpret_cast<float*>(data + rows * blocks * BLOCK_COLUMNS * 4);
    return {blocks, run, data, units, units + rows * blocks * UNITS};
}

// Where products whose columns are split over blocks meet if the device has no clusters (product.cuh).
constexpr int MOST_SHARES = 256;  // of a product
struct SplitArea {
    int32_t* counters;  // [parts][MOST_SHARES]: zero but while a product runs
    float* partials;    // [parts][MOST_SHARES][2][BLOCK_ROWS][128]
};
constexpr int64_t SPLIT_AREA_BYTES = int64_t{MOST_SHARES} * 4 * 2 * BLOCK_ROWS * 128;  // of each part, but the counters
static_assert(int64_t{WAVE_ROWS / BLOCK_ROWS} * MOST_SHARES * 4 <= WORKSPACE_ZEROS);

// What the workspace of a product holds: the counters, the forms of its rows, and the partial sums.
inline void* form_in(void* workspace, const RowSource& source, int form) {
    return static_cast<uint8_t*>(workspace) + WORKSPACE_ZEROS + form * prepared_bytes(source.parts(), source.columns);
}
inline SplitArea split_area_of(void* workspace, const RowSource& source) {
    return {static_cast<int32_t*>(workspace), static_cast<float*>(form_in(workspace, source, FORMS))};
}

// The rows of a wave as the products of an operation find them, of each form that they ask for.
struct Preparation {
    Prepared forms[FORMS];
};

// Brings them about for weights of these types: nothing has to be done where they are `given`, otherwise their
// preparation is enqueued.
hydra_status prepare_rows(Stream* stream, const RowSource& source, void* workspace, const Handover* given,
                          std::initializer_list<hydra_type> types, Preparation* out);

// Where an operation leaves its rows for the one that follows, beside where it stores them.
struct Leaving {
    Prepared out;  // data is null where nothing is left
    Form form;
    const float* norm;  // or null

    __device__ __forceinline__ bool is_wanted() const { return out.data != nullptr; }
};

// Of rows of `columns` columns, whose squares will come in runs of `run` columns, or never: 0.
inline Leaving leave(Handover* left, const RowsView& rows, int64_t columns, int32_t run) {
    if (left == nullptr || (left->norm != nullptr && run == 0)) return {};
    left->is_there = true;
    left->run = left->norm != nullptr ? run : 0;
    return {prepared_at(left->memory, wave_parts(rows.max_rows), columns, left->run), form_of(left->type), left->norm};
}

// Four slots of a row in a unit: x = upper + rest.
template <hydra_type type>
__device__ __forceinline__ uint4 upper_and_rest(const float (&x)[4]) {
    uint32_t words[4];
#pragma unroll
    for (int pair = 0; pair < 2; ++pair) {
        uint32_t upper[2], rest[2];
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const float value = x[2 * pair + i];
            upper[i] = rounded_bits<type>(value);
            rest[i] = rounded_bits<type>(value - float_of_bits16<type>(static_cast<uint16_t>(upper[i])));
        }
        words[pair] = upper[1] << 16 | upper[0];
        words[2 + pair] = rest[1] << 16 | rest[0];
    }
    return {words[0], words[1], words[2], words[3]};
}

// The power of two by which a unit is scaled that has this largest value, and one by it; 1 where that is infinite or
// NaN.
__device__ __forceinline__ float2 unit_scale(float largest) {
    constexpr int BIAS = 127;
    const int exponent = static_cast<int>(__float_as_uint(largest) >> 23) - BIAS;
    const int scale = exponent > BIAS ? 0 : min(14 - exponent, 114);
    const auto power = [](int of) { return float_of_bfloat(static_cast<uint16_t>((of + BIAS) << 7)); };
    return {power(scale), power(-scale)};
}

// A row is left by items, four values each: item i is slots 0 to 3 of lane i % 4 in unit i / 4, which stand in these
// columns.
__host__ __device__ constexpr int64_t column_of(int64_t item, int slot = 0) {
    return item / 4 * UNIT_COLUMNS + item % 4 * 2 + slot / 2 * (UNIT_COLUMNS / 2) + slot % 2;
}
__host__ __device__ constexpr int64_t items_of(int64_t columns) { return blocks_of(columns) * BLOCK_COLUMNS / 4; }

// What a lane leaves of a row: an item, whose first column is given, and what stands there in x; norms are the norm's
// weights there, or ones. Items of a run of columns stand side by side in a warp. All its lanes take part; those that
// are not `real` leave nothing.
__device__ __forceinline__ void leave_slots(const Leaving& to, int row, int64_t column, bool real, const float (&x)[4],
                                            const float (&norms)[4]) {
    const int64_t unit = column / UNIT_COLUMNS;
    if (to.out.run > 0) {
        float squares = 0;
#pragma unroll
        for (float value : x) squares = fmaf(value, value, squares);
        for (int mask = 1; mask < to.out.run / 4; mask *= 2) squares += __shfl_xor_sync(ALL_LANES, squares, mask);
        if (real && column % to.out.run == 0)
            to.out.squares[row * to.out.blocks * UNITS + column / to.out.run] = squares;
    }
    float values[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) values[i] = x[i] * norms[i];
    const int64_t index = row / ROW_GROUP * to.out.blocks + unit / UNITS, place = unit % UNITS;
    const int t = static_cast<int>(column % UNIT_COLUMNS / 2);
    auto* target =
        reinterpret_cast<uint4*>(to.out.data + index * PREPARED_BLOCK_BYTES) + place * WARP + row % ROW_GROUP * 4 + t;
    float* of_unit = to.out.units + (index * UNITS + place) * ROW_GROUP + row % ROW_GROUP;
    if (to.form == Form::FLOATS) {
        if (real) *reinterpret_cast<float4*>(target) = {values[0], values[1], values[2], values[3]};
    } else if (to.form == Form::BFLOATS) {
        const uint4 pairs = upper_and_rest<HYDRA_BF16>(values);
        // Of what is kept of x: a minimum takes back what the products have too much.
        const auto kept = [](uint32_t upper, uint32_t rest, int i) {
            return float_of_pair<HYDRA_BF16>(upper, i) + float_of_pair<HYDRA_BF16>(rest, i);
        };
        float sum = kept(pairs.x, pairs.z, 0) + kept(pairs.x, pairs.z, 1);
        sum += kept(pairs.y, pairs.w, 0) + kept(pairs.y, pairs.w, 1);
        sum += __shfl_xor_sync(ALL_LANES, sum, 1);
        sum += __shfl_xor_sync(ALL_LANES, sum, 2);
        if (!real) return;
        *target = pairs;
        if (t == 0) *of_unit = sum;
    } else {
        float largest = 0;
#pragma unroll
        for (float value : values) largest = fmaxf(largest, fabsf(value));
        largest = fmaxf(largest, __shfl_xor_sync(ALL_LANES, largest, 1));
        largest = fmaxf(largest, __shfl_xor_sync(ALL_LANES, largest, 2));
        const float2 scale = unit_scale(largest);
#pragma unroll
        for (float& value : values) value *= scale.x;
        if (!real) return;
        *target = upper_and_rest<HYDRA_F16>(values);
        if (t == 0) *of_unit = scale.y;
    }
}

// The same where columns are whole units, so that the norm's weights are there for all lanes that are real.
__device__ __forceinline__ void leave_slots(const Leaving& to, int row, int64_t column, bool real,
                                            const float (&x)[4]) {
    float2 lower{1, 1}, upper{1, 1};
    if (to.norm != nullptr && real) {
        lower = *reinterpret_cast<const float2*>(to.norm + column);
        upper = *reinterpret_cast<const float2*>(to.norm + column + UNIT_COLUMNS / 2);
    }
    leave_slots(to, row, column, real, x, {lower.x, lower.y, upper.x, upper.y});
}

// 1 / rms of the rows of a part, by all threads of a block of four for each row.
__device__ __forceinline__ void find_row_scales(const Prepared& x, int rows, int64_t columns, float epsilon,
                                                float (&scales)[BLOCK_ROWS]) {
    const int row = static_cast<int>(threadIdx.x) / 4, lane = static_cast<int>(threadIdx.x) % 4;
    const int sums = static_cast<int>((columns + x.run - 1) / x.run), of_chunk = SQUARES_CHUNK / x.run;
    const float* squares = x.squares + row * x.blocks * UNITS;
    float sum = 0;
    for (int begin = lane * of_chunk; begin < sums && row < rows; begin += 4 * of_chunk) {
        float parts[8];
#pragma unroll
        for (int i = 0; i < 8; ++i) parts[i] = i < of_chunk && begin + i < sums ? squares[begin + i] : 0.0f;
        sum += ((parts[0] + parts[1]) + (parts[2] + parts[3])) + ((parts[4] + parts[5]) + (parts[6] + parts[7]));
    }
    sum += __shfl_xor_sync(ALL_LANES, sum, 1);
    sum += __shfl_xor_sync(ALL_LANES, sum, 2);
    if (lane == 0 && row < rows) scales[row] = 1.0f / sqrtf(sum / static_cast<float>(columns) + epsilon);
}

}  // namespace hydra::cuda
