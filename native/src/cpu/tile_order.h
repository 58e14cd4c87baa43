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
    int words;        // of 4 bytes for each block of 32 columns

    constexpr int bytes() const { return halves * 2 + scale_bytes + blocks * words * 4; }
};

// Of a block type.
TileUnit tile_unit(hydra_type type);

// Whether tiles take rows in another order than a file has them.
bool has_tile_order(hydra_type type);

// For types of which has_tile_order is true, and whole units of columns. Quants of 4 bits lie as in Q4_0: low nibbles
// are columns 0 to 15 of their block, high ones 16 to 31. Of others group g, columns 4 g to 4 g + 3, is in bytes 0 to 3
// of a word's lower bits if it has one, else in what is left above them, so that most quants are had by one mask:
//   Q5_0, Q5_1, Q5_K   five words, of groups 0 to 4. Group 5: bits 0 to 2 above group 0, 3 and 4 above group 1; group
//   6:
//                      likewise above groups 2 and 3; group 7: bits 0 to 2 above group 4, 3 and 4 in what is left
//                      above groups 1 and 3
//   Q6_K               six words, of groups 0 to 2 and 4 to 6. Groups 3 and 7: two bits above each of the three before
void to_tile_order(hydra_type type, const uint8_t* source, int64_t columns, uint8_t* target);

// values[columns]; the same to the bit as dequantise gives for what the row was made from.
void dequantise_tile_order(hydra_type type, const uint8_t* source, int64_t columns, float* values);

}  // namespace hydra
