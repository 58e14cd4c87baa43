// Sixteen float lanes, the unit in which every CPU kernel computes, for the instruction set that this file is compiled
// for.
//
// HYDRA_ISA names the namespace: avx512, avx2 or portable. Each operation is the same IEEE operation on every
// instruction set (fma is one rounding everywhere), so that kernels written in it give the same bits on all of them.
// Only intrinsics and built-in types are used here: code of the standard library that was compiled for a newer
// processor must not be merged into the rest of the program.
#pragma once

#include <stdint.h>

#include "program/elementary.h"
#include "program/fused.h"

#if defined(HYDRA_AVX512) || defined(HYDRA_AVX2)
// GCC 12 takes the header's own "undefined" values for forgotten initialisers (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

#define HYDRA_INLINE inline __attribute__((always_inline))

namespace hydra::HYDRA_ISA {

constexpr int LANES = 16;

#if defined(HYDRA_AVX512) || defined(HYDRA_AVX2)
// Of eight lanes, halves onto halves.
HYDRA_INLINE float sum(__m256 eight) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_add_ps(four, _mm_permute_ps(four, 0x4e));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_permute_ps(four, 0xb1)));
}
HYDRA_INLINE float maximum(__m256 eight) {
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_max_ps(four, _mm_permute_ps(four, 0x4e));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_permute_ps(four, 0xb1)));
}
#endif

#if defined(HYDRA_AVX512)

struct F32 {
    __m512 v;
};

HYDRA_INLINE F32 zero() { return {_mm512_setzero_ps()}; }
HYDRA_INLINE F32 broadcast(float x) { return {_mm512_set1_ps(x)}; }
HYDRA_INLINE F32 load(const float* p) { return {_mm512_loadu_ps(p)}; }
HYDRA_INLINE void store(float* p, F32 a) { _mm512_storeu_ps(p, a.v); }
// Load once into a register, where the compiler would rather read memory again for every use.
HYDRA_INLINE F32 load_once(const float* p) {
    F32 a = load(p);
    asm("" : "+v"(a.v));
    return a;
}
HYDRA_INLINE F32 load_f16(const uint16_t* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
// The even ones and the odd ones of 32 bfloat16 values.
HYDRA_INLINE void load_bf16_pairs(const uint16_t* p, F32& even, F32& odd) {
    const __m512i both = _mm512_loadu_si512(p);
    even.v = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
    odd.v = _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(static_cast<int>(0xffff0000))));
}
// Stores whole numbers -128 <= a <= 127 as bytes.
HYDRA_INLINE void store_i8(int8_t* p, F32 a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a.v)));
}
HYDRA_INLINE F32 load_i8(const int8_t* p) {
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
}
// The bits of the greatest |value|, where an infinity is greater than any number and NaN greater than that.
HYDRA_INLINE uint32_t largest_magnitude(F32 a, F32 b) {
    const __m512i most = _mm512_set1_epi32(0x7fffffff);
    return _mm512_reduce_max_epu32(_mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(a.v), most),
                                                    _mm512_and_si512(_mm512_castps_si512(b.v), most)));
}
HYDRA_INLINE F32 add(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
HYDRA_INLINE F32 sub(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
HYDRA_INLINE F32 mul(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
HYDRA_INLINE F32 div(F32 a, F32 b) { return {_mm512_div_ps(a.v, b.v)}; }
HYDRA_INLINE F32 max(F32 a, F32 b) { return {_mm512_max_ps(a.v, b.v)}; }
HYDRA_INLINE F32 min(F32 a, F32 b) { return {_mm512_min_ps(a.v, b.v)}; }
HYDRA_INLINE F32 fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
HYDRA_INLINE F32 sqrt(F32 a) { return {_mm512_sqrt_ps(a.v)}; }
HYDRA_INLINE F32 round_even(F32 a) {
    return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
// Lanes 2i and 2i + 1 of a exchanged; both lane 2i; both lane 2i + 1.
HYDRA_INLINE F32 swap_pairs(F32 a) { return {_mm512_permute_ps(a.v, 0xb1)}; }
HYDRA_INLINE F32 even_lanes(F32 a) { return {_mm512_moveldup_ps(a.v)}; }
HYDRA_INLINE F32 odd_lanes(F32 a) { return {_mm512_movehdup_ps(a.v)}; }
// a - b in even lanes, a + b in odd ones.
HYDRA_INLINE F32 sub_add(F32 a, F32 b) { return {_mm512_mask_sub_ps(_mm512_add_ps(a.v, b.v), 0x5555, a.v, b.v)}; }
// Sum and greatest of the lanes, halves onto halves.
HYDRA_INLINE float sum(F32 a) {
    return sum(_mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1)));
}
HYDRA_INLINE float maximum(F32 a) {
    return maximum(_mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1)));
}
// Lanes [0, count) of a, zero beyond; 0 <= count < LANES.
HYDRA_INLINE F32 first_lanes(F32 a, int count) {
    return {_mm512_maskz_mov_ps(static_cast<__mmask16>((1 << count) - 1), a.v)};
}
// a * 2^n for whole n with -126 <= n <= 127.
HYDRA_INLINE F32 scale2(F32 a, F32 n) { return {_mm512_scalef_ps(a.v, n.v)}; }
// n of a = m 2^n with 1 <= |m| < 2, of normal numbers.
HYDRA_INLINE F32 exponent(F32 a) {
    const __m512i field = _mm512_and_si512(_mm512_srli_epi32(_mm512_castps_si512(a.v), 23), _mm512_set1_epi32(255));
    return {_mm512_cvtepi32_ps(_mm512_sub_epi32(field, _mm512_set1_epi32(127)))};
}
// Bit i is set where lane i of a is greater than lane i of b.
HYDRA_INLINE uint32_t greater(F32 a, F32 b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ); }
HYDRA_INLINE uint32_t greater_or_equal(F32 a, F32 b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ); }

