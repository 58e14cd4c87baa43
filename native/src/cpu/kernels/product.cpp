// Products of weight tiles with activation rows.
//
// A lane is an output row, so that its sum is one chain in column order whatever is computed beside it: nothing is
// added across lanes. R activation rows are kept in registers against T tiles at a time. A tile comes from memory for
// the first chunk of rows and from the near cache for the others, which ask for the next tile meanwhile. Few rows take
// one tile after another, since a single run through memory is what a processor streams fastest (two tiles side by side
// reach 70 % of it); from PAIRED_BLOCKS, PAIRED_PLANES or PAIRED_VALUES rows on arithmetic is the limit, and two tiles
// share each activation load.
//
// AMD EPYC Zen 5, 1 thread. GB/s of weights with 1 row beside those of plain reading, then the time of 8, 16 and 64
// rows in times of one (tests/product_benchmark.cpp):
//
//                   100 MB, from memory                 20 MB, from the last cache
//   AVX-512  Q8_0   45 of 52   1.0   1.7    6.6         92 of 115   2.0   3.7   15
//            Q4_0   43 of 53   1.9   3.5   13           78 of 110   3.1   6.1   25
//            Q4_1   42 of 51   1.8   3.2   13           86 of 112   3.3   6.4   26
//            BF16   44 of 50   1.5   2.9   12           65 of 109   2.1   4.3   17
//            F32    45 of 45   2.0   1.9    5.8         97 of 114   2.3   3.4   13
//
// AMD EPYC Zen 4, likewise:
//
//   AVX-512  Q8_0   22 of 34   1.0   1.9    7.3         60 of 75    2.6   5.1   21
//            Q4_0   25 of 33   2.1   4.1   16           52 of 74    4.2   8.5   34
//            Q4_1   24 of 33   2.0   3.8   15           49 of 66    4.0   8.0   32
//            BF16   26 of 33   2.0   4.0   16           56 of 71    4.2   8.8   36
//            F32    27 of 35   1.6   2.0    7.6         67 of 82    2.4   4.7   19
//
// AMD EPYC Zen 3 at 2.45 GHz, a noisy virtual machine, likewise:
//
//   AVX2     Q8_0   18 of 23   2.0   3.9   16           33 of 31    3.8   7.7   31
//            Q4_0   17 of 23   2.5   4.9   19           31 of 27    4.5   8.9   35
//            Q4_1   17 of 22   2.3   4.5   18           22 of 24    2.9   5.9   23
//            BF16   19 of 23   2.0   3.9   16           22 of 27    4.3   8.8   38
//
// Intel Xeon (family 6, model 207), likewise with 2 threads, which a virtual machine shares with others; more in
// benchmarks/results/xeon-m207-products.md:
//
//   AVX-512  Q8_0   28 of 31   1.2   1.6    4.8         53 of 58    1.1   1.7    8.3
//            Q4_0   25 of 31   1.2   1.9    8.0         25 of 28    1.6   3.2   13
//            Q4_1   25 of 32   1.3   2.3    9.0         37 of 41    1.7   3.2   13
//            R8     29 of 33   1.4   2.1    7.8         48 of 54    1.9   3.4   13
//
// Weights are asked for into the second cache, as its misses wait in more places than those of the first: on Zen 4 with
// two threads Q8_0 streams at 37 GB/s so, and at 34 into the first.
//
// Rows that the registers hold are what was fastest, spills and all: with AVX2 five rows of nibbles at a time take 0.8
// of the time of three and two, three of BF16 1.4 of that of two (benchmarks/results/zen3-avx2.md).
//
// Beyond 8 rows all of them run at 80 to 95 % of the arithmetic peak: a block of 32 columns of a tile and 8 rows
// costs 10.5 ns in Q8_0, of which the 64 dot products and 16 multiplications on two units alone are 9.7.
#include <type_traits>

#include "cpu/kernels/dot.h"
#include "cpu/kernels/functions.h"

