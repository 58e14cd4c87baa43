// residual += weight x + bias, and out = weight x + bias.
#include "cuda/product.cuh"

namespace hydra::cuda {

namespace {

struct AddToResidual {
    const float* bias;  // or null
    float* residual;
    int64_t columns;

    __device__ void operator()(int, int r, int64_t n, const float (&values)[1][2]) const {
        for (int i = 0; i < 2 && n + i < columns; ++i) {
            float* target = residual + r * columns + n + i;
            *target += bias != nullptr ? values[0][i] + bias[n + i] : values[0][i];
        }
    }
};

struct SetResult {
    const float* bias;  // or null
    float* out;
    int64_t columns;

    __device__ void operator()(int, int r, int64_t n, const float (&values)[1][2]) const {
        for (int i = 0; i < 2 && n + i < columns; ++i) {
            out[r * columns + n + i] = bias != nullptr ? values[0][i] + bias[n + i] : values[0][i];
        }
    }
};

// finish: what becomes of a product.
template <class Arguments, class Finish>
hydra_status multiply(Stream* stream, const char* name, const Arguments& arguments, const Finish& finish) {
    const RowSource all{arguments.rows, Taken::ALL, arguments.x, nullptr, 0, arguments.weight.columns};
    return each_wave(all, arguments.rows.max_rows, WAVE_ROWS, [&](const RowSource& source) {
        const hydra_status status = prepare_rows(stream, source, arguments.workspace, {arguments.weight.type});
        if (status != HYDRA_OK) return status;
        const Products<1> work{source, arguments.workspace, 1, {}, {{arguments.weight}}};
        return launch_products(stream, name, work, finish);
    });
}

}  // namespace

hydra_status project(Stream* stream, const Project* arguments) {
    return multiply(stream, "project_kernel", *arguments,
                    AddToResidual{arguments->bias, arguments->residual, arguments->weight.rows});
}

hydra_status linear(Stream* stream, const Linear* arguments) {
    return multiply(stream, "linear_kernel", *arguments,
                    SetResult{arguments->bias, arguments->out, arguments->weight.rows});
}

}  // namespace hydra::cuda
