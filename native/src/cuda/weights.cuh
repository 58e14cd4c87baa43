// The packed layout of weight matrices, made for the matrix instruction mma.m16n8k16 (mma.cuh).
//
// A matrix is cut into tiles of 16 rows (output rows) and these into blocks of 32 columns, both padded with zeros. A
// block is two units of 16 columns, the left sides of two instructions, and lies so that a lane of a warp loads its
// part of a unit at once and in the registers' order. With lane = 4 g + t, as the instruction's fragments have it, a
// lane owns of rows g and g + 8 the eight columns
//   slot  0     1       2       3       4        5        6        7
//   column 2t  2t + 1  2t + 8  2t + 9  2t + 16  2t + 17  2t + 24  2t + 25
// of which slots 0 to 3 are unit 0's. Blocks [tile][block], then the scales [tile][block] of the block types, then
// the scales of scales of those with super-blocks of 8 blocks:
//   F32        float    [row half][slot / 4][lane][slot % 4]     2048 bytes
//   F16, BF16  uint16_t [unit][lane][slot % 4 / 2][row half][slot % 2]
//                                                                1024 bytes
//   Q8_0       int8_t   [unit][lane][row half][slot % 4]          512 bytes; f16 scale [g][row half]
//   Q4_0       uint32_t [lane][row half]                          256 bytes; f16 scale [g][row half]
//   Q4_1       uint32_t [lane][row half]                          256 bytes; f16 scale, minimum [g][scale, minimum][row
//                                                                            half]
//   Q5_0       as Q4_0, then uint8_t [lane][row half]             320 bytes; as Q4_0
//   Q5_1       as Q5_0                                            320 bytes; as Q4_1
//   Q4_K       as Q4_0                                            256 bytes; uint8_t [g][row half][scale, minimum], and
//                                                                            of each super-block f16 [g][of scales, of
//                                                                            minimums][row half]: 4.625 bits a value
//   Q5_K       as Q5_0                                            320 bytes; as Q4_K
//   Q6_K       as Q4_0, then uint16_t [lane][row half]            384 bytes; int8_t [g][row half][unit], and of each
//                                                                            super-block f16 [g][row half]
// where bits 4 (slot / 2) + 16 (slot % 2) of a word and three above are the lower four bits of the slot's quant: w >> 4
// i & 0x000f000f is the pair of slots 2i and 2i + 1 in the halves of a word. Of the fifth bits bit slot / 2 + 4 (slot %
// 2) is the slot's, of Q6_K's pairs of bits that at 2 (slot / 2) + 8 (slot % 2).
#pragma once

#include "cuda/device.h"
#include "cuda/mma.cuh"
#include "cuda/platform.cuh"

