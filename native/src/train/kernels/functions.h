// The kernels of one instruction set, each in the file of what it works on.
#pragma once

#include "cpu/simd.h"
#include "train/kernels.h"

namespace hydra::HYDRA_ISA {

using train::AdamWFactors;
using train::Best;
using train::ExpSums;
using train::Operand;

extern const train::Products train_float32, train_bf16;

void train_add(int64_t n, float scale, const float* x, float* y);
void train_dropout(int64_t n, float probability, uint64_t seed, uint32_t step, uint32_t site, int64_t first,
                   const float* x, float* y);
void train_noise(int64_t n, float scale, uint64_t seed, uint32_t step, uint32_t site, int64_t first, const float* x,
                 float* y);
void train_silu(int64_t n, const float* x, float* y);
void train_silu_gradient(int64_t n, const float* x, const float* gy, float* gx);
void train_swiglu(int64_t n, const float* gate, const float* up, float* y);
void train_swiglu_gradient(int64_t n, const float* gate, const float* up, const float* gy, float* g_gate, float* g_up);
void train_residual(int64_t n, const float* x, const float* a, float* y);

float train_square_sum(int64_t n, const float* x);
void train_scaled(int64_t n, float scale, const float* x, const float* weight, float* y);
float train_weighted_dot(int64_t n, const float* x, const float* y, const float* weight);
float train_dot(int64_t n, const float* x, const float* y);
void train_norm_gradient(int64_t n, const float* x, const float* weight, const float* gy, float inverse, float factor,
                         bool add, float* out);
void train_rotate(int64_t half, const float* cosines, const float* sines, float* x);

Best train_best(int64_t n, const float* z);
void train_cap(int64_t n, float cap, float* z);
ExpSums train_exp_sums(int64_t n, float best, const float* z, const float* weights, float* e);
int64_t train_before(int64_t n, const float* z, int64_t index);
void train_probabilities(int64_t n, float scale, float log_sum, float dot, float* p, float* g);
void train_combine(int64_t n, float x_factor, const float* x, float y_factor, const float* y, float* out);

double train_square_sum_double(int64_t n, const float* x);
int64_t train_count_nonfinite(int64_t n, const float* x);
void train_adamw(int64_t n, const AdamWFactors& factors, const float* gradients, float* parameters, float* first,
                 float* second);

// Lanes 4 l to 4 l + 3.
template <int l>
HYDRA_INLINE void store_quad(float* p, F32 x) {
#if defined(HYDRA_AVX512)
    _mm_storeu_ps(p, _mm512_extractf32x4_ps(x.v, l));
#elif defined(HYDRA_AVX2)
    _mm_storeu_ps(p, _mm256_extractf128_ps(l < 2 ? x.a : x.b, l % 2));
#else
    for (int t = 0; t < 4; ++t) p[t] = x.v[4 * l + t];
#endif
}

// The end of a product: c = or += the first rows and columns of sums [][width].
template <int width>
HYDRA_INLINE void put(const float* sums, float* c, int64_t stride, int rows, int columns, bool add_to) {
    for (int i = 0; i < rows; ++i) {
        float* const row = c + i * stride;
        int j = 0;
        for (; j + LANES <= columns; j += LANES) {
            const F32 x = load(sums + i * width + j);
            store(row + j, add_to ? add(load(row + j), x) : x);
        }
        for (; j < columns; ++j) row[j] = add_to ? row[j] + sums[i * width + j] : sums[i * width + j];
    }
}

// Calls body(i, load, store) for i = 0, LANES, ...: load(p) of lanes i on of an array, store(p, lanes) to one; of the
// last lanes only those that there are.
struct Whole {
    HYDRA_INLINE F32 load(const float* p) const { return HYDRA_ISA::load(p); }
    HYDRA_INLINE void store(float* p, F32 x) const { HYDRA_ISA::store(p, x); }
};
struct Part {
    int64_t count;
    HYDRA_INLINE F32 load(const float* p) const { return load_some(p, count); }
    HYDRA_INLINE void store(float* p, F32 x) const { store_some(p, x, count); }
};

template <class Body>
HYDRA_INLINE void each_vector(int64_t n, const Body& body) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) body(i, Whole{});
    if (i < n) body(i, Part{n - i});
}

}  // namespace hydra::HYDRA_ISA
