// The vector kernels of one instruction set, and the packed layouts that they read.
//
// Files under cpu/kernels are compiled once per instruction set; everything else reaches them through this table only.
#pragma once

#include <stdint.h>

#include "hydra4j/status.h"

namespace hydra {

constexpr int TILE_ROWS = 16;      // output rows of a tile: one per vector lane
constexpr int BLOCK_COLUMNS = 32;  // columns of a quantisation block
constexpr int MAX_TILES = 4;       // most tiles of one product call

// Tiles that one product call takes best: several interleaved hide latency for few rows, pairs share their activations
// for many.
constexpr int64_t tiles_per_product(int rows) { return rows <= 8 ? MAX_TILES : 2; }

// A weight matrix in tiles of TILE_ROWS output rows by all columns, each tile contiguous and 64-byte aligned; rows and
// columns beyond the matrix are zero. With b over blocks of 32 columns and lane l = output row within the tile:
//   F32          float    [padded_columns][16]
//   F16          uint16_t [padded_columns][16]
//   BF16         uint16_t [padded_columns / 2][16][2]: two neighbouring columns of a row lie together
//   Q8_0         uint16_t scale [b][16] (f16), padded to 64 bytes; then
//                uint8_t  [b][8][16][4]: quant + 128; four neighbouring columns of a row lie together
//   Q4_0         uint16_t scale [b][16] (f16), padded to 64 bytes; then
//                uint8_t  [b][4][16][4]: low nibble = column 4g + c, high nibble = column 16 + 4g + c
//   Q4_1         as Q4_0, after the scales uint16_t minimum [b][16], padded to 64 bytes as well
//   Q5_0, Q5_1   as Q4_0 and Q4_1 with uint8_t [b][5][16][4]: quants of four columns as cpu/tile_order.h has them
//   Q4_K, Q5_K   with s over super-blocks of 8 blocks: uint16_t scale [s][16] and minimum [s][16] as Q4_1's;
//                then of each uint8_t [8][2][16], by which these are multiplied for a block, and eight blocks as
//                Q4_1's or Q5_1's
//   Q6_K         uint16_t scale [s][16] as Q4_0's; then of each super-block int8_t [8][2][16], by which it is
//                multiplied for columns 0 to 15 and 16 to 31 of a block, and eight blocks
//                uint8_t [6][16][4] as cpu/tile_order.h has them
//   R8           float scale [16]; then uint8_t [padded_columns / 4][16][4] as Q8_0's
struct PackedMatrix {
    hydra_type type;
    int64_t rows, columns;
    int64_t padded_columns;  // columns rounded up to BLOCK_COLUMNS, of R8 to PLANE_COLUMNS
    int64_t tiles;           // rows rounded up to TILE_ROWS, in tiles
    int64_t tile_bytes;
    uint8_t* data;
};

// Activation rows prepared for products, in groups of ROW_GROUP rows so that a kernel reaches all rows of a group at
// fixed distances from one pointer. Row r is row r % ROW_GROUP of group r / ROW_GROUP; a group holds padded_columns /
// BLOCK_COLUMNS consecutive blocks. Columns beyond the row are zero, rows never prepared are not read.
constexpr int ROW_GROUP = 8;

struct alignas(64) QuantisedBlock {
    int8_t quants[ROW_GROUP][BLOCK_COLUMNS];  // value = scale * quant, |quant| <= 127
    float scales[ROW_GROUP];
    int32_t offsets[ROW_GROUP];        // -128 * sum of the row's quants: what unsigned weights add, taken back
    float sums[ROW_GROUP];             // scale * sum of the row's quants
    int32_t first_offsets[ROW_GROUP];  // as offsets, of columns 0 to 15
};

struct alignas(64) ValueBlock {
    float values[ROW_GROUP][BLOCK_COLUMNS];
};

// 64 columns of 16 rows, each value in 16 bits as two bytes: value = scale * (255 * first + second), of magnitudes up
// to 127. A row has one scale.
constexpr int PLANE_GROUP = 16;    // rows
constexpr int PLANE_COLUMNS = 64;  // columns of a block

struct alignas(64) PlaneBlock {
    int8_t planes[PLANE_GROUP][2][PLANE_COLUMNS];
    // Of whole rows, in the first block of a group alone.
    float scales[PLANE_GROUP];
    int32_t offsets[PLANE_GROUP][2];  // -128 * sum of the plane: what unsigned weights add, taken back
};

// Quants with their signs apart, as AVX2 multiplies weights of 8 bits: |quant|, and the bits that turn a weight + 128
// into the weight w where the quant is not negative, and into -w - 1 where it is. The sum of |quant| over the negative
// ones is the offset that takes the -1 back.
template <int COLUMNS>
struct SignedQuants {
    uint8_t magnitudes[COLUMNS], flips[COLUMNS];
};

struct alignas(64) SignedBlock {
    SignedQuants<BLOCK_COLUMNS> quants[ROW_GROUP];
    float scales[ROW_GROUP];
    int32_t offsets[ROW_GROUP];
};

struct alignas(64) SignedPlaneBlock {
    SignedQuants<PLANE_COLUMNS> planes[PLANE_GROUP][2];
    // Of whole rows, in the first block of a group alone.
    float scales[PLANE_GROUP];
    int32_t offsets[PLANE_GROUP][2];
};

// What QuantisedBlock holds, of 16 rows, as instructions that multiply tiles take it (cpu/tiles). To the offsets the
// bits of 1.5 * 2^23 are added: with a sum they are that of a float.
constexpr int TILE_GROUP = 16;

struct alignas(64) TileBlock {
    int8_t quants[TILE_GROUP][BLOCK_COLUMNS];
    float scales[TILE_GROUP], sums[TILE_GROUP];
    uint32_t byte_offsets[TILE_GROUP];    // -128 * sum of the row's quants
    uint32_t nibble_offsets[TILE_GROUP];  // -8 * sum
    uint32_t no_offsets[TILE_GROUP];      // 0
};

constexpr int64_t plane_blocks(int64_t columns) { return (columns + PLANE_COLUMNS - 1) / PLANE_COLUMNS; }

// How activation rows are prepared: as they are, quantised in blocks (BYTES: for weights of 8 bits, too), or in planes
// of bytes.
enum class Form { VALUES, BLOCKS, BYTES, PLANES };

inline bool in_blocks(Form form) { return form == Form::BLOCKS || form == Form::BYTES; }

struct Activations {
    int64_t padded_columns;
    ValueBlock* values;            // [row groups][blocks], for F32, F16 and BF16 weights
    QuantisedBlock* quantised;     // [row groups][blocks], for the block types
    PlaneBlock* planes = nullptr;  // [groups of PLANE_GROUP rows][blocks of PLANE_COLUMNS], for R8
    TileBlock* tiles = nullptr;    // [groups of TILE_GROUP rows][blocks], or null: `quantised` for products by tiles
    // As `quantised` and `planes`, where Kernels::signs_apart, or null.
    SignedBlock* signed_blocks = nullptr;
    SignedPlaneBlock* signed_planes = nullptr;
    // After the rows themselves, quantised, what 8 bits leave out of some of them.
    int remainders = 0;
    const int32_t* remainder_of = nullptr;  // [remainders]: rows, ascending
};

struct AttentionWork;

// p = softmax(x / temperature) of a row x: log p = (x - best) / temperature - log_sum, entropy = -sum p log(p + 1e-5).
// log_sum is NaN where a value of x is not finite.
struct Distribution {
    float best, log_sum, entropy;
};

constexpr int NOISE_RUN = 64;  // tokens whose noise is drawn together

struct Scored {
    float score;
    int32_t token;
};

// What selecting tokens does with rows of n logits, which need not be a multiple of 16; other arrays have memory for
// whole vectors. The distance d of a logit is how far it is below `best_logit`, the largest one, times `inverse`, the
// inverse temperature.
struct SamplingKernels {
    // out[count] = noise of tokens first, first + 1, ..., both multiples of NOISE_RUN.
    void (*noise)(uint64_t seed, int32_t position, int64_t first, int64_t count, float* out);
    // The largest logit, the first among equals.
    Scored (*best_logit)(const float* logits, int64_t n);
    // The largest noise - d among those with d <= most_distance, the first among equals.
    Scored (*race)(const float* logits, const float* noise, int64_t n, float best_logit, float inverse,
                   float most_distance);
    // The sum of mass_of(d).
    int64_t (*masses)(const float* logits, int64_t n, float best_logit, float inverse);
    // Of those with d <= most_distance the bits of d and the token, as keys that sort by d first, in order of tokens;
    // returns their number.
    int64_t (*collect)(const float* logits, int64_t n, float best_logit, float inverse, float most_distance,
                       uint64_t* keys);
    // The largest logits of groups of up to `vectors` tokens, each token in one group; returns their number.
    int64_t (*group_maxima)(const float* logits, int64_t n, int64_t vectors, float* out);
    // out[n] = logits + bias.
    void (*add_bias)(const float* logits, const float* bias, int64_t n, float* out);
    // The places of what is not zero; returns their number.
    int64_t (*occurring)(const int32_t* occurrences, int64_t n, int32_t* tokens);
    // out[n] = logits * inverse + noise, which may be null.
    void (*score)(const float* logits, const float* noise, int64_t n, float inverse, float* out);
};

constexpr int PRODUCTS = 12;

struct Kernels {
    const char* name;
    bool signs_apart;  // whether products with weights of 8 bits take activations that have them

