// Products of weight tiles with many activation rows, by instructions that multiply tiles of bytes. Few rows are left
// to the kernels of the instruction set below; the bits are the same, since sums of whole numbers are exact and what
// follows them is the same operations in the same order.
//
// A tile of sums is 16 activation rows by the 16 output rows of a weight tile. Weights lie in memory as the
// instructions take them; nibbles are spread to bytes first, two blocks ahead. Weights with scales in blocks have their
// sums scaled after every 32 columns: the sums of a block are stored two blocks after their product, since a store
// directly behind it waits for it, and scaled another block later. While tiles are multiplied, the vector unit that
// multiplies takes one instruction a cycle instead of two and conversions wait for it, so whole numbers become floats
// by an addition and a subtraction, which do not.
//
// Weights in BF16 and F16 are not multiplied so: the sums of TDPBF16PS are added in another order than those of few
// rows and flush what is tiny, so that a row's bits would depend on its neighbours, unless one row alone took three
// products of parts of its values as well.
//
// Instructions of a Xeon (family 6, model 207), in cycles: product of 16 rows 16.2, store 15.8, loads 8.2 and 4.3. By a
// study with kernels of this form, a thread, in cache, 16 rows cost 0.84 (Q8_0), 0.65 (Q4_0) and 0.71 (Q4_1) of what
// they cost with AVX-512 VNNI, 64 rows 0.70, 0.56 and 0.60. These kernels themselves have not been measured yet:
// native/build/tests/product_benchmark amx does it.
#include "cpu/kernels.h"
#include "cpu/tiles/instructions.h"

#define HYDRA_STRING2(name) #name
#define HYDRA_STRING(name) HYDRA_STRING2(name)

namespace hydra {

namespace HYDRA_BASE {
extern const Kernels kernels;
}

namespace HYDRA_ISA {

namespace {

// Rows from which on tiles are faster, half of them idle or not.
constexpr int BYTE_ROWS = 9, NIBBLE_ROWS = 12, PLANE_ROWS = 4;

constexpr int GROUP_BYTES = 64;                             // 16 lanes of 4 bytes
constexpr int64_t SUM_BYTES = TILE_ROWS * sizeof(int32_t);  // of a row of a tile of sums

using Sums = uint32_t[TILE_GROUP][TILE_ROWS];

// The shapes that the thread's tiles have: sums are tiles 0 to 3, activations 4 and 5, weights 6 and 7.
enum class Shapes { NONE, BLOCKS, PLANES };
thread_local Shapes shapes_now = Shapes::NONE;

void take_shapes(Shapes shapes) {
    if (shapes_now == shapes) return;
    const int columns = shapes == Shapes::BLOCKS ? BLOCK_COLUMNS : PLANE_COLUMNS;
    TileShapes tiles;
    for (int t = 0; t < 8; ++t) {
        tiles.rows[t] = static_cast<uint8_t>(t < 6 ? TILE_GROUP : columns / 4);
        tiles.row_bytes[t] = static_cast<uint16_t>(t == 4 || t == 5 ? columns : SUM_BYTES);
    }
    configure_tiles(tiles);
    shapes_now = shapes;
}

void release() {
    if (shapes_now == Shapes::NONE) return;
    release_tiles();
    shapes_now = Shapes::NONE;
}

// Asks for the next tile's cache lines while the groups of rows are multiplied with this one.
struct Prefetch {
    const uint8_t* next;
    int lines;  // for every block

