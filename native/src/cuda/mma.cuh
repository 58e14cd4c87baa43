// The matrix instruction mma.m16n8k16 with 16-bit inputs and float32 sums, as PTX defines it (PTX ISA, "Matrix
// Fragments for mma.m16n8k16 with floating point type"), and the 16-bit conversions that feed it.
//
// With lane = 4 g + t, a register of two values holds the lower index in its lower half:
//   A [16][16]  a[0] row g, columns 2t, 2t+1   a[1] row g+8, the same   a[2] row g, columns 2t+8, 2t+9   a[3] row g+8
//   B [16][8]   b0 rows 2t, 2t+1 of column g   b1 rows 2t+8, 2t+9 of column g
//   C [16][8]   c[0], c[1] row g, columns 2t, 2t+1   c[2], c[3] row g+8
// An element of C is a matter of its row of A, its column of B and what it was: not of the other columns.
#pragma once

#include "cuda/device.h"
#include "cuda/platform.cuh"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#endif

namespace hydra::cuda {

template <hydra_type type>
__device__ __forceinline__ float float_of_bits16(uint16_t bits) {
    return type == HYDRA_BF16 ? float_of_bfloat(bits) : float_of_half(bits);
}

// The number in the lower (0) or upper (1) half of a word.
template <hydra_type type>
__device__ __forceinline__ float float_of_pair(uint32_t pair, int index) {
    return float_of_bits16<type>(static_cast<uint16_t>(pair >> index * 16));
}

// C += A B with inputs of type HYDRA_F16 or HYDRA_BF16. All lanes of the warp take part.
template <hydra_type type>
__device__ __forceinline__ void multiply(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    static_assert(type == HYDRA_F16 || type == HYDRA_BF16);
#ifdef __CUDACC__
    if constexpr (type == HYDRA_BF16) {
        asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
            "{%0, %1, %2, %3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    } else {
        asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
            "{%0, %1, %2, %3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    }
#else
    const auto multiplied = type == HYDRA_BF16 ? emulation::multiply_bfloats : emulation::multiply_halves;
    multiplied(c, a, b0, b1, emulation::Site::current());
#endif
}

// Four 8 x 8 matrices of 16-bit values in shared memory; lane l names row l % 8 of matrix l / 8: 16 bytes, aligned.
// With lane = 4 g + t, out[i] holds columns 2t, 2t+1 of row g of matrix i.
__device__ __forceinline__ void load_matrices(uint32_t (&out)[4], const uint16_t* row) {
#ifdef __CUDACC__
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(row)))
                 : "memory");
#else
    emulation::load_matrices(out, row, emulation::Site::current());
#endif
}

// The same, transposed: out[i] holds rows 2t, 2t+1 of column g.
__device__ __forceinline__ void load_transposed_matrices(uint32_t (&out)[4], const uint16_t* row) {
#ifdef __CUDACC__
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(row)))
                 : "memory");
#else
    emulation::load_transposed_matrices(out, row, emulation::Site::current());
#endif
}

// An 8 x 8 matrix of 16-bit values, of which each lane has columns 2t, 2t+1 of row g: rows 2t, 2t+1 of column g.
__device__ __forceinline__ uint32_t transposed(uint32_t pair) {
#ifdef __CUDACC__
    asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %0;" : "+r"(pair));
    return pair;
#else
    return emulation::transposed(pair, emulation::Site::current());
#endif
}

// To nearest, ties to even.
template <hydra_type type>
__device__ __forceinline__ uint16_t rounded_bits(float value) {
#ifdef __CUDACC__
    if constexpr (type == HYDRA_BF16) return __bfloat16_as_ushort(__float2bfloat16_rn(value));
#else
    if constexpr (type == HYDRA_BF16) return float_to_bfloat(value);
#endif
    return half_of_float(value);
}

// Two values as f16, to nearest, the first in the lower half.
__device__ __forceinline__ uint32_t halves_of(float lower, float upper) {
#ifdef __CUDACC__
    const __half2 pair = __floats2half2_rn(lower, upper);
    return *reinterpret_cast<const uint32_t*>(&pair);
#else
    return emulation::halves_of(lower, upper);
#endif
}

// Both f16 halves of a minus those of b.
__device__ __forceinline__ uint32_t subtract_halves(uint32_t a, uint32_t b) {
#ifdef __CUDACC__
    const __half2 difference = __hsub2(*reinterpret_cast<__half2*>(&a), *reinterpret_cast<__half2*>(&b));
    return *reinterpret_cast<const uint32_t*>(&difference);
#else
    return emulation::subtract_halves(a, b);
#endif
}

// Both bf16 halves of a minus those of b, where the differences are bf16 numbers.
__device__ __forceinline__ uint32_t subtract_bfloats(uint32_t a, uint32_t b) {
#ifdef __CUDACC__
    const __nv_bfloat162 difference =
        __hsub2(*reinterpret_cast<__nv_bfloat162*>(&a), *reinterpret_cast<__nv_bfloat162*>(&b));
    return *reinterpret_cast<const uint32_t*>(&difference);
#else
    return emulation::subtract_bfloats(a, b);
#endif
}

// The f16 number 1024 + u has the bits 0x6400 + u for u < 1024, the bf16 number 128 + u the bits 0x4300 + u for u <
// 128: whole numbers become halves without a conversion.
constexpr uint32_t HALVES_1024 = 0x64006400, HALVES_1152 = 0x64806480, BFLOATS_128 = 0x43004300;

// Whole numbers below 1024 in the halves of a word as f16.
__device__ __forceinline__ uint32_t halves_of_whole(uint32_t pair) {
    return subtract_halves(pair | HALVES_1024, HALVES_1024);
}

// Signed bytes 2 pair and 2 pair + 1 of a word as bf16: 128 and the lower seven bits, less 128 or, for a negative one,
// 256, which has the sign's bit beside those of 128.
__device__ __forceinline__ uint32_t bfloats_of_bytes(uint32_t bytes, int pair) {
    const uint32_t both = __byte_perm(bytes, BFLOATS_128, pair == 0 ? 0x7170 : 0x7372);
    return subtract_bfloats(both & 0xff7fff7f, both & 0xff80ff80);
}

// Signed bytes, of which the halves of a word have one each in their lower bytes, as f16.
__device__ __forceinline__ uint32_t halves_of_signed(uint32_t pair) {
    return subtract_halves((pair ^ 0x00800080) | HALVES_1024, HALVES_1152);
}

// Whole numbers below 128 in the halves of a word, less `centre`, as bf16.
__device__ __forceinline__ uint32_t bfloats_of_quants(uint32_t pair, uint32_t centre) {
    return subtract_bfloats(pair | BFLOATS_128, BFLOATS_128 + centre * 0x00010001);
}

}  // namespace hydra::cuda
