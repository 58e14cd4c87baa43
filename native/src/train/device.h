// What a device of training is: memory, and the operations of hydra4j/train.h on plain addresses, which have been
// checked. A device of another kind implements this interface and nothing else.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "hydra4j/train.h"
#include "program/memory.h"

namespace hydra::train {

// Texts one after another: rows starts[s] to starts[s + 1] - 1.
struct Texts {
    int64_t count;
    const int64_t* starts;

    int64_t rows() const { return starts[count]; }
};

// Which of the random numbers of a run.
struct Draw {
    uint64_t seed;
    uint32_t step, site;
};

// Columns [column, column + columns) of rows of `width` values.
template <class T>
struct Columns {
    T* data;
    int64_t width, column;

    T* row(int64_t r) const { return data + r * width + column; }
};

struct Linear {
    int64_t rows, inputs, outputs;
    const float *x, *weight;
};

struct LinearGradients {
    bool add;  // to x
    int64_t columns;
    float *x, *weight, *bias;  // each may be null
};

struct Block {
    Linear linear;
    const float *bias, *skip, *skip_bias;  // skip and its bias are null together
    float *a, *y;
};

struct BlockGradients {
    const float* y;
    float* a;
    LinearGradients of;
    float *skip, *skip_bias;
};

struct Attention {
    Texts texts;
    int64_t heads, kv_heads, head_size;
    const float *q, *k, *v;
    float *y, *log_sum;
};

struct AttentionGradients {
    const float* y;
    float *q, *k, *v;
};

struct Teacher {
    int64_t hidden, rows;
    const float *states, *weight;  // null: there is none
    float cap;
};

struct LossHead {
    int64_t rows;
    const float *states, *weight, *bias;
    const int32_t *targets, *teacher_rows, *teacher_best;
    const float* row_weights;
    float data_scale, teacher_scale;
    float *g_states, *g_weight, *g_bias;
    int32_t *target_ranks, *best_ranks;
};

struct Loss {
    int64_t hidden, vocabulary;
    Teacher teacher;
    const LossHead* heads;
    int32_t count;
    double* sums;  // [count][HYDRA_TRAIN_SUMS], on the host, zero
};

struct AdamW {
    int64_t count;
    float* parameters;
    const float* gradients;
    float *first, *second;
    int64_t step;
    double rate, beta1, beta2, epsilon, decay, gradient_scale;
};

}  // namespace hydra::train

struct hydra_train_device {
    virtual ~hydra_train_device() = default;

    std::mutex mutex;  // held by whoever calls what follows
    std::string description;

    virtual hydra::Memory allocate(int64_t bytes) = 0;  // zeroed
    virtual void upload(void* target, const void* source, int64_t bytes) = 0;
    virtual void download(void* target, const void* source, int64_t bytes) = 0;
    virtual void upload_ids(int32_t* target, const int32_t* ids, int64_t count) {
        upload(target, ids, count * static_cast<int64_t>(sizeof(int32_t)));
    }
    // From memory of the device that is no buffer's; it has been read when this returns.
    virtual void copy_in(float* target, const float* source, int64_t count) = 0;
    // Throws HYDRA_UNAVAILABLE where operations cannot run.
    virtual void require_usable() = 0;

    virtual void fill(int64_t count, float value, float* x) = 0;
    virtual void add(int64_t count, float scale, const float* x, float* y) = 0;
    // Set, or added to what is there.
    virtual void copy_columns(int64_t rows, int64_t columns, bool add, hydra::train::Columns<const float> source,
                              hydra::train::Columns<float> target) = 0;
    // Refuse an id that is not from -1 to table_rows - 1, before anything is written.
    virtual void gather(int64_t rows, int64_t columns, const float* table, int64_t table_rows, const int32_t* ids,
                        hydra::train::Columns<float> target) = 0;
    virtual void scatter_add(int64_t rows, int64_t columns, hydra::train::Columns<const float> source,
                             const int32_t* ids, float* table, int64_t table_rows) = 0;
    virtual void dropout(int64_t count, float probability, hydra::train::Draw draw, const float* x, float* y) = 0;
    virtual void noise(int64_t count, float scale, hydra::train::Draw draw, const float* x, float* y) = 0;
    virtual void silu_forward(int64_t count, const float* x, float* y) = 0;
    virtual void silu_backward(int64_t count, const float* x, const float* gy, float* gx) = 0;
    virtual void swiglu_forward(int64_t count, const float* gate, const float* up, float* y) = 0;
    virtual void swiglu_backward(int64_t count, const float* gate, const float* up, const float* gy, float* g_gate,
                                 float* g_up) = 0;
    // y = x + silu(a).
    virtual void residual(int64_t count, const float* x, const float* a, float* y) = 0;
    virtual void rms_norm_forward(int64_t rows, int64_t width, float epsilon, const float* x, const float* weight,
                                  float* y, float* inverse) = 0;
    virtual void rms_norm_backward(int64_t rows, int64_t width, const float* x, const float* weight,
                                   const float* inverse, const float* gy, bool add, float* g_x, float* g_weight) = 0;
    virtual void linear_forward(const hydra::train::Linear& linear, const float* bias, bool add, float* y) = 0;
    virtual void linear_backward(const hydra::train::Linear& linear, const float* gy,
                                 const hydra::train::LinearGradients& gradients) = 0;
    virtual void rope(const hydra::train::Texts& texts, int64_t heads, int64_t head_size, const float* frequencies,
                      bool inverse, float* x) = 0;
    virtual void attention_forward(const hydra::train::Attention& attention) = 0;
    virtual void attention_backward(const hydra::train::Attention& attention,
                                    const hydra::train::AttentionGradients& gradients) = 0;
    // Refuses targets and rows of the teacher that are out of range or order, before anything is written.
    virtual void loss(const hydra::train::Loss& loss) = 0;
    virtual double square_sum(int64_t count, const float* x) = 0;
    virtual int64_t count_nonfinite(int64_t count, const float* x) = 0;
    virtual void adamw(const hydra::train::AdamW& step) = 0;

    // Of these, for every device.
    void block_forward(const hydra::train::Block& block);
    void block_backward(const hydra::train::Block& block, const hydra::train::BlockGradients& gradients);
};
