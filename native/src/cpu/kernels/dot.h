// Whole-number dot products of 16 output rows by 4 columns at a time, for the instruction set that this file is
// compiled for.
//
// A weight format has, for a block of 32 columns held as 8 groups of 4 columns:
//   Weights      16 lanes of one group, as the instruction set multiplies them
//   Partial      16 running sums; whatever it holds, lanes() gives the exact dot products of the block
//   load         groups i and i + 4 of a block, 0 <= i < 4
//   start        the sums of nothing, from the activations' offset (-128 * sum of quants), which takes back what
//   unsigned weights add
// Bits<n, CENTRED> are weights of 4, 5 or 6 bits, laid out as kernels.h has them; with CENTRED the quant in the middle
// stands for zero.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace hydra::HYDRA_ISA {

constexpr int GROUP_BYTES = 64;  // 16 lanes of 4 bytes

#if defined(HYDRA_AVX512)

struct Quad {
    __m512i v;
};

HYDRA_INLINE Quad broadcast4(const int8_t* quants) {
    int32_t four;
    __builtin_memcpy(&four, quants, 4);
    return {_mm512_set1_epi32(four)};
}

struct Unsigned {
    using Weights = Quad;
    using Partial = Quad;

    HYDRA_INLINE static void accumulate(Partial& sums, Weights w, Quad a) {
        sums.v = _mm512_dpbusd_epi32(sums.v, w.v, a.v);
    }
    HYDRA_INLINE static F32 lanes(Partial sums, int32_t) { return {_mm512_cvtepi32_ps(sums.v)}; }
};

struct Bytes : Unsigned {
    HYDRA_INLINE static constexpr int column(int i, int half) { return 8 * i + 4 * half; }
    HYDRA_INLINE static void load(const uint8_t* block, int i, Weights& low, Weights& high) {
        low.v = _mm512_load_si512(block + 2 * i * GROUP_BYTES);
        high.v = _mm512_load_si512(block + (2 * i + 1) * GROUP_BYTES);
    }
    HYDRA_INLINE static Partial start(int32_t offset) { return {_mm512_set1_epi32(offset)}; }
};

// Bits `mask` of bytes shifted to the left, with those of a.
HYDRA_INLINE __m512i with_bits(__m512i a, __m512i bytes, int left, int mask) {
    const __m512i moved = left >= 0 ? _mm512_slli_epi16(bytes, static_cast<unsigned>(left))
                                    : _mm512_srli_epi16(bytes, static_cast<unsigned>(-left));
    return _mm512_ternarylogic_epi32(a, moved, _mm512_set1_epi8(static_cast<char>(mask)), 0xf8);  // a | (moved & mask)
}

template <int BITS, bool CENTRED>
struct Bits : Unsigned {
    HYDRA_INLINE static constexpr int column(int i, int half) { return 4 * i + 16 * half; }
    HYDRA_INLINE static void load(const uint8_t* block, int i, Weights& low, Weights& high) {
        const __m512i mask = _mm512_set1_epi8(15);
        const __m512i both = _mm512_load_si512(block + i * GROUP_BYTES);
        low.v = _mm512_and_si512(both, mask);
        high.v = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
        if constexpr (BITS == 5) {
            const __m512i fifth = _mm512_load_si512(block + 4 * GROUP_BYTES);
            low.v = with_bits(low.v, fifth, 4 - i, 16);
            high.v = with_bits(high.v, fifth, -i, 16);
        } else if constexpr (BITS == 6) {
            const __m512i pairs = _mm512_load_si512(block + (4 + i / 2) * GROUP_BYTES);
            low.v = with_bits(low.v, pairs, 4 - i % 2 * 4, 48);
            high.v = with_bits(high.v, pairs, 2 - i % 2 * 4, 48);
        }
    }
    HYDRA_INLINE static Partial start(int32_t offset) {
        return {CENTRED ? _mm512_srai_epi32(_mm512_set1_epi32(offset), 8 - BITS) : _mm512_setzero_si512()};
    }
};

#elif defined(HYDRA_AVX2)

struct Quad {
    __m256i v;
};

struct Pair {
    __m256i a, b;
};

HYDRA_INLINE Quad broadcast4(const int8_t* quants) {
    int32_t four;
    __builtin_memcpy(&four, quants, 4);
    return {_mm256_set1_epi32(four)};
}

HYDRA_INLINE F32 to_float(__m256i a, __m256i b) { return {_mm256_cvtepi32_ps(a), _mm256_cvtepi32_ps(b)}; }

