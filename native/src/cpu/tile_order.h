// Rows of the block types in the order in which tiles take them: a file's own for Q8_0, Q4_0 and Q4_1, another for
// those whose quants have more than four bits or whose blocks are parts of super-blocks.
#pragma once

#include <cstdint>

#include "hydra4j/status.h"

namespace hydra {

// What lies together in a row, one after the other: a block with its scales, or a super-block.
struct TileUnit {
    int blocks;       // of 32 columns
    int halves;       // f16: scale, and minimum where the type has one
    int scale_bytes;  // two for each block of a super-block: Q6_K's scales of 16 columns each, others' scale and
                      // minimum
    int words;        // of 4 bytes for each block: nibbles (of Q8_0 bytes) of 32 columns, then what is above four bits

    constexpr int bytes() const { return halves * 2 + scale_bytes + blocks * words * 4; }
};

// Of a block type.
TileUnit tile_unit(hydra_type type);

// Whether tiles take rows in another order than a file has them.
bool has_tile_order(hydra_type type);

// For types of which has_tile_order is true, and whole units of columns. Nibbles lie as in Q4_0: low ones are columns 0
// to 15 of their block, high ones 16 to 31. What is above them, with word w of 4 bytes c:
//   Q5_0, Q5_1, Q5_K   one word: bit g of byte c belongs to column 4 g + c
//   Q6_K               two words: of byte c bits 0 and 1 belong to column 8 w + c, 2 and 3 to 16 columns on, 4 and 5 to
//                      column 8 w + 4 + c, 6 and 7 to 16 columns on
void to_tile_order(hydra_type type, const uint8_t* source, int64_t columns, uint8_t* target);

// values[columns]; the same to the bit as dequantise gives for what the row was made from.
void dequantise_tile_order(hydra_type type, const uint8_t* source, int64_t columns, float* values);

}  // namespace hydra