    HYDRA_INLINE void block() {
        for (int i = 0; i < lines; ++i) __builtin_prefetch(next + i * 64, 0, 2);
        next += lines * 64;
    }
};

struct Bytes {
    static constexpr int BLOCK_BYTES = 512, ROWS = BYTE_ROWS;
    static constexpr bool MINIMUM = false;
    static HYDRA_INLINE const uint32_t* offsets(const TileBlock& x) { return x.byte_offsets; }
    static HYDRA_INLINE void spread(const uint8_t*, uint8_t*) {}
    static HYDRA_INLINE const uint8_t* weights(const uint8_t* block, const uint8_t*) { return block; }
};

template <bool CENTRED>
struct Nibbles {
    static constexpr int BLOCK_BYTES = 256, ROWS = NIBBLE_ROWS;
    static constexpr bool MINIMUM = !CENTRED;
    static HYDRA_INLINE const uint32_t* offsets(const TileBlock& x) {
        return CENTRED ? x.nibble_offsets : x.no_offsets;
    }
    // Low nibbles are the first half of a block's columns, high ones the second.
    static HYDRA_INLINE void spread(const uint8_t* block, uint8_t* bytes) {
        for (int i = 0; i < BLOCK_BYTES; ++i) {
            bytes[i] = block[i] & 15;
            bytes[i + BLOCK_BYTES] = block[i] >> 4;
        }
    }
    static HYDRA_INLINE const uint8_t* weights(const uint8_t*, const uint8_t* bytes) { return bytes; }
};

// One weight tile with one group of rows, of which `rows` are wanted.
template <class Format>
class BlockProduct {
  public:
    BlockProduct(const uint8_t* tile, int64_t blocks, const TileBlock* x)
        : blocks_(blocks),
          scale_bytes_((blocks * TILE_ROWS * 2 + 63) / 64 * 64),
          scales_(reinterpret_cast<const uint16_t*>(tile)),
          weights_(tile + (Format::MINIMUM ? 2 : 1) * scale_bytes_),
          x_(x) {}

    void run(Prefetch ahead, int rows, float* out) {
        F32 results[TILE_GROUP];
#pragma GCC unroll 16
        for (int r = 0; r < TILE_GROUP; ++r) results[r] = zero();
        for (int64_t b = 0; b < 2 && b < blocks_; ++b) Format::spread(weights_ + b * Format::BLOCK_BYTES, bytes_[b]);
        for (int64_t b = 0; b < blocks_ + 3; b += 4) {
            step<0>(b, ahead, results);
            step<1>(b + 1, ahead, results);
            step<2>(b + 2, ahead, results);
            step<3>(b + 3, ahead, results);
        }
#pragma GCC unroll 16
        for (int r = 0; r < TILE_GROUP; ++r) {
            if (r < rows) store(out + r * TILE_ROWS, results[r]);
        }
    }

  private:
    // The product of block b, the store of block b - 2, the scaling of block b - 3; b is `place` mod 4.
    template <int place>
    HYDRA_INLINE void step(int64_t b, Prefetch& ahead, F32 (&results)[TILE_GROUP]) {
        constexpr int activations = 4 + place % 2, weights = 6 + place % 2, before = (place + 2) % 4;
        if (b < blocks_) {
            ahead.block();
            const uint8_t* block = weights_ + b * Format::BLOCK_BYTES;
            if (b + 2 < blocks_) Format::spread(block + 2 * Format::BLOCK_BYTES, bytes_[before]);
            zero_tile<place>();
            load_tile<activations>(x_[b].quants, BLOCK_COLUMNS);
            load_tile<weights>(Format::weights(block, bytes_[place]), SUM_BYTES);
            multiply_tiles<place, activations, weights>();
        }
        if (b >= 2 && b - 2 < blocks_) store_tile<before>(sums_[before], SUM_BYTES);
        if (b >= 3 && b - 3 < blocks_) scale(b - 3, sums_[(place + 1) % 4], results);
    }

    HYDRA_INLINE void scale(int64_t b, const Sums& sums, F32 (&results)[TILE_GROUP]) const {
        const TileBlock& x = x_[b];
        const uint32_t* offsets = Format::offsets(x);
        const uint16_t* tile_scales = scales_ + b * TILE_ROWS;
        const F32 scale = load_f16(tile_scales);
#pragma GCC unroll 16
        for (int r = 0; r < TILE_GROUP; ++r) {
            // The bits of 1.5 * 2^23 + sum, |sum| < 2^22.
            const F32 above = of_bits(add(hydra::HYDRA_ISA::load(sums[r]), constant(U32{}, offsets[r])));
            const F32 dot = sub(above, broadcast(12582912.0f));
            results[r] = fma(dot, mul(scale, broadcast(x.scales[r])), results[r]);
        }
        if (Format::MINIMUM) {
            const F32 minimum = load_f16(tile_scales + scale_bytes_ / 2);
#pragma GCC unroll 16
            for (int r = 0; r < TILE_GROUP; ++r) results[r] = fma(minimum, broadcast(x.sums[r]), results[r]);
        }
    }

