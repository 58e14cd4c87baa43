// What libhydra4j_cuda offers to training, beside the table of cuda/device.h: a table of functions, found by
// hydra_cuda_train_api. Every function only enqueues, on addresses of the device that have been checked; the host's
// side of training (train/cuda/device.h) owns memory and order. Sums are taken in a fixed order: a result depends on
// shapes alone, never on what runs when.
#pragma once

#include "cuda/device.h"
#include "train/device.h"
#include "train/kernels.h"
#include "train/loss_parts.h"

namespace hydra::cuda::training {

using train::Columns;
using train::Draw;
using train::LossRow;
using train::Operand;
using train::TeacherRow;

constexpr int32_t API_VERSION = 1;

// How many pieces of so many make up a whole.
constexpr int64_t pieces(int64_t count, int64_t of) { return (count + of - 1) / of; }

// c [rows][columns], of rows `stride` apart, = left right + bias, added to what is there where `add`. left
// [rows][depth]; right [depth][columns] is given as its transpose is: transposed where it is stored as
// [depth][columns]. Of left and right the pairs (not, not), (not, transposed) and (transposed, transposed) are known.
struct Product {
    int64_t rows, columns, depth;
    Operand left, right;
    float* c;
    int64_t stride;
    const float* bias;  // [columns] or null
    bool add;
    hydra_train_products precision;
    // Where few tiles would have a long sum each: the depth in so many parts, whose products are added in their order
    // at the end. Null where it is one; no bias then.
    int32_t parts;
    float* part_sums;  // [parts][rows][columns]
};

// What a table's row receives: rows order[starts[i]] to order[starts[i + 1] - 1] of the source for table row
// targets[i].
struct Meetings {
    int64_t count;
    const int32_t *targets, *starts, *order;
};

// Sums of columns of x [rows][columns], each row times `scale` of it and each value times that of y, where they are not
// null.
struct ColumnSums {
    int64_t rows, columns;
    const float *x, *y, *scale;
    float* part_sums;  // [column_sum_parts(rows)][columns]
    float* out;        // [columns]: added to
};
constexpr int64_t COLUMN_SUM_ROWS = 256;  // of a part
constexpr int64_t column_sum_parts(int64_t rows) { return pieces(rows, COLUMN_SUM_ROWS); }

// ATTENTION_ROWS rows, or what is left, of a text of `length` rows that begins at row `text`.
struct TextRows {
    int32_t text, length, first;
};
constexpr int64_t ATTENTION_ROWS = 32, MOST_HEAD_SIZE = 128;

struct Attention {
    int64_t blocks;
    const TextRows* of;  // [blocks]
    int64_t rows;        // of all texts
    int32_t heads, kv_heads, head_size;
    const float *q, *k, *v;
    float *y, *log_sum;
    // Backward alone.
    const float* g_y;
    float* dots;  // [rows][heads], memory to work in
    float *g_q, *g_k, *g_v;
};

// Logits of rows of the teacher become powers exp(z - best).
struct TeacherPart {
    int64_t rows, vocabulary;
    float cap;
    float* logits;   // [rows][vocabulary]
    TeacherRow* of;  // [rows]
};

// Logits of rows of a head become their gradients. Pointers are those of the first of these rows.
struct LossPart {
    int64_t rows, vocabulary;
    float* logits;  // [rows][vocabulary]
    const int32_t *targets, *teacher_rows, *teacher_best;
    const float* row_weights;
    int64_t teacher_first;  // the row of the teacher that powers and `teacher` begin with
    const float* powers;    // null where there is no teacher
    const TeacherRow* teacher;
    float data_scale, teacher_scale;
    int32_t *target_ranks, *best_ranks;
    LossRow* of;  // [rows]
};

// Elements whose sum, or count, is one number.
constexpr int64_t REDUCED = 1 << 16;
constexpr int64_t reduced_parts(int64_t count) { return pieces(count, REDUCED); }

struct Api {
    int32_t version;  // API_VERSION

    hydra_status (*fill)(Stream* stream, int64_t count, float value, float* x);
    hydra_status (*add)(Stream* stream, int64_t count, float scale, const float* x, float* y);
    // Set, or added to what is there.
    hydra_status (*copy_columns)(Stream* stream, int64_t rows, int64_t columns, bool add, Columns<const float> source,
                                 Columns<float> target);
    hydra_status (*gather)(Stream* stream, int64_t rows, int64_t columns, const float* table, const int32_t* ids,
                           Columns<float> target);
    hydra_status (*scatter_add)(Stream* stream, int64_t columns, Columns<const float> source, Meetings meetings,
                                float* table);
    hydra_status (*dropout)(Stream* stream, int64_t count, float probability, Draw draw, const float* x, float* y);
    hydra_status (*noise)(Stream* stream, int64_t count, float scale, Draw draw, const float* x, float* y);
    hydra_status (*silu_forward)(Stream* stream, int64_t count, const float* x, float* y);
    hydra_status (*silu_backward)(Stream* stream, int64_t count, const float* x, const float* gy, float* gx);
    hydra_status (*swiglu_forward)(Stream* stream, int64_t count, const float* gate, const float* up, float* y);
    hydra_status (*swiglu_backward)(Stream* stream, int64_t count, const float* gate, const float* up, const float* gy,
                                    float* g_gate, float* g_up);
    // y = x + silu(a).
    hydra_status (*residual)(Stream* stream, int64_t count, const float* x, const float* a, float* y);
    hydra_status (*rms_norm_forward)(Stream* stream, int64_t rows, int64_t width, float epsilon, const float* x,
                                     const float* weight, float* y, float* inverse);
    // Of x alone: that of the weight is a sum of columns.
    hydra_status (*rms_norm_backward)(Stream* stream, int64_t rows, int64_t width, const float* x, const float* weight,
                                      const float* inverse, const float* gy, bool add, float* g_x);
    hydra_status (*column_sums)(Stream* stream, ColumnSums sums);
    hydra_status (*product)(Stream* stream, Product product);
    // positions [rows]; frequencies [head_size / 2].
    hydra_status (*rope)(Stream* stream, int64_t rows, int64_t heads, int64_t head_size, const int32_t* positions,
                         const float* frequencies, bool inverse, float* x);
    hydra_status (*attention_forward)(Stream* stream, Attention attention);
    hydra_status (*attention_backward)(Stream* stream, Attention attention);
    hydra_status (*teach)(Stream* stream, TeacherPart part);
    hydra_status (*loss)(Stream* stream, LossPart part);
    // sums, counts [reduced_parts(count)].
    hydra_status (*square_sums)(Stream* stream, int64_t count, const float* x, double* sums);
    hydra_status (*nonfinite_counts)(Stream* stream, int64_t count, const float* x, int64_t* counts);
    hydra_status (*adamw)(Stream* stream, int64_t count, train::AdamWFactors factors, const float* gradients,
                          float* parameters, float* first, float* second);
};

}  // namespace hydra::cuda::training

// Exported by libhydra4j_cuda.
extern "C" __attribute__((visibility("default"))) const hydra::cuda::training::Api* hydra_cuda_train_api();
