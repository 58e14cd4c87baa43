// Products of bf16 numbers, whose sums are float32: what they are, and their panels.
//
// Both sides are rounded to the nearest bf16, ties to even. The depth is taken in groups of 32 values, the last one
// filled up with zeros: the products of a group's first 16 values are added one after another, by fused multiply-add
// from zero on, and so are those of its last 16; the two sums are added, and that to the sum of the groups before. What
// is smaller than 2^-126 in magnitude counts as zero wherever it turns up.
//
// That is what the instruction TDPBF16PS of Intel AMX does with the first 16 values in its even places and the last 16
// in the odd ones; VDPBF16PS of AVX-512 BF16, which adds two products to a sum, the one of the upper halves first, does
// it in sixteen steps; and so do fused multiply-adds of every processor, if they flush what is tiny. So all of them
// give the same bits.
#pragma once

#include <xmmintrin.h>

#include "program/half.h"
#include "train/kernels/functions.h"

namespace hydra::HYDRA_ISA {

// Panels are words of two values: [groups][width][PAIRS] of a left side, [groups][PAIRS][width] of a right one.
constexpr int GROUP = 32, PAIRS = GROUP / 2;
static_assert(PAIRS == LANES);

// Has this thread's float32 instructions treat numbers as these products do; returns the state before.
inline uint32_t flush_tiny() {
    constexpr uint32_t FLUSH_RESULTS = 1U << 15, IGNORE_OPERANDS = 1U << 6;
    const uint32_t before = _mm_getcsr();
    _mm_setcsr(before | FLUSH_RESULTS | IGNORE_OPERANDS);
    return before;
}

// Sixteen lines of as many words, as bits of floats.
using Lines = float[LANES][PAIRS];

HYDRA_INLINE void make_words(const float* upper, const float* lower, int step, float* words) {
    for (int i = 0; i < PAIRS; ++i) {
        words[i] = float_of_bits(uint32_t{float_to_bfloat(upper[i * step])} << 16 | float_to_bfloat(lower[i * step]));
    }
}

// p, if `count` of `wanted` values are there, or a copy with zeros behind them.
HYDRA_INLINE const float* filled(const float* p, int64_t count, int wanted, float* copy) {
    if (count >= wanted) return p;
    for (int i = 0; i < wanted; ++i) copy[i] = i < count ? p[i] : 0;
    return copy;
}

// Of a row's group, `depth` of whose values there are.
template <class Pairing>
HYDRA_INLINE void make_line_along(const float* row, int64_t depth, float* words) {
    float copy[GROUP];
    const float* group = filled(row, depth, GROUP, copy);
    make_words(group + Pairing::upper(0), group + Pairing::lower(0), Pairing::upper(1) - Pairing::upper(0), words);
}

// Of pair p of a group of sixteen rows that lie side by side; `count` of the rows and `depth` values of each exist.
template <class Pairing>
HYDRA_INLINE void make_line_across(const float* group, int64_t stride, int64_t count, int64_t depth, int p,
                                   float* words) {
    float copies[2][LANES];
    const auto values = [&](int k, float* copy) {
        return k < depth ? filled(group + k * stride, count, LANES, copy) : filled(group, 0, LANES, copy);
    };
    make_words(values(Pairing::upper(p), copies[0]), values(Pairing::lower(p), copies[1]), 1, words);
}

// Word w of line l goes to place w * stride + l.
HYDRA_INLINE void store_transposed(const Lines& lines, int64_t stride, float* to) {
    for (int l = 0; l < LANES; l += 4) {
        F32 x[4];
        for (int t = 0; t < 4; ++t) x[t] = load(lines[l + t]);
        transpose(x);
        for (int i = 0; i < 4; ++i) {
            float* const out = to + i * stride + l;
            store_quad<0>(out, x[i]);
            store_quad<1>(out + 4 * stride, x[i]);
            store_quad<2>(out + 8 * stride, x[i]);
            store_quad<3>(out + 12 * stride, x[i]);
        }
    }
}

// Rows of an operand as panels. Pairing::upper(p) and lower(p) say which values of a group are the halves of word p.
template <class Pairing, int width, bool left>
void pack_bf16(int64_t count, int64_t depth, Operand from, float* panels) {
    static_assert(width % LANES == 0);
    const int64_t groups = (depth + GROUP - 1) / GROUP;
    for (int64_t row = 0; row < (count + width - 1) / width * width; row += LANES) {
        float* to = panels + row / width * width * groups * PAIRS + row % width * (left ? PAIRS : 1);
        for (int64_t k = 0; k < depth; k += GROUP, to += width * PAIRS) {
            alignas(64) Lines lines;
            const float* group = from.data + (from.transposed ? k * from.stride + row : row * from.stride + k);
            for (int i = 0; i < LANES; ++i) {
                if (from.transposed) {
                    make_line_across<Pairing>(group, from.stride, count - row, depth - k, i, lines[i]);
                } else {
                    make_line_along<Pairing>(group + i * from.stride, row + i < count ? depth - k : 0, lines[i]);
                }
            }
            if (from.transposed == left) {
                store_transposed(lines, left ? PAIRS : width, to);
            } else {
                for (int i = 0; i < LANES; ++i) {
                    __builtin_memcpy(to + i * (left ? PAIRS : width), lines[i], sizeof lines[i]);
                }
            }
        }
    }
}

}  // namespace hydra::HYDRA_ISA
