// 16-bit floating point to and from float32, for every instruction set and for devices: always inlined, so that no copy
// that was compiled for a newer processor can be merged into the rest of the program.
#pragma once

#include <stdint.h>

#ifdef __CUDACC__
#define HYDRA_EVERYWHERE __host__ __device__ __forceinline__
#else
#define HYDRA_EVERYWHERE inline __attribute__((always_inline))
#endif

namespace hydra {

HYDRA_EVERYWHERE float float_of_bits(uint32_t bits) { return __builtin_bit_cast(float, bits); }
HYDRA_EVERYWHERE uint32_t bits_of_float(float value) { return __builtin_bit_cast(uint32_t, value); }

// Exact; a signalling NaN becomes quiet, as the processor's own instruction does it.
HYDRA_EVERYWHERE float half_to_float(uint16_t h) {
    uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
    uint32_t magnitude = static_cast<uint32_t>(h & 0x7fff) << 13;
    if ((h & 0x7c00) != 0x7c00) return float_of_bits(sign | bits_of_float(float_of_bits(magnitude) * 0x1p112f));
    uint32_t quiet = (h & 0x3ff) != 0 ? 0x400000 : 0;
    return float_of_bits(sign | 0x7f800000 | quiet | (magnitude & 0x7fffff));
}

// To nearest, ties to even; beyond the range infinity; NaN stays NaN.
HYDRA_EVERYWHERE uint16_t float_to_half(float value) {
    uint32_t bits = bits_of_float(value);
    uint32_t sign = bits >> 16 & 0x8000;
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00 | (magnitude >> 13 & 0x1ff));
    if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);
    if (magnitude < 0x38800000) {
        // Subnormal: adding 0.5 rounds to a multiple of 2^-24 in the low mantissa bits.
        return static_cast<uint16_t>(sign | (bits_of_float(float_of_bits(magnitude) + 0.5f) - 0x3f000000));
    }
    uint32_t rounded = magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1);
    return static_cast<uint16_t>(sign | rounded >> 13);
}

HYDRA_EVERYWHERE float bfloat_to_float(uint16_t b) { return float_of_bits(static_cast<uint32_t>(b) << 16); }

// To nearest, ties to even; NaN becomes quiet.
HYDRA_EVERYWHERE uint16_t float_to_bfloat(float value) {
    uint32_t bits = bits_of_float(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace hydra
