// Kernels of rows of logits.
#include "train/kernels/functions.h"

namespace hydra::HYDRA_ISA {

namespace {

constexpr int64_t RUN = 1024;  // values whose sum is one of floats

}  // namespace

Best train_best(int64_t n, const float* z) {
    F32 most = broadcast(z[0]);
    const int64_t whole = n / LANES * LANES;
    for (int64_t i = 0; i < whole; i += LANES) most = max(most, load(z + i));
    float best = maximum(most);
    for (int64_t i = whole; i < n; ++i) best = z[i] > best ? z[i] : best;
    for (int64_t i = 0; i < whole; i += LANES) {
        const uint32_t less = greater(broadcast(best), load(z + i));
        if (less != 0xffff) return {best, i + __builtin_ctz(~less)};
    }
    for (int64_t i = whole; i < n; ++i) {
        if (z[i] == best) return {best, i};
    }
    return {best, 0};  // where there is a NaN
}

void train_cap(int64_t n, float cap, float* z) {
    // tanh y = 1 - 2 / (e^(2 y) + 1)
    each_vector(n, [&](int64_t i, auto lanes) {
        const F32 power = exp(mul(lanes.load(z + i), broadcast(2 / cap)));
        const F32 rest = div(broadcast(-2.0f), add(power, broadcast(1.0f)));
        lanes.store(z + i, mul(broadcast(cap), add(broadcast(1.0f), rest)));
    });
}

ExpSums train_exp_sums(int64_t n, float best, const float* z, const float* weights, float* e) {
    ExpSums sums{0, 0};
    for (int64_t first = 0; first < n; first += RUN) {
        const int64_t count = n - first < RUN ? n - first : RUN;
        F32 total = zero(), weighted = zero();
        each_vector(count, [&](int64_t i, auto lanes) {
            const F32 distance = sub(lanes.load(z + first + i), broadcast(best));
            const F32 power = exp(distance);
            // Of lanes beyond the row nothing may be added.
            const F32 counted = count - i >= LANES ? power : first_lanes(power, static_cast<int>(count - i));
            total = add(total, counted);
            weighted = fma(weights == nullptr ? counted : lanes.load(weights + first + i), distance, weighted);
            lanes.store(e + first + i, power);
        });
        sums.sum += static_cast<double>(sum(total));
        sums.weighted += static_cast<double>(sum(weighted));
    }
    return sums;
}

int64_t train_before(int64_t n, const float* z, int64_t index) {
    const F32 own = broadcast(z[index]);
    int64_t count = 0;
    const int64_t whole = n / LANES * LANES;
    for (int64_t i = 0; i < whole; i += LANES) {
        const F32 other = load(z + i);
        // Among equals the first one is best.
        const uint32_t later = index - i >= LANES ? 0 : index <= i ? 0xffff : 0xffffU << (index - i) & 0xffffU;
        const uint32_t not_less = ~greater(own, other) & 0xffffU;
        count += __builtin_popcount((greater(other, own) & later) | (not_less & ~later));
    }
    for (int64_t i = whole; i < n; ++i) count += z[i] > z[index] || (z[i] == z[index] && i < index);
    return count;
}

void train_probabilities(int64_t n, float scale, float log_sum, float dot, float* p, float* g) {
    each_vector(n, [&](int64_t i, auto lanes) {
        const F32 power = exp(fma(lanes.load(p + i), broadcast(scale), broadcast(-log_sum)));
        lanes.store(p + i, power);
        lanes.store(g + i, mul(mul(power, sub(lanes.load(g + i), broadcast(dot))), broadcast(scale)));
    });
}

void train_combine(int64_t n, float x_factor, const float* x, float y_factor, const float* y, float* out) {
    if (y == nullptr) {
        each_vector(n,
                    [&](int64_t i, auto lanes) { lanes.store(out + i, mul(broadcast(x_factor), lanes.load(x + i))); });
        return;
    }
    each_vector(n, [&](int64_t i, auto lanes) {
        lanes.store(out + i, fma(broadcast(y_factor), lanes.load(y + i), mul(broadcast(x_factor), lanes.load(x + i))));
    });
}

}  // namespace hydra::HYDRA_ISA
