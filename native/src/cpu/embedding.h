// The embedding of a token that a draft may have made up.
#pragma once

#include <algorithm>

#include "cpu/matrix.h"

namespace hydra {

// Writes the token's row, or zeros where the embedding has none: a draft vocabulary may name tokens that the base model
// does not have. The base model never agrees with such a token, so what follows from it is thrown away.
inline void read_token(const PackedMatrix& embedding, int32_t token, float* out) {
    if (token >= 0 && token < embedding.rows) {
        read_row(embedding, token, out);
    } else {
        std::fill_n(out, embedding.columns, 0.0f);
    }
}

}  // namespace hydra
