// What works on elements, and on rows of a table.
#include "program/noise.h"
#include "train/cuda/kernels.cuh"

namespace hydra::cuda::training {

namespace {

struct Fill {
    float value;
    float* x;
    __device__ void operator()(int64_t i) const { x[i] = value; }
};

struct Add {
    float scale;
    const float* x;
    float* y;
    __device__ void operator()(int64_t i) const { y[i] = fmaf(scale, x[i], y[i]); }
};

struct CopyColumns {
    int64_t columns;
    bool add;
    Columns<const float> source;
    Columns<float> target;
    __device__ void operator()(int64_t i) const {
        const int64_t row = i / columns, column = i % columns;
        const float value = source.data[row * source.width + source.column + column];
        float* const to = target.data + row * target.width + target.column + column;
        *to = add ? *to + value : value;
    }
};

struct Gather {
    int64_t columns;
    const float* table;
    const int32_t* ids;
    Columns<float> target;
    __device__ void operator()(int64_t i) const {
        const int64_t row = i / columns, column = i % columns;
        const int32_t id = ids[row];
        target.data[row * target.width + target.column + column] = id < 0 ? 0 : table[id * columns + column];
    }
};

struct ScatterAdd {
    int64_t columns;
    Columns<const float> source;
    Meetings meetings;
    float* table;
    __device__ void operator()(int64_t i) const {
        const int64_t meeting = i / columns, column = i % columns;
        float* const target = table + meetings.targets[meeting] * columns + column;
        float sum = *target;
        for (int32_t j = meetings.starts[meeting]; j < meetings.starts[meeting + 1]; ++j) {
            sum += source.data[meetings.order[j] * source.width + source.column + column];
        }
        *target = sum;
    }
};

// Random numbers in [0, 1] of elements, those that the processor's kernels take: elements 64 r + 16 w + l have word w
// of counter 16 r + l. A call is of a counter, and gives apply(element, random).
constexpr int64_t RUN = 64, LANES = 16;

int64_t counters(int64_t count) { return pieces(count, RUN) * LANES; }

template <class Apply>
struct EachRandom {
    int64_t count;
    Draw draw;
    Apply apply;
    __device__ void operator()(int64_t counter) const {
        const auto seed = draw.seed;
        scalar::U32 words[4] = {
            {static_cast<uint32_t>(counter)}, {static_cast<uint32_t>(counter >> 32)}, {draw.step}, {draw.site}};
        philox(static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32), words);
        for (int w = 0; w < 4; ++w) {
            const int64_t i = counter / LANES * RUN + w * LANES + counter % LANES;
            if (i < count) apply(i, scalar::nearest(words[w]).v * 0x1p-32f);
        }
    }
};

struct Dropout {
    float probability, scale;
    const float* x;
    float* y;
    __device__ void operator()(int64_t i, float random) const { y[i] = random < probability ? 0 * x[i] : scale * x[i]; }
};

struct Noise {
    float scale;
    const float* x;
    float* y;
    __device__ void operator()(int64_t i, float random) const { y[i] = fmaf(scale, fmaf(random, 2.0f, -1.0f), x[i]); }
};

struct Silu {
    const float* x;
    float* y;
    __device__ void operator()(int64_t i) const { y[i] = x[i] * sigmoid(x[i]); }
};

struct SiluGradient {
    const float *x, *gy;
    float* gx;
    __device__ void operator()(int64_t i) const { gx[i] = gy[i] * silu_slope(x[i], sigmoid(x[i])); }
};

struct Swiglu {
    const float *gate, *up;
    float* y;
    __device__ void operator()(int64_t i) const { y[i] = gate[i] * sigmoid(gate[i]) * up[i]; }
};

struct SwigluGradient {
    const float *gate, *up, *gy;
    float *g_gate, *g_up;
    __device__ void operator()(int64_t i) const {
        const float value = gate[i], other = up[i], gradient = gy[i], s = sigmoid(value);
        g_gate[i] = gradient * other * silu_slope(value, s);
        g_up[i] = gradient * (value * s);
    }
};

struct Residual {
    const float *x, *a;
    float* y;
    __device__ void operator()(int64_t i) const { y[i] = fmaf(a[i], sigmoid(a[i]), x[i]); }
};

struct AddParts {
    int64_t columns, stride, count;
    int32_t parts;
    const float* sums;
    float* out;
    bool add;
    __device__ void operator()(int64_t i) const {
        float* const target = out + i / columns * stride + i % columns;
        float sum = sums[i];
        for (int32_t part = 1; part < parts; ++part) sum += sums[part * count + i];
        *target = add ? *target + sum : sum;
    }
};

}  // namespace

hydra_status fill(Stream* stream, int64_t count, float value, float* x) {
    return each(stream, "fill_kernel", count, Fill{value, x});
}

hydra_status add(Stream* stream, int64_t count, float scale, const float* x, float* y) {
    return each(stream, "add_kernel", count, Add{scale, x, y});
}

hydra_status copy_columns(Stream* stream, int64_t rows, int64_t columns, bool add, Columns<const float> source,
                          Columns<float> target) {
    return each(stream, "copy_columns_kernel", rows * columns, CopyColumns{columns, add, source, target});
}

hydra_status gather(Stream* stream, int64_t rows, int64_t columns, const float* table, const int32_t* ids,
                    Columns<float> target) {
    return each(stream, "gather_kernel", rows * columns, Gather{columns, table, ids, target});
}

hydra_status scatter_add(Stream* stream, int64_t columns, Columns<const float> source, Meetings meetings,
                         float* table) {
    return each(stream, "scatter_add_kernel", meetings.count * columns, ScatterAdd{columns, source, meetings, table});
}

hydra_status dropout(Stream* stream, int64_t count, float probability, Draw draw, const float* x, float* y) {
    return each(stream, "dropout_kernel", counters(count),
                EachRandom<Dropout>{count, draw, {probability, 1 / (1 - probability), x, y}});
}

hydra_status noise(Stream* stream, int64_t count, float scale, Draw draw, const float* x, float* y) {
    return each(stream, "noise_kernel", counters(count), EachRandom<Noise>{count, draw, {scale, x, y}});
}

hydra_status silu_forward(Stream* stream, int64_t count, const float* x, float* y) {
    return each(stream, "silu_kernel", count, Silu{x, y});
}

hydra_status silu_backward(Stream* stream, int64_t count, const float* x, const float* gy, float* gx) {
    return each(stream, "silu_gradient_kernel", count, SiluGradient{x, gy, gx});
}

hydra_status swiglu_forward(Stream* stream, int64_t count, const float* gate, const float* up, float* y) {
    return each(stream, "swiglu_kernel", count, Swiglu{gate, up, y});
}

hydra_status swiglu_backward(Stream* stream, int64_t count, const float* gate, const float* up, const float* gy,
                             float* g_gate, float* g_up) {
    return each(stream, "swiglu_gradient_kernel", count, SwigluGradient{gate, up, gy, g_gate, g_up});
}

hydra_status residual(Stream* stream, int64_t count, const float* x, const float* a, float* y) {
    return each(stream, "residual_kernel", count, Residual{x, a, y});
}

hydra_status add_parts(Stream* stream, int64_t rows, int64_t columns, int32_t parts, const float* sums, float* out,
                       int64_t stride, bool add) {
    return each(stream, "add_parts_kernel", rows * columns,
                AddParts{columns, stride, rows * columns, parts, sums, out, add});
}

}  // namespace hydra::cuda::training
