#include "cpu/kv_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "program/allocation.h"
#include "program/error.h"

namespace hydra {

CpuKvPool::CpuKvPool(hydra_backend* owner, int32_t its_layers, int32_t its_kv_heads, int32_t its_head_size,
                     int32_t its_pages)
    : hydra_kv_pool(owner, HYDRA_F32, its_layers, its_kv_heads, its_head_size, its_pages) {
    value_stride = (head_size + 15) / 16 * 16;
    head_floats = HYDRA_PAGE_POSITIONS * (head_size + value_stride);
    // A page begins on a boundary of the system's pages, so that it can be released alone.
    page_floats = (head_floats * layers * kv_heads + 1023) / 1024 * 1024;
    if (__builtin_mul_overflow(page_floats * 4, static_cast<int64_t>(pages), &total_bytes)) throw std::bad_alloc();
    begin_allocation();
    void* mapped = mmap(nullptr, static_cast<size_t>(total_bytes), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) fail(HYDRA_OUT_OF_MEMORY, "no address space for %d KV pages", pages);
    end_allocation();
    data = static_cast<float*>(mapped);
}

CpuKvPool::~CpuKvPool() {
    munmap(data, static_cast<size_t>(total_bytes));
    note_release();
}

void CpuKvPool::release(int32_t page) { madvise(head(page, 0, 0), static_cast<size_t>(page_bytes()), MADV_DONTNEED); }

void CpuKvPool::read(int32_t page, int32_t slot, float* values) const {
    for (int32_t layer = 0; layer < layers; ++layer) {
        for (int32_t h = 0; h < kv_heads; ++h) {
            const float* keys = keys_of(page, layer, h, slot) + slot % KEY_BLOCK;
            for (int d = 0; d < head_size; ++d) *values++ = keys[d * KEY_BLOCK];
            values = std::copy_n(values_of(page, layer, h, slot), head_size, values);
        }
    }
}

void CpuKvPool::write(int32_t page, int32_t slot, const float* values) {
    for (int32_t layer = 0; layer < layers; ++layer) {
        for (int32_t h = 0; h < kv_heads; ++h) {
            float* keys = keys_of(page, layer, h, slot) + slot % KEY_BLOCK;
            for (int d = 0; d < head_size; ++d) keys[d * KEY_BLOCK] = *values++;
            std::copy_n(values, head_size, values_of(page, layer, h, slot));
            values += head_size;
        }
    }
}

}  // namespace hydra
