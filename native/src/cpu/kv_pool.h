// Keys and values of the CPU backend, float32. Of each page, layer and KV head: float keys [2][head_size][16], one half
// for 16 positions, then float values [32][value_stride].
#pragma once

#include "cpu/attention.h"
#include "program/sequence.h"

namespace hydra {

struct CpuKvPool : hydra_kv_pool {
    CpuKvPool(hydra_backend* owner, int32_t its_layers, int32_t its_kv_heads, int32_t its_head_size, int32_t its_pages);
    ~CpuKvPool() override;

    int64_t page_bytes() const override { return page_floats * 4; }
    void release(int32_t page) override;
    void read(int32_t page, int32_t slot, float* values) const override;
    void write(int32_t page, int32_t slot, const float* values) override;

    int64_t value_stride;  // head_size rounded up to 16
    int64_t head_floats;   // of one page, layer and head
    int64_t page_floats;
    float* data;  // [pages][layers][kv_heads][head_floats]
    int64_t total_bytes;

    float* head(int32_t page, int32_t layer, int32_t kv_head) const {
        return data + page * page_floats + (static_cast<int64_t>(layer) * kv_heads + kv_head) * head_floats;
    }
    // The keys of the 16 positions that slot `slot` of a page belongs to.
    float* keys_of(int32_t page, int32_t layer, int32_t kv_head, int slot) const {
        return head(page, layer, kv_head) + slot / KEY_BLOCK * KEY_BLOCK * head_size;
    }
    // The value row of a slot.
    float* values_of(int32_t page, int32_t layer, int32_t kv_head, int slot) const {
        return head(page, layer, kv_head) + HYDRA_PAGE_POSITIONS * head_size + slot * value_stride;
    }
};

}  // namespace hydra
