// The embedding of a token that a draft may have made up.
#pragma once

#include "cuda/weights.cuh"

namespace hydra::cuda {

// A column of a token's row, or zero where the embedding has none: a draft vocabulary may name tokens that the base
// model does not have. The base never agrees with such a token, so what follows from it is thrown away.
__device__ __forceinline__ float embedded(const MatrixView& embedding, int32_t token, int64_t column) {
    return token >= 0 && token < embedding.rows ? weight_at(embedding, token, column) : 0.0f;
}

}  // namespace hydra::cuda
