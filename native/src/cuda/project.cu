// residual += weight x + bias, and out = weight x + bias.
#include "cuda/product.cuh"

namespace hydra::cuda {

namespace {

struct Store {
    const float* bias;  // or null
    float* out;
    int64_t columns;
    bool added;  // to what is there

    __device__ void operator()(int, int r, int64_t n, const float (&values)[1][2]) const {
        for (int i = 0; i < 2 && n + i < columns; ++i) {
            float* target = out + r * columns + n + i;
            const float value = bias != nullptr ? values[0][i] + bias[n + i] : values[0][i];
            *target = added ? *target + value : value;
        }
    }
};

template <class Arguments>
hydra_status multiply(Stream* stream, const char* name, const Arguments& arguments, float* out, bool added) {
    const RowSource all{arguments.rows, Taken::ALL, arguments.x, nullptr, 0, arguments.weight.columns};
    return each_wave(all, arguments.rows.max_rows, WAVE_ROWS, [&](const RowSource& source) {
        const hydra_status status = prepare_rows(stream, source, arguments.workspace, {arguments.weight.type});
        if (status != HYDRA_OK) return status;
        const Products<1> work{source, arguments.workspace, 1, {}, {{arguments.weight}}};
        return launch_products(stream, name, work, Store{arguments.bias, out, arguments.weight.rows, added});
    });
}

}  // namespace

hydra_status project(Stream* stream, const Project* arguments) {
    return multiply(stream, "project_kernel", *arguments, arguments->residual, true);
}

hydra_status linear(Stream* stream, const Linear* arguments) {
    return multiply(stream, "linear_kernel", *arguments, arguments->out, false);
}

}  // namespace hydra::cuda