struct U32 {
    __m512i v;
};

HYDRA_INLINE U32 constant(U32, uint32_t x) { return {_mm512_set1_epi32(static_cast<int>(x))}; }
HYDRA_INLINE U32 load(const uint32_t* p) { return {_mm512_loadu_si512(p)}; }
HYDRA_INLINE void store(uint32_t* p, U32 a) { _mm512_storeu_si512(p, a.v); }
HYDRA_INLINE U32 bits_of(F32 a) { return {_mm512_castps_si512(a.v)}; }
HYDRA_INLINE F32 of_bits(U32 a) { return {_mm512_castsi512_ps(a.v)}; }
HYDRA_INLINE F32 nearest(U32 a) { return {_mm512_cvtepu32_ps(a.v)}; }
HYDRA_INLINE F32 nearest_signed(U32 a) { return {_mm512_cvtepi32_ps(a.v)}; }
HYDRA_INLINE U32 whole(F32 a) { return {_mm512_cvtps_epu32(a.v)}; }
HYDRA_INLINE U32 add(U32 a, U32 b) { return {_mm512_add_epi32(a.v, b.v)}; }
HYDRA_INLINE U32 sub(U32 a, U32 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
HYDRA_INLINE U32 exclusive_or(U32 a, U32 b) { return {_mm512_xor_si512(a.v, b.v)}; }
template <int by>
HYDRA_INLINE U32 shift_left(U32 a) {
    return {_mm512_slli_epi32(a.v, by)};
}
template <int by>
HYDRA_INLINE U32 shift_right_signed(U32 a) {
    return {_mm512_srai_epi32(a.v, by)};
}
HYDRA_INLINE void multiply(U32 a, uint32_t by, U32& high, U32& low) {
    const __m512i factor = _mm512_set1_epi32(static_cast<int>(by));
    const __m512i even = _mm512_mul_epu32(a.v, factor), odd = _mm512_mul_epu32(_mm512_srli_epi64(a.v, 32), factor);
    high.v = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
    low.v = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
}
HYDRA_INLINE U32 larger(U32 a, U32 b) { return {_mm512_max_epu32(a.v, b.v)}; }
// out[i] = the greatest magnitude of a[i] and b[i], 0 <= i < 4; as with largest_magnitude, NaN is the greatest.
HYDRA_INLINE void largest_magnitudes(const F32 (&a)[4], const F32 (&b)[4], float* out) {
    const __m512i most = _mm512_set1_epi32(0x7fffffff);
    __m512i x[4];
    for (int i = 0; i < 4; ++i) {
        x[i] = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(a[i].v), most),
                                _mm512_and_si512(_mm512_castps_si512(b[i].v), most));
    }
    // In the end every four lanes are those of x[0] to x[3].
    const __m512i p = _mm512_max_epu32(_mm512_unpacklo_epi32(x[0], x[1]), _mm512_unpackhi_epi32(x[0], x[1]));
    const __m512i q = _mm512_max_epu32(_mm512_unpacklo_epi32(x[2], x[3]), _mm512_unpackhi_epi32(x[2], x[3]));
    const __m512i r = _mm512_max_epu32(_mm512_unpacklo_epi64(p, q), _mm512_unpackhi_epi64(p, q));
    const __m256i half = _mm256_max_epu32(_mm512_castsi512_si256(r), _mm512_extracti64x4_epi64(r, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                     _mm_max_epu32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
}
// Rounds a[i] and b[i], 0 <= i < 4, to even whole numbers, of magnitude 127 at most, and stores them as bytes, 32 at
// out[i]; sums of those of a[i], and of both.
HYDRA_INLINE void store_rounded(const F32 (&a)[4], const F32 (&b)[4], int8_t* const (&out)[4], int32_t* first,
                                int32_t* total) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i sums[2];
    for (int i = 0; i < 4; i += 2) {
        const __m512i words = _mm512_packs_epi32(_mm512_cvtps_epi32(a[i].v), _mm512_cvtps_epi32(b[i].v)),
                      next = _mm512_packs_epi32(_mm512_cvtps_epi32(a[i + 1].v), _mm512_cvtps_epi32(b[i + 1].v)),
                      bytes = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(words, next));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out[i]), _mm512_castsi512_si256(bytes));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out[i + 1]), _mm512_extracti64x4_epi64(bytes, 1));
        // Of eight bytes each, of numbers that are greater by 128.
        sums[i / 2] =
            _mm512_sad_epu8(_mm512_xor_si512(bytes, _mm512_set1_epi8(static_cast<char>(0x80))), _mm512_setzero_si512());
    }
    const __m512i both =
        _mm512_add_epi64(_mm512_unpacklo_epi64(sums[0], sums[1]), _mm512_unpackhi_epi64(sums[0], sums[1]));
    const __m256i halves =
        _mm256_permutevar8x32_epi32(_mm256_sub_epi32(_mm512_cvtepi64_epi32(both), _mm256_set1_epi32(16 * 128)),
                                    _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    const __m128i of_a = _mm256_castsi256_si128(halves), of_b = _mm256_extracti128_si256(halves, 1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(first), of_a);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(total), _mm_add_epi32(of_a, of_b));
}
// Bit i is set where lane i is not zero.
HYDRA_INLINE uint32_t present(U32 a) { return _mm512_test_epi32_mask(a.v, a.v); }
// Lane 4 l + i of x[t] becomes lane 4 l + t of x[i]: the transposes of 4 x 4 lanes.
HYDRA_INLINE void transpose(F32 (&x)[4]) {
    const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(x[0].v, x[1].v)),
                  b = _mm512_castps_pd(_mm512_unpackhi_ps(x[0].v, x[1].v)),
                  c = _mm512_castps_pd(_mm512_unpacklo_ps(x[2].v, x[3].v)),
                  d = _mm512_castps_pd(_mm512_unpackhi_ps(x[2].v, x[3].v));
    x[0].v = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
    x[1].v = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
    x[2].v = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
    x[3].v = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
}
// Sums of whole numbers of 64 bits.
struct Sum64 {
    __m512i v = _mm512_setzero_si512();