namespace hydra::HYDRA_ISA {

namespace {

// Rows that the registers hold, per kind of weights: quantised to bytes, to 4, 5 or 6 bits, to bytes with activations
// in planes, 16-bit floats, 32-bit floats.
#if defined(HYDRA_AVX512)
constexpr int BYTE_ROWS = 8, NIBBLE_ROWS = 8, FIVE_ROWS = 8, SIX_ROWS = 8;
constexpr int PLANE_ROWS = 4, HALF_ROWS = 4, SINGLE_ROWS = 4;
constexpr int PAIRED_BLOCKS = 5, PAIRED_PLANES = 5, PAIRED_VALUES = 9;
#elif defined(HYDRA_AVX2)
constexpr int BYTE_ROWS = 6, NIBBLE_ROWS = 5, FIVE_ROWS = 5, SIX_ROWS = 4;
constexpr int PLANE_ROWS = 2, HALF_ROWS = 2, SINGLE_ROWS = 3;
constexpr int PAIRED_BLOCKS = 0, PAIRED_PLANES = 0, PAIRED_VALUES = 0;  // never
#else
constexpr int BYTE_ROWS = 4, NIBBLE_ROWS = 4, FIVE_ROWS = 4, SIX_ROWS = 4;
constexpr int PLANE_ROWS = 4, HALF_ROWS = 4, SINGLE_ROWS = 4;
constexpr int PAIRED_BLOCKS = 0, PAIRED_PLANES = 0, PAIRED_VALUES = 0;
#endif

constexpr int64_t AHEAD = 8192;                   // bytes between a read and its prefetch
constexpr int64_t PAIR_BYTES = int64_t{1} << 18;  // largest pair of tiles of which the second cache holds two

// Asks for weights ahead of their use while the blocks of a chunk of rows are multiplied: so many cache lines for every
// block, one after another from `next` on, spread over the block's reads (in bursts a core reaches four fifths of the
// rate). Memory order matters more than exactness, since the processors' own prefetchers follow it.
struct Prefetch {
    const uint8_t* next;
    int lines;

    // The part of step `step` of the STEPS of a block. Where a block asks for LINES lines, which it does with few rows,
    // these are instructions without a loop.
    template <int LINES, int STEPS>
    HYDRA_INLINE void ask(int step) {
        if (lines == LINES) {
#pragma GCC unroll 32
            for (int i = step * LINES / STEPS; i < (step + 1) * LINES / STEPS; ++i) line(i);
        } else if (step == 0) {
            for (int i = 0; i < lines; ++i) line(i);
        }
    }
    HYDRA_INLINE void line(int i) const { __builtin_prefetch(next + i * 64, 0, 2); }
    HYDRA_INLINE void end_block() { next += lines * 64; }
};

// T tiles, `bytes` apart, of `blocks` blocks each; `out_stride` floats lie between their products. Never copied: a copy
// on the stack stalls on its own stores, 40 cycles for every call.
struct Tiles {
    const uint8_t* data;
    int64_t bytes, blocks, out_stride;
};

template <int R, int T>
HYDRA_INLINE void clear(F32 (&sums)[T][R]) {
#pragma GCC unroll 2
    for (int t = 0; t < T; ++t) {
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) sums[t][r] = zero();
    }
}

template <int R, int T>
HYDRA_INLINE void store_all(const F32 (&sums)[T][R], float* out, int64_t stride) {
#pragma GCC unroll 2
    for (int t = 0; t < T; ++t) {
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) store(out + t * stride + r * TILE_ROWS, sums[t][r]);
    }
}

template <bool FIRST, class A, class B>
HYDRA_INLINE auto choose(A* a, B* b) {
    if constexpr (FIRST) {
        return a;
    } else {
        return b;
    }
}

// Rows of a block from one on.
HYDRA_INLINE const int8_t* row_of(const QuantisedBlock& x, int64_t row) { return x.quants[row]; }
HYDRA_INLINE const int8_t* row_of(const PlaneBlock& x, int64_t row) { return x.planes[row][0]; }
HYDRA_INLINE const auto* row_of(const SignedBlock& x, int64_t row) { return x.quants + row; }
HYDRA_INLINE const auto* row_of(const SignedPlaneBlock& x, int64_t row) { return x.planes[row]; }

