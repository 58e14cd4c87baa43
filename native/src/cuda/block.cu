// A residual block of a draft head: skip(x) + silu(linear(x)).
#include "cuda/product.cuh"

namespace hydra::cuda {

namespace {

struct Residual {
    RowsView rows;
    int32_t group;
    const float *x, *linear_bias, *skip_bias;  // biases may be null
    float* out;
    int64_t columns;

    // Row r's first value in out.
    __device__ int64_t target(int r) const { return (int64_t{group} * rows.active() + r) * columns; }

    __device__ float linear(float value, int64_t n) const {
        return silu(linear_bias != nullptr ? value + linear_bias[n] : value);
    }
    __device__ float skip(float value, int64_t n) const { return skip_bias != nullptr ? value + skip_bias[n] : value; }
};

struct AddSkip : Residual {
    __device__ float2 operator()(int, int r, int64_t n, const float (&values)[2][2]) const {
        float stored[2] = {};
        for (int i = 0; i < 2 && n + i < columns; ++i) {
            out[target(r) + n + i] = stored[i] = skip(values[1][i], n + i) + linear(values[0][i], n + i);
        }
        return {stored[0], stored[1]};
    }
};

constexpr int WITH_X = 0, LINEAR = 1, SKIP = 2;

// Without skip, and, in two launches, where linear and skip have different types.
struct AddOne : Residual {
    __device__ float2 operator()(int part, int r, int64_t n, const float (&values)[1][2]) const {
        float stored[2] = {};
        for (int i = 0; i < 2 && n + i < columns; ++i) {
            const int64_t at = target(r) + n + i;
            if (part == SKIP) {
                stored[i] = skip(values[0][i], n + i) + out[at];
            } else {
                const float gained = linear(values[0][i], n + i);
                stored[i] = part == WITH_X ? x[r * columns + n + i] + gained : gained;
            }
            out[at] = stored[i];
        }
        return {stored[0], stored[1]};
    }
};

}  // namespace

hydra_status block(Stream* stream, const Block* arguments) {
    const MatrixView &linear = arguments->linear, &skip = arguments->skip;
    const RowSource all{arguments->rows, Taken::ALL, arguments->x, nullptr, 0, linear.columns};
    const hydra_type skip_type = skip.data != nullptr ? skip.type : linear.type;
    const Residual residual{arguments->rows,      arguments->group, arguments->x, arguments->linear_bias,
                            arguments->skip_bias, arguments->out,   linear.rows};
    return each_wave(all, arguments->rows.max_rows, WAVE_ROWS, [&](const RowSource& source) {
        Preparation x;
        hydra_status status =
            prepare_rows(stream, source, arguments->workspace, arguments->given, {linear.type, skip_type}, &x);
        if (status != HYDRA_OK) return status;
        const SplitArea area = split_area_of(arguments->workspace, source);
        if (skip.data != nullptr && skip.type == linear.type) {
            const Products<2> work{source, x, area, 1, {}, {{linear, skip}}};
            return launch_products(stream, "block_kernel", work, AddSkip{residual}, arguments->left);
        }
        const bool alone = skip.data == nullptr;
        const Products<1> work{source, x, area, 1, {alone ? WITH_X : LINEAR}, {{linear}}};
        status =
            launch_products(stream, "block_linear_kernel", work, AddOne{residual}, alone ? arguments->left : nullptr);
        if (alone || status != HYDRA_OK) return status;
        const Products<1> second{source, x, area, 1, {SKIP}, {{skip}}};
        return launch_products(stream, "block_skip_kernel", second, AddOne{residual}, arguments->left);
    });
}

}  // namespace hydra::cuda
