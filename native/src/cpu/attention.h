// Tree attention of one KV head for a few query vectors: layouts and the work that a kernel call gets.
#pragma once

#include <stdint.h>

namespace hydra {

constexpr int KEY_BLOCK = 16;          // keys that lie together: one per vector lane
constexpr int ATTENTION_VECTORS = 24;  // most query vectors of one kernel call

// Slot s of the sequence lies in block s / KEY_BLOCK, lane s % KEY_BLOCK. Slots 0 ... prefix-1 are verified positions
// that every vector sees; slot prefix + i belongs to row i of this pass, seen where bit i of the vector's ancestor mask
// is set.
//
// The result depends only on a vector's own keys and values in the order prefix, then ancestors by row: not on the
// slots in which the ancestors lie, nor on the other vectors, nor on how much of what it does not see is left out
// before slot 0. Scores are chains over the head's columns; the sum of weights has one partial sum for each (index in
// that order) % 16; outputs are chains over that order.
struct AttentionWork {
    int head_size;                // a multiple of 8
    int value_stride;             // head_size rounded up to 16
    int prefix;                   // slots
    int rows;                     // slots after the prefix
    const float* const* keys;     // [blocks]: float [head_size][KEY_BLOCK]
    const float* const* values;   // [blocks]: float [KEY_BLOCK][value_stride]
    int vectors;                  // 1 ... ATTENTION_VECTORS
    const float* const* queries;  // [vectors]: float [head_size]
    const uint64_t* ancestors;    // [vectors]: paths of one tree, whose parents have lower bits
    float* const* outputs;        // [vectors]: float [head_size]
    const int32_t* unseen;        // [vectors]: in that order, the first ones that a vector does not see; or null
    float scale;
    float cap;             // of scores, or 0
    float* scores;         // scratch [vectors][score_stride]
    int64_t score_stride;  // at least prefix + rows rounded up to 16, and 16 more
};

}  // namespace hydra