// What the sums of a block are multiplied by, and how they come together.
struct OneScale {
    F32 scale, minimum;

    template <class Format, class Partial>
    HYDRA_INLINE F32 dot(const Partial (&sums)[1], int32_t offset, int32_t) const {
        return Format::lanes(sums[0], offset);
    }
};

// Of the first and the second 16 columns; what they make is a whole number below 2^24.
struct ScaleOfHalves {
    F32 scale, minimum, parts[2];

    template <class Format, class Partial>
    HYDRA_INLINE F32 dot(const Partial (&sums)[2], int32_t offset, int32_t first_offset) const {
        const F32 first = Format::lanes(sums[0], first_offset), second = Format::lanes(sums[1], offset - first_offset);
        return fma(first, parts[0], mul(second, parts[1]));
    }
};

// Blocks of BYTES bytes of quants one after the other, each with its scale and minimum in f16.
template <int BYTES, bool MINIMUM_TOO>
struct Blocks {
    static constexpr int BLOCK_BYTES = BYTES, TOGETHER = 1, PARTS = 1;
    static constexpr bool MINIMUM = MINIMUM_TOO;
    using Scales = OneScale;

    HYDRA_INLINE static int64_t quants_at(int64_t b) { return b * BLOCK_BYTES; }
    HYDRA_INLINE static Scales scales(F32 scale, F32 minimum, const uint8_t*, int64_t) { return {scale, minimum}; }
};

// Super-blocks of eight blocks, each behind the scales of its blocks, by which its own are multiplied.
template <int BYTES, bool MINIMUM_TOO>
struct SuperBlocks {
    static constexpr int BLOCK_BYTES = BYTES, TOGETHER = 8, SCALE_BYTES = 2 * TILE_ROWS;
    static constexpr bool MINIMUM = MINIMUM_TOO;
    static constexpr int PARTS = MINIMUM ? 1 : 2;
    using Scales = std::conditional_t<MINIMUM, OneScale, ScaleOfHalves>;

    HYDRA_INLINE static int64_t quants_at(int64_t b) {
        return b * BLOCK_BYTES + (b / TOGETHER + 1) * TOGETHER * SCALE_BYTES;
    }
    HYDRA_INLINE static Scales scales(F32 scale, F32 minimum, const uint8_t* tile, int64_t b) {
        const uint8_t* super_block = tile + b / TOGETHER * TOGETHER * (BLOCK_BYTES + SCALE_BYTES);
        const auto* pair = reinterpret_cast<const int8_t*>(super_block + b % TOGETHER * SCALE_BYTES);
        const F32 first = load_i8(pair), second = load_i8(pair + TILE_ROWS);
        if constexpr (MINIMUM) {
            return {mul(scale, first), mul(minimum, second)};
        } else {
            return {scale, zero(), {first, second}};
        }
    }
};

// Weights in blocks: rows [first, first + R) of the group x.
template <class Format>
struct Quantised : Format {
    using Group = std::conditional_t<Format::SIGNED, SignedBlock, QuantisedBlock>;
    using Partial = typename Format::Partial;
    static constexpr int GROUP = ROW_GROUP, COLUMNS = BLOCK_COLUMNS;
    // Two tiles side by side where the registers hold both.
    static constexpr int PAIRED_ROWS = Format::PARTS == 1 ? PAIRED_BLOCKS : 0;
    static constexpr int LINES = Format::BLOCK_BYTES / 64 + 1;
    static HYDRA_INLINE const Group* groups(const Activations& x) {
        return choose<Format::SIGNED>(x.signed_blocks, x.quantised);
    }