    HYDRA_INLINE void add(U32 a) {
        v = _mm512_add_epi64(
            v, _mm512_add_epi64(_mm512_srli_epi64(a.v, 32), _mm512_and_si512(a.v, _mm512_set1_epi64(0xffffffff))));
    }
    HYDRA_INLINE int64_t total() const { return _mm512_reduce_add_epi64(v); }
};

#elif defined(HYDRA_AVX2)

struct F32 {
    __m256 a, b;
};

HYDRA_INLINE F32 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
HYDRA_INLINE F32 broadcast(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
HYDRA_INLINE F32 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
HYDRA_INLINE void store(float* p, F32 x) {
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
}
HYDRA_INLINE F32 load_once(const float* p) {
    F32 x = load(p);
    asm("" : "+x"(x.a), "+x"(x.b));
    return x;
}
HYDRA_INLINE F32 load_f16(const uint16_t* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
            _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
}
HYDRA_INLINE void load_bf16_pairs(const uint16_t* p, F32& even, F32& odd) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 16));
    const __m256i high = _mm256_set1_epi32(static_cast<int>(0xffff0000));
    even = {_mm256_castsi256_ps(_mm256_slli_epi32(a, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(b, 16))};
    odd = {_mm256_castsi256_ps(_mm256_and_si256(a, high)), _mm256_castsi256_ps(_mm256_and_si256(b, high))};
}
HYDRA_INLINE void store_i8(int8_t* p, F32 x) {
    const __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b));
    const __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm_packs_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1)));
}
HYDRA_INLINE F32 load_i8(const int8_t* p) {
    const __m128i first = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    const __m128i second = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 8));
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(first)), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(second))};
}
HYDRA_INLINE uint32_t largest_magnitude(F32 x, F32 y) {
    const __m256 most = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    const __m256i a =
        _mm256_max_epu32(_mm256_castps_si256(_mm256_and_ps(x.a, most)), _mm256_castps_si256(_mm256_and_ps(x.b, most)));
    const __m256i b =
        _mm256_max_epu32(_mm256_castps_si256(_mm256_and_ps(y.a, most)), _mm256_castps_si256(_mm256_and_ps(y.b, most)));
    const __m256i c = _mm256_max_epu32(a, b);
    __m128i d = _mm_max_epu32(_mm256_castsi256_si128(c), _mm256_extracti128_si256(c, 1));
    d = _mm_max_epu32(d, _mm_shuffle_epi32(d, 0x4e));
    d = _mm_max_epu32(d, _mm_shuffle_epi32(d, 0xb1));
    return static_cast<uint32_t>(_mm_cvtsi128_si32(d));
}
HYDRA_INLINE F32 add(F32 x, F32 y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
HYDRA_INLINE F32 sub(F32 x, F32 y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
HYDRA_INLINE F32 mul(F32 x, F32 y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
HYDRA_INLINE F32 div(F32 x, F32 y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
HYDRA_INLINE F32 max(F32 x, F32 y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
HYDRA_INLINE F32 min(F32 x, F32 y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
HYDRA_INLINE F32 fma(F32 x, F32 y, F32 z) { return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
HYDRA_INLINE F32 sqrt(F32 x) { return {_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)}; }
HYDRA_INLINE F32 round_even(F32 x) {
    return {_mm256_round_ps(x.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
            _mm256_round_ps(x.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
HYDRA_INLINE F32 swap_pairs(F32 x) { return {_mm256_permute_ps(x.a, 0xb1), _mm256_permute_ps(x.b, 0xb1)}; }
HYDRA_INLINE F32 even_lanes(F32 x) { return {_mm256_moveldup_ps(x.a), _mm256_moveldup_ps(x.b)}; }
HYDRA_INLINE F32 odd_lanes(F32 x) { return {_mm256_movehdup_ps(x.a), _mm256_movehdup_ps(x.b)}; }
HYDRA_INLINE F32 sub_add(F32 x, F32 y) { return {_mm256_addsub_ps(x.a, y.a), _mm256_addsub_ps(x.b, y.b)}; }
HYDRA_INLINE float sum(F32 x) { return sum(_mm256_add_ps(x.a, x.b)); }
HYDRA_INLINE float maximum(F32 x) { return maximum(_mm256_max_ps(x.a, x.b)); }
HYDRA_INLINE F32 first_lanes(F32 x, int count) {
    const __m256i bound = _mm256_set1_epi32(count), lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i a = _mm256_cmpgt_epi32(bound, lanes);
    const __m256i b = _mm256_cmpgt_epi32(bound, _mm256_add_epi32(lanes, _mm256_set1_epi32(8)));
    return {_mm256_and_ps(x.a, _mm256_castsi256_ps(a)), _mm256_and_ps(x.b, _mm256_castsi256_ps(b))};
}
HYDRA_INLINE __m256 power_of_two(__m256 n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
HYDRA_INLINE F32 scale2(F32 x, F32 n) {
    return {_mm256_mul_ps(x.a, power_of_two(n.a)), _mm256_mul_ps(x.b, power_of_two(n.b))};
}
HYDRA_INLINE __m256 exponent(__m256 a) {
    const __m256i field = _mm256_and_si256(_mm256_srli_epi32(_mm256_castps_si256(a), 23), _mm256_set1_epi32(255));
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(field, _mm256_set1_epi32(127)));
}
HYDRA_INLINE F32 exponent(F32 x) { return {exponent(x.a), exponent(x.b)}; }
HYDRA_INLINE uint32_t greater(F32 x, F32 y) {
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(x.a, y.a, _CMP_GT_OQ))) |
           static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(x.b, y.b, _CMP_GT_OQ))) << 8;
}
HYDRA_INLINE uint32_t greater_or_equal(F32 x, F32 y) {
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(x.a, y.a, _CMP_GE_OQ))) |
           static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(x.b, y.b, _CMP_GE_OQ))) << 8;
}

struct U32 {
    __m256i a, b;
};

HYDRA_INLINE U32 constant(U32, uint32_t x) {
    return {_mm256_set1_epi32(static_cast<int>(x)), _mm256_set1_epi32(static_cast<int>(x))};
}
HYDRA_INLINE U32 load(const uint32_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 8))};
}
HYDRA_INLINE void store(uint32_t* p, U32 x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.a);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), x.b);
}
HYDRA_INLINE U32 bits_of(F32 x) { return {_mm256_castps_si256(x.a), _mm256_castps_si256(x.b)}; }
HYDRA_INLINE F32 of_bits(U32 x) { return {_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)}; }
// Both halves are exact, so that only their sum is rounded.
HYDRA_INLINE __m256 nearest(__m256i x) {
    const __m256 high = _mm256_cvtepi32_ps(_mm256_srli_epi32(x, 16));
    const __m256 low = _mm256_cvtepi32_ps(_mm256_and_si256(x, _mm256_set1_epi32(0xffff)));
    return _mm256_fmadd_ps(high, _mm256_set1_ps(65536.0f), low);
}
HYDRA_INLINE F32 nearest(U32 x) { return {nearest(x.a), nearest(x.b)}; }
HYDRA_INLINE F32 nearest_signed(U32 x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
// 2^31 becomes what stands for numbers out of range, which is the same bits.
HYDRA_INLINE U32 whole(F32 x) { return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
HYDRA_INLINE U32 add(U32 x, U32 y) { return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }
HYDRA_INLINE U32 sub(U32 x, U32 y) { return {_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)}; }
HYDRA_INLINE U32 exclusive_or(U32 x, U32 y) { return {_mm256_xor_si256(x.a, y.a), _mm256_xor_si256(x.b, y.b)}; }
template <int by>
HYDRA_INLINE U32 shift_left(U32 x) {
    return {_mm256_slli_epi32(x.a, by), _mm256_slli_epi32(x.b, by)};
}
template <int by>
HYDRA_INLINE U32 shift_right_signed(U32 x) {
    return {_mm256_srai_epi32(x.a, by), _mm256_srai_epi32(x.b, by)};
}
HYDRA_INLINE void multiply(__m256i x, __m256i by, __m256i& high, __m256i& low) {
    const __m256i even = _mm256_mul_epu32(x, by), odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), by);
    high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
    low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
}
HYDRA_INLINE void multiply(U32 x, uint32_t by, U32& high, U32& low) {
    const __m256i factor = _mm256_set1_epi32(static_cast<int>(by));
    multiply(x.a, factor, high.a, low.a);
    multiply(x.b, factor, high.b, low.b);
}
HYDRA_INLINE uint32_t present(__m256i x) {
    return static_cast<uint32_t>(
               _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(x, _mm256_setzero_si256())))) ^
           0xff;
}
HYDRA_INLINE U32 larger(U32 x, U32 y) { return {_mm256_max_epu32(x.a, y.a), _mm256_max_epu32(x.b, y.b)}; }
// Sum and greatest of lanes t, t + 4, t + 8 and t + 12, 0 <= t < 4.
HYDRA_INLINE void fold_sum(F32 x, float* out) {
    const __m256 half = _mm256_add_ps(x.a, x.b);
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
}
HYDRA_INLINE void fold_larger(U32 x, uint32_t* out) {
    const __m256i half = _mm256_max_epu32(x.a, x.b);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                     _mm_max_epu32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
}
HYDRA_INLINE uint32_t present(U32 x) { return present(x.a) | present(x.b) << 8; }
HYDRA_INLINE void transpose(__m256& x0, __m256& x1, __m256& x2, __m256& x3) {
    const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(x0, x1)), b = _mm256_castps_pd(_mm256_unpackhi_ps(x0, x1)),
                  c = _mm256_castps_pd(_mm256_unpacklo_ps(x2, x3)), d = _mm256_castps_pd(_mm256_unpackhi_ps(x2, x3));
    x0 = _mm256_castpd_ps(_mm256_unpacklo_pd(a, c));
    x1 = _mm256_castpd_ps(_mm256_unpackhi_pd(a, c));
    x2 = _mm256_castpd_ps(_mm256_unpacklo_pd(b, d));
    x3 = _mm256_castpd_ps(_mm256_unpackhi_pd(b, d));
}
HYDRA_INLINE void transpose(F32 (&x)[4]) {
    transpose(x[0].a, x[1].a, x[2].a, x[3].a);
    transpose(x[0].b, x[1].b, x[2].b, x[3].b);
}
struct Sum64 {
    __m256i v = _mm256_setzero_si256();

