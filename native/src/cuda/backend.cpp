#include "cuda/backend.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>

#include "cuda/program.h"
#include "program/error.h"

namespace hydra::cuda {

namespace {

constexpr int64_t ALIGNMENT = 256;

int64_t product_of(int64_t a, int64_t b) {
    int64_t out = 0;
    if (__builtin_mul_overflow(a, b, &out)) throw std::bad_alloc();
    return out;
}

}  // namespace

std::string describe(const DeviceFacts& facts) {
    char text[512];
    std::snprintf(text, sizeof text,
                  "%s, compute capability %d.%d, %d multiprocessors, %.1f of %.1f GiB free, driver for CUDA %d.%d",
                  facts.name, facts.major, facts.minor, facts.multiprocessors,
                  static_cast<double>(facts.free_bytes) / (1 << 30), static_cast<double>(facts.total_bytes) / (1 << 30),
                  facts.driver_version / 1000, facts.driver_version % 1000 / 10);
    return text;
}

CudaBackend::CudaBackend(const DeviceApi& table, int32_t ordinal) : api(table), ordinal_(ordinal) {
    must(api, api.open(ordinal, &device));
    try {
        // After the context has been taken, or looking at the memory would make one for itself.
        description_ = describe(facts_of(table, ordinal));
        capturing = make_stream();
        shared_ = make_stream();
    } catch (...) {
        close();
        throw;
    }
}

CudaBackend::~CudaBackend() { close(); }

void CudaBackend::close() {
    capturing.reset();
    shared_.reset();
    if (is_of_this_process()) api.close(device);
}

const DeviceApi& CudaBackend::usable_api() const {
    require_own_process();
    return api;
}

void CudaBackend::memory(int64_t* free_bytes, int64_t* total_bytes) {
    const DeviceFacts facts = facts_of(usable_api(), ordinal_);
    *free_bytes = facts.free_bytes;
    *total_bytes = facts.total_bytes;
}

hydra_workspace CudaBackend::workspace(const hydra_limits& limits) const {
    const auto aligned = [](int64_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; };
    const WorkspaceParts parts = api.workspace_parts(device, &limits);
    hydra_workspace out{parts.products, parts.tops, parts.attention, parts.judging, 0, 0, parts.task};
    // What one operation reads, the other one leaves.
    out.handover = 2 * aligned(api.handover_bytes(limits.rows, limits.matrix_columns));
    out.bytes = aligned(parts.bytes()) + out.handover;
    return out;
}

double CudaBackend::stream_rate(int64_t bytes, int repeats) {
    std::lock_guard<std::mutex> lock(mutex);
    double rate = 0;
    must(api, usable_api().copy_rate(device, bytes, repeats, &rate));
    return rate;
}

Memory CudaBackend::allocate(int64_t bytes) {
    void* data = nullptr;
    must(api, usable_api().allocate(device, bytes, &data));
    return Memory(static_cast<uint8_t*>(data), [this](uint8_t* all) {
        if (is_of_this_process()) api.release(device, all);
    });
}

Memory CudaBackend::wrap_memory(void* pointer, int64_t bytes) {
    must(api, usable_api().require_device_memory(device, pointer, bytes));
    return Memory(static_cast<uint8_t*>(pointer), [](uint8_t*) {});
}

std::unique_ptr<CudaStream> CudaBackend::make_stream() {
    auto stream = std::make_unique<CudaStream>(*this);
    must(api, usable_api().stream_create(device, &stream->handle));
    return stream;
}

std::unique_ptr<hydra_stream> CudaBackend::create_stream() { return make_stream(); }

std::unique_ptr<hydra_stream> CudaBackend::wrap_stream(void* native) {
    auto stream = std::make_unique<CudaStream>(*this);
    must(api, usable_api().stream_wrap(device, native, &stream->handle));
    return stream;
}

void CudaBackend::copy_in(void* target, const void* source, int64_t bytes) {
    if (bytes > 0) must(api, usable_api().copy_in(device, target, source, bytes));
}

void CudaBackend::copy_out(void* target, const void* source, int64_t bytes) {
    if (bytes > 0) must(api, usable_api().copy_out(device, target, source, bytes));
}

Memory CudaBackend::pinned(int64_t bytes) {
    void* pinned = nullptr;
    must(api, usable_api().allocate_pinned(device, bytes, &pinned));
    return Memory(static_cast<uint8_t*>(pinned), [this](uint8_t* all) {
        if (is_of_this_process()) api.release_pinned(device, all);
    });
}

Mirror CudaBackend::mirror(int64_t bytes) { return {pinned(bytes), allocate(bytes), bytes}; }

std::unique_ptr<hydra_matrix> CudaBackend::matrix(hydra_type type, int64_t rows, int64_t columns) {
    return std::make_unique<CudaMatrix>(*this, type, rows, columns);
}

std::unique_ptr<hydra_kv_pool> CudaBackend::kv_pool(hydra_type type, int32_t layers, int32_t kv_heads,
                                                    int32_t head_size, int32_t pages) {
    return std::make_unique<CudaKvPool>(*this, type, layers, kv_heads, head_size, pages);
}

std::unique_ptr<hydra_program> CudaBackend::program(hydra_stream* stream) {
    return std::make_unique<CudaProgram>(*this, stream == nullptr ? *shared_ : static_cast<CudaStream&>(*stream));
}

CudaStream::CudaStream(CudaBackend& owner) : hydra_stream(&owner), api(owner.api), cuda_(owner) {}

CudaStream::~CudaStream() {
    workspace_.reset();
    if (handle != nullptr && cuda_.is_of_this_process()) api.stream_destroy(handle);
}

void CudaStream::include(const hydra_limits& of_operation) {
    need.rows = std::max(need.rows, of_operation.rows);
    need.matrix_rows = std::max(need.matrix_rows, of_operation.matrix_rows);
    need.matrix_columns = std::max(need.matrix_columns, of_operation.matrix_columns);
    need.heads = std::max(need.heads, of_operation.heads);
    need.head_size = std::max(need.head_size, of_operation.head_size);
    need.positions = std::max(need.positions, of_operation.positions);
}

void* CudaStream::prepare_workspace() {
    const hydra_workspace needed = cuda_.workspace(need);
    const int64_t bytes = needed.bytes, of_handover = needed.handover / 2, of_operations = bytes - needed.handover;
    if (bytes > workspace_bytes_) {
        // Enqueued programs may still use the one that goes.
        if (workspace_bytes_ > 0) must(api, api.stream_wait(handle));
        workspace_.reset();
        workspace_bytes_ = 0;
        workspace_ = cuda_.allocate(bytes);
        workspace_bytes_ = bytes;
        handovers_at_ = of_operations;
        handover_bytes_ = of_handover;
    }
    return workspace_.get();
}

CudaMatrix::CudaMatrix(CudaBackend& owner, hydra_type its_type, int64_t its_rows, int64_t its_columns)
    : hydra_matrix(&owner, its_type, its_rows, its_columns),
      cuda(owner),
      total_bytes(owner.api.matrix_bytes(its_type, its_rows, its_columns)),
      memory(owner.allocate(total_bytes)),
      view{its_type, its_rows, its_columns, memory.get()} {}

void CudaMatrix::write(int64_t first_row, int64_t count, const int32_t* target_rows, const uint8_t* source) {
    if (count > 0)
        must(cuda.api, cuda.usable_api().matrix_write(cuda.device, &view, first_row, count, target_rows, source));
}

void CudaMatrix::fill(const RandomWeights& weights) {
    must(cuda.api, cuda.usable_api().matrix_fill(cuda.device, &view, &weights));
}

void CudaMatrix::read(int64_t row, float* values) const {
    must(cuda.api, cuda.usable_api().matrix_read(cuda.device, &view, row, values));
}

void CudaMatrix::gather(const hydra_matrix& source, const int32_t* ids) {
    const auto& from = static_cast<const CudaMatrix&>(source);
    must(cuda.api, cuda.usable_api().matrix_gather(cuda.device, &view, &from.view, ids));
}

CudaKvPool::CudaKvPool(CudaBackend& owner, hydra_type its_type, int32_t its_layers, int32_t its_kv_heads,
                       int32_t its_head_size, int32_t its_pages)
    : hydra_kv_pool(&owner, its_type, its_layers, its_kv_heads, its_head_size, its_pages),
      cuda(owner),
      bytes_of_page(owner.api.kv_page_bytes(its_type, its_layers, its_kv_heads, its_head_size)),
      memory(owner.allocate(product_of(bytes_of_page, its_pages))),
      view{its_type, its_layers, its_kv_heads, its_head_size, its_pages, memory.get()} {}

void CudaKvPool::read(int32_t page, int32_t slot, float* values) const {
    must(cuda.api, cuda.usable_api().kv_read(cuda.device, &view, page, slot, values));
}

void CudaKvPool::write(int32_t page, int32_t slot, const float* values) {
    must(cuda.api, cuda.usable_api().kv_write(cuda.device, &view, page, slot, values));
}

}  // namespace hydra::cuda