    template <int R, int T>
    static void multiply(const Tiles& tiles, const Group* x, int64_t first, Prefetch ahead, float* out) {
        constexpr int PARTS = Format::PARTS;
        const int64_t bytes = tiles.bytes, blocks = tiles.blocks;
        const int64_t scale_bytes = (blocks / Format::TOGETHER * TILE_ROWS * 2 + 63) / 64 * 64;
        const uint8_t* weights = tiles.data + (Format::MINIMUM ? 2 : 1) * scale_bytes;
        const uint16_t* scales = reinterpret_cast<const uint16_t*>(tiles.data);
        F32 result[T][R], unit_scales[T][2];
        clear(result);
        clear(unit_scales);
        for (int64_t b = 0; b < blocks; ++b, ++x) {
            const uint8_t* block = weights + Format::quants_at(b);
            const auto* quants = row_of(*x, first);
            const float* row_scales = x->scales + first;
            const int32_t* offsets = x->offsets + first;
            const int32_t* first_offsets = offsets;
            if constexpr (PARTS == 2) first_offsets = x->first_offsets + first;
            Partial sums[T][R][PARTS];
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
                for (int t = 0; t < T; ++t) {
                    sums[t][r][0] = Format::start(first_offsets[r]);
                    if constexpr (PARTS == 2) sums[t][r][1] = Format::start(offsets[r] - first_offsets[r]);
                }
            }
#pragma GCC unroll 4
            for (int i = 0; i < 4; ++i) {
                typename Format::Weights group[T][2];
#pragma GCC unroll 2
                for (int t = 0; t < T; ++t) Format::load(block + t * bytes, i, group[t][0], group[t][1]);
                const int part = i * PARTS / 4;
                if constexpr (Format::PAIRS) {
                    ahead.ask<T * LINES, 4>(i);
#pragma GCC unroll 8
                    for (int r = 0; r < R; ++r) {
                        const Quad a = broadcast4(quants, r * BLOCK_COLUMNS + Format::column(i, 0)),
                                   b = broadcast4(quants, r * BLOCK_COLUMNS + Format::column(i, 1));
#pragma GCC unroll 2
                        for (int t = 0; t < T; ++t) Format::accumulate(sums[t][r][part], group[t], a, b);
                    }
                } else {
#pragma GCC unroll 2
                    for (int half = 0; half < 2; ++half) {
                        ahead.ask<T * LINES, 8>(2 * i + half);
#pragma GCC unroll 8
                        for (int r = 0; r < R; ++r) {
                            const auto a = broadcast4(quants, r * BLOCK_COLUMNS + Format::column(i, half));
#pragma GCC unroll 2
                            for (int t = 0; t < T; ++t) Format::accumulate(sums[t][r][part], group[t][half], a);
                        }
                    }
                }
            }
            ahead.end_block();
#pragma GCC unroll 2
            for (int t = 0; t < T; ++t) {
                if (b % Format::TOGETHER == 0) {
                    const uint16_t* tile_scales = scales + b / Format::TOGETHER * TILE_ROWS + t * bytes / 2;
                    unit_scales[t][0] = load_f16(tile_scales);
                    if (Format::MINIMUM) unit_scales[t][1] = load_f16(tile_scales + scale_bytes / 2);
                    // K types take off what the others add.
                    if (Format::TOGETHER > 1) unit_scales[t][1] = sub(zero(), unit_scales[t][1]);
                }
                const typename Format::Scales scale =
                    Format::scales(unit_scales[t][0], unit_scales[t][1], weights + t * bytes, b);
#pragma GCC unroll 8
                for (int r = 0; r < R; ++r) {
                    const F32 dot = scale.template dot<Format>(sums[t][r], offsets[r], first_offsets[r]);
                    result[t][r] = fma(dot, mul(scale.scale, broadcast(row_scales[r])), result[t][r]);
                }
                if constexpr (Format::MINIMUM) {
                    const float* row_sums = x->sums + first;
#pragma GCC unroll 8
                    for (int r = 0; r < R; ++r) {
                        result[t][r] = fma(scale.minimum, broadcast(row_sums[r]), result[t][r]);
                    }
                }
            }
        }
        store_all(result, out, tiles.out_stride);
    }
};