    HYDRA_INLINE void add(__m256i x) {
        v = _mm256_add_epi64(
            v, _mm256_add_epi64(_mm256_srli_epi64(x, 32), _mm256_and_si256(x, _mm256_set1_epi64x(0xffffffff))));
    }
    HYDRA_INLINE void add(U32 x) {
        add(x.a);
        add(x.b);
    }
    HYDRA_INLINE int64_t total() const {
        int64_t all[4];
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(all), v);
        return all[0] + all[1] + all[2] + all[3];
    }
};

#else

struct F32 {
    float v[LANES];
};

#define HYDRA_LANEWISE(expression)                       \
    F32 r;                                               \
    for (int i = 0; i < LANES; ++i) r.v[i] = expression; \
    return r

HYDRA_INLINE F32 broadcast(float x) { HYDRA_LANEWISE(x); }
HYDRA_INLINE F32 zero() { return broadcast(0.0f); }
HYDRA_INLINE F32 load(const float* p) { HYDRA_LANEWISE(p[i]); }
HYDRA_INLINE F32 load_once(const float* p) { return load(p); }
HYDRA_INLINE void store(float* p, F32 a) {
    for (int i = 0; i < LANES; ++i) p[i] = a.v[i];
}
HYDRA_INLINE F32 load_f16(const uint16_t* p) { HYDRA_LANEWISE(half_to_float(p[i])); }
HYDRA_INLINE void load_bf16_pairs(const uint16_t* p, F32& even, F32& odd) {
    for (int i = 0; i < LANES; ++i) {
        even.v[i] = bfloat_to_float(p[2 * i]);
        odd.v[i] = bfloat_to_float(p[2 * i + 1]);
    }
}
HYDRA_INLINE void store_i8(int8_t* p, F32 a) {
    for (int i = 0; i < LANES; ++i) p[i] = static_cast<int8_t>(a.v[i]);
}
HYDRA_INLINE F32 load_i8(const int8_t* p) { HYDRA_LANEWISE(p[i]); }
HYDRA_INLINE uint32_t largest_magnitude(F32 a, F32 b) {
    uint32_t most = 0;
    for (int i = 0; i < LANES; ++i) {
        const uint32_t x = bits_of_float(a.v[i]) & 0x7fffffff, y = bits_of_float(b.v[i]) & 0x7fffffff;
        most = x > most ? x : most;
        most = y > most ? y : most;
    }
    return most;
}
HYDRA_INLINE F32 add(F32 a, F32 b) { HYDRA_LANEWISE(a.v[i] + b.v[i]); }
HYDRA_INLINE F32 sub(F32 a, F32 b) { HYDRA_LANEWISE(a.v[i] - b.v[i]); }
HYDRA_INLINE F32 mul(F32 a, F32 b) { HYDRA_LANEWISE(a.v[i] * b.v[i]); }
HYDRA_INLINE F32 div(F32 a, F32 b) { HYDRA_LANEWISE(a.v[i] / b.v[i]); }
HYDRA_INLINE F32 max(F32 a, F32 b) { HYDRA_LANEWISE(a.v[i] > b.v[i] ? a.v[i] : b.v[i]); }
HYDRA_INLINE F32 min(F32 a, F32 b) { HYDRA_LANEWISE(a.v[i] < b.v[i] ? a.v[i] : b.v[i]); }
HYDRA_INLINE F32 fma(F32 a, F32 b, F32 c) { HYDRA_LANEWISE(fused_multiply_add(a.v[i], b.v[i], c.v[i])); }
HYDRA_INLINE F32 sqrt(F32 a) { HYDRA_LANEWISE(__builtin_sqrtf(a.v[i])); }
HYDRA_INLINE F32 round_even(F32 a) { HYDRA_LANEWISE(__builtin_rintf(a.v[i])); }
HYDRA_INLINE F32 swap_pairs(F32 a) { HYDRA_LANEWISE(a.v[i ^ 1]); }
HYDRA_INLINE F32 even_lanes(F32 a) { HYDRA_LANEWISE(a.v[i & ~1]); }
HYDRA_INLINE F32 odd_lanes(F32 a) { HYDRA_LANEWISE(a.v[i | 1]); }
HYDRA_INLINE F32 sub_add(F32 a, F32 b) { HYDRA_LANEWISE(i % 2 == 0 ? a.v[i] - b.v[i] : a.v[i] + b.v[i]); }
HYDRA_INLINE float sum(F32 a) {
    for (int width = LANES / 2; width > 0; width /= 2) {
        for (int i = 0; i < width; ++i) a.v[i] += a.v[i + width];
    }
    return a.v[0];
}
HYDRA_INLINE float maximum(F32 a) {
    for (int width = LANES / 2; width > 0; width /= 2) {
        for (int i = 0; i < width; ++i) a.v[i] = a.v[i] > a.v[i + width] ? a.v[i] : a.v[i + width];
    }
    return a.v[0];
}
HYDRA_INLINE F32 first_lanes(F32 a, int count) { HYDRA_LANEWISE(i < count ? a.v[i] : 0.0f); }
HYDRA_INLINE float power_of_two(float n) {
    union {
        uint32_t u;
        float f;
    } bits = {static_cast<uint32_t>(static_cast<int32_t>(n) + 127) << 23};
    return bits.f;
}
HYDRA_INLINE F32 scale2(F32 a, F32 n) { HYDRA_LANEWISE(a.v[i] * power_of_two(n.v[i])); }
HYDRA_INLINE F32 exponent(F32 a) {
    HYDRA_LANEWISE(static_cast<float>(static_cast<int32_t>(bits_of_float(a.v[i]) >> 23 & 255) - 127));
}
HYDRA_INLINE uint32_t greater(F32 a, F32 b) {
    uint32_t mask = 0;
    for (int i = 0; i < LANES; ++i) mask |= static_cast<uint32_t>(a.v[i] > b.v[i]) << i;
    return mask;
}
HYDRA_INLINE uint32_t greater_or_equal(F32 a, F32 b) {
    uint32_t mask = 0;
    for (int i = 0; i < LANES; ++i) mask |= static_cast<uint32_t>(a.v[i] >= b.v[i]) << i;
    return mask;
}

