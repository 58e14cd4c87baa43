// The KV cache as the host sees it.
#include "cuda/kv.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int MOST_HEAD_SIZE = 1024;

// Calls copy(row on the device, its place in values) for every row of a slot until one fails.
template <class Values, class Copy>
hydra_status each_row(const KvView& kv, int32_t page, int32_t slot, Values* values, Copy&& copy) {
    hydra_status status = HYDRA_OK;
    for (int32_t layer = 0; layer < kv.layers; ++layer) {
        for (int32_t head = 0; head < kv.kv_heads; ++head) {
            for (int which = 0; which < 2 && status == HYDRA_OK; ++which) {
                status = copy(kv_row(kv, page, layer, head, which, slot), values);
                values += kv.head_size;
            }
        }
    }
    return status;
}

int64_t row_bytes(const KvView& kv) { return int64_t{kv.head_size} * kv_value_bytes(kv.type); }

}  // namespace

int64_t kv_page_bytes(hydra_type type, int32_t layers, int32_t kv_heads, int32_t head_size) {
    return int64_t{2} * layers * kv_heads * HYDRA_PAGE_POSITIONS * head_size * kv_value_bytes(type);
}

hydra_status kv_read(Device* device, const KvView* kv, int32_t page, int32_t slot, float* values) {
    uint16_t halves[MOST_HEAD_SIZE];
    return each_row(*kv, page, slot, values, [&](const uint8_t* row, float* target) {
        if (kv->type == HYDRA_F32) return copy_out(device, target, row, row_bytes(*kv));
        const hydra_status status = copy_out(device, halves, row, row_bytes(*kv));
        for (int d = 0; d < kv->head_size; ++d) target[d] = float_of_half(halves[d]);
        return status;
    });
}

hydra_status kv_write(Device* device, const KvView* kv, int32_t page, int32_t slot, const float* values) {
    uint16_t halves[MOST_HEAD_SIZE];
    return each_row(*kv, page, slot, values, [&](uint8_t* row, const float* source) {
        if (kv->type == HYDRA_F32) return copy_in(device, row, source, row_bytes(*kv));
        for (int d = 0; d < kv->head_size; ++d) halves[d] = kv_half(source[d]);
        return copy_in(device, row, halves, row_bytes(*kv));
    });
}

}  // namespace hydra::cuda
