// Kernels that treat every element by itself.
#include "program/noise.h"
#include "train/kernels/functions.h"

namespace hydra::HYDRA_ISA {

namespace {

// 1 / (1 + e^-x).
HYDRA_INLINE F32 sigmoid(F32 x) { return div(broadcast(1.0f), add(broadcast(1.0f), exp(sub(zero(), x)))); }

// The derivative of x * s with s = sigmoid(x): s (1 + x (1 - s)).
HYDRA_INLINE F32 silu_slope(F32 x, F32 s) { return mul(s, fma(x, sub(broadcast(1.0f), s), broadcast(1.0f))); }

// Calls body(i, random, load and store) for every vector of n elements, random uniform in [0, 1]. Elements 64 r + 16 w
// + l have word w of counter 16 r + l.
template <class Body>
HYDRA_INLINE void each_random(int64_t n, uint64_t seed, uint32_t step, uint32_t site, int64_t first, const Body& body) {
    constexpr int WORDS = 4, RUN = WORDS * LANES;
    uint32_t lanes[LANES];
    for (int l = 0; l < LANES; ++l) lanes[l] = static_cast<uint32_t>(l);
    for (int64_t i = 0; i < n; i += RUN) {
        const auto counter = static_cast<uint64_t>((first + i) / WORDS);
        U32 words[WORDS] = {add(load(lanes), constant(U32{}, static_cast<uint32_t>(counter))),
                            constant(U32{}, static_cast<uint32_t>(counter >> 32)), constant(U32{}, step),
                            constant(U32{}, site)};
        philox(static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32), words);
        for (int w = 0; w < WORDS && i + w * LANES < n; ++w) {
            const int64_t at = i + w * LANES;
            const F32 random = mul(nearest(words[w]), broadcast(0x1p-32f));
            if (at + LANES <= n) {
                body(at, random, Whole{});
            } else {
                body(at, random, Part{n - at});
            }
        }
    }
}

}  // namespace

void train_add(int64_t n, float scale, const float* x, float* y) {
    each_vector(n, [&](int64_t i, auto lanes) {
        lanes.store(y + i, fma(broadcast(scale), lanes.load(x + i), lanes.load(y + i)));
    });
}

void train_dropout(int64_t n, float probability, uint64_t seed, uint32_t step, uint32_t site, int64_t first,
                   const float* x, float* y) {
    const F32 scale = broadcast(1 / (1 - probability)), bound = broadcast(probability);
    each_random(n, seed, step, site, first, [&](int64_t i, F32 random, auto lanes) {
        // -1 where random < probability, 0 elsewhere.
        const F32 dropped = nearest_signed(shift_right_signed<31>(bits_of(sub(random, bound))));
        lanes.store(y + i, mul(lanes.load(x + i), mul(scale, add(broadcast(1.0f), dropped))));
    });
}

void train_noise(int64_t n, float scale, uint64_t seed, uint32_t step, uint32_t site, int64_t first, const float* x,
                 float* y) {
    each_random(n, seed, step, site, first, [&](int64_t i, F32 random, auto lanes) {
        const F32 uniform = fma(random, broadcast(2.0f), broadcast(-1.0f));
        lanes.store(y + i, fma(broadcast(scale), uniform, lanes.load(x + i)));
    });
}

void train_silu(int64_t n, const float* x, float* y) {
    each_vector(n, [&](int64_t i, auto lanes) {
        const F32 value = lanes.load(x + i);
        lanes.store(y + i, mul(value, sigmoid(value)));
    });
}

void train_silu_gradient(int64_t n, const float* x, const float* gy, float* gx) {
    each_vector(n, [&](int64_t i, auto lanes) {
        const F32 value = lanes.load(x + i);
        lanes.store(gx + i, mul(lanes.load(gy + i), silu_slope(value, sigmoid(value))));
    });
}

void train_swiglu(int64_t n, const float* gate, const float* up, float* y) {
    each_vector(n, [&](int64_t i, auto lanes) {
        const F32 value = lanes.load(gate + i);
        lanes.store(y + i, mul(mul(value, sigmoid(value)), lanes.load(up + i)));
    });
}

void train_swiglu_gradient(int64_t n, const float* gate, const float* up, const float* gy, float* g_gate, float* g_up) {
    each_vector(n, [&](int64_t i, auto lanes) {
        const F32 value = lanes.load(gate + i), gradient = lanes.load(gy + i), other = lanes.load(up + i);
        const F32 s = sigmoid(value);
        lanes.store(g_gate + i, mul(mul(gradient, other), silu_slope(value, s)));
        lanes.store(g_up + i, mul(gradient, mul(value, s)));
    });
}

void train_residual(int64_t n, const float* x, const float* a, float* y) {
    each_vector(n, [&](int64_t i, auto lanes) {
        const F32 value = lanes.load(a + i);
        lanes.store(y + i, fma(value, sigmoid(value), lanes.load(x + i)));
    });
}

}  // namespace hydra::HYDRA_ISA
