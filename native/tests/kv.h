// Keys and values of a pool by slot of a sequence.
#pragma once

#include "fixture.h"

namespace hydra::test {

struct KvSlot {
    const hydra_kv_pool* pool;
    const hydra_sequence* sequence;

    float& key(int layer, int head, int slot, int column) const {
        return pool->keys(page(slot), layer, head, slot % HYDRA_PAGE_POSITIONS)[column * KEY_BLOCK + slot % KEY_BLOCK];
    }
    float& value(int layer, int head, int slot, int column) const {
        return pool->values(page(slot), layer, head, slot % HYDRA_PAGE_POSITIONS)[column];
    }

    // [head_size] of one head.
    Floats keys(int layer, int head, int slot) const {
        Floats found;
        for (int d = 0; d < pool->head_size; ++d) found.push_back(key(layer, head, slot, d));
        return found;
    }
    Floats values(int layer, int head, int slot) const {
        Floats found;
        for (int d = 0; d < pool->head_size; ++d) found.push_back(value(layer, head, slot, d));
        return found;
    }

    // Keys, then values, of all layers and heads.
    Floats all(int slot) const {
        Floats found;
        for (int layer = 0; layer < pool->layers; ++layer) {
            for (int head = 0; head < pool->kv_heads; ++head) {
                append(found, keys(layer, head, slot));
                append(found, values(layer, head, slot));
            }
        }
        return found;
    }

    // Sets all that all(slot) shows.
    void fill(int slot, const Floats& contents) const {
        size_t i = 0;
        for (int layer = 0; layer < pool->layers; ++layer) {
            for (int head = 0; head < pool->kv_heads; ++head) {
                for (int d = 0; d < pool->head_size; ++d) key(layer, head, slot, d) = contents[i++];
                for (int d = 0; d < pool->head_size; ++d) value(layer, head, slot, d) = contents[i++];
            }
        }
    }

    int64_t width() const { return int64_t{2} * pool->layers * pool->kv_heads * pool->head_size; }

  private:
    int32_t page(int slot) const { return sequence->pages[slot / HYDRA_PAGE_POSITIONS]; }
};

}  // namespace hydra::test