// Makes the compiler have the sums here: left alone, it gathers the additions of a block at its end and keeps the terms
// on the stack.
HYDRA_INLINE void keep(Pair& sums) { __asm__("" : "+x"(sums.a), "+x"(sums.b)); }

// Signed weights as |w| times sign(a, w): a sum of two products is at most 2 * 128 * 127, which 16 bits hold.
struct Bytes {
    HYDRA_INLINE static constexpr int column(int i, int half) { return 8 * i + 4 * half; }
    struct Weights {
        Pair value, magnitude;
    };
    using Partial = Pair;

    HYDRA_INLINE static void load(const uint8_t* block, int i, Weights& low, Weights& high) {
        low = load(block + 2 * i * GROUP_BYTES);
        high = load(block + (2 * i + 1) * GROUP_BYTES);
    }
    HYDRA_INLINE static Weights load(const uint8_t* group) {
        const __m256i flip = _mm256_set1_epi8(static_cast<char>(0x80));
        const __m256i a = _mm256_xor_si256(_mm256_load_si256(reinterpret_cast<const __m256i*>(group)), flip);
        const __m256i b = _mm256_xor_si256(_mm256_load_si256(reinterpret_cast<const __m256i*>(group + 32)), flip);
        return {{a, b}, {_mm256_abs_epi8(a), _mm256_abs_epi8(b)}};
    }
    HYDRA_INLINE static Partial start(int32_t) { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
    HYDRA_INLINE static void accumulate(Partial& sums, const Weights& w, Quad a) {
        const __m256i ones = _mm256_set1_epi16(1);
        const __m256i pa = _mm256_maddubs_epi16(w.magnitude.a, _mm256_sign_epi8(a.v, w.value.a));
        const __m256i pb = _mm256_maddubs_epi16(w.magnitude.b, _mm256_sign_epi8(a.v, w.value.b));
        sums.a = _mm256_add_epi32(sums.a, _mm256_madd_epi16(pa, ones));
        sums.b = _mm256_add_epi32(sums.b, _mm256_madd_epi16(pb, ones));
        keep(sums);
    }
    HYDRA_INLINE static F32 lanes(Partial sums, int32_t) { return to_float(sums.a, sums.b); }
};

// The products of a whole block of nibbles fit 16 bits: 16 * 15 * 127 = 30480. Of more bits those of a group do, which
// are added in 32.
template <int BITS, bool CENTRED>
struct Bits {
    HYDRA_INLINE static constexpr int column(int i, int half) { return 4 * i + 16 * half; }
    using Weights = Pair;
    using Partial = Pair;

    HYDRA_INLINE static void load(const uint8_t* block, int i, Weights& low, Weights& high) {
        const __m256i mask = _mm256_set1_epi8(15);
        const __m256i* group = reinterpret_cast<const __m256i*>(block + i * GROUP_BYTES);
        const __m256i a = _mm256_load_si256(group), b = _mm256_load_si256(group + 1);
        low = {_mm256_and_si256(a, mask), _mm256_and_si256(b, mask)};
        high = {_mm256_and_si256(_mm256_srli_epi16(a, 4), mask), _mm256_and_si256(_mm256_srli_epi16(b, 4), mask)};
        if constexpr (BITS > 4) {
            const int vector = BITS == 5 ? 4 : 4 + i / 2, left = BITS == 5 ? 4 - i : 4 - i % 2 * 4;
            group = reinterpret_cast<const __m256i*>(block + vector * GROUP_BYTES);
            const __m256i c = _mm256_load_si256(group), d = _mm256_load_si256(group + 1);
            low = {with_bits(low.a, c, left), with_bits(low.b, d, left)};
            constexpr int APART = BITS == 5 ? 4 : 2;
            high = {with_bits(high.a, c, left - APART), with_bits(high.b, d, left - APART)};
        }
    }
    // What is above the nibbles of `bytes`, shifted to the left.
    HYDRA_INLINE static __m256i with_bits(__m256i nibbles, __m256i bytes, int left) {
        const __m256i mask = _mm256_set1_epi8(BITS == 5 ? 16 : 48);
        const __m256i moved = left >= 0 ? _mm256_slli_epi16(bytes, left) : _mm256_srli_epi16(bytes, -left);
        return _mm256_or_si256(nibbles, _mm256_and_si256(moved, mask));
    }
    HYDRA_INLINE static Partial start(int32_t) { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
    HYDRA_INLINE static void accumulate(Partial& sums, Weights w, Quad a) {
        const __m256i pa = _mm256_maddubs_epi16(w.a, a.v), pb = _mm256_maddubs_epi16(w.b, a.v);
        if constexpr (BITS == 4) {
            sums.a = _mm256_add_epi16(sums.a, pa);
            sums.b = _mm256_add_epi16(sums.b, pb);
        } else {
            const __m256i ones = _mm256_set1_epi16(1);
            sums.a = _mm256_add_epi32(sums.a, _mm256_madd_epi16(pa, ones));
            sums.b = _mm256_add_epi32(sums.b, _mm256_madd_epi16(pb, ones));
        }
        keep(sums);
    }
    HYDRA_INLINE static F32 lanes(Partial sums, int32_t offset) {
        if constexpr (BITS == 4) {
            const __m256i ones = _mm256_set1_epi16(1);
            sums = {_mm256_madd_epi16(sums.a, ones), _mm256_madd_epi16(sums.b, ones)};
        }
        if constexpr (CENTRED) {
            const __m256i centre = _mm256_set1_epi32(offset >> (8 - BITS));
            sums = {_mm256_add_epi32(sums.a, centre), _mm256_add_epi32(sums.b, centre)};
        }
        return to_float(sums.a, sums.b);
    }
};

#else

struct Quad {
    int8_t v[4];
};

struct Lanes {
    int32_t v[LANES];
};

HYDRA_INLINE Quad broadcast4(const int8_t* quants) { return {{quants[0], quants[1], quants[2], quants[3]}}; }

struct Plain {
    struct Weights {
        int8_t v[LANES][4];
    };
    using Partial = Lanes;

