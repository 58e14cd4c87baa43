// out = weight x + bias + residual.
#include "cuda/product.cuh"

namespace hydra::cuda {

namespace {

struct Store {
    const float *bias, *residual;  // or null; residual may be out
    float* out;
    int64_t columns;

    __device__ float2 operator()(int, int r, int64_t n, const float (&values)[1][2]) const {
        float stored[2] = {};
        for (int i = 0; i < 2 && n + i < columns; ++i) {
            const int64_t at = r * columns + n + i;
            const float value = bias != nullptr ? values[0][i] + bias[n + i] : values[0][i];
            out[at] = stored[i] = residual != nullptr ? residual[at] + value : value;
        }
        return {stored[0], stored[1]};
    }
};

}  // namespace

hydra_status linear(Stream* stream, const Linear* arguments) {
    const MatrixView& weight = arguments->weight;
    const RowSource all{arguments->rows, Taken::ALL, arguments->x, nullptr, 0, weight.columns};
    return each_wave(all, arguments->rows.max_rows, WAVE_ROWS, [&](const RowSource& source) {
        Products<1> work{source, {}, split_area_of(arguments->workspace, source), 1, {}, {{weight}}};
        const hydra_status status =
            prepare_rows(stream, source, arguments->workspace, arguments->given, {weight.type}, &work.x);
        if (status != HYDRA_OK) return status;
        return launch_products(stream, "linear_kernel", work,
                               Store{arguments->bias, arguments->residual, arguments->out, weight.rows},
                               arguments->left);
    });
}

}  // namespace hydra::cuda
