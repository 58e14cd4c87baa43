#include "train/kernels/functions.h"

namespace hydra::HYDRA_ISA {

extern const train::Kernels train_kernels;
const train::Kernels train_kernels = {
    .add = train_add,
    .dropout = train_dropout,
    .noise = train_noise,
    .silu = train_silu,
    .silu_gradient = train_silu_gradient,
    .swiglu = train_swiglu,
    .swiglu_gradient = train_swiglu_gradient,
    .residual = train_residual,
    .square_sum = train_square_sum,
    .scaled = train_scaled,
    .weighted_dot = train_weighted_dot,
    .dot = train_dot,
    .norm_gradient = train_norm_gradient,
    .rotate = train_rotate,
    .best = train_best,
    .cap = train_cap,
    .exp_sums = train_exp_sums,
    .before = train_before,
    .probabilities = train_probabilities,
    .combine = train_combine,
    .square_sum_double = train_square_sum_double,
    .count_nonfinite = train_count_nonfinite,
    .adamw = train_adamw,
};

}  // namespace hydra::HYDRA_ISA
