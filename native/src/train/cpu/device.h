// The processor as a device of training: a thread team over the vector kernels of one instruction set. An operation is
// cut into tasks whose results do not depend on who does them, and threads take task after task: so results do not
// depend on the number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <vector>

#include "cpu/team.h"
#include "train/device.h"
#include "train/kernels.h"
#include "train/loss_parts.h"

namespace hydra::train {

// Memory that is kept from call to call and only grows.
class Scratch {
  public:
    // `count` floats, of any contents.
    float* floats(int64_t count) {
        if (count > count_) {
            memory_.reset();
            count_ = 0;
            memory_ = hydra::allocate<float>(count);
            count_ = count;
        }
        return memory_.get();
    }

  private:
    Aligned<float> memory_;
    int64_t count_ = 0;
};

// What a thread works in by itself.
struct ThreadScratch {
    Scratch panels, scores;
};

class CpuDevice final : public hydra_train_device {
  public:
    CpuDevice(int threads, const InstructionSet& isa, hydra_train_products products);

    Memory allocate(int64_t bytes) override;
    void upload(void* target, const void* source, int64_t bytes) override;
    void download(void* target, const void* source, int64_t bytes) override;
    void copy_in(float* target, const float* source, int64_t count) override;
    void require_usable() override;

    void fill(int64_t count, float value, float* x) override;
    void add(int64_t count, float scale, const float* x, float* y) override;
    void copy_columns(int64_t rows, int64_t columns, bool add, Columns<const float> source,
                      Columns<float> target) override;
    void gather(int64_t rows, int64_t columns, const float* table, int64_t table_rows, const int32_t* ids,
                Columns<float> target) override;
    void scatter_add(int64_t rows, int64_t columns, Columns<const float> source, const int32_t* ids, float* table,
                     int64_t table_rows) override;
    void dropout(int64_t count, float probability, Draw draw, const float* x, float* y) override;
    void noise(int64_t count, float scale, Draw draw, const float* x, float* y) override;
    void silu_forward(int64_t count, const float* x, float* y) override;
    void silu_backward(int64_t count, const float* x, const float* gy, float* gx) override;
    void swiglu_forward(int64_t count, const float* gate, const float* up, float* y) override;
    void swiglu_backward(int64_t count, const float* gate, const float* up, const float* gy, float* g_gate,
                         float* g_up) override;
    void residual(int64_t count, const float* x, const float* a, float* y) override;
    void rms_norm_forward(int64_t rows, int64_t width, float epsilon, const float* x, const float* weight, float* y,
                          float* inverse) override;
    void rms_norm_backward(int64_t rows, int64_t width, const float* x, const float* weight, const float* inverse,
                           const float* gy, bool add, float* g_x, float* g_weight) override;
    void linear_forward(const Linear& linear, const float* bias, bool add, float* y) override;
    void linear_backward(const Linear& linear, const float* gy, const LinearGradients& gradients) override;
    void rope(const Texts& texts, int64_t heads, int64_t head_size, const float* frequencies, bool inverse,
              float* x) override;
    void attention_forward(const Attention& attention) override;
    void attention_backward(const Attention& attention, const AttentionGradients& gradients) override;
    void loss(const Loss& loss) override;
    double square_sum(int64_t count, const float* x) override;
    int64_t count_nonfinite(int64_t count, const float* x) override;
    void adamw(const AdamW& step) override;

  private:
    // Threads for so many elements to be treated, or as much work: for little, waiting for others takes longer.
    int threads_for(int64_t elements) const {
        return static_cast<int>(std::clamp<int64_t>(elements / (1 << 14), 1, team_.threads()));
    }

    // Calls task(i, thread) for every i < tasks, which together treat so many elements.
    template <class Task>
    void each(int64_t tasks, int64_t elements, Task task) {
        std::atomic<int64_t> next{0};
        team_.run(threads_for(elements), [&](int thread) {
            for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < tasks;) task(i, thread);
        });
    }

    // Calls task(first, count) for runs of elements; `first` is a multiple of 64.
    template <class Task>
    void each_run(int64_t count, Task task);

    // c [rows][columns], of rows `stride` apart, = or += a b; a [rows][depth], b [depth][columns]. b is given as its
    // transpose is: transposed where it is stored as [depth][columns].
    void multiply(int64_t rows, int64_t columns, int64_t depth, Operand a, Operand b, float* c, int64_t stride,
                  bool add);
    // The same on one thread, with its memory for panels; of float32, whatever the device's products are of.
    void multiply_alone(int64_t rows, int64_t columns, int64_t depth, Operand a, Operand b, float* c, int64_t stride,
                        bool add, Scratch& panels) const;

    // out[c] += the sum of column c of x [rows][columns], in the order of rows.
    void add_column_sums(int64_t rows, int64_t columns, const float* x, float* out);
    void add_bias(int64_t rows, int64_t columns, const float* bias, float* y);

    // Powers and what is known of rows [first, first + count) of the teacher, count <= loss_chunk().
    void teach(const Loss& loss, int64_t first, int64_t count);
    // Rows [first, first + count) of a head, whose rows of the teacher are among those from teacher_first on that have
    // been computed.
    void loss_rows(const Loss& loss, const LossHead& head, int64_t first, int64_t count, int64_t teacher_first,
                   double* sums);
    LossRow loss_row(const Loss& loss, const LossHead& head, int64_t row, const TeacherRow* teacher,
                     const float* powers, float* z) const;

    Team team_;
    const Kernels& kernels_;
    const Products &float32_, &products_;
    Scratch left_, right_, logits_, powers_, rows_;
    std::vector<TeacherRow> teacher_rows_;
    std::vector<LossRow> loss_rows_;
    std::vector<ThreadScratch> threads_;
    const uint32_t opened_after_;  // forks
};

template <class Task>
void CpuDevice::each_run(int64_t count, Task task) {
    constexpr int64_t RUN = 1 << 14;
    each((count + RUN - 1) / RUN, count, [&](int64_t i, int) { task(i * RUN, std::min(RUN, count - i * RUN)); });
}

}  // namespace hydra::train
