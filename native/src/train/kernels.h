// The vector kernels of training of one instruction set. Files under train/kernels are compiled once per instruction
// set; everything else reaches them through these tables only. All of them give the same bits for the same operands.
#pragma once

#include <stdint.h>

#include "hydra4j/train.h"

namespace hydra::train {

// A matrix [rows][columns] as a product takes it: value (i, k) is data[i * stride + k], or data[k * stride + i] where
// it is transposed.
struct Operand {
    const float* data;
    int64_t stride;
    bool transposed;
};

// Of a row of n logits z, before softmax: the greatest one and the first index of it.
struct Best {
    float value;
    int64_t index;
};

// What one pass over exp(z - best) finds: their sum, and the sum of weight * (z - best).
struct ExpSums {
    double sum, weighted;
};

struct AdamWFactors {
    float gradient_scale, beta1, rest1, beta2, rest2, keep, rate, inverse_root2, epsilon;
};

// Products of one kind of numbers.
struct Products {
    // `count` rows of an operand become panels one after another, each of tile_rows rows of a product's left side or
    // tile_columns of its right side, zeros beyond them, and as deep as a multiple of depth_step. A word of a panel is
    // values_per_word values.
    int tile_rows, tile_columns;
    int depth_step, values_per_word;
    void (*pack_left)(int64_t count, int64_t depth, Operand from, float* panels);
    void (*pack_right)(int64_t count, int64_t depth, Operand from, float* panels);
    // c[i][j] = or += sum over k of a[i][k] b[j][k], for i < rows and j < columns, of a panel a and a panel b.
    void (*multiply)(int64_t depth, const float* a, const float* b, float* c, int64_t stride, int rows, int columns,
                     bool add);

    // Bring a thread into the state in which it multiplies, and back into the one before, which begin returns.
    uint32_t (*begin)();
    void (*end)(uint32_t before);

    // Words of a row of a panel.
    int64_t words(int64_t depth) const { return (depth + depth_step - 1) / depth_step * depth_step / values_per_word; }
};

struct Kernels {
    // Elements.
    void (*add)(int64_t n, float scale, const float* x, float* y);
    // `first` is the index of x[0], a multiple of 64.
    void (*dropout)(int64_t n, float probability, uint64_t seed, uint32_t step, uint32_t site, int64_t first,
                    const float* x, float* y);
    void (*noise)(int64_t n, float scale, uint64_t seed, uint32_t step, uint32_t site, int64_t first, const float* x,
                  float* y);
    void (*silu)(int64_t n, const float* x, float* y);
    void (*silu_gradient)(int64_t n, const float* x, const float* gy, float* gx);
    void (*swiglu)(int64_t n, const float* gate, const float* up, float* y);
    void (*swiglu_gradient)(int64_t n, const float* gate, const float* up, const float* gy, float* g_gate, float* g_up);
    // y = x + silu(a).
    void (*residual)(int64_t n, const float* x, const float* a, float* y);

    // Rows.
    float (*square_sum)(int64_t n, const float* x);                                         // of a row
    void (*scaled)(int64_t n, float scale, const float* x, const float* weight, float* y);  // x * scale * weight
    float (*weighted_dot)(int64_t n, const float* x, const float* y, const float* weight);
    float (*dot)(int64_t n, const float* x, const float* y);
    // out = or += gy * weight * inverse - x * factor.
    void (*norm_gradient)(int64_t n, const float* x, const float* weight, const float* gy, float inverse, float factor,
                          bool add, float* out);
    // The first half of each head with the second: (x1 cos - x2 sin, x2 cos + x1 sin).
    void (*rotate)(int64_t half, const float* cosines, const float* sines, float* x);

    // Softmax.
    Best (*best)(int64_t n, const float* z);
    void (*cap)(int64_t n, float cap, float* z);  // cap * tanh(z / cap)
    // e = exp(z - best), which may be z; weights may be null: e itself is the weight then.
    ExpSums (*exp_sums)(int64_t n, float best, const float* z, const float* weights, float* e);
    int64_t (*before)(int64_t n, const float* z,
                      int64_t index);  // logits greater than z[index], or equal and before it
    // p = exp(p * scale - log_sum), g = p * (g - dot) * scale.
    void (*probabilities)(int64_t n, float scale, float log_sum, float dot, float* p, float* g);
    // out = x_factor * x + y_factor * y; y may be null.
    void (*combine)(int64_t n, float x_factor, const float* x, float y_factor, const float* y, float* out);

    // Optimiser.
    double (*square_sum_double)(int64_t n, const float* x);
    int64_t (*count_nonfinite)(int64_t n, const float* x);
    void (*adamw)(int64_t n, const AdamWFactors& factors, const float* gradients, float* parameters, float* first,
                  float* second);
};

struct InstructionSet {
    const char* name;
    bool (*has)();  // whether this processor can run it
    const Kernels& kernels;
    const Products &float32, &bf16;
};

// For "auto", which is the best for such products, or a name; throws where there is none or the processor lacks it.
const InstructionSet& find_instruction_set(const char* name, hydra_train_products products);

}  // namespace hydra::train
