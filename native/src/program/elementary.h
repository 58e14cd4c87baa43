// exp and log of float32, one definition for the processor's lanes of every instruction set, for plain numbers and for
// threads of a device: each is made of operations that IEEE 754 defines to the bit, in one order.
//
// A kind of lanes is a pair of types, F of floats and U of 32-bit words, with the functions that namespace scalar has
// here and cpu/simd.h has for vectors.
#pragma once

#include <math.h>

#include "program/half.h"

namespace hydra {

namespace scalar {

struct F32 {
    float v;
};
struct U32 {
    uint32_t v;
};

HYDRA_EVERYWHERE F32 constant(F32, float x) { return {x}; }
HYDRA_EVERYWHERE U32 constant(U32, uint32_t x) { return {x}; }
HYDRA_EVERYWHERE F32 add(F32 a, F32 b) { return {a.v + b.v}; }
HYDRA_EVERYWHERE F32 sub(F32 a, F32 b) { return {a.v - b.v}; }
HYDRA_EVERYWHERE F32 mul(F32 a, F32 b) { return {a.v * b.v}; }
HYDRA_EVERYWHERE F32 div(F32 a, F32 b) { return {a.v / b.v}; }
HYDRA_EVERYWHERE F32 fma(F32 a, F32 b, F32 c) { return {fmaf(a.v, b.v, c.v)}; }
// Where one is no number, the second one.
HYDRA_EVERYWHERE F32 max(F32 a, F32 b) { return {a.v > b.v ? a.v : b.v}; }
HYDRA_EVERYWHERE F32 min(F32 a, F32 b) { return {a.v < b.v ? a.v : b.v}; }
// To the nearest whole number, ties to even.
HYDRA_EVERYWHERE F32 round_even(F32 a) { return {rintf(a.v)}; }
// a * 2^n for whole n with -126 <= n <= 127.
HYDRA_EVERYWHERE F32 scale2(F32 a, F32 n) {
    return {a.v * float_of_bits(static_cast<uint32_t>(static_cast<int32_t>(n.v) + 127) << 23)};
}
HYDRA_EVERYWHERE U32 bits_of(F32 a) { return {bits_of_float(a.v)}; }
HYDRA_EVERYWHERE F32 of_bits(U32 a) { return {float_of_bits(a.v)}; }
// The nearest float, ties to even; of int32, which magnitudes below 2^24 here are exact.
HYDRA_EVERYWHERE F32 nearest(U32 a) { return {static_cast<float>(a.v)}; }
HYDRA_EVERYWHERE F32 nearest_signed(U32 a) { return {static_cast<float>(static_cast<int32_t>(a.v))}; }
// The nearest whole number, ties to even; 0 <= a <= 2^31.
HYDRA_EVERYWHERE U32 whole(F32 a) { return {static_cast<uint32_t>(rintf(a.v))}; }
HYDRA_EVERYWHERE U32 add(U32 a, U32 b) { return {a.v + b.v}; }
HYDRA_EVERYWHERE U32 sub(U32 a, U32 b) { return {a.v - b.v}; }
HYDRA_EVERYWHERE U32 exclusive_or(U32 a, U32 b) { return {a.v ^ b.v}; }
template <int by>
HYDRA_EVERYWHERE U32 shift_left(U32 a) {
    return {a.v << by};
}
// Of int32: the sign fills the free places.
template <int by>
HYDRA_EVERYWHERE U32 shift_right_signed(U32 a) {
    return {static_cast<uint32_t>(static_cast<int32_t>(a.v) >> by)};
}
// The halves of a product of 64 bits.
HYDRA_EVERYWHERE void multiply(U32 a, uint32_t by, U32& high, U32& low) {
    const uint64_t product = uint64_t{a.v} * by;
    high.v = static_cast<uint32_t>(product >> 32);
    low.v = static_cast<uint32_t>(product);
}

}  // namespace scalar

// e^x to about 2 units in the last place; x below -87.3 counts as -87.3 (1.2e-38), x above 88 as 88. Polynomial on [-ln
// 2 / 2, ln 2 / 2] by Taylor's series to degree 7.
template <class F>
HYDRA_EVERYWHERE F exp_of(F x) {
    const auto number = [](float value) { return constant(F{}, value); };
    const F bounded = min(max(x, number(-87.3f)), number(88.0f));
    const F n = round_even(mul(bounded, number(1.44269504f)));
    F r = fma(n, number(-0.693359375f), bounded);
    r = fma(n, number(2.12194440e-4f), r);
    F p = number(1.0f / 5040);
    p = fma(p, r, number(1.0f / 720));
    p = fma(p, r, number(1.0f / 120));
    p = fma(p, r, number(1.0f / 24));
    p = fma(p, r, number(1.0f / 6));
    p = fma(p, r, number(0.5f));
    p = fma(p, r, number(1.0f));
    p = fma(p, r, number(1.0f));
    return scale2(p, n);
}

// k of y = m 2^k with m from sqrt(1/2) to sqrt(2), for normal y > 0, and 2^-k.
template <class F, class U>
HYDRA_EVERYWHERE void split(F y, F& k, F& inverse_power) {
    const U exponent = shift_right_signed<23>(sub(bits_of(y), constant(U{}, 0x3f3504f3)));
    k = nearest_signed(exponent);
    inverse_power = of_bits(sub(constant(U{}, 0x3f800000), shift_left<23>(exponent)));
}

// log((1 + f) 2^k), sqrt(1/2) - 1 <= f <= sqrt(2) - 1, to about 2 units in the last place: f + f^2 times the polynomial
// with the least greatest relative error of that, 4e-9.
template <class F>
HYDRA_EVERYWHERE F log_of_parts(F f, F k) {
    const auto number = [](float value) { return constant(F{}, value); };
    F p = number(-0x1.383022p-4f);
    p = fma(p, f, number(0x1.084864p-3f));
    p = fma(p, f, number(-0x1.0f3766p-3f));
    p = fma(p, f, number(0x1.22719cp-3f));
    p = fma(p, f, number(-0x1.54276ep-3f));
    p = fma(p, f, number(0x1.99a3f2p-3f));
    p = fma(p, f, number(-0x1.000426p-2f));
    p = fma(p, f, number(0x1.555550p-2f));
    p = fma(p, f, number(-0x1.fffff8p-2f));
    return fma(k, number(0.693147182f), fma(mul(f, f), p, f));
}

// log(y) of normal y > 0.
template <class F, class U>
HYDRA_EVERYWHERE F log_of(F y) {
    F k, inverse_power;
    split<F, U>(y, k, inverse_power);
    return log_of_parts(fma(y, inverse_power, constant(F{}, -1.0f)), k);
}

// log(1 - u), 0 < u <= 1 - 2^-24: nothing of a small u is lost.
template <class F, class U>
HYDRA_EVERYWHERE F log_of_rest(F u) {
    const F one = constant(F{}, 1.0f);
    F k, inverse_power;
    split<F, U>(sub(one, u), k, inverse_power);
    return log_of_parts(fma(sub(constant(F{}, 0.0f), u), inverse_power, sub(inverse_power, one)), k);
}

}  // namespace hydra
