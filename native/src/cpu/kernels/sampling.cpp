// What selecting tokens does with rows of a vocabulary: noise, distances to the best token, masses, and races.
//
#include "cpu/kernels/functions.h"
#include "cpu/simd.h"
#include "program/noise.h"

namespace hydra::HYDRA_ISA {

namespace {

constexpr float LARGEST = __FLT_MAX__;

HYDRA_INLINE F32 finite(F32 x) { return min(max(x, broadcast(-LARGEST)), broadcast(LARGEST)); }

// How far a logit is below the best one, in units of the temperature.
HYDRA_INLINE F32 distance(F32 logit, float best, float inverse) {
    return max(mul(sub(broadcast(best), finite(logit)), broadcast(inverse)), zero());
}

// The lanes of those from i on that are below n.
HYDRA_INLINE uint32_t real_lanes(int64_t i, int64_t n) { return n - i >= LANES ? 0xffffu : (1u << (n - i)) - 1; }

// Lanes [0, count) of x, `other` beyond.
HYDRA_INLINE F32 real_or(F32 x, int64_t count, float other) {
    if (count >= LANES) return x;
    float lanes[LANES];
    store(lanes, x);
    for (int64_t l = count; l < LANES; ++l) lanes[l] = other;
    return load(lanes);
}

// Takes the lanes of `mask` whose value is greater than the best one, in order.
HYDRA_INLINE void take_greater(F32 values, uint32_t mask, int64_t i, Scored& best) {
    float lanes[LANES];
    store(lanes, values);
    for (; mask != 0; mask &= mask - 1) {
        const int lane = __builtin_ctz(mask);
        if (lanes[lane] > best.score) best = {lanes[lane], static_cast<int32_t>(i + lane)};
    }
}

}  // namespace

// Lane l of a vector has the counter of quad 4 (l % 4) + l / 4, so that after the transposition its words lie in order.
void noise(uint64_t seed, int32_t position, int64_t first, int64_t count, float* out) {
    uint32_t quads[LANES];
    for (int l = 0; l < LANES; ++l) quads[l] = static_cast<uint32_t>(first / 4 + 4 * (l % 4) + l / 4);
    U32 quad = load(quads);
    for (int64_t i = 0; i < count; i += NOISE_RUN) {
        U32 words[4];
        noise_words(seed, position, quad, words);
        F32 drawn[4];
        for (int w = 0; w < 4; ++w) drawn[w] = gumbel<F32>(words[w]);
        transpose(drawn);
        for (int t = 0; t < 4; ++t) store(out + i + t * LANES, drawn[t]);
        quad = add(quad, constant(U32{}, NOISE_RUN / 4));
    }
}

Scored best_logit(const float* logits, int64_t n) {
    Scored best{-__builtin_inff(), 0};
    for (int64_t i = 0; i < n; i += LANES) {
        const F32 value = finite(load_some(logits + i, n - i));
        const uint32_t better = greater(value, broadcast(best.score)) & real_lanes(i, n);
        if (better != 0) take_greater(value, better, i, best);
    }
    return best;
}

Scored race(const float* logits, const float* noise, int64_t n, float best_logit, float inverse, float most_distance) {
    Scored best{-__builtin_inff(), 0};
    for (int64_t i = 0; i < n; i += LANES) {
        const F32 d = distance(load_some(logits + i, n - i), best_logit, inverse), score = sub(load(noise + i), d);
        uint32_t better = greater(score, broadcast(best.score));
        if (better == 0) continue;
        better &= real_lanes(i, n) & ~greater(d, broadcast(most_distance));
        take_greater(score, better, i, best);
    }
    return best;
}

int64_t masses(const float* logits, int64_t n, float best_logit, float inverse) {
    Sum64 sum;
    for (int64_t i = 0; i < n; i += LANES) {
        const F32 d = distance(load_some(logits + i, n - i), best_logit, inverse);
        sum.add(mass_of<U32>(real_or(d, n - i, LARGEST)));
    }
    return sum.total();
}

int64_t collect(const float* logits, int64_t n, float best_logit, float inverse, float most_distance, uint64_t* keys) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += LANES) {
        const F32 d = distance(load_some(logits + i, n - i), best_logit, inverse);
        uint32_t near = ~greater(d, broadcast(most_distance)) & real_lanes(i, n);
        if (near == 0) continue;
        uint32_t bits[LANES];
        store(bits, bits_of(d));
        for (; near != 0; near &= near - 1) {
            const int lane = __builtin_ctz(near);
            keys[count++] = uint64_t{bits[lane]} << 32 | static_cast<uint64_t>(i + lane);
        }
    }
    return count;
}

int64_t group_maxima(const float* logits, int64_t n, int64_t vectors, float* out) {
    int64_t groups = 0;
    for (int64_t i = 0; i < n; groups += LANES) {
        F32 most = broadcast(-LARGEST);
        for (int64_t v = 0; v < vectors && i < n; ++v, i += LANES) {
            most = max(real_or(load_some(logits + i, n - i), n - i, -LARGEST), most);
        }
        store(out + groups, min(most, broadcast(LARGEST)));
    }
    return groups;
}

void add_bias(const float* logits, const float* bias, int64_t n, float* out) {
    for (int64_t i = 0; i < n; i += LANES) store(out + i, add(load_some(logits + i, n - i), load(bias + i)));
}

int64_t occurring(const int32_t* occurrences, int64_t n, int32_t* tokens) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += LANES) {
        uint32_t found = present(load(reinterpret_cast<const uint32_t*>(occurrences + i))) & real_lanes(i, n);
        for (; found != 0; found &= found - 1) tokens[count++] = static_cast<int32_t>(i + __builtin_ctz(found));
    }
    return count;
}

void score(const float* logits, const float* noise, int64_t n, float inverse, float* out) {
    for (int64_t i = 0; i < n; i += LANES) {
        const F32 scaled = mul(finite(load_some(logits + i, n - i)), broadcast(inverse));
        store(out + i, finite(add(scaled, noise != nullptr ? load(noise + i) : zero())));
    }
}

}  // namespace hydra::HYDRA_ISA
