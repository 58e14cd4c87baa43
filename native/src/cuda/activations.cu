// RMSNorm of activation rows and their rounding to the form that a product reads.
#include <math.h>

#include "cuda/activations.cuh"
#include "cuda/mma.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 512;

struct Warps {
    float values[THREADS / WARP];
};

// The largest magnitude among the block's threads.
__device__ float block_max(float value, float* warps) {
    value = warp_max(value);
    __syncthreads();
    if (lane_index() == 0) warps[warp_index()] = value;
    __syncthreads();
    float largest = 0;
    for (int w = 0; w < THREADS / WARP; ++w) largest = fmaxf(largest, warps[w]);
    return largest;
}

// 2^exponent, |exponent| <= 126.
__device__ float power_of_two(int exponent) { return ldexpf(1.0f, exponent); }

// The exponent by which a row is scaled: its largest value comes to 2^14 ... 2^15. None where that is zero, infinite or
// NaN.
__device__ int scale_exponent(float largest) {
    if (!(largest > 0 && largest < INFINITY)) return 0;
    const int exponent = ilogbf(largest);
    return exponent < -100 ? 114 : 14 - exponent;
}

// Four slots of a row in a unit: x = upper + rest.
template <hydra_type type>
__device__ uint4 upper_and_rest(const float (&x)[4]) {
    uint32_t words[4];
    for (int pair = 0; pair < 2; ++pair) {
        uint32_t upper[2], rest[2];
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

// A row, by its four threads of a unit's fragments: item i is slots 0 to 3 of thread i % 4 in unit i / 4. A thread of
// the block keeps the first HELD of its items in registers, so that they all come from memory in one trip.
constexpr int HELD = 3;
struct RowItems {
    const RowSource& source;
    const float* x;  // null: zeros
    float held[HELD][4], norms[HELD][4];

    __device__ void load(int item, float (&values)[4], float (&norm)[4]) const {
        const int64_t column = int64_t{item / 4} * UNIT_COLUMNS + item % 4 * 2;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int64_t c = column + i / 2 * 8 + i % 2;
            const bool real = x != nullptr && c < source.columns;
            values[i] = real ? x[c] : 0.0f;
            norm[i] = real && source.norm != nullptr ? source.norm[c] : 1.0f;
        }
    }
    // Calls use(item, values, norms) for the thread's items, and for zeros until those of its warp are done.
    template <class Use>
    __device__ void each(int items, Use&& use) {
        const int end = (items + WARP - 1) / WARP * WARP;
#pragma unroll
        for (int n = 0; n < HELD; ++n) {
            const int item = n * THREADS + static_cast<int>(threadIdx.x);
            if (item < end) use(item, held[n], norms[n]);
        }
        for (int item = HELD * THREADS + static_cast<int>(threadIdx.x); item < end; item += THREADS) {
            float values[4], norm[4];
            load(item, values, norm);
            use(item, values, norm);
        }
    }
};

// One block a row, those that only fill up the last group included. The first ones of each part also clear the counters
// of the product that follows.
__global__ void __launch_bounds__(THREADS)
    prepare_rows_kernel(RowSource source, Form form, Prepared out, int32_t* counters) {
    const int rows = product_rows(source), row = static_cast<int>(blockIdx.x);
    if (row % BLOCK_ROWS == 0) {
        int32_t* own = counters + row / BLOCK_ROWS * MOST_SHARES;
        for (int i = static_cast<int>(threadIdx.x); i < MOST_SHARES; i += THREADS) own[i] = 0;
    }
    if (row >= (rows + ROW_GROUP - 1) / ROW_GROUP * ROW_GROUP) return;
    const bool real = row < rows;
    int from = source.first + row;
    if (real && source.taken == Taken::SELECTED) from = source.rows.row_of_selection(from);
    const auto items = static_cast<int>(out.blocks) * UNITS * 4;
    RowItems all{source, real ? source.x + from * source.columns : nullptr, {}, {}};
#pragma unroll
    for (int n = 0; n < HELD; ++n) {
        const int item = n * THREADS + static_cast<int>(threadIdx.x);
        if (item < items) all.load(item, all.held[n], all.norms[n]);
    }
    float* warps = shared_memory<Warps>().values;
    float norm_scale = 1;
    if (real && source.norm != nullptr) {
        float squares = 0;
        all.each(items, [&](int, const float(&values)[4], const float(&)[4]) {
            for (float value : values) squares = fmaf(value, value, squares);
        });
        norm_scale = 1.0f / sqrtf(block_sum(squares, warps) / static_cast<float>(source.columns) + source.epsilon);
    }
    int exponent = 0;
    if (form == Form::HALVES) {
        float largest = 0;
        all.each(items, [&](int, const float(&values)[4], const float(&norm)[4]) {
            for (int i = 0; i < 4; ++i) largest = fmaxf(largest, fabsf(values[i] * norm_scale * norm[i]));
        });
        exponent = scale_exponent(block_max(largest, warps));
        if (threadIdx.x == 0) out.inverse_scales[row] = power_of_two(-exponent);
    }
    const float scale = power_of_two(exponent);
    all.each(items, [&](int item, const float(&given)[4], const float(&norm)[4]) {
        float values[4];
        for (int i = 0; i < 4; ++i) values[i] = given[i] * norm_scale * norm[i] * scale;
        const int unit = item / 4 % UNITS, lane = row % ROW_GROUP * 4 + item % 4;
        const int64_t index = row / ROW_GROUP * out.blocks + item / (4 * UNITS);
        auto* target = reinterpret_cast<uint4*>(out.data + index * PREPARED_BLOCK_BYTES) + unit * WARP + lane;
        if (item < items) {
            if (form == Form::FLOATS) {
                *reinterpret_cast<float4*>(target) = {values[0], values[1], values[2], values[3]};
            } else {
                *target =
                    form == Form::BFLOATS ? upper_and_rest<HYDRA_BF16>(values) : upper_and_rest<HYDRA_F16>(values);
            }
        }
        if (form == Form::HALVES) {
            float sum = values[0] + values[1] + values[2] + values[3];
            sum += __shfl_xor_sync(ALL_LANES, sum, 1);
            sum += __shfl_xor_sync(ALL_LANES, sum, 2);
            if (item % 4 == 0 && item < items) out.sums[(index * UNITS + unit) * ROW_GROUP + row % ROW_GROUP] = sum;
        }
    });
}

}  // namespace

int64_t product_workspace_bytes(int32_t max_rows, int64_t max_columns) {
    const int parts = wave_parts(max_rows);
    return FORMS * prepared_bytes(parts, max_columns) + parts * SPLIT_AREA_BYTES;
}

hydra_status prepare_rows(Stream* stream, const RowSource& source, void* workspace,
                          std::initializer_list<hydra_type> types) {
    bool done[FORMS] = {};
    for (hydra_type type : types) {
        const Form form = form_of(type);
        if (done[static_cast<int>(form)]) continue;
        done[static_cast<int>(form)] = true;
        const int rows = (source.wave_rows + ROW_GROUP - 1) / ROW_GROUP * ROW_GROUP;
        const hydra_status status = launch(
            stream, "prepare_rows_kernel", prepare_rows_kernel, static_cast<unsigned>(rows), THREADS, sizeof(Warps),
            source, form, prepared_of(workspace, source, form), split_area_of(workspace, source).counters);
        if (status != HYDRA_OK) return status;
    }
    return HYDRA_OK;
}

}  // namespace hydra::cuda
