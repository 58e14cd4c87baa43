// Element and weight types, and conversion between them, in GGUF's row-major block layouts. Sources and targets need no
// alignment.
#pragma once

#include <cstdint>

#include "hydra4j/status.h"

namespace hydra {

struct TypeFacts {
    const char* name;
    int block;          // values of a block
    int bytes;          // bytes of a block
    bool quantisable;   // float32 can be converted to it
    int row_bytes = 0;  // before the blocks of each row
};

// Throws HYDRA_INVALID_ARGUMENT for a number that is no hydra_type.
const TypeFacts& facts_of(hydra_type type);

// Bytes of rows x columns values. Throws HYDRA_INVALID_ARGUMENT where the block does not divide the columns or the
// bytes exceed int64_t.
int64_t bytes_of(hydra_type type, int64_t rows, int64_t columns);

// target[values] from a source of any type; values is a multiple of its block. Of R8 they are a row's first ones.
void dequantise(hydra_type type, const uint8_t* source, int64_t values, float* target);

// Rounds source[values] to a type that is quantisable; values is a multiple of its block. Of R8 they are a whole row.
void quantise(hydra_type type, const float* source, int64_t values, uint8_t* target);

}  // namespace hydra
