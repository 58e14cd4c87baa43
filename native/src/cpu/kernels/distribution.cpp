// What a row of logits says of the next token.
#include "cpu/kernels/functions.h"
#include "cpu/simd.h"

namespace hydra::HYDRA_ISA {

namespace {

constexpr float LEAST = -3.0e38f;
// Values whose sums are added up apart, so that those of many small ones are not lost beside a large one.
constexpr int64_t RUN = 32 * LANES;

// Lanes [0, count) of p, beyond them what has no weight.
HYDRA_INLINE F32 load_weighty(const float* p, int64_t count) {
    if (count >= LANES) return load(p);
    float values[LANES];
    for (int i = 0; i < LANES; ++i) values[i] = i < count ? p[i] : LEAST;
    return load(values);
}

// The sum of of(value) over x[n].
template <class Of>
HYDRA_INLINE float total(const float* x, int64_t n, Of&& of) {
    F32 all = zero();
    for (int64_t begin = 0; begin < n; begin += RUN) {
        const int64_t end = n - begin < RUN ? n : begin + RUN;
        F32 run = zero();
        for (int64_t i = begin; i < end; i += LANES) run = add(run, of(load_weighty(x + i, end - i)));
        all = add(all, run);
    }
    return sum(all);
}

HYDRA_INLINE float log_of(float x) {
    float values[LANES];
    store(values, log(broadcast(x)));
    return values[0];
}

}  // namespace

Distribution distribution(const float* x, int64_t n, float inverse_temperature) {
    F32 most = broadcast(LEAST), faults = zero();
    for (int64_t i = 0; i < n; i += LANES) {
        const F32 value = load_weighty(x + i, n - i);
        most = max(value, most);
        faults = fma(value, zero(), faults);  // NaN where a value is not finite
    }
    const float best = maximum(most);
    const auto weight = [&](F32 value) {
        return exp(mul(sub(value, broadcast(best)), broadcast(inverse_temperature)));
    };
    const float weights = total(x, n, weight);
    const float entropy = total(x, n, [&](F32 value) {
        const F32 p = mul(weight(value), broadcast(1 / weights));
        return mul(p, log(add(p, broadcast(1e-5f))));
    });
    return {best, log_of(weights) + sum(faults), -entropy};
}

}  // namespace hydra::HYDRA_ISA