namespace hydra::cuda {

constexpr int TILE_ROWS = 16, BLOCK_COLUMNS = 32, BLOCK_SLOTS = 8;
constexpr int UNIT_COLUMNS = 16, UNITS = BLOCK_COLUMNS / UNIT_COLUMNS;  // of a block
constexpr int SUPER_BLOCKS = 8;  // blocks of a super-block, which the columns of a matrix are a multiple of

__host__ __device__ constexpr int64_t tiles_of(int64_t rows) { return (rows + TILE_ROWS - 1) / TILE_ROWS; }
__host__ __device__ constexpr int64_t blocks_of(int64_t columns) {
    return (columns + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
}

// Bits of a quant in a word and above it; 0 of types that have none.
__host__ __device__ constexpr int quant_bits(hydra_type type) {
    switch (type) {
        case HYDRA_Q4_0:
        case HYDRA_Q4_1:
        case HYDRA_Q4_K:
            return 4;
        case HYDRA_Q5_0:
        case HYDRA_Q5_1:
        case HYDRA_Q5_K:
            return 5;
        case HYDRA_Q6_K:
            return 6;
        default:
            return 0;
    }
}

// What stands for zero.
__host__ __device__ constexpr int quant_centre(hydra_type type) {
    return type == HYDRA_Q4_0 ? 8 : type == HYDRA_Q5_0 ? 16 : type == HYDRA_Q6_K ? 32 : 0;
}

__host__ __device__ constexpr int block_bytes(hydra_type type) {
    switch (type) {
        case HYDRA_F32:
            return 2048;
        case HYDRA_F16:
        case HYDRA_BF16:
            return 1024;
        case HYDRA_Q8_0:
            return 512;
        default:
            return 64 * quant_bits(type);
    }
}

__host__ __device__ constexpr int scale_bytes(hydra_type type) {
    switch (type) {
        case HYDRA_Q8_0:
        case HYDRA_Q4_0:
        case HYDRA_Q5_0:
        case HYDRA_Q4_K:
        case HYDRA_Q5_K:
        case HYDRA_Q6_K:
            return 32;
        case HYDRA_Q4_1:
        case HYDRA_Q5_1:
            return 64;
        default:
            return 0;
    }
}

// Of a super-block.
__host__ __device__ constexpr int super_scale_bytes(hydra_type type) {
    return type == HYDRA_Q4_K || type == HYDRA_Q5_K ? 64 : type == HYDRA_Q6_K ? 32 : 0;
}

__host__ __device__ constexpr bool has_minimum(hydra_type type) {
    return type == HYDRA_Q4_1 || type == HYDRA_Q5_1 || type == HYDRA_Q4_K || type == HYDRA_Q5_K;
}

// Where a column of a block lies: lane % 4, and the slot.
__host__ __device__ constexpr int thread_of(int column) { return column % 8 / 2; }
__host__ __device__ constexpr int slot_of(int column) { return column / 16 * 4 + column % 16 / 8 * 2 + column % 2; }

// Where a lane's slot of row half `half` lies in its block; of types with quants the word of all its slots.
__host__ __device__ constexpr int value_offset(hydra_type type, int lane, int half, int slot) {
    const int unit = slot / 4, place = slot % 4;
    switch (type) {
        case HYDRA_F32:
            return ((half * 2 + unit) * WARP + lane) * 16 + place * 4;
        case HYDRA_F16:
        case HYDRA_BF16:
            return (unit * WARP + lane) * 16 + (place / 2 * 2 + half) * 4 + place % 2 * 2;
        case HYDRA_Q8_0:
            return (unit * WARP + lane) * 8 + half * 4 + place;
        default:
            return (lane * 2 + half) * 4;
    }
}

// Where what is above the word lies, its bytes, and where a slot's bits are in it.
__host__ __device__ constexpr int upper_bytes(hydra_type type) {
    return quant_bits(type) > 4 ? quant_bits(type) - 4 : 0;
}
__host__ __device__ constexpr int upper_offset(hydra_type type, int lane, int half) {
    return 256 + (lane * 2 + half) * upper_bytes(type);
}
__host__ __device__ constexpr int upper_shift(hydra_type type, int slot) {
    return upper_bytes(type) * (slot / 2 + slot % 2 * 4);
}

// Bytes of a value, of types with quants of the word.
__host__ __device__ constexpr int value_bytes(hydra_type type) {
    return type == HYDRA_F16 || type == HYDRA_BF16 ? 2 : type == HYDRA_Q8_0 ? 1 : 4;
}

// Where the scales of rows group and group + 8 lie: those of block `index` (tile * blocks + block), and of its
// super-block.
__device__ __forceinline__ uint8_t* scales_at(const MatrixView& matrix, hydra_type type, int64_t index, int group) {
    uint8_t* scales = matrix.data + tiles_of(matrix.rows) * blocks_of(matrix.columns) * block_bytes(type);
    return scales + index * scale_bytes(type) + group * (scale_bytes(type) / 8);
}
__device__ __forceinline__ uint8_t* super_scales_at(const MatrixView& matrix, hydra_type type, int64_t index,
                                                    int group) {
    uint8_t* scales = scales_at(matrix, type, tiles_of(matrix.rows) * blocks_of(matrix.columns), 0);
    return scales + index / SUPER_BLOCKS * super_scale_bytes(type) + group * (super_scale_bytes(type) / 8);
}

// One row's part of one block.
struct RowBlock {
    uint8_t* block;
    uint16_t* scale;        // and the minimum two after it; of a super-block a byte each, or Q6_K's two scales
    uint16_t* super_scale;  // by which the scale is multiplied, and two after it what the minimum is
    int group, half;        // of the row: lanes 4 group to 4 group + 3
};

__device__ __forceinline__ RowBlock row_block(const MatrixView& matrix, int64_t row, int64_t block) {
    const int64_t index = row / TILE_ROWS * blocks_of(matrix.columns) + block;
    const int group = static_cast<int>(row % 8), half = static_cast<int>(row % TILE_ROWS / 8);
    return {matrix.data + index * block_bytes(matrix.type),
            reinterpret_cast<uint16_t*>(scales_at(matrix, matrix.type, index, group)) + half,
            reinterpret_cast<uint16_t*>(super_scales_at(matrix, matrix.type, index, group)) + half, group, half};
}

__device__ __forceinline__ int quant_shift(int slot) { return slot / 2 * 4 + slot % 2 * 16; }

// One value.
__device__ __forceinline__ float weight_at(const MatrixView& matrix, int64_t row, int64_t column) {
    const RowBlock found = row_block(matrix, row, column / BLOCK_COLUMNS);
    const int place = static_cast<int>(column % BLOCK_COLUMNS), slot = slot_of(place);
    const int lane = found.group * 4 + thread_of(place);
    const uint8_t* value = found.block + value_offset(matrix.type, lane, found.half, slot);
    switch (matrix.type) {
        case HYDRA_F32:
            return *reinterpret_cast<const float*>(value);
        case HYDRA_F16:
            return float_of_half(*reinterpret_cast<const uint16_t*>(value));
        case HYDRA_BF16:
            return float_of_bfloat(*reinterpret_cast<const uint16_t*>(value));
        case HYDRA_Q8_0:
            return static_cast<float>(*reinterpret_cast<const int8_t*>(value)) * float_of_half(*found.scale);
        default: {
            int quant = static_cast<int>(*reinterpret_cast<const uint32_t*>(value) >> quant_shift(slot) & 15);
            const uint8_t* upper = found.block + upper_offset(matrix.type, lane, found.half);
            const int above = upper_shift(matrix.type, slot);
            if (quant_bits(matrix.type) == 5) quant |= (*upper >> above & 1) << 4;
            if (quant_bits(matrix.type) == 6) quant |= (*reinterpret_cast<const uint16_t*>(upper) >> above & 3) << 4;
            const auto centred = static_cast<float>(quant - quant_centre(matrix.type));
            if (matrix.type == HYDRA_Q6_K) {
                const auto scale = static_cast<int8_t>(*found.scale >> place / UNIT_COLUMNS * 8);
                return float_of_half(found.super_scale[0]) * static_cast<float>(scale) * centred;
            }
            if (super_scale_bytes(matrix.type) > 0) {
                const float scale = float_of_half(found.super_scale[0]) * static_cast<float>(*found.scale & 255);
                const float minimum = float_of_half(found.super_scale[2]) * static_cast<float>(*found.scale >> 8);
                return fmaf(centred, scale, -minimum);
            }
            const float scale = float_of_half(*found.scale);
            return has_minimum(matrix.type) ? fmaf(centred, scale, float_of_half(found.scale[2])) : centred * scale;
        }
    }
}

// The lane's part of a block of an F32 matrix: w[row half][slot].
__device__ __forceinline__ void load_floats(const uint8_t* block, int lane, float (&w)[2][BLOCK_SLOTS]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const float4 four = *reinterpret_cast<const float4*>(block + value_offset(HYDRA_F32, lane, i / 2, i % 2 * 4));
        float* target = w[i / 2] + i % 2 * 4;
        target[0] = four.x, target[1] = four.y, target[2] = four.z, target[3] = four.w;
    }
}

// The lane's part of a unit as the left side of a matrix instruction (mma.cuh). Quants of block types are whole numbers
// in bf16, to be scaled by row half.
struct Fragment {
    uint32_t a[4];
    float scale[2], minimum[2];
};

// What is above the quants of slots 2 pair and 2 pair + 1 of a lane, in the halves of a word.
template <hydra_type type>
__device__ __forceinline__ uint32_t upper_pair(uint32_t bits, int pair) {
    if constexpr (quant_bits(type) == 5) return ((bits | bits << 12) >> pair & 0x00010001) << 4;
    return (((bits & 255) | (bits & 0xff00) << 8) >> 2 * pair & 0x00030003) << 4;
}

// Of a block in shared memory, its scales, and those of these.
template <hydra_type type>
__device__ __forceinline__ Fragment load_fragment(const uint8_t* block, const uint8_t* scales,
                                                  [[maybe_unused]] const uint8_t* super_scales, int unit, int lane) {
    Fragment w;
    scales += lane / 4 * (scale_bytes(type) / 8);
    if constexpr (type == HYDRA_Q6_K) {
        const uint32_t bytes = *reinterpret_cast<const uint32_t*>(scales);
        const uint32_t pair =
            *reinterpret_cast<const uint32_t*>(super_scales + lane / 4 * (super_scale_bytes(type) / 8));
        const uint32_t whole = halves_of_signed(bytes >> unit * 8 & 0x00ff00ff);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            w.scale[half] = float_of_pair<HYDRA_F16>(pair, half) * float_of_pair<HYDRA_F16>(whole, half);
        }
    } else if constexpr (super_scale_bytes(type) > 0) {
        const uint32_t bytes = *reinterpret_cast<const uint32_t*>(scales);
        const uint2 pairs = *reinterpret_cast<const uint2*>(super_scales + lane / 4 * (super_scale_bytes(type) / 8));
        const uint32_t whole_scales = halves_of_whole(bytes & 0x00ff00ff);
        const uint32_t whole_minimums = halves_of_whole(bytes >> 8 & 0x00ff00ff);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            // 11 bits times 6: exact.
            w.scale[half] = float_of_pair<HYDRA_F16>(pairs.x, half) * float_of_pair<HYDRA_F16>(whole_scales, half);
            w.minimum[half] = -float_of_pair<HYDRA_F16>(pairs.y, half) * float_of_pair<HYDRA_F16>(whole_minimums, half);
        }
    } else if constexpr (scale_bytes(type) > 0) {
        const uint32_t pair = *reinterpret_cast<const uint32_t*>(scales);
        for (int half = 0; half < 2; ++half) w.scale[half] = float_of_pair<HYDRA_F16>(pair, half);
    }
    if constexpr (has_minimum(type) && super_scale_bytes(type) == 0) {
        const uint32_t pair = *reinterpret_cast<const uint32_t*>(scales + 4);
        for (int half = 0; half < 2; ++half) w.minimum[half] = float_of_pair<HYDRA_F16>(pair, half);
    }
    if constexpr (type == HYDRA_F16 || type == HYDRA_BF16) {
        const uint4 all = *reinterpret_cast<const uint4*>(block + value_offset(type, lane, 0, unit * 4));
        w.a[0] = all.x, w.a[1] = all.y, w.a[2] = all.z, w.a[3] = all.w;
    } else if constexpr (type == HYDRA_Q8_0) {
        const uint2 words = *reinterpret_cast<const uint2*>(block + value_offset(type, lane, 0, unit * 4));
#pragma unroll
        for (int i = 0; i < 4; ++i) w.a[i] = bfloats_of_bytes(i % 2 == 0 ? words.x : words.y, i / 2);
    } else {
        const uint2 words = *reinterpret_cast<const uint2*>(block + value_offset(type, lane, 0, 0));
        uint32_t above[2] = {};
        if constexpr (quant_bits(type) == 5) {
            const uint32_t both = *reinterpret_cast<const uint16_t*>(block + upper_offset(type, lane, 0));
            above[0] = both & 255, above[1] = both >> 8;
        } else if constexpr (quant_bits(type) == 6) {
            const uint32_t both = *reinterpret_cast<const uint32_t*>(block + upper_offset(type, lane, 0));
            above[0] = both & 0xffff, above[1] = both >> 16;
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int pair = unit * 2 + i / 2;
            uint32_t quants = (i % 2 == 0 ? words.x : words.y) >> pair * 4 & 0x000f000f;
            if constexpr (quant_bits(type) > 4) quants |= upper_pair<type>(above[i % 2], pair);
            w.a[i] = bfloats_of_quants(quants, quant_centre(type));
        }
    }
    return w;
}

}  // namespace hydra::cuda
