// What the C ABI asks of a backend.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "hydra4j/program.h"
#include "program/memory.h"
#include "program/process.h"

struct hydra_backend {
    virtual ~hydra_backend() = default;

    virtual const char* kind() const = 0;                // "cpu" or "cuda"
    virtual const std::string& description() const = 0;  // one line
    virtual const char* isa() const { return ""; }
    virtual int threads() const { return 0; }
    virtual bool has_kernel(hydra_type type) const;
    virtual void memory(int64_t* free_bytes, int64_t* total_bytes) = 0;
    virtual hydra_workspace workspace(const hydra_limits& limits) const = 0;
    // Bytes per second of the best of `repeats` passes over `bytes` bytes.
    virtual double stream_rate(int64_t bytes, int repeats) = 0;

    // All of these throw hydra::Failure or std::bad_alloc.
    virtual hydra::Memory allocate(int64_t bytes) = 0;  // zeroed, 64-byte aligned
    // The caller's memory and stream; refused unless they are of the device.
    virtual hydra::Memory wrap_memory(void* pointer, int64_t bytes) = 0;
    virtual std::unique_ptr<hydra_stream> wrap_stream(void* native) = 0;
    virtual std::unique_ptr<hydra_stream> create_stream() = 0;
    virtual void copy_in(void* target, const void* source, int64_t bytes) = 0;
    virtual void copy_out(void* target, const void* source, int64_t bytes) = 0;
    virtual hydra::Mirror mirror(int64_t bytes) = 0;  // zeroed
    // Zeros; the arguments are in range.
    virtual std::unique_ptr<hydra_matrix> matrix(hydra_type type, int64_t rows, int64_t columns) = 0;
    virtual std::unique_ptr<hydra_kv_pool> kv_pool(hydra_type type, int32_t layers, int32_t kv_heads, int32_t head_size,
                                                   int32_t pages) = 0;
    // stream: of this backend, or null for one that all such programs share.
    virtual std::unique_ptr<hydra_program> program(hydra_stream* stream) = 0;

    // Refuses a process that was forked after the backend was opened.
    void require_own_process() const;
    bool is_of_this_process() const { return opened_after == hydra::forks(); }

    std::atomic<int64_t> moved_tables{0};  // which programs may have been captured with
    const uint32_t opened_after = hydra::forks();
    std::mutex mutex;  // of what programs of all streams share, and of the device where it is measured
};
