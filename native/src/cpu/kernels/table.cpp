// The kernel table of the instruction set that this file is compiled for.
#include "cpu/kernels.h"
#include "cpu/kernels/dot.h"
#include "cpu/kernels/functions.h"

#define HYDRA_STRING2(name) #name
#define HYDRA_STRING(name) HYDRA_STRING2(name)

namespace hydra::HYDRA_ISA {

extern const Kernels kernels;

const Kernels kernels = {
    HYDRA_STRING(HYDRA_ISA),
    Bytes::SIGNED,
    {product_f32, product_f16, product_bf16, product_q8_0, product_q4_0, product_q4_1, product_r8, product_q5_0,
     product_q5_1, product_q4_k, product_q5_k, product_q6_k},
    prepare,
    norm_scales,
    remainder,
    rms_norm,
    rotate,
    silu_mul,
    gelu_mul,
    silu,
    soft_cap,
    add_f16,
    attention,
    put_tile,
    reaching,
    distribution,
    read,
    {noise, best_logit, race, masses, collect, group_maxima, add_bias, occurring, score},
};

}  // namespace hydra::HYDRA_ISA
