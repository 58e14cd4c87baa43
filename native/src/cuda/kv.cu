// The KV cache as the host sees it.
#include "cuda/kv.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

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

}  // namespace

int64_t kv_page_bytes(int32_t layers, int32_t kv_heads, int32_t head_size) {
    return int64_t{2} * layers * kv_heads * HYDRA_PAGE_POSITIONS * head_size * 4;
}

hydra_status kv_read(Device* device, const KvView* kv, int32_t page, int32_t slot, float* values) {
    return each_row(*kv, page, slot, values, [&](const float* row, float* target) {
        return copy_out(device, target, row, int64_t{kv->head_size} * 4);
    });
}

hydra_status kv_write(Device* device, const KvView* kv, int32_t page, int32_t slot, const float* values) {
    return each_row(*kv, page, slot, values, [&](float* row, const float* source) {
        return copy_in(device, row, source, int64_t{kv->head_size} * 4);
    });
}

}  // namespace hydra::cuda
