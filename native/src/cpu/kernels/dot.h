// Whole-number dot products of 16 output rows by 4 columns at a time, for the instruction set that this file is
// compiled for.
//
// A weight format has, for a block of 32 columns held as 8 groups of 4 columns:
//   Weights      16 lanes of one group, as the instruction set multiplies them
//   Partial      16 running sums; whatever it holds, lanes() gives the exact dot products of the block
//   load         two groups of a block, 0 <= i < 4, whose first columns column() tells; of 5 and 6 bits neighbours
//   PAIRS        whether accumulate takes both groups of a load at once
//   SIGNED       whether activations have their signs apart
//   start        the sums of nothing, from the activations' offset, which takes back what is added besides
// Each instruction set has what multiplies and adds; where the weights of Bits lie is told once, below, by
//   take(group, right, mask)     bytes of a group, shifted to the right and masked
//   join(a, group, right, mask)  a with these, too
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace hydra::HYDRA_ISA {

constexpr int GROUP_BYTES = 64;  // 16 lanes of 4 bytes

#if defined(HYDRA_AVX512)

struct Quad {
    __m512i v;
};

HYDRA_INLINE Quad broadcast4(const int8_t* quants, int place) {
    int32_t four;
    __builtin_memcpy(&four, quants + place, 4);
    return {_mm512_set1_epi32(four)};
}

struct Unsigned {
    using Weights = Quad;
    using Partial = Quad;
    static constexpr bool PAIRS = false, SIGNED = false;

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

// Bytes of a group, shifted to the right and masked.
HYDRA_INLINE Quad take(const uint8_t* group, int right, int mask) {
    const __m512i moved = _mm512_srli_epi16(_mm512_load_si512(group), static_cast<unsigned>(right));
    return {_mm512_and_si512(moved, _mm512_set1_epi8(static_cast<char>(mask)))};
}
HYDRA_INLINE Quad join(Quad a, const uint8_t* group, int right, int mask) {
    const __m512i moved = _mm512_srli_epi16(_mm512_load_si512(group), static_cast<unsigned>(right));
    // a | (moved & mask)
    return {_mm512_ternarylogic_epi32(a.v, moved, _mm512_set1_epi8(static_cast<char>(mask)), 0xf8)};
}

template <int BITS, bool CENTRED>
struct BitSums : Unsigned {
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

HYDRA_INLINE __m256i broadcast4(const uint8_t* bytes) {
    int32_t four;
    __builtin_memcpy(&four, bytes, 4);
    return _mm256_set1_epi32(four);
}
HYDRA_INLINE Quad broadcast4(const int8_t* quants, int place) {
    return {broadcast4(reinterpret_cast<const uint8_t*>(quants + place))};
}

// Four activations with their signs apart, for weights of 8 bits.
struct SignedQuad {
    __m256i magnitude, flip;
};

template <int COLUMNS>
HYDRA_INLINE SignedQuad broadcast4(const SignedQuants<COLUMNS>* quants, int place) {
    quants += place / COLUMNS;
    return {broadcast4(quants->magnitudes + place % COLUMNS), broadcast4(quants->flips + place % COLUMNS)};
}

HYDRA_INLINE F32 to_float(__m256i a, __m256i b) { return {_mm256_cvtepi32_ps(a), _mm256_cvtepi32_ps(b)}; }

// Makes the compiler have the sums here: left alone, it gathers the additions of a block at its end and keeps the terms
// on the stack.
HYDRA_INLINE void keep(Pair& sums) { __asm__("" : "+x"(sums.a), "+x"(sums.b)); }

// Weights with the signs of activations, times |activation|: any unit can flip bits, where only those that multiply can
// give a sign. A sum of two products is at most 2 * 127 * 128, which 16 bits hold. Weights are read where they are
// used, so that registers are left for more rows.
struct Bytes {
    using Weights = const __m256i*;
    using Partial = Pair;
    static constexpr bool PAIRS = false, SIGNED = true;

    HYDRA_INLINE static constexpr int column(int i, int half) { return 8 * i + 4 * half; }
    HYDRA_INLINE static void load(const uint8_t* block, int i, Weights& low, Weights& high) {
        low = reinterpret_cast<const __m256i*>(block + 2 * i * GROUP_BYTES);
        high = reinterpret_cast<const __m256i*>(block + (2 * i + 1) * GROUP_BYTES);
    }
    HYDRA_INLINE static Partial start(int32_t offset) { return {_mm256_set1_epi32(offset), _mm256_set1_epi32(offset)}; }
    HYDRA_INLINE static void accumulate(Partial& sums, Weights w, SignedQuad x) {
        const __m256i ones = _mm256_set1_epi16(1);
        const __m256i pa = _mm256_maddubs_epi16(x.magnitude, _mm256_xor_si256(_mm256_load_si256(w), x.flip));
        const __m256i pb = _mm256_maddubs_epi16(x.magnitude, _mm256_xor_si256(_mm256_load_si256(w + 1), x.flip));
        sums.a = _mm256_add_epi32(sums.a, _mm256_madd_epi16(pa, ones));
        sums.b = _mm256_add_epi32(sums.b, _mm256_madd_epi16(pb, ones));
        keep(sums);
    }
    HYDRA_INLINE static F32 lanes(Partial sums, int32_t) { return to_float(sums.a, sums.b); }
};

// Bytes of a group, shifted to the right and masked.
HYDRA_INLINE Pair take(const uint8_t* group, int right, int mask) {
    const auto half = [=](const uint8_t* bytes) {
        const __m256i moved = _mm256_srli_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(bytes)), right);
        return _mm256_and_si256(moved, _mm256_set1_epi8(static_cast<char>(mask)));
    };
    return {half(group), half(group + 32)};
}
HYDRA_INLINE Pair join(Pair a, const uint8_t* group, int right, int mask) {
    const Pair b = take(group, right, mask);
    return {_mm256_or_si256(a.a, b.a), _mm256_or_si256(a.b, b.b)};
}

// The products of a whole block of nibbles fit 16 bits: 16 * 15 * 127 = 30480. Of more bits those of two groups do, 4 *
// 63 * 127 = 32004, which are added in 32.
template <int BITS, bool CENTRED>
struct BitSums {
    using Weights = Pair;
    using Partial = Pair;
    static constexpr bool PAIRS = BITS > 4, SIGNED = false;

    HYDRA_INLINE static Partial start(int32_t) { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
    // Of nibbles.
    HYDRA_INLINE static void accumulate(Partial& sums, Weights w, Quad a) {
        sums.a = _mm256_add_epi16(sums.a, _mm256_maddubs_epi16(w.a, a.v));
        sums.b = _mm256_add_epi16(sums.b, _mm256_maddubs_epi16(w.b, a.v));
        keep(sums);
    }
    // Of more bits: both groups of a load.
    HYDRA_INLINE static void accumulate(Partial& sums, const Weights (&w)[2], Quad a, Quad b) {
        const __m256i ones = _mm256_set1_epi16(1);
        const __m256i pa = _mm256_add_epi16(_mm256_maddubs_epi16(w[0].a, a.v), _mm256_maddubs_epi16(w[1].a, b.v));
        const __m256i pb = _mm256_add_epi16(_mm256_maddubs_epi16(w[0].b, a.v), _mm256_maddubs_epi16(w[1].b, b.v));
        sums.a = _mm256_add_epi32(sums.a, _mm256_madd_epi16(pa, ones));
        sums.b = _mm256_add_epi32(sums.b, _mm256_madd_epi16(pb, ones));
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

HYDRA_INLINE Quad broadcast4(const int8_t* quants, int place) {
    quants += place;
    return {{quants[0], quants[1], quants[2], quants[3]}};
}

struct Plain {
    struct Weights {
        int8_t v[LANES][4];
    };
    using Partial = Lanes;
    static constexpr bool PAIRS = false, SIGNED = false;

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

// Bytes of a group, shifted to the right and masked. Not inline, or the compiler takes minutes.
__attribute__((noinline)) inline Plain::Weights take(const uint8_t* group, int right, int mask) {
    Plain::Weights w;
    int8_t* bytes = w.v[0];
    for (int i = 0; i < GROUP_BYTES; ++i) bytes[i] = static_cast<int8_t>(group[i] >> right & mask);
    return w;
}
__attribute__((noinline)) inline Plain::Weights join(Plain::Weights a, const uint8_t* group, int right, int mask) {
    int8_t* bytes = a.v[0];
    for (int i = 0; i < GROUP_BYTES; ++i) bytes[i] = static_cast<int8_t>(bytes[i] | (group[i] >> right & mask));
    return a;
}

template <int BITS, bool CENTRED>
struct BitSums : Plain {
    HYDRA_INLINE static Partial start(int32_t offset) {
        Partial sums;
        for (int l = 0; l < LANES; ++l) sums.v[l] = CENTRED ? offset >> (8 - BITS) : 0;
        return sums;
    }
};

#endif

// Weights of 4, 5 or 6 bits, laid out as kernels.h has them; with CENTRED the quant in the middle stands for zero.
template <int BITS, bool CENTRED>
struct Bits : BitSums<BITS, CENTRED> {
    using Weights = typename BitSums<BITS, CENTRED>::Weights;

    HYDRA_INLINE static constexpr int column(int i, int half) {
        return BITS == 4 ? 4 * i + 16 * half : 8 * i + 4 * half;
    }
    HYDRA_INLINE static void load(const uint8_t* block, int i, Weights& low, Weights& high) {
        const auto word = [block](int w) { return block + w * GROUP_BYTES; };
        if constexpr (BITS == 4) {
            low = take(word(i), 0, 15);
            high = take(word(i), 4, 15);
        } else if constexpr (BITS == 5) {
            low = i < 3 ? take(word(2 * i), 0, 31) : join(take(word(2), 5, 7), word(3), 2, 24);
            high = i < 2    ? take(word(2 * i + 1), 0, 31)
                   : i == 2 ? join(take(word(0), 5, 7), word(1), 2, 24)
                            : join(join(take(word(4), 5, 7), word(1), 4, 8), word(3), 3, 16);
        } else {
            const int first = i / 2 * 3;  // of 16 columns
            low = take(word(first + i % 2 * 2), 0, 63);
            high = i % 2 == 0 ? take(word(first + 1), 0, 63)
                              : join(join(take(word(first), 6, 3), word(first + 1), 4, 12), word(first + 2), 2, 48);
        }
    }
};

}  // namespace hydra::HYDRA_ISA
