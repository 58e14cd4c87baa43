#include "cpu/tile_order.h"

#include <cstring>

#include "cpu/kernels.h"
#include "program/convert.h"
#include "program/half.h"

namespace hydra {

namespace {

constexpr int SUPER_BLOCKS = 8, SUPER_COLUMNS = SUPER_BLOCKS * BLOCK_COLUMNS;
constexpr int GROUPS = BLOCK_COLUMNS / 4;  // of 4 columns, a byte of a word each
constexpr uint32_t LOW_NIBBLES = 0x0f0f0f0f, LOW_PAIRS = 0x03030303, LOW_BITS = 0x01010101;

uint32_t word_at(const uint8_t* p) {
    uint32_t word;
    std::memcpy(&word, p, sizeof word);
    return word;
}

float half_at(const uint8_t* p) {
    uint16_t half;
    std::memcpy(&half, p, sizeof half);
    return half_to_float(half);
}

uint8_t* put(uint8_t* target, uint32_t word) {
    std::memcpy(target, &word, sizeof word);
    return target + sizeof word;
}

uint8_t* copy(uint8_t* target, const uint8_t* source, int bytes) {
    std::memcpy(target, source, static_cast<size_t>(bytes));
    return target + bytes;
}

// The nibbles of a block that a file has in the low or the high halves of 32 bytes.
uint8_t* put_nibbles(uint8_t* target, const uint8_t* bytes, int shift) {
    for (int g = 0; g < GROUPS / 2; ++g) {
        const uint32_t low = word_at(bytes + 4 * g) >> shift & LOW_NIBBLES;
        const uint32_t high = word_at(bytes + 16 + 4 * g) >> shift & LOW_NIBBLES;
        target = put(target, low | high << 4);
    }
    return target;
}

// Bits `count` from bit `from` on of the four bytes of a word, at bit `to`.
uint32_t part(uint32_t word, int from, int count, int to) {
    return (word >> from & LOW_BITS * ((1u << count) - 1)) << to;
}

// Quants of 5 bits of a block: those of groups 5 to 7 above those of groups 0 to 4.
uint8_t* put_fives(uint8_t* target, const uint32_t (&quants)[GROUPS]) {
    target = put(target, quants[0] | part(quants[5], 0, 3, 5));
    target = put(target, quants[1] | part(quants[5], 3, 2, 5) | part(quants[7], 3, 1, 7));
    target = put(target, quants[2] | part(quants[6], 0, 3, 5));
    target = put(target, quants[3] | part(quants[6], 3, 2, 5) | part(quants[7], 4, 1, 7));
    return put(target, quants[4] | part(quants[7], 0, 3, 5));
}

// Quants of 6 bits of a block: those of groups 3 and 7 above those of the three groups before.
uint8_t* put_sixes(uint8_t* target, const uint32_t (&quants)[GROUPS]) {
    for (int g = 0; g < GROUPS; g += 4) {
        for (int i = 0; i < 3; ++i) target = put(target, quants[g + i] | part(quants[g + 3], 2 * i, 2, 6));
    }
    return target;
}

// Q5_0 and Q5_1: bit j of the word before the nibbles belongs to column j.
void order_block(const uint8_t* source, int halves, uint8_t* target) {
    target = copy(target, source, halves * 2);
    const uint32_t bits = word_at(source + halves * 2);
    const uint8_t* nibbles = source + halves * 2 + 4;
    uint32_t quants[GROUPS];
    for (int g = 0; g < GROUPS; ++g) {
        // The product has bit i of a nibble at bit 8 i.
        const uint32_t fifth = (bits >> 4 * g & 15) * 0x00204081 & LOW_BITS;
        quants[g] = (word_at(nibbles + g % 4 * 4) >> g / 4 * 4 & LOW_NIBBLES) | fifth << 4;
    }
    put_fives(target, quants);
}

// Q4_K and Q5_K: eight 6-bit scales and minimums in 12 bytes, the first four of each whole, the upper two bits of the
// others in the first eight bytes. Block b has the low (even b) or high nibbles of bytes b / 2 * 32 on, and bit b of
// the 32 bytes of fifth bits.
void order_super_block(const uint8_t* source, bool fifth_bits, uint8_t* target) {
    target = copy(target, source, 4);
    const uint8_t* packed = source + 4;
    for (int b = 0; b < SUPER_BLOCKS; ++b) {
        const bool whole = b < 4;
        *target++ = static_cast<uint8_t>(whole ? packed[b] & 63 : (packed[b + 4] & 15) | packed[b - 4] >> 6 << 4);
        *target++ = static_cast<uint8_t>(whole ? packed[b + 4] & 63 : packed[b + 4] >> 4 | packed[b] >> 6 << 4);
    }
    const uint8_t *bits = source + 16, *nibbles = bits + (fifth_bits ? BLOCK_COLUMNS : 0);
    for (int b = 0; b < SUPER_BLOCKS; ++b) {
        const uint8_t* own = nibbles + b / 2 * BLOCK_COLUMNS;
        if (!fifth_bits) {
            target = put_nibbles(target, own, b % 2 * 4);
            continue;
        }
        uint32_t quants[GROUPS];
        for (int g = 0; g < GROUPS; ++g) {
            quants[g] = (word_at(own + 4 * g) >> b % 2 * 4 & LOW_NIBBLES) | (word_at(bits + 4 * g) >> b & LOW_BITS)
                                                                                << 4;
        }
        target = put_fives(target, quants);
    }
}

// Q6_K: nibbles, upper bit pairs, 16 scales, f16 scale. Of each half of four blocks, blocks 0 and 1 have the low and 2
// and 3 the high nibbles of 32 bytes each, block b bits 2 b and 2 b + 1 of 32 bytes.
void order_six_bits(const uint8_t* source, uint8_t* target) {
    const uint8_t *nibbles = source, *pairs = source + SUPER_COLUMNS / 2, *scales = pairs + SUPER_COLUMNS / 4;
    target = copy(target, scales + 2 * SUPER_BLOCKS, 2);
    target = copy(target, scales, 2 * SUPER_BLOCKS);
    for (int b = 0; b < SUPER_BLOCKS; ++b) {
        const int half = b / 4, place = b % 4;
        const uint8_t *own = nibbles + half * 64 + place % 2 * 32, *upper = pairs + half * 32;
        uint32_t quants[GROUPS];
        for (int g = 0; g < GROUPS; ++g) {
            quants[g] = (word_at(own + 4 * g) >> place / 2 * 4 & LOW_NIBBLES) |
                        (word_at(upper + 4 * g) >> 2 * place & LOW_PAIRS) << 4;
        }
        target = put_sixes(target, quants);
    }
}

// The quants of a group of a block; `words` as TileUnit has it.
uint32_t quants_of(const uint8_t* block, int words, int group) {
    const auto word = [block](int w) { return word_at(block + 4 * w); };
    if (words == 4) return word(group % 4) >> group / 4 * 4 & LOW_NIBBLES;
    if (words == 5) {
        switch (group) {
            case 5:
                return part(word(0), 5, 3, 0) | part(word(1), 5, 2, 3);
            case 6:
                return part(word(2), 5, 3, 0) | part(word(3), 5, 2, 3);
            case 7:
                return part(word(4), 5, 3, 0) | part(word(1), 7, 1, 3) | part(word(3), 7, 1, 4);
            default:
                return part(word(group), 0, 5, 0);
        }
    }
    const int first = group / 4 * 3;
    if (group % 4 < 3) return part(word(first + group % 4), 0, 6, 0);
    return part(word(first), 6, 2, 0) | part(word(first + 1), 6, 2, 2) | part(word(first + 2), 6, 2, 4);
}

}  // namespace

TileUnit tile_unit(hydra_type type) {
    switch (type) {
        case HYDRA_Q8_0:
            return {1, 1, 0, 8};
        case HYDRA_Q4_1:
            return {1, 2, 0, 4};
        case HYDRA_Q5_0:
            return {1, 1, 0, 5};
        case HYDRA_Q5_1:
            return {1, 2, 0, 5};
        case HYDRA_Q4_K:
            return {SUPER_BLOCKS, 2, 2 * SUPER_BLOCKS, 4};
        case HYDRA_Q5_K:
            return {SUPER_BLOCKS, 2, 2 * SUPER_BLOCKS, 5};
        case HYDRA_Q6_K:
            return {SUPER_BLOCKS, 1, 2 * SUPER_BLOCKS, 6};
        default:  // Q4_0
            return {1, 1, 0, 4};
    }
}

bool has_tile_order(hydra_type type) {
    return type == HYDRA_Q5_0 || type == HYDRA_Q5_1 || type == HYDRA_Q4_K || type == HYDRA_Q5_K || type == HYDRA_Q6_K;
}

void to_tile_order(hydra_type type, const uint8_t* source, int64_t columns, uint8_t* target) {
    const TypeFacts& facts = facts_of(type);
    const TileUnit unit = tile_unit(type);
    for (int64_t c = 0; c < columns; c += facts.block, source += facts.bytes, target += unit.bytes()) {
        if (type == HYDRA_Q6_K) {
            order_six_bits(source, target);
        } else if (unit.blocks > 1) {
            order_super_block(source, type == HYDRA_Q5_K, target);
        } else {
            order_block(source, unit.halves, target);
        }
    }
}

void dequantise_tile_order(hydra_type type, const uint8_t* source, int64_t columns, float* values) {
    const TileUnit unit = tile_unit(type);
    const int centre = type == HYDRA_Q5_0 ? 16 : type == HYDRA_Q6_K ? 32 : 0;
    for (int64_t c = 0; c < columns; c += BLOCK_COLUMNS * unit.blocks, source += unit.bytes()) {
        const float d = half_at(source), m = unit.halves == 2 ? half_at(source + 2) : 0;
        const uint8_t *scales = source + unit.halves * 2, *block = scales + unit.scale_bytes;
        for (int b = 0; b < unit.blocks; ++b, block += unit.words * 4) {
            for (int i = 0; i < BLOCK_COLUMNS; ++i) {
                const uint32_t group = quants_of(block, unit.words, i / 4);
                const auto quant = static_cast<float>(static_cast<int>(group >> i % 4 * 8 & 255) - centre);
                float scale = d, minimum = m;
                if (type == HYDRA_Q6_K) {
                    scale *= static_cast<float>(static_cast<int8_t>(scales[2 * b + i / 16]));
                } else if (unit.scale_bytes > 0) {
                    scale *= static_cast<float>(scales[2 * b]);
                    minimum *= -static_cast<float>(scales[2 * b + 1]);
                }
                *values++ = unit.halves == 2 ? scale * quant + minimum : scale * quant;
            }
        }
    }
}

}  // namespace hydra