struct U32 {
    uint32_t v[LANES];
};

#define HYDRA_WORDWISE(expression)                       \
    U32 r;                                               \
    for (int i = 0; i < LANES; ++i) r.v[i] = expression; \
    return r

HYDRA_INLINE U32 constant(U32, uint32_t x) { HYDRA_WORDWISE(x); }
HYDRA_INLINE U32 load(const uint32_t* p) { HYDRA_WORDWISE(p[i]); }
HYDRA_INLINE void store(uint32_t* p, U32 a) {
    for (int i = 0; i < LANES; ++i) p[i] = a.v[i];
}
HYDRA_INLINE U32 bits_of(F32 a) { HYDRA_WORDWISE(bits_of_float(a.v[i])); }
HYDRA_INLINE F32 of_bits(U32 a) { HYDRA_LANEWISE(float_of_bits(a.v[i])); }
HYDRA_INLINE F32 nearest(U32 a) { HYDRA_LANEWISE(static_cast<float>(a.v[i])); }
HYDRA_INLINE F32 nearest_signed(U32 a) { HYDRA_LANEWISE(static_cast<float>(static_cast<int32_t>(a.v[i]))); }
HYDRA_INLINE U32 whole(F32 a) { HYDRA_WORDWISE(static_cast<uint32_t>(__builtin_rintf(a.v[i]))); }
HYDRA_INLINE U32 add(U32 a, U32 b) { HYDRA_WORDWISE(a.v[i] + b.v[i]); }
HYDRA_INLINE U32 sub(U32 a, U32 b) { HYDRA_WORDWISE(a.v[i] - b.v[i]); }
HYDRA_INLINE U32 exclusive_or(U32 a, U32 b) { HYDRA_WORDWISE(a.v[i] ^ b.v[i]); }
template <int by>
HYDRA_INLINE U32 shift_left(U32 a) {
    HYDRA_WORDWISE(a.v[i] << by);
}
template <int by>
HYDRA_INLINE U32 shift_right_signed(U32 a) {
    HYDRA_WORDWISE(static_cast<uint32_t>(static_cast<int32_t>(a.v[i]) >> by));
}
HYDRA_INLINE void multiply(U32 a, uint32_t by, U32& high, U32& low) {
    for (int i = 0; i < LANES; ++i) {
        const uint64_t product = uint64_t{a.v[i]} * by;
        high.v[i] = static_cast<uint32_t>(product >> 32);
        low.v[i] = static_cast<uint32_t>(product);
    }
}
HYDRA_INLINE U32 larger(U32 a, U32 b) { HYDRA_WORDWISE(a.v[i] > b.v[i] ? a.v[i] : b.v[i]); }
HYDRA_INLINE void fold_sum(F32 a, float* out) {
    for (int t = 0; t < 4; ++t) out[t] = (a.v[t] + a.v[t + 8]) + (a.v[t + 4] + a.v[t + 12]);
}
HYDRA_INLINE void fold_larger(U32 a, uint32_t* out) {
    for (int t = 0; t < 4; ++t) {
        out[t] = 0;
        for (int i = t; i < LANES; i += 4) out[t] = out[t] > a.v[i] ? out[t] : a.v[i];
    }
}
HYDRA_INLINE uint32_t present(U32 a) {
    uint32_t mask = 0;
    for (int i = 0; i < LANES; ++i) mask |= static_cast<uint32_t>(a.v[i] != 0) << i;
    return mask;
}
HYDRA_INLINE void transpose(F32 (&x)[4]) {
    F32 y[4];
    for (int t = 0; t < 4; ++t) {
        for (int i = 0; i < LANES; ++i) y[t].v[i] = x[i % 4].v[i / 4 * 4 + t];
    }
    for (int t = 0; t < 4; ++t) x[t] = y[t];
}
struct Sum64 {
    uint64_t v = 0;