    // out[(t * rows + r) * 16 + lane] = product of tile first_tile + t, 0 <= t < tiles <= MAX_TILES, with activation
    // row r. Indexed by product_index(type).
    void (*product[PRODUCTS])(const PackedMatrix& matrix, int64_t first_tile, int tiles, const Activations& x, int rows,
                              float* out);

    // Prepares row `row` of the activations from x[columns], or from x * scale * norm where norm[columns] is not null.
    // Whether a row in blocks has one that is much larger than the others, as models have for some tokens in front of
    // query, key, value and down projections: 8 bits lose what else is in that block, and SmolLM2-135M's mean log
    // probability of a text moves by up to 1 % with it.
    bool (*prepare)(const float* x, const float* norm, float scale, int64_t columns, Form form, const Activations& out,
                    int row);

    // out[count] = 1 / sqrt(mean(x^2) + epsilon) of rows[count], each a row x[n].
    void (*norm_scales)(const float* const* rows, int count, int64_t n, float epsilon, float* out);

    // out[columns] = x minus what its quantised row `row` of the activations holds; out may be x.
    void (*remainder)(const float* x, int64_t columns, const Activations& of, int row, float* out);

    // out[n] = x * weight / sqrt(mean(x^2) + epsilon).
    void (*rms_norm)(const float* x, const float* weight, int64_t n, float epsilon, float* out);

