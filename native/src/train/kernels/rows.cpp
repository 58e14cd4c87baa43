// Kernels of rows: norms, rotary embeddings.
#include "train/kernels/functions.h"

namespace hydra::HYDRA_ISA {

float train_square_sum(int64_t n, const float* x) { return train_dot(n, x, x); }

float train_dot(int64_t n, const float* x, const float* y) {
    F32 total = zero();
    each_vector(n, [&](int64_t i, auto lanes) { total = fma(lanes.load(x + i), lanes.load(y + i), total); });
    return sum(total);
}

float train_weighted_dot(int64_t n, const float* x, const float* y, const float* weight) {
    F32 total = zero();
    each_vector(n, [&](int64_t i, auto lanes) {
        total = fma(mul(lanes.load(x + i), lanes.load(weight + i)), lanes.load(y + i), total);
    });
    return sum(total);
}

void train_scaled(int64_t n, float scale, const float* x, const float* weight, float* y) {
    each_vector(n, [&](int64_t i, auto lanes) {
        lanes.store(y + i, mul(mul(lanes.load(x + i), broadcast(scale)), lanes.load(weight + i)));
    });
}

void train_norm_gradient(int64_t n, const float* x, const float* weight, const float* gy, float inverse, float factor,
                         bool add_to, float* out) {
    each_vector(n, [&](int64_t i, auto lanes) {
        F32 value = mul(mul(lanes.load(gy + i), lanes.load(weight + i)), broadcast(inverse));
        value = fma(lanes.load(x + i), broadcast(-factor), value);
        lanes.store(out + i, add_to ? add(lanes.load(out + i), value) : value);
    });
}

void train_rotate(int64_t half, const float* cosines, const float* sines, float* x) {
    each_vector(half, [&](int64_t i, auto lanes) {
        const F32 first = lanes.load(x + i), second = lanes.load(x + half + i);
        const F32 cosine = lanes.load(cosines + i), sine = lanes.load(sines + i);
        lanes.store(x + i, sub(mul(first, cosine), mul(second, sine)));
        lanes.store(x + half + i, add(mul(second, cosine), mul(first, sine)));
    });
}

}  // namespace hydra::HYDRA_ISA
