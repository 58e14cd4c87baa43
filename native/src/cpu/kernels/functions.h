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

void prepare(const float* x, int64_t columns, bool quantised, const Activations& out, int row);
void remainder(const float* x, int64_t columns, const Activations& of, int row, float* out);
void rms_norm(const float* x, const float* weight, int64_t n, float epsilon, float* out);
void rotate(float* x, const float* angles, int64_t n);
void silu_mul(float* gate, const float* up, int64_t n);
void gelu_mul(float* gate, const float* up, int64_t n);
void silu(float* x, int64_t n);
void add_f16(const uint16_t* x, int64_t n, float* sum);
uint32_t above(const float* values, float threshold);
Distribution distribution(const float* x, int64_t n, float inverse_temperature);
uint64_t read(const void* data, int64_t bytes);

void attention(const AttentionWork& work);

}  // namespace hydra::HYDRA_ISA
