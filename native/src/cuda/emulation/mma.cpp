// The warp's matrix instructions, and arithmetic of 16 bits, of the emulation.
#include "cuda/emulation/cuda.h"
#include "program/half.h"

namespace hydra::emulation {

namespace {

uint16_t half_of_pair(uint32_t pair, int index) { return static_cast<uint16_t>(pair >> index * 16); }

// What a lane has of A, B and C (mma.cuh), lanes 64 bytes apart.
struct Operands {
    float a[2][4], b[4], c[4];  // a: [row g, g + 8][columns 2t, 2t + 1, 2t + 8, 2t + 9]; b: rows the same
};
static_assert(sizeof(Operands) == 64);

// Products, which are exact, are added one after another, so that it shows where a sum depends on its terms' slots.
void multiply_all(unsigned char* all) {
    Operands lanes[32];
    std::memcpy(lanes, all, sizeof lanes);
    float b[16][8];
    for (int k = 0; k < 16; ++k) {
        for (int n = 0; n < 8; ++n) b[k][n] = lanes[4 * n + k % 8 / 2].b[k / 8 * 2 + k % 2];
    }
    for (int m = 0; m < 16; ++m) {
        Operands* row = lanes + m % 8 * 4;
        float sums[8];
        for (int n = 0; n < 8; ++n) sums[n] = row[n / 2].c[m / 8 * 2 + n % 2];
        for (int k = 0; k < 16; ++k) {
            const float a = row[k % 8 / 2].a[m / 8][k / 8 * 2 + k % 2];
            for (int n = 0; n < 8; ++n) sums[n] += a * b[k][n];
        }
        for (int n = 0; n < 8; ++n) row[n / 2].c[m / 8 * 2 + n % 2] = sums[n];
    }
    std::memcpy(all, lanes, sizeof lanes);
}

template <float (*to_float)(uint16_t)>
void multiply(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, Site site) {
    const uint32_t b[2] = {b0, b1};
    Operands mine;
    for (int i = 0; i < 4; ++i) {
        for (int row = 0; row < 2; ++row) mine.a[row][i] = to_float(half_of_pair(a[row + i / 2 * 2], i % 2));
        mine.b[i] = to_float(half_of_pair(b[i / 2], i % 2));
        mine.c[i] = c[i];
    }
    mine = Given(mine, site, multiply_all)[lane()];
    std::memcpy(c, mine.c, sizeof mine.c);
}

template <float (*to_float)(uint16_t), uint16_t (*of_float)(float)>
uint32_t difference(uint32_t a, uint32_t b) {
    uint32_t pair = 0;
    for (int i = 0; i < 2; ++i) {
        const uint16_t bits = of_float(to_float(half_of_pair(a, i)) - to_float(half_of_pair(b, i)));
        pair |= uint32_t{bits} << i * 16;
    }
    return pair;
}

}  // namespace

void multiply_halves(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, Site site) {
    multiply<half_to_float>(c, a, b0, b1, site);
}

void multiply_bfloats(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, Site site) {
    multiply<bfloat_to_float>(c, a, b0, b1, site);
}

void load_matrices(uint32_t (&out)[4], const uint16_t* row, Site site) {
    const Given rows(row, site);
    for (int i = 0; i < 4; ++i) std::memcpy(&out[i], rows[8 * i + lane() / 4] + 2 * (lane() % 4), 4);
}

void load_transposed_matrices(uint32_t (&out)[4], const uint16_t* row, Site site) {
    const Given rows(row, site);
    const int column = lane() / 4, first = 2 * (lane() % 4);
    for (int i = 0; i < 4; ++i) {
        out[i] = uint32_t{rows[8 * i + first + 1][column]} << 16 | rows[8 * i + first][column];
    }
}

uint32_t transposed(uint32_t pair, Site site) {
    const Given pairs(pair, site);
    const int column = lane() / 4, first = 2 * (lane() % 4);
    const auto at = [&](int row) { return uint32_t{half_of_pair(pairs[4 * row + column / 2], column % 2)}; };
    return at(first + 1) << 16 | at(first);
}

uint32_t halves_of(float lower, float upper) { return uint32_t{float_to_half(upper)} << 16 | float_to_half(lower); }

uint32_t subtract_halves(uint32_t a, uint32_t b) { return difference<half_to_float, float_to_half>(a, b); }

uint32_t subtract_bfloats(uint32_t a, uint32_t b) { return difference<bfloat_to_float, float_to_bfloat>(a, b); }

}  // namespace hydra::emulation
