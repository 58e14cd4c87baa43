// What the CUDA backend's operations are expected to take on a card of given rates: bytes, instructions and launches,
// counted from the shapes as the kernels cut them up. Nothing in it is measured; a card's figures are to be laid beside
// it, and where they differ, the model or the kernel is wrong.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace hydra::test {

// Times in seconds, rates in 1/s.
struct Card {
    const char* name;
    double memory;       // bytes: what a device-to-device copy reaches
    double cache;        // bytes from the L2 cache to all multiprocessors
    double products;     // multiplications with an addition, of mma.sync with 16-bit inputs
    double memory_trip;  // from a load to its bytes
    double cache_trip;   // the same where they are in the L2 cache
    double gap;          // from the end of a kernel of a graph to the work of the next one
    int multiprocessors;
};

// memory: measured with PyTorch 2.11 (a copy of 1 GB). multiprocessors: NVIDIA's data sheet, as the 989 TFLOP/s of
// which mma.sync reaches about 62 %, published by several microbenchmarks, as are the cache's rate and both trips (0.6
// to 0.9 and 0.25 to 0.3 microseconds). gap: 1.2 to 1.3 microseconds, from step times of published graphs of small
// kernels.
constexpr Card H100{"H100 80GB HBM3", 2.997e12, 5.5e12, 0.62 * 989e12 / 2, 0.75e-6, 0.28e-6, 1.25e-6, 132};

// How the products are cut up (product.cuh, pipeline.cuh).
constexpr double LARGE_VALUES = 1 << 22, MOST_SHARES = 264, LEAST_BLOCKS = 8;
constexpr double BLOCK_COLUMNS = 32, TILE_ROWS = 16, BLOCK_OUTPUTS = 128;
constexpr double IN_FLIGHT = 64 * 1024;  // bytes of weights of a multiprocessor, with two blocks: the least of BF16

// A launch over `bytes` of weights [outputs][columns] and so many activation rows that were left ready, in seconds.
inline double product_time(const Card& card, double bytes, double outputs, double columns, int rows) {
    const double groups = std::ceil(rows / 8.0) * 8;
    const bool large = outputs * columns >= LARGE_VALUES;
    const double tile_rows = std::ceil(outputs / (large ? BLOCK_OUTPUTS : TILE_ROWS));
    const double blocks = std::ceil(columns / BLOCK_COLUMNS);
    const double shares = large ? std::clamp(tile_rows * blocks / LEAST_BLOCKS, 1.0, MOST_SHARES) : tile_rows;
    const double busy = std::min(1.0, shares / card.multiprocessors);
    const double in_flight = IN_FLIGHT * std::min<double>(shares, card.multiprocessors) / card.memory_trip;
    // Each row of tiles reads all activations, four bytes each: two halves of 16 bits, and so two products a weight.
    const double activations = tile_rows * groups * columns * 4;
    const double stream =
        std::max({bytes / std::min(card.memory, in_flight), (bytes + activations) / (card.cache * busy),
                  2 * groups * outputs * columns / (card.products * busy)});
    double reduction = 0;
    if (large && shares > 1) {
        const double partials = (shares + tile_rows) * BLOCK_OUTPUTS * rows * 4;
        reduction = 2 * partials / card.cache + 3 * card.cache_trip;
    }
    return card.gap + card.memory_trip + stream + reduction;
}

// Making activation rows ready that nobody has left so: a row and its norm's weights come in one trip, from memory.
inline double preparation_time(const Card& card, double columns, int rows) {
    return card.gap + card.memory_trip + 2 * rows * columns * 4 / card.cache;
}

// Of `bytes` of keys and values; each of `splits` splits leaves sums of every row and head, which a second launch
// merges.
inline double attention_time(const Card& card, double bytes, double heads, double head_size, double splits, int rows) {
    const double partials = splits * rows * heads * (head_size + 2) * 4;
    return 2 * card.gap + card.memory_trip + 4 * card.cache_trip + bytes / card.memory + 2 * partials / card.cache;
}

// A launch that does little: one trip to memory and one to the cache.
inline double small_time(const Card& card) { return card.gap + card.memory_trip + card.cache_trip; }

}  // namespace hydra::test