    const int64_t blocks_, scale_bytes_;
    const uint16_t* scales_;
    const uint8_t* weights_;
    const TileBlock* x_;
    alignas(64) Sums sums_[4];
    alignas(64) uint8_t bytes_[4][8 * GROUP_BYTES];
};

template <class Format>
void product_of_blocks(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                       float* out) {
    take_shapes(Shapes::BLOCKS);
    const int64_t blocks = matrix.padded_columns / BLOCK_COLUMNS;
    const int groups = (rows + TILE_GROUP - 1) / TILE_GROUP;
    const int lines = (Format::BLOCK_BYTES / 64 + groups) / groups;
    for (int t = 0; t < tiles; ++t) {
        const uint8_t* tile = matrix.data + (first_tile + t) * matrix.tile_bytes;
        Prefetch ahead = {tile + matrix.tile_bytes, lines};
        for (int g = 0; g < groups; ++g, ahead.next += blocks * lines * 64) {
            const int row = g * TILE_GROUP, count = rows - row < TILE_GROUP ? rows - row : TILE_GROUP;
            BlockProduct<Format>(tile, blocks, x.tiles + g * blocks)
                .run(ahead, count, out + (int64_t{t} * rows + row) * TILE_ROWS);
        }
    }
}

// One weight tile with G groups of rows, sums of both planes of a group in two tiles.
template <int G>
HYDRA_INLINE void multiply_planes(const uint8_t* tile, int64_t blocks, const PlaneBlock* x, Prefetch ahead, int rows,
                                  float* out) {
    static_assert(PLANE_GROUP == TILE_GROUP);
    alignas(64) Sums sums[2 * G];
    const auto multiply = [&]<int weights>(int64_t b) {
        ahead.block();
        load_tile<weights>(tile + TILE_ROWS * sizeof(float) + b * PLANE_COLUMNS * TILE_ROWS, SUM_BYTES);
        const auto group = [&]<int g>(const PlaneBlock& block) {
            load_tile<4>(block.planes[0][0], 2 * PLANE_COLUMNS);
            multiply_tiles<2 * g, 4, weights>();
            load_tile<5>(block.planes[0][1], 2 * PLANE_COLUMNS);
            multiply_tiles<2 * g + 1, 5, weights>();
        };
        group.template operator()<0>(x[b]);
        if constexpr (G == 2) group.template operator()<1>(x[blocks + b]);
    };
    zero_tile<0>();
    zero_tile<1>();
    if constexpr (G == 2) {
        zero_tile<2>();
        zero_tile<3>();
    }
    int64_t b = 0;
    for (; b + 2 <= blocks; b += 2) {
        multiply.template operator()<6>(b);
        multiply.template operator()<7>(b + 1);
    }
    if (b < blocks) multiply.template operator()<6>(b);
    store_tile<0>(sums[0], SUM_BYTES);
    store_tile<1>(sums[1], SUM_BYTES);
    if constexpr (G == 2) {
        store_tile<2>(sums[2], SUM_BYTES);
        store_tile<3>(sums[3], SUM_BYTES);
    }
    const F32 scale = hydra::HYDRA_ISA::load(reinterpret_cast<const float*>(tile));
    for (int r = 0; r < rows; ++r) {
        const int group = r / PLANE_GROUP, row = r % PLANE_GROUP;
        const PlaneBlock& head = x[group * blocks];
        const auto plane = [&](int p) {
            return nearest_signed(add(hydra::HYDRA_ISA::load(sums[2 * group + p][row]),
                                      constant(U32{}, static_cast<uint32_t>(head.offsets[row][p]))));
        };
        const F32 sum = fma(plane(0), broadcast(255.0f), plane(1));
        store(out + r * TILE_ROWS, mul(sum, mul(scale, broadcast(head.scales[row]))));
    }
}

void product_of_planes(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                       float* out) {
    take_shapes(Shapes::PLANES);
    constexpr int PAIR = 2 * PLANE_GROUP, LINES = PLANE_COLUMNS * TILE_ROWS / 64;
    const int64_t blocks = matrix.padded_columns / PLANE_COLUMNS;
    const int rounds = (rows + PAIR - 1) / PAIR, lines = (LINES + rounds - 1) / rounds;
    for (int t = 0; t < tiles; ++t) {
        const uint8_t* tile = matrix.data + (first_tile + t) * matrix.tile_bytes;
        Prefetch ahead = {tile + matrix.tile_bytes, lines};
        for (int row = 0; row < rows; row += PAIR, ahead.next += blocks * lines * 64) {
            const int count = rows - row < PAIR ? rows - row : PAIR;
            const PlaneBlock* group = x.planes + row / PLANE_GROUP * blocks;
            float* target = out + (int64_t{t} * rows + row) * TILE_ROWS;
            if (count > PLANE_GROUP) {
                multiply_planes<2>(tile, blocks, group, ahead, count, target);
            } else {
                multiply_planes<1>(tile, blocks, group, ahead, count, target);
            }
        }
    }
}

template <class Format, int index>
void product(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows, float* out) {
    if (rows < Format::ROWS || x.tiles == nullptr) {
        return HYDRA_BASE::kernels.product[index](matrix, first_tile, tiles, x, rows, out);
    }
    product_of_blocks<Format>(matrix, first_tile, tiles, x, rows, out);
}

void product_r8(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows, float* out) {
    if (rows < PLANE_ROWS) {
        return HYDRA_BASE::kernels.product[6](matrix, first_tile, tiles, x, rows, out);
    }
    product_of_planes(matrix, first_tile, tiles, x, rows, out);
}

// As the instruction set below prepares a row, and once more as tiles take it where there is room.
bool prepare(const float* x, const float* norm, float scale, int64_t columns, Form form, const Activations& out,
             int row) {
    const bool uneven = HYDRA_BASE::kernels.prepare(x, norm, scale, columns, form, out, row);
    if (!in_blocks(form) || out.tiles == nullptr) return uneven;
    constexpr uint32_t ABOVE = 0x4b400000;  // the bits of 1.5 * 2^23
    const int64_t blocks = out.padded_columns / BLOCK_COLUMNS;
    const QuantisedBlock* from = out.quantised + row / ROW_GROUP * blocks;
    TileBlock* to = out.tiles + row / TILE_GROUP * blocks;
    const int source = row % ROW_GROUP, target = row % TILE_GROUP;
    for (int64_t b = 0; b < blocks; ++b) {
        __builtin_memcpy(to[b].quants[target], from[b].quants[source], BLOCK_COLUMNS);
        to[b].scales[target] = from[b].scales[source];
        to[b].sums[target] = from[b].sums[source];
        to[b].byte_offsets[target] = ABOVE + static_cast<uint32_t>(from[b].offsets[source]);
        to[b].nibble_offsets[target] = ABOVE + static_cast<uint32_t>(from[b].offsets[source] / 16);
        to[b].no_offsets[target] = ABOVE;
    }
    return uneven;
}

}  // namespace

const Kernels& kernels() {
    static const Kernels table = [] {
        Kernels tiles = HYDRA_BASE::kernels;
        tiles.name = HYDRA_STRING(HYDRA_ISA);
        tiles.product[3] = product<Bytes, 3>;
        tiles.product[4] = product<Nibbles<true>, 4>;
        tiles.product[5] = product<Nibbles<false>, 5>;
        tiles.product[6] = product_r8;
        tiles.prepare = prepare;
        tiles.release_tiles = release;
        return tiles;
    }();
    return table;
}

}  // namespace HYDRA_ISA

}  // namespace hydra
