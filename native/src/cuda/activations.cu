// Activation rows in the form that a product reads, where nobody has left them so.
//
// A thread takes four columns of a row, which come in one trip to memory, and stores 16 bytes; nothing waits for the
// rest of the row. Version 1 had a block for each row that went through it three times, at a trip for 32 columns each.
#include <math.h>

#include "cuda/activations.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

// Grid: rows, runs of 4 THREADS columns.
__global__ void __launch_bounds__(THREADS) prepare_rows_kernel(RowSource source, Leaving to) {
    begin_in_turn();
    const int row = static_cast<int>(blockIdx.x);
    if (row >= product_rows(source)) return;
    int from = source.first + row;
    if (source.taken == Taken::SELECTED) from = source.rows.row_of_selection(from);
    const float* x = source.x + from * source.columns;
    const int64_t item = int64_t{blockIdx.y} * THREADS + threadIdx.x;
    float values[4], norms[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const int64_t c = column_of(item, i);
        values[i] = c < source.columns ? x[c] : 0.0f;
        norms[i] = c < source.columns && source.norm != nullptr ? source.norm[c] : 1.0f;
    }
    leave_slots(to, row, column_of(item), item < items_of(source.columns), values, norms);
}

}  // namespace

int64_t product_workspace_bytes(const Device& device, int32_t max_rows, int64_t max_columns) {
    const int parts = wave_parts(max_rows);
    return WORKSPACE_ZEROS + FORMS * prepared_bytes(parts, max_columns) +
           (device.has_clusters ? 0 : parts * SPLIT_AREA_BYTES);
}

int64_t handover_bytes(int32_t max_rows, int64_t max_columns) {
    return prepared_bytes(wave_parts(max_rows), max_columns);
}

hydra_status prepare_rows(Stream* stream, const RowSource& source, void* workspace, const Handover* given,
                          std::initializer_list<hydra_type> types, Preparation* out) {
    if (given != nullptr && given->is_there) {
        out->forms[static_cast<int>(form_of(given->type))] =
            prepared_at(given->memory, source.parts(), source.columns, given->run);
        return HYDRA_OK;
    }
    bool done[FORMS] = {};
    for (hydra_type type : types) {
        const Form form = form_of(type);
        const int index = static_cast<int>(form);
        if (done[index]) continue;
        done[index] = true;
        const Prepared rows = prepared_at(form_in(workspace, source, index), source.parts(), source.columns,
                                          source.norm != nullptr ? SQUARES_CHUNK : 0);
        out->forms[index] = rows;
        const auto runs = static_cast<unsigned>((items_of(source.columns) + THREADS - 1) / THREADS);
        const hydra_status status = launch(stream, "prepare_rows_kernel", prepare_rows_kernel,
                                           dim3(static_cast<unsigned>(source.wave_rows), runs), THREADS, 0, source,
                                           Leaving{rows, form, source.norm});
        if (status != HYDRA_OK) return status;
    }
    return HYDRA_OK;
}

}  // namespace hydra::cuda