    // Turns the pairs (x[2i], x[2i+1]) of x[n] by the angles whose cosine and sine are angles[2i] and angles[2i+1].
    void (*rotate)(float* x, const float* angles, int64_t n);

    // gate[n] = silu(gate) * up, n a multiple of 16.
    void (*silu_mul)(float* gate, const float* up, int64_t n);

    // gate[n] = gelu(gate) * up by the tanh approximation, n a multiple of 16.
    void (*gelu_mul)(float* gate, const float* up, int64_t n);

    // x[n] = silu(x), n a multiple of 16.
    void (*silu)(float* x, int64_t n);

    // x[n] = cap * tanh(x / cap), n a multiple of 16.
    void (*soft_cap)(float* x, int64_t n, float cap);

    // sum[n] += x, n a multiple of 16.
    void (*add_f16)(const uint16_t* x, int64_t n, float* sum);

    // One KV head's attention for a group of query vectors; see attention.h.
    void (*attention)(const AttentionWork& work);

    // Where the products of a tile go, values[rows][16]: out[r * out_stride + l] = values + bias[l] + residual[r *
    // residual_stride + l] for l < lanes, bias and residual may be null. residual may be out, and out values.
    void (*put_tile)(const float* values, int rows, int lanes, const float* bias, const float* residual,
                     int64_t residual_stride, float* out, int64_t out_stride);

    // Of values[rows][16], rows <= 64: bit l of lanes[r] is set where value l of row r >= thresholds[r], and bit r of
    // the result where there is one.
    uint64_t (*reaching)(const float* values, int rows, const float* thresholds, uint32_t* lanes);

    // Of x[n], by 1 / temperature.
    Distribution (*distribution)(const float* x, int64_t n, float inverse_temperature);

    // Reads `bytes` bytes (a multiple of 64) and returns their sum as whole numbers.
    uint64_t (*read)(const void* data, int64_t bytes);

    SamplingKernels sampling;

    // Null but where products are computed by tiles: gives back the state that the thread's products took.
    void (*release_tiles)() = nullptr;
};

// 0 F32, 1 F16, 2 BF16, 3 Q8_0, 4 Q4_0, 5 Q4_1, 6 R8, 7 Q5_0, 8 Q5_1, 9 Q4_K, 10 Q5_K, 11 Q6_K.
int product_index(hydra_type type);

// What the products of a weight type need.
inline Form form_of(hydra_type type) {
    if (type == HYDRA_R8) return Form::PLANES;
    if (type == HYDRA_Q8_0) return Form::BYTES;
    return type == HYDRA_F32 || type == HYDRA_F16 || type == HYDRA_BF16 ? Form::VALUES : Form::BLOCKS;
}

// The table of an instruction set, or null where it is not compiled in or this processor lacks it.
const Kernels* find_kernels(const char* isa);
// The best table of this processor.
const Kernels* best_kernels();

}  // namespace hydra
