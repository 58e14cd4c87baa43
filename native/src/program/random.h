// Pseudo-random weights: what hydra_matrix_fill puts into each place of a matrix, the same on every backend.
#pragma once

#include "hydra4j/status.h"
#include "program/half.h"

namespace hydra {

constexpr float MAX_RANDOM_SCALE = 1 << 15;  // f16 holds it
constexpr int RANDOM_COLUMNS = 32;           // of a block: values of a float type, or one block of a block type
constexpr int RANDOM_BYTES = 210;            // of the largest block, Q6_K's super-block

struct RandomWeights {
    uint64_t key;  // the seed's
    float scale;
    uint16_t block_scale, block_minimum;  // f16, of the block types
};

// Steps of a quant from 0 to the scale.
inline float random_steps(hydra_type type) {
    switch (type) {
        case HYDRA_Q8_0:
            return 127;
        case HYDRA_Q4_0:
            return 7;
        case HYDRA_Q5_0:
            return 15;
        case HYDRA_Q5_1:
        case HYDRA_Q5_K:
            return 15.5f;
        case HYDRA_Q6_K:
            return 31;
        default:  // Q4_1, Q4_K
            return 7.5f;
    }
}

// `type` has a kernel.
inline RandomWeights random_weights(hydra_type type, uint64_t seed, float scale) {
    return {seed, scale, float_to_half(scale / random_steps(type)), float_to_half(-scale)};
}

HYDRA_EVERYWHERE float random_row_scale(const RandomWeights& weights) { return weights.scale / 127; }

// A bijection that leaves no pattern of its argument. Source: the output function of SplitMix64 (Steele, Lea, Flood:
// "Fast splittable pseudorandom number generators", OOPSLA 2014).
HYDRA_EVERYWHERE uint64_t scramble(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

// 24 random bits of a place in a matrix of at most 2^24 columns; after its columns the middle, which stands for zero.
HYDRA_EVERYWHERE uint32_t random_bits(const RandomWeights& weights, int64_t columns, int64_t row, int64_t column) {
    if (column >= columns) return 1 << 23;
    const auto place = static_cast<uint64_t>(row << 24 | column);
    return static_cast<uint32_t>(scramble(scramble(weights.key) + place * 0x9e3779b97f4a7c15) >> 40);
}

// Writes block `block` of a row in GGUF's layout; of Q4_K, Q5_K and Q6_K the super-block that it belongs to, of R8 32
// quants, whose scale is random_row_scale.
HYDRA_EVERYWHERE void random_block(const RandomWeights& weights, hydra_type type, int64_t columns, int64_t row,
                                   int64_t block, uint8_t* out) {
    const auto bits = [&](int place) { return random_bits(weights, columns, row, block * RANDOM_COLUMNS + place); };
    const auto value = [&](int place) {
        return weights.scale * (static_cast<float>(static_cast<int32_t>(bits(place)) - (1 << 23)) * 0x1p-23f);
    };
    // One of `count` whole numbers from 0 on, all as likely.
    const auto quant = [&](int place, uint32_t count) { return static_cast<int>(bits(place) * count >> 24); };
    const auto put = [&](int at, uint32_t number, int bytes) {
        for (int i = 0; i < bytes; ++i) out[at + i] = static_cast<uint8_t>(number >> 8 * i);
    };
    switch (type) {
        case HYDRA_F32:
            for (int i = 0; i < RANDOM_COLUMNS; ++i) put(4 * i, bits_of_float(value(i)), 4);
            return;
        case HYDRA_F16:
            for (int i = 0; i < RANDOM_COLUMNS; ++i) put(2 * i, float_to_half(value(i)), 2);
            return;
        case HYDRA_BF16:
            for (int i = 0; i < RANDOM_COLUMNS; ++i) put(2 * i, float_to_bfloat(value(i)), 2);
            return;
        case HYDRA_Q8_0:
            put(0, weights.block_scale, 2);
            for (int i = 0; i < RANDOM_COLUMNS; ++i) put(2 + i, static_cast<uint32_t>(quant(i, 255) - 127), 1);
            return;
        case HYDRA_R8:
            for (int i = 0; i < RANDOM_COLUMNS; ++i) put(i, static_cast<uint32_t>(quant(i, 255) - 127), 1);
            return;
        case HYDRA_Q4_0:
            put(0, weights.block_scale, 2);
            for (int i = 0; i < 16; ++i) {
                put(2 + i, static_cast<uint32_t>((quant(i, 15) + 1) | (quant(16 + i, 15) + 1) << 4), 1);
            }
            return;
        case HYDRA_Q5_0:
        case HYDRA_Q5_1: {
            const bool minimum = type == HYDRA_Q5_1;
            const auto five = [&](int place) {
                return static_cast<uint32_t>(minimum ? quant(place, 32) : quant(place, 31) + 1);
            };
            put(0, weights.block_scale, 2);
            if (minimum) put(2, weights.block_minimum, 2);
            uint32_t fifth = 0;
            for (int i = 0; i < RANDOM_COLUMNS; ++i) fifth |= five(i) >> 4 << i;
            put(minimum ? 4 : 2, fifth, 4);
            for (int i = 0; i < 16; ++i) put((minimum ? 8 : 6) + i, (five(i) & 15) | (five(16 + i) & 15) << 4, 1);
            return;
        }
        case HYDRA_Q4_K:
        case HYDRA_Q5_K: {
            const int first = -static_cast<int>(block % 8) * RANDOM_COLUMNS;
            const bool five = type == HYDRA_Q5_K;
            const uint32_t count = five ? 32 : 16;
            put(0, weights.block_scale, 2);
            put(2, float_to_half(weights.scale), 2);
            // Each block's scale and minimum are 1 of these: 6-bit numbers, the last four pairs in nibbles.
            for (int i = 0; i < 12; ++i) put(4 + i, i < 8 ? 1 : 0x11, 1);
            for (int i = 0; five && i < 32; ++i) {
                uint32_t fifth = 0;
                for (int part = 0; part < 8; ++part) {
                    fifth |= static_cast<uint32_t>(quant(first + part * 32 + i, count) >> 4) << part;
                }
                put(16 + i, fifth, 1);
            }
            for (int i = 0; i < 128; ++i) {
                const int low = first + i / 32 * 64 + i % 32;
                put((five ? 48 : 16) + i,
                    static_cast<uint32_t>((quant(low, count) & 15) | (quant(low + 32, count) & 15) << 4), 1);
            }
            return;
        }
        case HYDRA_Q6_K: {
            // Each half has 64 bytes of nibbles, then, after all of these, 32 bytes of bit pairs.
            const int first = -static_cast<int>(block % 8) * RANDOM_COLUMNS;
            const auto six = [&](int place) { return static_cast<uint32_t>(quant(first + place, 63) + 1); };
            for (int i = 0; i < 128; ++i) {
                const int low = i / 64 * 128 + i % 64;
                put(i, (six(low) & 15) | (six(low + 64) & 15) << 4, 1);
            }
            for (int i = 0; i < 64; ++i) {
                uint32_t pairs = 0;
                for (int part = 0; part < 4; ++part) pairs |= six(i / 32 * 128 + part * 32 + i % 32) >> 4 << 2 * part;
                put(128 + i, pairs, 1);
            }
            for (int i = 0; i < 16; ++i) put(192 + i, 1, 1);
            put(208, weights.block_scale, 2);
            return;
        }
        default:  // Q4_1
            put(0, weights.block_scale, 2);
            put(2, weights.block_minimum, 2);
            for (int i = 0; i < 16; ++i) {
                put(4 + i, static_cast<uint32_t>(quant(i, 16) | quant(16 + i, 16) << 4), 1);
            }
    }
}

}  // namespace hydra
