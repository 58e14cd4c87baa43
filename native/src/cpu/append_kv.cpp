// Between the products of queries, keys and values and their attention: norm of heads + RoPE + storing keys and values.
#include <cstring>

#include "cpu/kv_pool.h"
#include "cpu/product.h"
#include "program/rope.h"

namespace hydra {

namespace {

struct AppendKvTask : Task {
    const hydra_rows* rows;
    float *query, *key;
    const float* value;
    int heads;
    const float *query_norm, *key_norm;  // or null
    float epsilon;
    const hydra_rope* rope;
    const CpuKvPool* pool;
    int32_t layer;

    bool idle() const override { return rows->view.placed() == 0; }
    const hydra_rows* separate_rows() const override { return rows; }

    // KV head by KV head, each with its query heads, as attention shares them out: the thread that stores a head's keys
    // and values is, as a rule, the one that reads them then.
    void run(const Worker& worker) override {
        const int all = rows->view.placed(), first = worker.first_row(all), count = worker.last_row(all) - first;
        worker.share(int64_t{pool->kv_heads} * count, KEY_BLOCK, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
                append(worker.kernels(), static_cast<int>(i / count), first + static_cast<int>(i % count));
            }
        });
    }

    void append(const Kernels& kernels, int kv_head, int row) const {
        const int group = heads / pool->kv_heads, head_size = pool->head_size;
        const float* angles = rope->values() + int64_t{rows->view.positions[row]} * head_size;
        for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
            finish(kernels, query_norm, angles, query + (int64_t{row} * heads + head) * head_size);
        }
        const int64_t first = (int64_t{row} * pool->kv_heads + kv_head) * head_size;
        finish(kernels, key_norm, angles, key + first);

        const int slot = rows->view.slot_of(row), place = slot % HYDRA_PAGE_POSITIONS;
        const int32_t page = rows->view.pages_of(rows->view.segment_of_row(row).sequence)[slot / HYDRA_PAGE_POSITIONS];
        float* keys = pool->keys_of(page, layer, kv_head, place) + place % KEY_BLOCK;
        for (int c = 0; c < head_size; ++c) keys[c * KEY_BLOCK] = key[first + c];
        std::memcpy(pool->values_of(page, layer, kv_head, place), value + first, sizeof(float) * head_size);
    }

    // A head's values, normalised where norm is given, then turned.
    void finish(const Kernels& kernels, const float* norm, const float* angles, float* values) const {
        if (norm != nullptr) kernels.rms_norm(values, norm, pool->head_size, epsilon, values);
        kernels.rotate(values, angles, pool->head_size);
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const AppendKv& operation, CpuProgram&) {
    auto task = std::make_unique<AppendKvTask>();
    task->rows = operation.rows;
    task->query = operation.query->floats();
    task->key = operation.key->floats();
    task->value = operation.value->floats();
    task->heads = operation.heads;
    task->query_norm = floats_of(operation.query_norm);
    task->key_norm = floats_of(operation.key_norm);
    task->epsilon = operation.epsilon;
    task->rope = operation.rope;
    task->pool = static_cast<const CpuKvPool*>(operation.pool);
    task->layer = operation.layer;
    return task;
}

}  // namespace hydra
