// The CUDA backend on the host: it owns what the C ABI names and drives the device through the table of device.h.
#pragma once

#include "cuda/library.h"
#include "program/backend.h"
#include "program/matrix.h"
#include "program/sequence.h"
#include "program/stream.h"

namespace hydra::cuda {

// One line about a device.
std::string describe(const DeviceFacts& facts);

struct CudaBackend;

// A stream, and the workspace of the operations on it, as they run one after the other.
struct CudaStream : hydra_stream {
    explicit CudaStream(CudaBackend& owner);
    ~CudaStream() override;

    void* native() const override { return api.stream_native(handle); }
    // Makes the workspace large enough; the mutex is held. A graph that was captured with another one is void.
    void* prepare_workspace();
    // Takes what an operation needs into account.
    void include(const hydra_limits& of_operation);
    // Two places for what operations hand over to each other, in the workspace.
    void* handover(int which) const { return workspace_.get() + handovers_at_ + which * handover_bytes_; }

    const DeviceApi& api;
    Stream* handle = nullptr;             // set once, by who makes the stream
    hydra_limits need{1, 1, 1, 1, 8, 1};  // the largest of what programs have recorded
    std::mutex mutex;                     // held while programs of this stream are enqueued, awaited or recorded

  private:
    CudaBackend& cuda_;
    Memory workspace_;
    int64_t workspace_bytes_ = 0, handovers_at_ = 0, handover_bytes_ = 0;
};

struct CudaBackend : hydra_backend {
    CudaBackend(const DeviceApi& table, int32_t ordinal);
    ~CudaBackend() override;

    const char* kind() const override { return "cuda"; }
    const std::string& description() const override { return description_; }
    void memory(int64_t* free_bytes, int64_t* total_bytes) override;
    hydra_workspace workspace(const hydra_limits& limits) const override;
    double stream_rate(int64_t bytes, int repeats) override;

    Memory allocate(int64_t bytes) override;
    Memory wrap_memory(void* pointer, int64_t bytes) override;
    std::unique_ptr<hydra_stream> wrap_stream(void* native) override;
    std::unique_ptr<hydra_stream> create_stream() override;
    void copy_in(void* target, const void* source, int64_t bytes) override;
    void copy_out(void* target, const void* source, int64_t bytes) override;
    Mirror mirror(int64_t bytes) override;
    std::unique_ptr<hydra_matrix> matrix(hydra_type type, int64_t rows, int64_t columns) override;
    std::unique_ptr<hydra_kv_pool> kv_pool(hydra_type type, int32_t layers, int32_t kv_heads, int32_t head_size,
                                           int32_t pages) override;
    std::unique_ptr<hydra_program> program(hydra_stream* stream) override;

    // Memory of the host's that copies and kernels reach at the same address, zeroed.
    Memory pinned(int64_t bytes);
    // The table, refused to a forked child: CUDA does not survive a fork, so that there nothing is freed either.
    const DeviceApi& usable_api() const;

    const DeviceApi& api;
    Device* device = nullptr;
    // Where programs are captured, under the mutex, and nothing runs: no work of others gets into a program's graph.
    std::unique_ptr<CudaStream> capturing;

  private:
    std::unique_ptr<CudaStream> make_stream();
    void close();

    int32_t ordinal_;
    std::string description_;
    std::unique_ptr<CudaStream> shared_;  // of programs that were made without a stream
};

struct CudaMatrix : hydra_matrix {
    CudaMatrix(CudaBackend& owner, hydra_type its_type, int64_t its_rows, int64_t its_columns);

    int64_t bytes() const override { return total_bytes; }
    void write(int64_t first_row, int64_t count, const int32_t* target_rows, const uint8_t* source) override;
    void fill(const RandomWeights& weights) override;
    void read(int64_t row, float* values) const override;
    void gather(const hydra_matrix& source, const int32_t* ids) override;

    CudaBackend& cuda;
    int64_t total_bytes;
    Memory memory;
    MatrixView view;
};

struct CudaKvPool : hydra_kv_pool {
    CudaKvPool(CudaBackend& owner, hydra_type its_type, int32_t its_layers, int32_t its_kv_heads, int32_t its_head_size,
               int32_t its_pages);

    int64_t page_bytes() const override { return bytes_of_page; }
    // The pool keeps its memory.
    void release(int32_t) override {}
    void read(int32_t page, int32_t slot, float* values) const override;
    void write(int32_t page, int32_t slot, const float* values) override;

    CudaBackend& cuda;
    int64_t bytes_of_page;
    Memory memory;
    KvView view;
};

}  // namespace hydra::cuda