    HYDRA_INLINE void add(U32 a) {
        for (int i = 0; i < LANES; ++i) v += a.v[i];
    }
    HYDRA_INLINE int64_t total() const { return static_cast<int64_t>(v); }
};

#undef HYDRA_LANEWISE
#undef HYDRA_WORDWISE

#endif

#if !defined(HYDRA_AVX512)
HYDRA_INLINE void largest_magnitudes(const F32 (&a)[4], const F32 (&b)[4], float* out) {
    F32 x[4];
    // Without their signs, bits are ordered as magnitudes are.
    for (int i = 0; i < 4; ++i) x[i] = of_bits(larger(shift_left<1>(bits_of(a[i])), shift_left<1>(bits_of(b[i]))));
    transpose(x);
    uint32_t bits[4];
    fold_larger(larger(larger(bits_of(x[0]), bits_of(x[1])), larger(bits_of(x[2]), bits_of(x[3]))), bits);
    for (int i = 0; i < 4; ++i) out[i] = float_of_bits(bits[i] >> 1);
}
HYDRA_INLINE void store_rounded(const F32 (&a)[4], const F32 (&b)[4], int8_t* const (&out)[4], int32_t* first,
                                int32_t* total) {
    F32 of_a[4], of_both[4];
    for (int i = 0; i < 4; ++i) {
        const F32 low = round_even(a[i]), high = round_even(b[i]);
        store_i8(out[i], low);
        store_i8(out[i] + LANES, high);
        of_a[i] = low;
        of_both[i] = add(low, high);
    }
    transpose(of_a);
    transpose(of_both);
    float sums[4], all[4];
    fold_sum(add(add(of_a[0], of_a[1]), add(of_a[2], of_a[3])), sums);
    fold_sum(add(add(of_both[0], of_both[1]), add(of_both[2], of_both[3])), all);
    for (int i = 0; i < 4; ++i) {
        first[i] = static_cast<int32_t>(sums[i]);
        total[i] = static_cast<int32_t>(all[i]);
    }
}
#endif

