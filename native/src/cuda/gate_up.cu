// RMSNorm + gate and up products + activation.
#include "cuda/gate_up.cuh"
#include "cuda/product.cuh"

namespace hydra::cuda {

namespace {

// The same in two launches, for matrices of different types: out = activation(gate), then out = out * up.
struct ActivateOrMultiply {
    Activation activation;
    float* out;
    int64_t columns;

    __device__ float2 operator()(int part, int r, int64_t n, const float (&values)[1][2]) const {
        float stored[2] = {};
        for (int i = 0; i < 2 && n + i < columns; ++i) {
            float* target = out + r * columns + n + i;
            *target = stored[i] = part == 0 ? activation(values[0][i]) : *target * values[0][i];
        }
        return {stored[0], stored[1]};
    }
};

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
        for (int part = 0; part < 2 && status == HYDRA_OK; ++part) {
            const Products<1> work{source, x, area, 1, {part}, {{part == 0 ? gate : up}}};
            status = launch_products(stream, part == 0 ? "gate_kernel" : "up_kernel", work,
                                     ActivateOrMultiply{activation, arguments->out, gate.rows},
                                     part == 0 ? nullptr : arguments->left);
        }
        return status;
    });
}

}  // namespace hydra::cuda
