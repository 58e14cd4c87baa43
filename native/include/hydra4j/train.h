/* Operations for training draft heads, forward and backward: libhydra4j_train, a library of its own.
 *
 * All numbers are float32. Matrices are row-major; a weight is [outputs][inputs]. Every operation takes handles of one
 * device, checks that each buffer holds at least what the operation needs (what lies beyond is neither read nor
 * written), and fails with HYDRA_INVALID_ARGUMENT otherwise, with nothing written. Where memory to work in is short it
 * fails with HYDRA_OUT_OF_MEMORY: its results then hold anything, and the device can be used on. Counts of rows may be
 * 0: nothing is done then. Where a result may be the same buffer as an operand, it is said ("in place"); all others
 * must not overlap in memory.
 *
 * Gradients of weights and biases are added to what is there: zero them once a step, and accumulate over as many
 * batches as wanted. Gradients of activations take a flag `add`: 0 sets them, 1 adds to them.
 *
 * Thread-safe; operations of one device run one at a time, in the order of the calls, and are done when the call
 * returns or, on a device that runs by itself, before a later download returns. Results are the same to the bit for
 * every number of threads and every instruction set of the processor, and for every run on a GPU; the two differ by
 * rounding.
 *
 * Values that are no finite number spread as IEEE 754 has it (in products of a GPU an infinity may become a NaN) and
 * are no error: hydra_train_count_nonfinite looks for them. */
#ifndef HYDRA4J_TRAIN_H
#define HYDRA4J_TRAIN_H

#include "hydra4j/status.h"

/* Changes whenever a declaration in this header does; Java refuses a library of another number. */
#define HYDRA_TRAIN_ABI_VERSION 5

