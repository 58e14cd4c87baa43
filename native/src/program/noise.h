// The noise of sampling, a function of seed, position and token, and the mass of a token: the same bits in the
// processor's lanes of every instruction set and on a device.
#pragma once

#include "program/elementary.h"

namespace hydra {

// The four words that Philox4x32-10 makes of a counter, in its place. Source: Salmon, Moraes, Dror, Shaw: "Parallel
// random numbers: as easy as 1, 2, 3", SC 2011.
template <class U>
HYDRA_EVERYWHERE void philox(uint32_t key_low, uint32_t key_high, U (&counter)[4]) {
    for (int round = 0; round < 10; ++round) {
        U high[2], low[2];
        multiply(counter[0], 0xd2511f53, high[0], low[0]);
        multiply(counter[2], 0xcd9e8d57, high[1], low[1]);
        counter[0] = exclusive_or(exclusive_or(high[1], counter[1]), constant(U{}, key_low));
        counter[1] = low[1];
        counter[2] = exclusive_or(exclusive_or(high[0], counter[3]), constant(U{}, key_high));
        counter[3] = low[0];
        key_low += 0x9e3779b9;
        key_high += 0xbb67ae85;
    }
}

// A draw of the standard Gumbel distribution from a random word x: -log(E), E = -log(1 - u), u = (x + 1/2) 2^-32.
// Nothing of a small u, which makes a large draw, is lost; of a large one all beyond 2^-24.
template <class F, class U>
HYDRA_EVERYWHERE F gumbel(U x) {
    const auto number = [](float value) { return constant(F{}, value); };
    const F u = min(mul(add(nearest(x), number(0.5f)), number(0x1p-32f)), number(0x1.fffffep-1f));
    const F exponential = sub(number(0.0f), log_of_rest<F, U>(u));
    return sub(number(0.0f), log_of<F, U>(exponential));
}

// The bounds of what gumbel can give.
constexpr float LEAST_NOISE = -2.8116f, MOST_NOISE = 22.8739f;

// Philox's words of tokens 4 * quad to 4 * quad + 3.
template <class U>
HYDRA_EVERYWHERE void noise_words(uint64_t seed, int32_t position, U quad, U (&words)[4]) {
    words[0] = quad;
    words[1] = constant(U{}, static_cast<uint32_t>(position));
    words[2] = words[3] = constant(U{}, 0);
    philox(static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32), words);
}

// The noise of one token.
HYDRA_EVERYWHERE float noise_of(uint64_t seed, int32_t position, int32_t token) {
    scalar::U32 words[4];
    noise_words(seed, position, scalar::U32{static_cast<uint32_t>(token) >> 2}, words);
    const scalar::U32 even = (token & 2) != 0 ? words[2] : words[0], odd = (token & 2) != 0 ? words[3] : words[1];
    return gumbel<scalar::F32>((token & 1) != 0 ? odd : even).v;
}

// exp(-d) in units of 2^-31, rounded to nearest, ties to even; d >= 0.
template <class U, class F>
HYDRA_EVERYWHERE U mass_of(F d) {
    return whole(mul(exp_of(sub(constant(F{}, 0.0f), d)), constant(F{}, 0x1p31f)));
}

// The logarithm of a sum of masses that is not zero.
HYDRA_EVERYWHERE float log_of_mass(int64_t mass) {
    return log_of<scalar::F32, scalar::U32>(scalar::F32{static_cast<float>(mass) * 0x1p-31f}).v;
}

}  // namespace hydra
