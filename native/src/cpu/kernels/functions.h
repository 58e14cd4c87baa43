// The vector kernels of one instruction set; kernels.h says what each does.
#pragma once

#include "cpu/kernels.h"

namespace hydra::HYDRA_ISA {

void product_f32(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows, float* out);
void product_f16(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows, float* out);
void product_bf16(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out);
void product_q8_0(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out);
void product_q4_0(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out);
void product_q4_1(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out);
void product_r8(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows, float* out);
void product_q5_0(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out);
void product_q5_1(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out);
void product_q4_k(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out);
void product_q5_k(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out);
void product_q6_k(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out);

bool prepare(const float* x, const float* norm, float scale, int64_t columns, Form form, const Activations& out,
             int row);
void norm_scales(const float* const* rows, int count, int64_t n, float epsilon, float* out);
void remainder(const float* x, int64_t columns, const Activations& of, int row, float* out);
void rms_norm(const float* x, const float* weight, int64_t n, float epsilon, float* out);
void rotate(float* x, const float* angles, int64_t n);
void silu_mul(float* gate, const float* up, int64_t n);
void gelu_mul(float* gate, const float* up, int64_t n);
void silu(float* x, int64_t n);
void soft_cap(float* x, int64_t n, float cap);
void add_f16(const uint16_t* x, int64_t n, float* sum);
void put_tile(const float* values, int rows, int lanes, const float* bias, const float* residual,
              int64_t residual_stride, float* out, int64_t out_stride);
uint64_t reaching(const float* values, int rows, const float* thresholds, uint32_t* lanes);
Distribution distribution(const float* x, int64_t n, float inverse_temperature);
uint64_t read(const void* data, int64_t bytes);

void attention(const AttentionWork& work);

void noise(uint64_t seed, int32_t position, int64_t first, int64_t count, float* out);
Scored best_logit(const float* logits, int64_t n);
Scored race(const float* logits, const float* noise, int64_t n, float best_logit, float inverse, float most_distance);
int64_t masses(const float* logits, int64_t n, float best_logit, float inverse);
int64_t collect(const float* logits, int64_t n, float best_logit, float inverse, float most_distance, uint64_t* keys);
int64_t group_maxima(const float* logits, int64_t n, int64_t vectors, float* out);
void add_bias(const float* logits, const float* bias, int64_t n, float* out);
int64_t occurring(const int32_t* occurrences, int64_t n, int32_t* tokens);
void score(const float* logits, const float* noise, int64_t n, float inverse, float* out);

}  // namespace hydra::HYDRA_ISA
