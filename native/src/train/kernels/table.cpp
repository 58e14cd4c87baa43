#include "train/kernels/functions.h"

#define HYDRA_NAME_OF(isa) #isa
#define HYDRA_NAME(isa) HYDRA_NAME_OF(isa)

namespace hydra::HYDRA_ISA {

extern const train::Kernels train_kernels;
const train::Kernels train_kernels = {
    .name = HYDRA_NAME(HYDRA_ISA),
    .tile_rows = train_tile_rows,
    .tile_columns = train_tile_columns,
    .pack_left = train_pack_left,
    .pack_right = train_pack_right,
    .multiply = train_multiply,
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