// Weights with a scale for each output row and activations in planes: two sums for each output, of whole numbers. Rows
// [first, first + R) of the group x.
struct Planar : Bytes {
    using Group = std::conditional_t<SIGNED, SignedPlaneBlock, PlaneBlock>;
    static constexpr int ROWS = PLANE_ROWS, GROUP = PLANE_GROUP, COLUMNS = PLANE_COLUMNS, PAIRED_ROWS = PAIRED_PLANES;
    static constexpr int LINES = PLANE_COLUMNS * TILE_ROWS / 64;
    static HYDRA_INLINE const Group* groups(const Activations& x) { return choose<SIGNED>(x.signed_planes, x.planes); }

    template <int R, int T>
    static void multiply(const Tiles& tiles, const Group* x, int64_t first, Prefetch ahead, float* out) {
        const int64_t bytes = tiles.bytes;
        const uint8_t* block = tiles.data + TILE_ROWS * sizeof(float);
        const float* row_scales = x->scales + first;
        const int32_t* offsets = x->offsets[first];
        Partial sums[T][R][2];
#pragma GCC unroll 2
        for (int t = 0; t < T; ++t) {
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) {
                sums[t][r][0] = start(offsets[2 * r]);
                sums[t][r][1] = start(offsets[2 * r + 1]);
            }
        }
        for (int64_t b = 0; b < tiles.blocks; ++b, ++x, block += PLANE_COLUMNS * TILE_ROWS) {
            const auto* planes = row_of(*x, first);
#pragma GCC unroll 8
            for (int i = 0; i < PLANE_COLUMNS / 8; ++i) {
                Weights group[T][2];
#pragma GCC unroll 2
                for (int t = 0; t < T; ++t) load(block + t * bytes, i, group[t][0], group[t][1]);
#pragma GCC unroll 2
                for (int half = 0; half < 2; ++half) {
                    ahead.ask<T * LINES, LINES>(2 * i + half);
#pragma GCC unroll 8
                    for (int r = 0; r < R; ++r) {
                        const int place = 2 * r * PLANE_COLUMNS + column(i, half);
                        const auto high = broadcast4(planes, place), low = broadcast4(planes, place + PLANE_COLUMNS);
#pragma GCC unroll 2
                        for (int t = 0; t < T; ++t) {
                            accumulate(sums[t][r][0], group[t][half], high);
                            accumulate(sums[t][r][1], group[t][half], low);
                        }
                    }
                }
            }
            ahead.end_block();
        }
#pragma GCC unroll 2
        for (int t = 0; t < T; ++t) {
            const F32 scale = hydra::HYDRA_ISA::load(reinterpret_cast<const float*>(tiles.data + t * bytes));
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) {
                const F32 high = lanes(sums[t][r][0], offsets[2 * r]), low = lanes(sums[t][r][1], offsets[2 * r + 1]);
                store(out + t * tiles.out_stride + r * TILE_ROWS,
                      mul(fma(high, broadcast(255.0f), low), mul(scale, broadcast(row_scales[r]))));
            }
        }
    }
};

// Weights that are numbers: two sums for each output, of even and of odd columns.
template <class Format>
struct Floating : Format {
    using Group = ValueBlock;
    static constexpr int GROUP = ROW_GROUP, COLUMNS = BLOCK_COLUMNS, PAIRED_ROWS = PAIRED_VALUES;
    static constexpr int LINES = Format::PAIR_BYTES * BLOCK_COLUMNS / 2 / 64;
    static HYDRA_INLINE const Group* groups(const Activations& x) { return x.values; }

