/* How each sequence of a batch selects its tokens, and what that needs on the device.
 *
 * The token selected at a row is a function of the row's logits, the sequence's options, the tokens before it, the seed
 * and the position at which the token will stand, and of nothing else: not of the tree, the batch, the threads or the
 * backend. Of the logits l of a row:
 *  1. l += bias. What is not a number, or beyond the largest one, counts as the smallest or largest number after 2.
 *  2. Penalties for tokens that stand before the selected one, in the prompt, the generated text, or on the path of
 *     drafted tokens, which count as generated: of all of these l becomes l / repetition_penalty where it is positive,
 *     else l * repetition_penalty; then of generated ones l -= presence_penalty + frequency_penalty * occurrences.
 *  3. temperature 0: the largest l, the smaller token among equals. Else d = (max(l) - l) / temperature,
 *     by way of the float nearest to 1 / temperature.
 *  4. Filters in this order, each on what the one before has left: the top_k smallest d, smaller tokens first among
 *     equals; the fewest of the best tokens whose mass, among that of all that are left, reaches top_p; those whose
 *     exp(-d) is at least min_p. A mass is exp(-d) rounded to a multiple of 2^-31.
 *  5. The largest noise - d, the smaller token among equals. The noise of a token is a draw of the standard Gumbel
 *     distribution, a function of seed, position and token (Philox4x32-10): so the token is one of the distribution
 *     that softmax(-d) is. */
#ifndef HYDRA4J_SAMPLING_H
#define HYDRA4J_SAMPLING_H

#include "hydra4j/sequence.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hydra_sampling hydra_sampling;

typedef struct hydra_sampling_options {
    float temperature;          /* 0: nothing is drawn */
    int32_t top_k;              /* 0: all */
    float top_p;                /* 0 < top_p <= 1, 1: all */
    float min_p;                /* 0 to 1, 0: all */
    float repetition_penalty;   /* > 0, 1: none */
    float presence_penalty;     /* 0: none */
    float frequency_penalty;    /* 0: none */
    uint64_t seed;              /* of the noise */
    const int32_t* bias_tokens; /* [biases] different tokens */
    const float* bias_values;   /* [biases] finite, or -INFINITY for tokens that are not to be selected */
    int32_t biases;
} hydra_sampling_options;

/* For logits of `vocabulary` tokens and trees of at most `levels` levels below the root, 0 to HYDRA_MAX_NODES - 1
 * (deeper ones are drawn for as well, but slowly). The batch outlives it. All sequences are greedy at first:
 * temperature 0, without filters, penalties and biases. Takes 4 * (levels + 3) bytes of a sequence and token, and 4 of
 * a sequence and position; on the CPU when they are first used. */
HYDRA_API hydra_status hydra_sampling_create(hydra_batch* batch, int32_t vocabulary, int32_t levels,
                                             hydra_sampling** out);
HYDRA_API void hydra_sampling_destroy(hydra_sampling* sampling);
/* Sets the options of a sequence, or of all sequences (-1). Refused while a program that uses the sampling is enqueued.
 */
HYDRA_API hydra_status hydra_sampling_set(hydra_sampling* sampling, int32_t sequence,
                                          const hydra_sampling_options* options);

#ifdef __cplusplus
}
#endif
#endif