#ifdef __cplusplus
extern "C" {
#endif

/* HYDRA_TRAIN_ABI_VERSION of the library that was loaded. */
HYDRA_API int32_t hydra_train_abi_version(void);

/* The last failure of this thread in this library with its causes, one per line; "" if there was none. Valid until the
 * next failure. */
HYDRA_API const char* hydra_train_error_message(void);

/* ---- Devices and buffers ---- */

typedef struct hydra_train_device hydra_train_device;
typedef struct hydra_train_buffer hydra_train_buffer;

/* What linear layers, blocks and LM heads multiply: float32 numbers (a GPU takes each as three bf16 parts of 8 bits),
 * or the nearest bf16 numbers. Sums are float32, as is all else, attention's products included.
 *
 * Products of bf16 are a sixth of the work on a GPU. On the processor they give the same bits whatever its instruction
 * set is; numbers smaller than 2^-126 in magnitude count as zero in them. By AMX they are expected to be several times
 * as fast as those of float32; by AVX-512 BF16 of a Xeon, and by fused multiply-adds, they are half as fast. */
typedef enum hydra_train_products { HYDRA_TRAIN_FLOAT32 = 0, HYDRA_TRAIN_BF16 = 1 } hydra_train_products;

/* Opens the processor. threads: from 1 to 256, the caller's included. isa: "auto" (the best that this processor has),
 * "amx_bf16", "avx512_bf16" (both "avx512" but for products of bf16), "avx512", "avx2" or "portable" (for tests: it is
 * slow). products: a hydra_train_products. HYDRA_UNAVAILABLE where the processor lacks the instruction set or the
 * system does not let this process use it, or the system refuses a thread. Not to be used in a child that is forked
 * later (HYDRA_UNAVAILABLE); closing it there is safe. */
HYDRA_API hydra_status hydra_train_device_open_cpu(int32_t threads, const char* isa, int32_t products,
                                                   hydra_train_device** out);

/* Opens a GPU. library: absolute path of libhydra4j_cuda of the same build; device: its number, 0 being the first;
 * products: a hydra_train_products. HYDRA_UNAVAILABLE, with the reason, where the library, the driver or the device
 * cannot be used. Heads of attention have at most 128 values there. Not to be used in a child that is forked later
 * (HYDRA_UNAVAILABLE); closing it there is safe. */
HYDRA_API hydra_status hydra_train_device_open_cuda(const char* library, int32_t device, int32_t products,
                                                    hydra_train_device** out);

/* Null is allowed. Every buffer must have been destroyed, and no call be in progress. */
HYDRA_API void hydra_train_device_close(hydra_train_device* device);

/* One line, such as "CPU, 2 threads, avx512". Valid while the device is open. */
HYDRA_API const char* hydra_train_device_description(const hydra_train_device* device);

typedef enum hydra_train_type {
    HYDRA_TRAIN_F32 = 0,
    HYDRA_TRAIN_I32 = 1 /* token ids and indices of rows */
} hydra_train_type;

/* Creates a zeroed buffer of count >= 1 elements of four bytes; type: a hydra_train_type. */
HYDRA_API hydra_status hydra_train_buffer_create(hydra_train_device* device, int32_t type, int64_t count,
                                                 hydra_train_buffer** out);

/* Elements [offset, offset + count) of a buffer as one of its own, count >= 1; they stay while either exists. So that
 * all parameters can lie in one buffer, which adamw takes in one call. */
HYDRA_API hydra_status hydra_train_buffer_view(const hydra_train_buffer* buffer, int64_t offset, int64_t count,
                                               hydra_train_buffer** out);

/* Null is allowed. */
HYDRA_API void hydra_train_buffer_destroy(hydra_train_buffer* buffer);

/* Elements. */
HYDRA_API int64_t hydra_train_buffer_count(const hydra_train_buffer* buffer);

/* Copies between memory of the host and elements [offset, offset + count), count >= 0. */
HYDRA_API hydra_status hydra_train_upload(hydra_train_buffer* buffer, int64_t offset, const void* source,
                                          int64_t count);
HYDRA_API hydra_status hydra_train_download(const hydra_train_buffer* buffer, int64_t offset, void* target,
                                            int64_t count);

/* Copies float32 numbers from memory of the device that is no buffer's, such as a program's (hydra_buffer_pointer), to
 * elements [offset, offset + count), count >= 0: of the host's where the device is the processor. What computes them
 * must have ended; they have been read when the call returns. */
HYDRA_API hydra_status hydra_train_copy_in(hydra_train_buffer* buffer, int64_t offset, const void* source,
                                           int64_t count);

/* ---- Elements and rows ---- */

/* x[i] = value. */
HYDRA_API hydra_status hydra_train_fill(hydra_train_device* device, int64_t count, float value, hydra_train_buffer* x);

/* y[i] += scale * x[i]; in place. */
HYDRA_API hydra_status hydra_train_add(hydra_train_device* device, int64_t count, float scale,
                                       const hydra_train_buffer* x, hydra_train_buffer* y);

/* Copies columns between matrices of other widths: target[r][target_column + c] = source[r][source_column + c] for c <
 * columns. source [rows][source_width], target [rows][target_width]. */
HYDRA_API hydra_status hydra_train_copy_columns(hydra_train_device* device, int64_t rows, int64_t columns,
                                                const hydra_train_buffer* source, int64_t source_width,
                                                int64_t source_column, hydra_train_buffer* target, int64_t target_width,
                                                int64_t target_column);

/* Rows of a table, such as the embedding of tokens: target[r][target_column + c] = table[ids[r]][c] for c < columns, or
 * 0 where ids[r] is -1. table [table_rows][columns]; ids I32 [rows], each from -1 to table_rows - 1; target
 * [rows][target_width]. */
HYDRA_API hydra_status hydra_train_gather(hydra_train_device* device, int64_t rows, int64_t columns,
                                          const hydra_train_buffer* table, int64_t table_rows,
                                          const hydra_train_buffer* ids, hydra_train_buffer* target,
                                          int64_t target_width, int64_t target_column);

/* What gather is backwards: table[ids[r]][c] += source[r][source_column + c], in the order of r; nothing where ids[r]
 * is -1. */
HYDRA_API hydra_status hydra_train_scatter_add(hydra_train_device* device, int64_t rows, int64_t columns,
                                               const hydra_train_buffer* source, int64_t source_width,
                                               int64_t source_column, const hydra_train_buffer* ids,
                                               hydra_train_buffer* table, int64_t table_rows);

/* y = x where an element is kept, with probability 1 - probability, divided by that; 0 elsewhere; in place. 0 <=
 * probability < 1. Which elements are kept is a function of seed, step, site (which of the dropouts of a step it is)
 * and the element's index, so that the same call on the gradient is the backward operation. */
HYDRA_API hydra_status hydra_train_dropout(hydra_train_device* device, int64_t count, float probability, uint64_t seed,
                                           uint32_t step, uint32_t site, const hydra_train_buffer* x,
                                           hydra_train_buffer* y);

/* y = x + scale * u with u uniform in (-1, 1), a function of seed, step, site and index as in dropout; in place. */
HYDRA_API hydra_status hydra_train_noise(hydra_train_device* device, int64_t count, float scale, uint64_t seed,
                                         uint32_t step, uint32_t site, const hydra_train_buffer* x,
                                         hydra_train_buffer* y);

/* y = x * sigmoid(x); in place. Backward, of the same x: gx = gy * d silu / dx; gx may be gy. */
HYDRA_API hydra_status hydra_train_silu_forward(hydra_train_device* device, int64_t count, const hydra_train_buffer* x,
                                                hydra_train_buffer* y);
HYDRA_API hydra_status hydra_train_silu_backward(hydra_train_device* device, int64_t count, const hydra_train_buffer* x,
                                                 const hydra_train_buffer* gy, hydra_train_buffer* gx);

/* y = silu(gate) * up; y may be gate or up. Backward sets g_gate and g_up, either of which may be gy. */
HYDRA_API hydra_status hydra_train_swiglu_forward(hydra_train_device* device, int64_t count,
                                                  const hydra_train_buffer* gate, const hydra_train_buffer* up,
                                                  hydra_train_buffer* y);
HYDRA_API hydra_status hydra_train_swiglu_backward(hydra_train_device* device, int64_t count,
                                                   const hydra_train_buffer* gate, const hydra_train_buffer* up,
                                                   const hydra_train_buffer* gy, hydra_train_buffer* g_gate,
                                                   hydra_train_buffer* g_up);

/* y[r] = x[r] * inverse[r] * weight, inverse[r] = 1 / sqrt(mean of squares of x[r] + epsilon), of `width` columns.
 * inverse [rows] is kept for backward. epsilon >= 0. */
HYDRA_API hydra_status hydra_train_rms_norm_forward(hydra_train_device* device, int64_t rows, int64_t width,
                                                    float epsilon, const hydra_train_buffer* x,
                                                    const hydra_train_buffer* weight, hydra_train_buffer* y,
                                                    hydra_train_buffer* inverse);
/* g_x, unless null: set or added; may be gy where it is set. g_weight [width], unless null: added to. */
HYDRA_API hydra_status hydra_train_rms_norm_backward(hydra_train_device* device, int64_t rows, int64_t width,
                                                     const hydra_train_buffer* x, const hydra_train_buffer* weight,
                                                     const hydra_train_buffer* inverse, const hydra_train_buffer* gy,
                                                     int32_t add, hydra_train_buffer* g_x,
                                                     hydra_train_buffer* g_weight);

/* ---- Products ---- */

/* y = x weight^T + bias, added to y where add is 1. x [rows][inputs], weight [outputs][inputs], bias [outputs] or null,
 * y [rows][outputs]. */
HYDRA_API hydra_status hydra_train_linear_forward(hydra_train_device* device, int64_t rows, int64_t inputs,
                                                  int64_t outputs, const hydra_train_buffer* x,
                                                  const hydra_train_buffer* weight, const hydra_train_buffer* bias,
                                                  int32_t add, hydra_train_buffer* y);
/* g_x [rows][g_columns] = gy weight, of the first g_columns <= inputs columns of x alone, unless null: set or added.
 * g_weight [outputs][inputs] += gy^T x and g_bias [outputs] += sums of gy's columns, unless null. */
HYDRA_API hydra_status hydra_train_linear_backward(hydra_train_device* device, int64_t rows, int64_t inputs,
                                                   int64_t outputs, const hydra_train_buffer* x,
                                                   const hydra_train_buffer* weight, const hydra_train_buffer* gy,
                                                   int32_t add, int64_t g_columns, hydra_train_buffer* g_x,
                                                   hydra_train_buffer* g_weight, hydra_train_buffer* g_bias);

/* A residual block of a head, with `inputs` columns in and `outputs` out:
 *   a = x weight^T + bias,   y = silu(a) + (x skip^T + skip_bias, or x itself where there is no skip matrix)
 * Without skip, inputs == outputs and skip and skip_bias are null; with it neither is null. All fields count;
 * gradients may be null. */
typedef struct hydra_train_block {
    int64_t rows, inputs, outputs;
    const hydra_train_buffer* x;         /* [rows][inputs] */
    const hydra_train_buffer* weight;    /* [outputs][inputs] */
    const hydra_train_buffer* bias;      /* [outputs] */
    const hydra_train_buffer* skip;      /* [outputs][inputs] or null */
    const hydra_train_buffer* skip_bias; /* [outputs] or null */
    hydra_train_buffer* a;               /* [rows][outputs]: set by forward, kept for backward */
    hydra_train_buffer* y;               /* [rows][outputs]: set by forward, not used by backward */
    /* Backward alone. */
    const hydra_train_buffer* gy;    /* [rows][outputs] */
    hydra_train_buffer* g_a;         /* [rows][outputs]: memory to work in; may be a */
    int32_t add;                     /* to g_x */
    int64_t g_columns;               /* <= inputs: the gradient is that of the first columns of x alone */
    hydra_train_buffer* g_x;         /* [rows][g_columns] or null; may be gy where it is set and there is no skip */
    hydra_train_buffer* g_weight;    /* [outputs][inputs] or null: added to */
    hydra_train_buffer* g_bias;      /* [outputs] or null: added to */
    hydra_train_buffer* g_skip;      /* [outputs][inputs] or null: added to */
    hydra_train_buffer* g_skip_bias; /* [outputs] or null: added to */
} hydra_train_block;
HYDRA_API hydra_status hydra_train_block_forward(hydra_train_device* device, const hydra_train_block* arguments);
HYDRA_API hydra_status hydra_train_block_backward(hydra_train_device* device, const hydra_train_block* arguments);

/* ---- Attention ---- */

/* Rows of a batch are `sequences` texts one after another: text s is rows starts[s] to starts[s + 1] - 1; starts
 * [sequences + 1] on the host, starts[0] = 0, ascending (a text may be empty), starts[sequences] = the rows. A row's
 * position is counted from the first row of its text. */

/* Rotates x [rows][heads][head_size] in place, head_size even: with f = frequencies[i], i < head_size / 2 (on the
 * host), and the angle position * f, values i and i + head_size / 2 of each head are rotated as Hugging Face does it.
 * inverse 1: by the negative angle, which is the backward operation. */
HYDRA_API hydra_status hydra_train_rope(hydra_train_device* device, int64_t sequences, const int64_t* starts,
                                        int64_t heads, int64_t head_size, const float* frequencies, int32_t inverse,
                                        hydra_train_buffer* x);

/* Causal attention within each text, scores divided by sqrt(head_size); query head h uses key and value head h / (heads
 * / kv_heads), kv_heads a divisor of heads. All fields count. */
typedef struct hydra_train_attention {
    int64_t sequences;
    const int64_t* starts; /* [sequences + 1], on the host */
    int64_t heads, kv_heads, head_size;
    const hydra_train_buffer* q; /* [rows][heads][head_size] */
    const hydra_train_buffer* k; /* [rows][kv_heads][head_size] */
    const hydra_train_buffer* v; /* [rows][kv_heads][head_size] */
    hydra_train_buffer* y;       /* [rows][heads][head_size]: set by forward, kept for backward */
    hydra_train_buffer* log_sum; /* [rows][heads]: set by forward, kept for backward */
    /* Backward alone; all three gradients are set. */
    const hydra_train_buffer* gy; /* [rows][heads][head_size] */
    hydra_train_buffer* g_q;      /* [rows][heads][head_size] */
    hydra_train_buffer* g_k;      /* [rows][kv_heads][head_size] */
    hydra_train_buffer* g_v;      /* [rows][kv_heads][head_size] */
} hydra_train_attention;
HYDRA_API hydra_status hydra_train_attention_forward(hydra_train_device* device,
                                                     const hydra_train_attention* arguments);
HYDRA_API hydra_status hydra_train_attention_backward(hydra_train_device* device,
                                                      const hydra_train_attention* arguments);

/* ---- LM heads and loss ---- */

/* The loss of several heads over one vocabulary. With z = state weight^T + bias of a row, p = softmax(z), t its target
 * and q = softmax(teacher state teacher_weight^T) of its row of the teacher:
 *   loss = row_weight * (data_scale * -log p[t] + teacher_scale * -sum over v of q[v] log p[v])
 * summed over rows and heads: means and weights of heads go into the scales and row weights. Logits exist for some rows
 * at a time, in memory that the device keeps (200 MB at most for vocabularies up to a million); those of the teacher
 * are computed once for all heads. For a draft vocabulary, weights hold the rows of its tokens alone and q is a
 * distribution over them.
 *
 * A head's rows must be in the order of their rows of the teacher. All fields count. */
typedef struct hydra_train_loss_head {
    int64_t rows;
    const hydra_train_buffer* states; /* [rows][hidden] */
    const hydra_train_buffer* weight; /* [vocabulary][hidden] */
    const hydra_train_buffer* bias;   /* [vocabulary] or null */
    /* I32 [rows]: index in the vocabulary, or -1 where the token is not in it: the row has no data loss then, and its
     * target is never among the best. */
    const hydra_train_buffer* targets;
    /* I32 [rows], ascending (equal ones are allowed), each < teacher_rows; null where there is no teacher. */
    const hydra_train_buffer* teacher_rows;
    /* I32 [rows] or null: the token that the teacher finds best, as in targets; null: the one of the greatest q. */
    const hydra_train_buffer* teacher_best;
    const hydra_train_buffer* row_weights; /* [rows] or null: 1; a row of weight 0 is left out of all sums */
    float data_scale, teacher_scale;       /* teacher_scale counts where there is a teacher */
    hydra_train_buffer* g_states;          /* [rows][hidden] or null: set */
    hydra_train_buffer* g_weight;          /* [vocabulary][hidden] or null: added to; heads may share one */
    hydra_train_buffer* g_bias;            /* [vocabulary] or null: added to */
    /* I32 [rows] or null: how many logits are greater than the target's (equal ones of smaller index included); -1
     * where there is no target, or the row's weight is 0. */
    hydra_train_buffer* target_ranks;
    hydra_train_buffer* best_ranks; /* the same of the teacher's best; only where there is a teacher or teacher_best */
} hydra_train_loss_head;

typedef struct hydra_train_loss {
    int64_t hidden, vocabulary;
    int64_t teacher_hidden, teacher_rows;     /* 0 where there is no teacher */
    const hydra_train_buffer* teacher_states; /* [teacher_rows][teacher_hidden], or null: no teacher */
    const hydra_train_buffer* teacher_weight; /* [vocabulary][teacher_hidden], or null */
    float teacher_cap; /* > 0: the teacher's logits become cap * tanh(logit / cap); 0: they stay */
} hydra_train_loss;

/* What `sums` holds of each head; only rows whose weight is not 0 count. */
typedef enum hydra_train_sum {
    HYDRA_TRAIN_SUM_ROWS = 0,
    HYDRA_TRAIN_SUM_WEIGHTS = 1,        /* of row weights */
    HYDRA_TRAIN_SUM_TARGET_WEIGHTS = 2, /* of rows that have a target */
    HYDRA_TRAIN_SUM_DATA_LOSS = 3,      /* row weight * -log p[t], of rows that have a target */
    HYDRA_TRAIN_SUM_TEACHER_LOSS = 4,   /* row weight * -sum q log p; less the next one it is the divergence */
    HYDRA_TRAIN_SUM_TEACHER_ENTROPY = 5,
    HYDRA_TRAIN_SUM_TARGET_TOP = 6, /* five numbers: rows whose target is among the best 1, 2, ... 5 logits */
    HYDRA_TRAIN_SUM_BEST_TOP = 11,  /* five numbers: the same of the teacher's best */
    HYDRA_TRAIN_SUMS = 16
} hydra_train_sum;

/* heads [count]. sums: on the host, [count][HYDRA_TRAIN_SUMS], set. */
HYDRA_API hydra_status hydra_train_loss_compute(hydra_train_device* device, const hydra_train_loss* arguments,
                                                const hydra_train_loss_head* heads, int32_t count, double* sums);

/* ---- Optimiser ---- */

/* sum: of the squares, in double precision. */
HYDRA_API hydra_status hydra_train_square_sum(hydra_train_device* device, int64_t count, const hydra_train_buffer* x,
                                              double* sum);

/* How many of the values are infinite or NaN. */
HYDRA_API hydra_status hydra_train_count_nonfinite(hydra_train_device* device, int64_t count,
                                                   const hydra_train_buffer* x, int64_t* out);

/* A step of AdamW with decoupled weight decay (Loshchilov and Hutter, ICLR 2019), as PyTorch's: with g =
 * gradient_scale * gradients[i] (for clipping),
 *   m = beta1 m + (1 - beta1) g,   v = beta2 v + (1 - beta2) g^2
 *   w = w (1 - rate * decay) - rate * (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon)
 * step counts from 1. 0 <= beta1, beta2 < 1; epsilon > 0; rate, decay >= 0; all finite. */
typedef struct hydra_train_adamw {
    int64_t count;
    hydra_train_buffer* parameters;      /* w [count] */
    const hydra_train_buffer* gradients; /* [count] */
    hydra_train_buffer* first;           /* m [count] */
    hydra_train_buffer* second;          /* v [count] */
    int64_t step;
    double rate, beta1, beta2, epsilon, decay, gradient_scale;
} hydra_train_adamw;
HYDRA_API hydra_status hydra_train_adamw_step(hydra_train_device* device, const hydra_train_adamw* arguments);

#ifdef __cplusplus
}
#endif
#endif
