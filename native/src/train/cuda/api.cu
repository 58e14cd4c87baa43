// The table of everything that training needs of a device.
#include "cuda/context.cuh"
#include "train/cuda/kernels.cuh"

namespace hydra::cuda::training {

namespace {

constexpr Api API = {
    .version = API_VERSION,
    .fill = in_context<fill>,
    .add = in_context<add>,
    .copy_columns = in_context<copy_columns>,
    .gather = in_context<gather>,
    .scatter_add = in_context<scatter_add>,
    .dropout = in_context<dropout>,
    .noise = in_context<noise>,
    .silu_forward = in_context<silu_forward>,
    .silu_backward = in_context<silu_backward>,
    .swiglu_forward = in_context<swiglu_forward>,
    .swiglu_backward = in_context<swiglu_backward>,
    .residual = in_context<residual>,
    .rms_norm_forward = in_context<rms_norm_forward>,
    .rms_norm_backward = in_context<rms_norm_backward>,
    .column_sums = in_context<column_sums>,
    .product = in_context<product>,
    .rope = in_context<rope>,
    .attention_forward = in_context<attention_forward>,
    .attention_backward = in_context<attention_backward>,
    .teach = in_context<teach>,
    .loss = in_context<loss>,
    .square_sums = in_context<square_sums>,
    .nonfinite_counts = in_context<nonfinite_counts>,
    .adamw = in_context<adamw>,
};

}  // namespace

}  // namespace hydra::cuda::training

const hydra::cuda::training::Api* hydra_cuda_train_api() { return &hydra::cuda::training::API; }
