// The instructions that multiply tiles of bytes and of bf16 numbers (Intel AMX), as a thread has them: eight tiles of
// up to 16 rows of 64 bytes, whose shapes one instruction sets.
//
// Where HYDRA_EMULATED_TILES is set, they are emulated as Intel's manual describes them, a fault where it has one, so
// that kernels of tiles run on every processor.
#pragma once

#include <stdint.h>
#include <xmmintrin.h>

#include "cpu/simd.h"
#include "program/half.h"

namespace hydra::HYDRA_ISA {

// What LDTILECFG reads.
struct alignas(64) TileShapes {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
};
static_assert(sizeof(TileShapes) == 64);

#if defined(HYDRA_EMULATED_TILES)

struct TileFile {
    TileShapes shapes;
    bool configured = false;
    int64_t configurations = 0;  // so far, for tests
    uint8_t bytes[8][16][64];
};
inline thread_local TileFile tile_file;

HYDRA_INLINE void require(bool met) {
    if (!met) __builtin_trap();
}

inline void configure_tiles(const TileShapes& shapes) {
    require(shapes.palette == 1);
    for (int t = 0; t < 16; ++t) {
        require(t < 8 ? shapes.row_bytes[t] <= 64 && shapes.rows[t] <= 16 : shapes.row_bytes[t] + shapes.rows[t] == 0);
        require((shapes.row_bytes[t] == 0) == (shapes.rows[t] == 0));
    }
    tile_file.shapes = shapes;
    tile_file.configured = true;
    ++tile_file.configurations;
    __builtin_memset(tile_file.bytes, 0, sizeof tile_file.bytes);
}
inline void release_tiles() { tile_file.configured = false; }

template <int tile>
void zero_tile() {
    require(tile_file.configured && tile_file.shapes.rows[tile] > 0);
    __builtin_memset(tile_file.bytes[tile], 0, sizeof tile_file.bytes[tile]);
}

template <int tile>
void load_tile(const void* p, int64_t stride) {
    require(tile_file.configured && tile_file.shapes.rows[tile] > 0);
    __builtin_memset(tile_file.bytes[tile], 0, sizeof tile_file.bytes[tile]);
    for (int r = 0; r < tile_file.shapes.rows[tile]; ++r) {
        __builtin_memcpy(tile_file.bytes[tile][r], static_cast<const uint8_t*>(p) + r * stride,
                         tile_file.shapes.row_bytes[tile]);
    }
}

template <int tile>
void store_tile(void* p, int64_t stride) {
    require(tile_file.configured && tile_file.shapes.rows[tile] > 0);
    for (int r = 0; r < tile_file.shapes.rows[tile]; ++r) {
        __builtin_memcpy(static_cast<uint8_t*>(p) + r * stride, tile_file.bytes[tile][r],
                         tile_file.shapes.row_bytes[tile]);
    }
}

// Whether the shapes of three tiles are those of a product sum += a b, of words of four bytes.
inline void require_product(int sum, int a, int b) {
    const TileShapes& shapes = tile_file.shapes;
    require(tile_file.configured && sum != a && sum != b && a != b);
    require(shapes.row_bytes[a] % 4 == 0 && shapes.row_bytes[b] % 4 == 0 && shapes.row_bytes[sum] % 4 == 0);
    require(shapes.rows[sum] == shapes.rows[a] && shapes.row_bytes[sum] == shapes.row_bytes[b] &&
            shapes.row_bytes[a] == 4 * shapes.rows[b]);
}

// TDPBSUD: sum[m][n] += a[m][4k + i], signed, times b[k][4n + i], unsigned, over k and 0 <= i < 4.
template <int sum, int a, int b>
void multiply_tiles() {
    require_product(sum, a, b);
    const TileShapes& shapes = tile_file.shapes;
    for (int m = 0; m < shapes.rows[sum]; ++m) {
        for (int n = 0; n < shapes.row_bytes[sum] / 4; ++n) {
            uint32_t total;
            __builtin_memcpy(&total, &tile_file.bytes[sum][m][4 * n], 4);
            for (int k = 0; k < shapes.rows[b]; ++k) {
                for (int i = 0; i < 4; ++i) {
                    const int product =
                        static_cast<int8_t>(tile_file.bytes[a][m][4 * k + i]) * tile_file.bytes[b][k][4 * n + i];
                    total += static_cast<uint32_t>(product);
                }
            }
            __builtin_memcpy(&tile_file.bytes[sum][m][4 * n], &total, 4);
        }
    }
}

// TDPBF16PS: sum[m][n] += even + odd, with even = 0 + a[m][2k] b[k][2n] over k, each by a fused multiply-add, and odd
// the same of the numbers behind them; denormals are zeros, whatever the thread's own state.
template <int sum, int a, int b>
void multiply_bf16_tiles() {
    require_product(sum, a, b);
    const TileShapes& shapes = tile_file.shapes;
    const uint32_t before = _mm_getcsr();
    _mm_setcsr(0x9fc0);
    __asm__ volatile("" ::: "memory");
    for (int m = 0; m < shapes.rows[sum]; ++m) {
        for (int n = 0; n < shapes.row_bytes[sum] / 4; ++n) {
            float parts[2] = {};
            for (int k = 0; k < shapes.rows[b]; ++k) {
                for (int i = 0; i < 2; ++i) {
                    uint16_t left, right;
                    __builtin_memcpy(&left, &tile_file.bytes[a][m][4 * k + 2 * i], 2);
                    __builtin_memcpy(&right, &tile_file.bytes[b][k][4 * n + 2 * i], 2);
                    parts[i] = __builtin_fmaf(bfloat_to_float(left), bfloat_to_float(right), parts[i]);
                }
            }
            float total;
            __builtin_memcpy(&total, &tile_file.bytes[sum][m][4 * n], 4);
            total += parts[0] + parts[1];
            __builtin_memcpy(&tile_file.bytes[sum][m][4 * n], &total, 4);
        }
    }
    __asm__ volatile("" ::: "memory");
    _mm_setcsr(before);
}

#else

// In assembler, since GCC 12's _tile_loadconfig tells the compiler of 8 bytes of what it reads, and its loads of none.
inline void configure_tiles(const TileShapes& shapes) { __asm__ volatile("ldtilecfg %0" ::"m"(shapes)); }
inline void release_tiles() { __asm__ volatile("tilerelease"); }

template <int tile>
HYDRA_INLINE void zero_tile() {
    __asm__ volatile("tilezero %%tmm%c0" ::"i"(tile));
}

template <int tile>
HYDRA_INLINE void load_tile(const void* p, int64_t stride) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(p), "r"(stride), "i"(tile) : "memory");
}

template <int tile>
HYDRA_INLINE void store_tile(void* p, int64_t stride) {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(p), "r"(stride), "i"(tile) : "memory");
}

template <int sum, int a, int b>
HYDRA_INLINE void multiply_tiles() {
    __asm__ volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sum), "i"(a), "i"(b));
}

template <int sum, int a, int b>
HYDRA_INLINE void multiply_bf16_tiles() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sum), "i"(a), "i"(b));
}

#endif

}  // namespace hydra::HYDRA_ISA
