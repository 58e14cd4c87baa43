// The fused multiply-add of processors that have none.
#pragma once

#include <stdint.h>

#include "program/half.h"

namespace hydra {

// a b + c, rounded once; what the C library has for such processors takes ten times as long. The product is exact in
// double. A sum that is not becomes the odd one of its two neighbours, and to round that once more gives what to round
// once would (S. Boldo, G. Melquiond, "When double rounding is odd", 2005).
HYDRA_EVERYWHERE float fused_multiply_add(float a, float b, float c) {
    const double product = static_cast<double>(a) * b, sum = product + c, added = sum - product;
    const double rest = (product - (sum - added)) + (c - added);
    uint64_t bits = __builtin_bit_cast(uint64_t, sum);
    const bool is_finite = (bits >> 52 & 0x7ff) != 0x7ff;
    if (rest != 0 && bits % 2 == 0 && is_finite) bits += (rest > 0) == (sum > 0) ? 1 : -1;
    return static_cast<float>(__builtin_bit_cast(double, bits));
}

}  // namespace hydra