// Lanes [0, count) of p, zero beyond; count may be negative or more than the lanes.
HYDRA_INLINE F32 load_some(const float* p, int64_t count) {
    if (count >= LANES) return load(p);
    float values[LANES] = {};
    for (int64_t i = 0; i < count; ++i) values[i] = p[i];
    return load(values);
}

// Stores lanes [0, count); count may be negative or more than the lanes.
HYDRA_INLINE void store_some(float* p, F32 a, int64_t count) {
    if (count >= LANES) return store(p, a);
    float values[LANES];
    store(values, a);
    for (int64_t i = 0; i < count; ++i) p[i] = values[i];
}

HYDRA_INLINE F32 constant(F32, float x) { return broadcast(x); }
HYDRA_INLINE F32 exp(F32 x) { return exp_of(x); }

// log x to about 2 units in the last place, of 2^-126 <= x < 2^126. With x = m 2^n, sqrt(1/2) <= m < sqrt(2), and s =
// (m
// - 1) / (m + 1): n log 2 + 2 artanh s, by the series of artanh to degree 9.
HYDRA_INLINE F32 log(F32 x) {
    F32 n = exponent(mul(x, broadcast(1.41421354f)));
    F32 m = scale2(x, sub(zero(), n));
    F32 s = div(sub(m, broadcast(1.0f)), add(m, broadcast(1.0f)));
    F32 square = mul(s, s);
    F32 p = broadcast(2.0f / 9);
    p = fma(p, square, broadcast(2.0f / 7));
    p = fma(p, square, broadcast(2.0f / 5));
    p = fma(p, square, broadcast(2.0f / 3));
    F32 r = fma(mul(p, square), s, add(s, s));
    return fma(n, broadcast(0.693359375f), fma(n, broadcast(-2.12194440e-4f), r));
}

}  // namespace hydra::HYDRA_ISA
