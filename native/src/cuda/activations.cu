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

template <hydra_type type>
__device__ void put_pair(uint8_t* block, int lane, int slot, float value) {
    auto* upper = reinterpret_cast<uint16_t*>(block) + lane * BLOCK_SLOTS + slot;
    *upper = rounded_bits<type>(value);
    upper[WARP * BLOCK_SLOTS] = rounded_bits<type>(value - float_of_bits16<type>(*upper));
}

// One block a row, those that only fill up the last group included; a warp takes a block of 32 columns at a time. The
// first ones of each part also clear the counters of the product that follows.
__global__ void __launch_bounds__(THREADS)
    prepare_rows_kernel(RowSource source, Form form, Prepared out, int32_t* counters) {
    const int rows = product_rows(source), row = static_cast<int>(blockIdx.x);
    if (row % BLOCK_ROWS == 0) {
        int32_t* own = counters + row / BLOCK_ROWS * MOST_SPLIT_BLOCKS;
        for (int i = static_cast<int>(threadIdx.x); i < MOST_SPLIT_BLOCKS; i += THREADS) own[i] = 0;
    }
    if (row >= (rows + ROW_GROUP - 1) / ROW_GROUP * ROW_GROUP) return;
    const bool real = row < rows;
    int from = source.first + row;
    if (real && source.taken == Taken::SELECTED) from = source.rows.row_of_selection(from);
    const float* x = source.x + from * source.columns;
    float* warps = shared_memory<Warps>().values;
    float norm_scale = 1;
    if (real && source.norm != nullptr) norm_scale = rms_scale(x, source.columns, source.epsilon, warps);
    const auto value_at = [&](int64_t c) {
        if (!real || c >= source.columns) return 0.0f;
        return source.norm != nullptr ? x[c] * norm_scale * source.norm[c] : x[c];
    };
    int exponent = 0;
    if (form == Form::HALVES) {
        float largest = 0;
        for (int64_t c = threadIdx.x; c < source.columns; c += THREADS) largest = fmaxf(largest, fabsf(value_at(c)));
        exponent = scale_exponent(block_max(largest, warps));
        if (threadIdx.x == 0) out.inverse_scales[row] = power_of_two(-exponent);
    }
    const float scale = power_of_two(exponent);
    const int place = lane_index(), slot = slot_of(place), lane = row % ROW_GROUP * 4 + thread_of(place);
    for (int64_t b = warp_index(); b < out.blocks; b += THREADS / WARP) {
        const float value = value_at(b * BLOCK_COLUMNS + place);
        const int64_t index = row / ROW_GROUP * out.blocks + b;
        uint8_t* block = out.data + index * (WARP * BLOCK_SLOTS * 4);
        if (form == Form::FLOATS) {
            reinterpret_cast<float*>(block)[(slot / 4 * WARP + lane) * 4 + slot % 4] = value;
        } else if (form == Form::BFLOATS) {
            put_pair<HYDRA_BF16>(block, lane, slot, value);
        } else {
            put_pair<HYDRA_F16>(block, lane, slot, value * scale);
            const float sum = warp_sum(value * scale);
            if (place == 0) out.sums[index * ROW_GROUP + row % ROW_GROUP] = sum;
        }
    }
}

}  // namespace

int64_t product_workspace_bytes(int32_t max_rows, int64_t max_columns) {
    const int parts = (std::min(max_rows, WAVE_ROWS) + BLOCK_ROWS - 1) / BLOCK_ROWS;
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
