// A GPU as a device of training: its memory and one stream, on which operations run by themselves in the order of the
// calls, through the tables of libhydra4j_cuda. Ids of rows are checked on the host, before anything is enqueued; those
// that were not uploaded are read back.
#pragma once

#include <vector>

#include "train/cuda/api.h"
#include "train/cuda/known_ids.h"
#include "train/device.h"

namespace hydra::train {

class CudaDevice;

// Memory of the device that is kept from call to call and only grows, of any contents.
class DeviceScratch {
  public:
    explicit DeviceScratch(CudaDevice& owner) : owner_(owner) {}

    template <class T>
    T* of(int64_t count) {
        return static_cast<T*>(bytes(count * static_cast<int64_t>(sizeof(T))));
    }

  private:
    void* bytes(int64_t count);

    CudaDevice& owner_;
    Memory memory_;
    int64_t bytes_ = 0;
};

class CudaDevice final : public hydra_train_device {
  public:
    // library: absolute path of libhydra4j_cuda.
    CudaDevice(const char* library, int32_t ordinal, hydra_train_products precision);

    Memory allocate(int64_t bytes) override;
    void upload(void* target, const void* source, int64_t bytes) override;
    void download(void* target, const void* source, int64_t bytes) override;
    void upload_ids(int32_t* target, const int32_t* ids, int64_t count) override;
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
    // The device and its stream, closed after all memory has been released. CUDA does not survive a fork: in a child
    // nothing is freed.
    struct Connection {
        const cuda::DeviceApi& api;
        const uint32_t opened_after;  // forks
        cuda::Device* device = nullptr;
        cuda::Stream* stream = nullptr;

        ~Connection();
        bool is_of_this_process() const;
    };

    void must(hydra_status status) const;

    template <class T>
    std::vector<T> downloaded(const T* source, int64_t count) {
        std::vector<T> values(static_cast<size_t>(count));
        download(values.data(), source, count * static_cast<int64_t>(sizeof(T)));
        return values;
    }
    std::vector<int32_t> ids_on_host(const int32_t* ids, int64_t count);
    template <class T>
    const T* uploaded(DeviceScratch& scratch, const std::vector<T>& values) {
        const auto count = static_cast<int64_t>(values.size());
        T* const target = scratch.of<T>(count);
        upload(target, values.data(), count * static_cast<int64_t>(sizeof(T)));
        return target;
    }

    // c [rows][columns], of rows `columns` apart, = or += left right + bias.
    void multiply(int64_t rows, int64_t columns, int64_t depth, Operand left, Operand right, const float* bias,
                  bool add, float* c);
    // The same added to a weight's gradient, of which there may be few tiles.
    void add_product(int64_t rows, int64_t columns, int64_t depth, Operand left, Operand right, float* c);
    void add_column_sums(int64_t rows, int64_t columns, const float* x, const float* y, const float* scale, float* out);
    cuda::training::Attention attention_of(const Attention& attention);

    Connection connection_;
    const cuda::training::Api& api_;
    cuda::Stream* stream_ = nullptr;
    const hydra_train_products precision_;
    KnownIds known_ids_;
    DeviceScratch ids_{*this}, floats_{*this}, sums_{*this}, logits_{*this}, powers_{*this}, teacher_rows_{*this},
        loss_rows_{*this};
};

}  // namespace hydra::train