    HYDRA_INLINE static void accumulate(Partial& sums, const Weights& w, Quad a) {
        for (int l = 0; l < LANES; ++l) {
            sums.v[l] += w.v[l][0] * a.v[0] + w.v[l][1] * a.v[1] + w.v[l][2] * a.v[2] + w.v[l][3] * a.v[3];
        }
    }
    HYDRA_INLINE static F32 lanes(const Partial& sums, int32_t) {
        F32 result;
        for (int l = 0; l < LANES; ++l) result.v[l] = static_cast<float>(sums.v[l]);
        return result;
    }
};

struct Bytes : Plain {
    HYDRA_INLINE static constexpr int column(int i, int half) { return 8 * i + 4 * half; }
    HYDRA_INLINE static void load(const uint8_t* block, int i, Weights& low, Weights& high) {
        for (int l = 0; l < LANES; ++l) {
            for (int c = 0; c < 4; ++c) {
                low.v[l][c] = static_cast<int8_t>(block[2 * i * GROUP_BYTES + l * 4 + c] ^ 0x80);
                high.v[l][c] = static_cast<int8_t>(block[(2 * i + 1) * GROUP_BYTES + l * 4 + c] ^ 0x80);
            }
        }
    }
    HYDRA_INLINE static Partial start(int32_t) { return {}; }
};

template <int BITS, bool CENTRED>
struct Bits : Plain {
    HYDRA_INLINE static constexpr int column(int i, int half) { return 4 * i + 16 * half; }
    HYDRA_INLINE static void load(const uint8_t* block, int i, Weights& low, Weights& high) {
        const uint8_t* group = block + i * GROUP_BYTES;
        for (int l = 0; l < LANES; ++l) {
            for (int c = 0; c < 4; ++c) {
                int first = group[l * 4 + c] & 15, second = group[l * 4 + c] >> 4;
                if constexpr (BITS == 5) {
                    const int fifth = block[4 * GROUP_BYTES + l * 4 + c];
                    first |= (fifth >> i & 1) << 4;
                    second |= (fifth >> (i + 4) & 1) << 4;
                } else if constexpr (BITS == 6) {
                    const int pairs = block[(4 + i / 2) * GROUP_BYTES + l * 4 + c] >> i % 2 * 4;
                    first |= (pairs & 3) << 4;
                    second |= (pairs >> 2 & 3) << 4;
                }
                low.v[l][c] = static_cast<int8_t>(first);
                high.v[l][c] = static_cast<int8_t>(second);
            }
        }
    }
    HYDRA_INLINE static Partial start(int32_t offset) {
        Partial sums;
        for (int l = 0; l < LANES; ++l) sums.v[l] = CENTRED ? offset >> (8 - BITS) : 0;
        return sums;
    }
};

#endif

}  // namespace hydra::HYDRA_ISA
