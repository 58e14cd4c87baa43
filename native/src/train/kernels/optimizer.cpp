// Kernels of the optimiser.
#include "train/kernels/functions.h"

namespace hydra::HYDRA_ISA {

double train_square_sum_double(int64_t n, const float* x) {
    double sums[LANES] = {};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int l = 0; l < LANES; ++l) {
            const double value = static_cast<double>(x[i + l]);
            sums[l] += value * value;
        }
    }
    for (; i < n; ++i) sums[i % LANES] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    for (int width = LANES / 2; width > 0; width /= 2) {
        for (int l = 0; l < width; ++l) sums[l] += sums[l + width];
    }
    return sums[0];
}

int64_t train_count_nonfinite(int64_t n, const float* x) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; ++i) count += (bits_of_float(x[i]) & 0x7f800000) == 0x7f800000;
    return count;
}

void train_adamw(int64_t n, const AdamWFactors& factors, const float* gradients, float* parameters, float* first,
                 float* second) {
    const auto number = [](float value) { return broadcast(value); };
    each_vector(n, [&](int64_t i, auto lanes) {
        const F32 gradient = mul(number(factors.gradient_scale), lanes.load(gradients + i));
        const F32 m = fma(number(factors.beta1), lanes.load(first + i), mul(number(factors.rest1), gradient));
        const F32 v =
            fma(number(factors.beta2), lanes.load(second + i), mul(mul(number(factors.rest2), gradient), gradient));
        const F32 denominator = fma(sqrt(v), number(factors.inverse_root2), number(factors.epsilon));
        const F32 kept = mul(number(factors.keep), lanes.load(parameters + i));
        lanes.store(parameters + i, sub(kept, div(mul(number(factors.rate), m), denominator)));
        lanes.store(first + i, m);
        lanes.store(second + i, v);
    });
}

}  // namespace hydra::HYDRA_ISA
