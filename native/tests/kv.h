// Keys and values of a pool by slot of a sequence.
#pragma once

#include "fixture.h"

namespace hydra::test {

struct KvSlot {
    hydra_kv_pool* pool;
    const hydra_batch* batch;
    int sequence = 0;

    // [head_size] of one head.
    Floats keys(int layer, int head, int slot) const { return part(layer, head, slot, 0); }
    Floats values(int layer, int head, int slot) const { return part(layer, head, slot, 1); }

    // Keys, then values, of all layers and heads.
    Floats all(int slot) const {
        Floats found(static_cast<size_t>(width()));
        pool->read(page(slot), slot % HYDRA_PAGE_POSITIONS, found.data());
        return found;
    }

    // Sets all that all(slot) shows.
    void fill(int slot, const Floats& contents) const {
        pool->write(page(slot), slot % HYDRA_PAGE_POSITIONS, contents.data());
    }

    int64_t width() const { return int64_t{2} * pool->layers * pool->kv_heads * pool->head_size; }

  private:
    Floats part(int layer, int head, int slot, int which) const {
        return row_of(all(slot), (int64_t{layer} * pool->kv_heads + head) * 2 + which, pool->head_size);
    }
    int32_t page(int slot) const { return batch->pages[sequence * batch->max_pages + slot / HYDRA_PAGE_POSITIONS]; }
};

}  // namespace hydra::test