    template <int R, int T>
    static void multiply(const Tiles& tiles, const ValueBlock* x, int64_t first, Prefetch ahead, float* out) {
        const uint8_t* pair = tiles.data;
        F32 even[T][R], odd[T][R];
        clear(even);
        clear(odd);
        for (int64_t b = 0; b < tiles.blocks; ++b, ++x) {
            const float* values = x->values[first];
#pragma GCC unroll 4
            for (int c = 0; c < BLOCK_COLUMNS; c += 2, pair += Format::PAIR_BYTES) {
                ahead.ask<T * LINES, BLOCK_COLUMNS / 2>(c / 2);
#pragma GCC unroll 2
                for (int t = 0; t < T; ++t) {
                    F32 w0, w1;
                    Format::load(pair + t * tiles.bytes, w0, w1);
#pragma GCC unroll 8
                    for (int r = 0; r < R; ++r) {
                        even[t][r] = fma(w0, broadcast(values[r * BLOCK_COLUMNS + c]), even[t][r]);
                        odd[t][r] = fma(w1, broadcast(values[r * BLOCK_COLUMNS + c + 1]), odd[t][r]);
                    }
                }
            }
            ahead.end_block();
        }
#pragma GCC unroll 2
        for (int t = 0; t < T; ++t) {
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) even[t][r] = add(even[t][r], odd[t][r]);
        }
        store_all(even, out, tiles.out_stride);
    }
};

struct Q8 : Bytes, Blocks<512, false> {
    static constexpr int ROWS = BYTE_ROWS;
};

// Quants of BITS bits; around zero where blocks have no minimum.
template <int BITS, bool MINIMUM>
struct Few : Bits<BITS, !MINIMUM>, Blocks<64 * BITS, MINIMUM> {
    static constexpr int ROWS = BITS == 4 ? NIBBLE_ROWS : FIVE_ROWS;
};

template <int BITS, bool MINIMUM>
struct FewOfSuper : Bits<BITS, !MINIMUM>, SuperBlocks<64 * BITS, MINIMUM> {
    static constexpr int ROWS = BITS == 4 ? NIBBLE_ROWS : BITS == 5 ? FIVE_ROWS : SIX_ROWS;
};

// PAIR_BYTES holds two columns of a tile.
struct Single {
    static constexpr int ROWS = SINGLE_ROWS, PAIR_BYTES = 128;
    static HYDRA_INLINE void load(const uint8_t* p, F32& even, F32& odd) {
        const float* values = reinterpret_cast<const float*>(p);
        even = hydra::HYDRA_ISA::load(values);
        odd = hydra::HYDRA_ISA::load(values + LANES);
    }
};

struct Half {
    static constexpr int ROWS = HALF_ROWS, PAIR_BYTES = 64;
    static HYDRA_INLINE void load(const uint8_t* p, F32& even, F32& odd) {
        const uint16_t* values = reinterpret_cast<const uint16_t*>(p);
        even = load_f16(values);
        odd = load_f16(values + LANES);
    }
};

struct Brain {
    static constexpr int ROWS = HALF_ROWS, PAIR_BYTES = 64;
    static HYDRA_INLINE void load(const uint8_t* p, F32& even, F32& odd) {
        load_bf16_pairs(reinterpret_cast<const uint16_t*>(p), even, odd);
    }
};

template <class Kernel, int T, int R = Kernel::ROWS>
HYDRA_INLINE void multiply_rows(int count, const Tiles& tiles, const typename Kernel::Group* x, int64_t first,
                                Prefetch ahead, float* out) {
    if constexpr (R > 0) {
        if (count == R) return Kernel::template multiply<R, T>(tiles, x, first, ahead, out);
        multiply_rows<Kernel, T, R - 1>(count, tiles, x, first, ahead, out);
    }
}

// Rows of the first of as few chunks as can hold so many rows of a group, of sizes as equal as can be. A table, as
// divisions for each chunk are felt where tiles are small.
template <class Kernel>
struct Chunks {
    int8_t first[Kernel::GROUP + 1] = {};

    constexpr Chunks() {
        for (int rows = 1; rows <= Kernel::GROUP; ++rows) {
            const int chunks = (rows + Kernel::ROWS - 1) / Kernel::ROWS;
            first[rows] = static_cast<int8_t>((rows + chunks - 1) / chunks);
        }
    }
};

