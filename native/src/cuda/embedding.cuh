// The embedding of a token that a draft may have made up.
#pragma once

#include "cuda/weights.cuh"

namespace hydra::cuda {

// The block's threads write the token's row, or zeros where the embedding has none: a draft vocabulary may name tokens
// that the base model does not have. The base never agrees with such a token, so what follows from it is thrown away.
__device__ __forceinline__ void read_token(const MatrixView& embedding, int32_t token, float* out) {
    const bool known = token >= 0 && token < embedding.rows;
    for (int64_t c = threadIdx.x; c < embedding.columns; c += blockDim.x) {
        out[c] = known ? weight_at(embedding, token, c) : 0.0f;
    }
}

}  // namespace hydra::cuda
