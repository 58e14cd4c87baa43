// Products of bf16 numbers by instructions that multiply tiles (Intel AMX): 32 rows by 32 columns at a time, whose sums
// are tiles 0 to 3; rows are in tiles 4 and 5, columns in 6 and 7.
//
// By the instructions' times on a Xeon (family 6, model 207), in cycles a product of tiles 16, loads 8 of which two go
// at once, such a tile is sixteen times as fast as one of float32. It has not been measured yet:
// native/build/tests/train/train_benchmark products bf16 does it.
#include "cpu/tiles/instructions.h"
#include "train/kernels/bf16.h"

namespace hydra::HYDRA_ISA {

namespace {

constexpr int TILE = 32, HALF = TILE / 2;

// The lower halves of words are summed by themselves, and so are the upper ones.
struct Halves {
    static constexpr int upper(int p) { return PAIRS + p; }
    static constexpr int lower(int p) { return p; }
};

void multiply(int64_t depth, const float* a, const float* b, float* c, int64_t stride, int rows, int columns,
              bool add_to) {
    constexpr int64_t LEFT = PAIRS * sizeof(float), RIGHT = TILE * sizeof(float);
    zero_tile<0>();
    zero_tile<1>();
    zero_tile<2>();
    zero_tile<3>();
    for (int64_t k = 0; k < depth; k += GROUP, a += TILE * PAIRS, b += TILE * PAIRS) {
        load_tile<4>(a, LEFT);
        load_tile<6>(b, RIGHT);
        multiply_bf16_tiles<0, 4, 6>();
        load_tile<7>(b + HALF, RIGHT);
        multiply_bf16_tiles<1, 4, 7>();
        load_tile<5>(a + HALF * PAIRS, LEFT);
        multiply_bf16_tiles<2, 5, 6>();
        multiply_bf16_tiles<3, 5, 7>();
    }
    alignas(64) float tile[TILE * TILE];
    store_tile<0>(tile, RIGHT);
    store_tile<1>(tile + HALF, RIGHT);
    store_tile<2>(tile + HALF * TILE, RIGHT);
    store_tile<3>(tile + HALF * TILE + HALF, RIGHT);
    put<TILE>(tile, c, stride, rows, columns, add_to);
}

uint32_t begin() {
    TileShapes shapes;
    for (int t = 0; t < 8; ++t) {
        shapes.rows[t] = HALF;
        shapes.row_bytes[t] = HALF * sizeof(float);
    }
    configure_tiles(shapes);
    return flush_tiny();
}

void end(uint32_t before) {
    _mm_setcsr(before);
    release_tiles();
}

}  // namespace

const train::Products train_bf16 = {
    .tile_rows = TILE,
    .tile_columns = TILE,
    .depth_step = GROUP,
    .values_per_word = 2,
    .pack_left = pack_bf16<Halves, TILE, true>,
    .pack_right = pack_bf16<Halves, TILE, false>,
    .multiply = multiply,
    .begin = begin,
    .end = end,
};

}  // namespace hydra::HYDRA_ISA