// Rows of the chunk that begins with row `row`, no further than the group.
template <class Kernel>
HYDRA_INLINE int chunk_of(int row, int rows) {
    static constexpr Chunks<Kernel> chunks;
    const int group = Kernel::GROUP - row % Kernel::GROUP, left = rows - row;
    const int most = group < left ? group : left;
    return most <= Kernel::ROWS ? most : chunks.first[most];
}

template <class Kernel, int T>
HYDRA_INLINE void multiply_tiles(const Tiles& tiles, const Activations& x, int rows, float* out) {
    int chunks = 0;
    for (int row = 0; row < rows; row += chunk_of<Kernel>(row, rows)) ++chunks;
    const int lines = (T * Kernel::LINES + chunks - 1) / chunks;
    Prefetch ahead = {tiles.data + (T * chunks > 1 ? T * tiles.bytes : AHEAD), lines};
    for (int row = 0; row < rows;) {
        const int count = chunk_of<Kernel>(row, rows);
        const typename Kernel::Group* group = Kernel::groups(x) + row / Kernel::GROUP * tiles.blocks;
        multiply_rows<Kernel, T>(count, tiles, group, row % Kernel::GROUP, ahead, out + row * TILE_ROWS);
        row += count;
        ahead.next += tiles.blocks * lines * 64;
    }
}

template <class Kernel>
HYDRA_INLINE void product(const PackedMatrix& matrix, int64_t first_tile, int count, const Activations& x, int rows,
                          float* out) {
    Tiles tiles = {matrix.data + first_tile * matrix.tile_bytes, matrix.tile_bytes,
                   matrix.padded_columns / Kernel::COLUMNS, int64_t{rows} * TILE_ROWS};
    if constexpr (Kernel::PAIRED_ROWS > 0) {
        if (rows >= Kernel::PAIRED_ROWS && 2 * tiles.bytes <= PAIR_BYTES) {
            for (; count >= 2; count -= 2, tiles.data += 2 * tiles.bytes, out += 2 * tiles.out_stride) {
                multiply_tiles<Kernel, 2>(tiles, x, rows, out);
            }
        }
    }
    for (; count > 0; --count, tiles.data += tiles.bytes, out += tiles.out_stride) {
        multiply_tiles<Kernel, 1>(tiles, x, rows, out);
    }
}

}  // namespace

void product_f32(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                 float* out) {
    product<Floating<Single>>(matrix, first_tile, tiles, x, rows, out);
}

void product_f16(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                 float* out) {
    product<Floating<Half>>(matrix, first_tile, tiles, x, rows, out);
}

void product_bf16(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out) {
    product<Floating<Brain>>(matrix, first_tile, tiles, x, rows, out);
}

void product_q8_0(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out) {
    product<Quantised<Q8>>(matrix, first_tile, tiles, x, rows, out);
}

void product_q4_0(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out) {
    product<Quantised<Few<4, false>>>(matrix, first_tile, tiles, x, rows, out);
}

void product_q4_1(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out) {
    product<Quantised<Few<4, true>>>(matrix, first_tile, tiles, x, rows, out);
}

void product_q5_0(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out) {
    product<Quantised<Few<5, false>>>(matrix, first_tile, tiles, x, rows, out);
}

void product_q5_1(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out) {
    product<Quantised<Few<5, true>>>(matrix, first_tile, tiles, x, rows, out);
}

void product_q4_k(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out) {
    product<Quantised<FewOfSuper<4, true>>>(matrix, first_tile, tiles, x, rows, out);
}

void product_q5_k(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out) {
    product<Quantised<FewOfSuper<5, true>>>(matrix, first_tile, tiles, x, rows, out);
}

void product_q6_k(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                  float* out) {
    product<Quantised<FewOfSuper<6, false>>>(matrix, first_tile, tiles, x, rows, out);
}

void product_r8(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows, float* out) {
    product<Planar>(matrix, first_tile, tiles, x, rows, out);
}

}  // namespace hydra::HYDRA_ISA
