// Tree attention: shares out (query head, row) pairs, those of one KV head next to each other, and calls the kernel for
// a few at a time.
#include "cpu/attention.h"

#include <cmath>

#include "cpu/kv_pool.h"
#include "cpu/product.h"

namespace hydra {

namespace {

struct AttentionTask : Task {
    const hydra_rows* rows;
    const float* query;
    int heads;
    const CpuKvPool* pool;
    int32_t layer;
    float* out;

    bool idle() const override { return rows->active() == 0; }

    void run(const Worker& worker) override {
        const int count = rows->active();
        const int group = heads / pool->kv_heads;
        const int64_t per_head = int64_t{count} * group;
        const int64_t end = worker.end(per_head * pool->kv_heads);
        int mapped = -1;
        for (int64_t i = worker.begin(per_head * pool->kv_heads); i < end;) {
            const int kv_head = static_cast<int>(i / per_head);
            if (kv_head != mapped) map_blocks(worker, kv_head, count);
            mapped = kv_head;
            const int64_t limit = std::min({end, (kv_head + 1) * per_head, i + ATTENTION_VECTORS});
            attend(worker, kv_head, i - kv_head * per_head, limit - kv_head * per_head, count);
            i = limit;
        }
    }

    void map_blocks(const Worker& worker, int kv_head, int count) const {
        const int slots = rows->state->first + count;
        for (int slot = 0; slot < slots; slot += KEY_BLOCK) {
            const int32_t page = rows->sequence->pages[slot / HYDRA_PAGE_POSITIONS];
            const int place = slot % HYDRA_PAGE_POSITIONS;
            worker.own().keys[slot / KEY_BLOCK] = pool->keys_of(page, layer, kv_head, place);
            worker.own().values[slot / KEY_BLOCK] = pool->values_of(page, layer, kv_head, place);
        }
    }

    // Vectors [begin, end) of a KV head: vector v is query head v % group of row v / group.
    void attend(const Worker& worker, int kv_head, int64_t begin, int64_t end, int count) const {
        const int group = heads / pool->kv_heads, head_size = pool->head_size;
        const float* queries[ATTENTION_VECTORS];
        float* outputs[ATTENTION_VECTORS];
        uint64_t ancestors[ATTENTION_VECTORS];
        for (int64_t v = begin; v < end; ++v) {
            const int64_t row = v / group, head = kv_head * group + v % group;
            queries[v - begin] = query + (row * heads + head) * head_size;
            outputs[v - begin] = out + (row * heads + head) * head_size;
            ancestors[v - begin] = rows->state->ancestors[row];
        }
        worker.kernels().attention({head_size, static_cast<int>(pool->value_stride), rows->state->first, count,
                                    worker.own().keys.get(), worker.own().values.get(), static_cast<int>(end - begin),
                                    queries, ancestors, outputs, 1.0f / std::sqrt(static_cast<float>(head_size)),
                                    worker.own().scores.get(), worker.scratch().positions});
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Attention& operation, CpuProgram& program) {
    program.reserve(0, operation.rows->sequence->capacity() + 2 * KEY_BLOCK);
    auto task = std::make_unique<AttentionTask>();
    task->rows = operation.rows;
    task->query = operation.query->floats();
    task->heads = operation.heads;
    task->pool = static_cast<const CpuKvPool*>(operation.pool);
    task->layer = operation.layer;
    task->out = operation.out->floats();
    return task;
}

}  // namespace hydra
