// RMSNorm + gate and up products + activation.
#include "cuda/gate_up.cuh"
#include "cuda/linear.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

// out = activation(out). Grid: rows, runs of THREADS columns.
__global__ void __launch_bounds__(THREADS)
    activate_kernel(RowSource source, Activation activation, float* out, int64_t columns) {
    begin_in_turn();
    const int row = static_cast<int>(blockIdx.x);
    const int64_t n = int64_t{blockIdx.y} * THREADS + threadIdx.x;
    if (row >= product_rows(source) || n >= columns) return;
    float& value = out[(source.first + row) * columns + n];
    value = activation(value);
}

}  // namespace

hydra_status gate_up(Stream* stream, const GateUp* arguments) {
    const MatrixView &gate = arguments->gate, &up = arguments->up;
    const Activation activation{arguments->activation == HYDRA_GELU};
    const RowSource all{arguments->rows, Taken::ALL, arguments->x, arguments->norm, arguments->epsilon, gate.columns};
    return each_wave(all, arguments->rows.max_rows, WAVE_ROWS, [&](const RowSource& source) {
        Preparation x;
        hydra_status status =
            prepare_rows(stream, source, arguments->workspace, arguments->given, {gate.type, up.type}, &x);
        if (status != HYDRA_OK) return status;
        const SplitArea area = split_area_of(arguments->workspace, source);
        if (gate.type == up.type) {
            const Products<2> work{source, x, area, 1, {}, {{gate, up}}};
            return launch_products(stream, "gate_up_kernel", work,
                                   ActivateAndMultiply{activation, arguments->out, gate.rows}, arguments->left);
        }
        // Of different types, which is seldom: with the kernels of linear, and one between them.
        float* out = arguments->out;
        status = launch_linear(stream, "gate_kernel", {source, x, area, 1, {}, {{gate}}},
                               {nullptr, nullptr, out, gate.rows});
        if (status != HYDRA_OK) return status;
        const auto runs = static_cast<unsigned>((gate.rows + THREADS - 1) / THREADS);
        status = launch(stream, "activate_kernel", activate_kernel, dim3(static_cast<unsigned>(source.wave_rows), runs),
                        THREADS, 0, source, activation, out, gate.rows);
        if (status != HYDRA_OK) return status;
        return launch_linear(stream, "up_kernel", {source, x, area, 1, {}, {{up}}}, {nullptr, out, out, up.rows, true},
                             arguments->left);
    });
}

}  // namespace hydra::cuda
