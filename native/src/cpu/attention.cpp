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
    float scale, cap;  // cap: or 0
    int32_t window;    // or 0
    float* out;

    bool idle() const override { return rows->view.active_segments() == 0; }

    const hydra_rows* separate_rows() const override { return rows; }
    bool reads_other_rows() const override { return true; }

    // The vectors of all segments are shared out as one list.
    void run(const Worker& worker) override {
        const int first = worker.first_row(rows->active()), last = worker.last_row(rows->active());
        worker.share(int64_t{last - first} * heads, ATTENTION_VECTORS / 2, [&](int64_t begin, int64_t end) {
            int64_t before = 0;  // vectors
            for (int s = 0; s < rows->view.active_segments(); ++s) {
                const Segment& segment = rows->view.segments[s];
                const int from = std::clamp(first - segment.row, 0, segment.count);
                const int to = std::clamp(last - segment.row, 0, segment.count);
                const int64_t vectors = int64_t{to - from} * heads;
                attend_rows(worker, segment, from, to, std::clamp<int64_t>(begin - before, 0, vectors),
                            std::clamp<int64_t>(end - before, 0, vectors));
                before += vectors;
            }
        });
    }

    // Vectors [begin, end) of rows [from, to) of a segment, one KV head's after the other's.
    void attend_rows(const Worker& worker, const Segment& segment, int from, int to, int64_t begin, int64_t end) const {
        const int group = heads / pool->kv_heads;
        const int64_t per_head = int64_t{to - from} * group;
        int mapped = -1;
        for (int64_t i = begin; i < end;) {
            const int kv_head = static_cast<int>(i / per_head);
            if (kv_head != mapped) map_blocks(worker, segment, kv_head);
            mapped = kv_head;
            const int64_t limit = std::min({end, (kv_head + 1) * per_head, i + ATTENTION_VECTORS});
            const int64_t shift = int64_t{from} * group - kv_head * per_head;
            attend(worker, segment, kv_head, i + shift, limit + shift);
            i = limit;
        }
    }

    void map_blocks(const Worker& worker, const Segment& segment, int kv_head) const {
        const int slots = segment.first + segment.count;
        const int32_t* pages = rows->view.pages_of(segment.sequence);
        for (int slot = 0; slot < slots; slot += KEY_BLOCK) {
            const int32_t page = pages[slot / HYDRA_PAGE_POSITIONS];
            const int place = slot % HYDRA_PAGE_POSITIONS;
            worker.own().keys[slot / KEY_BLOCK] = pool->keys_of(page, layer, kv_head, place);
            worker.own().values[slot / KEY_BLOCK] = pool->values_of(page, layer, kv_head, place);
        }
    }

    // Vectors [begin, end) of a KV head: vector v is query head v % group of the segment's row v / group.
    void attend(const Worker& worker, const Segment& segment, int kv_head, int64_t begin, int64_t end) const {
        const int group = heads / pool->kv_heads, head_size = pool->head_size;
        const float* queries[ATTENTION_VECTORS];
        float* outputs[ATTENTION_VECTORS];
        uint64_t ancestors[ATTENTION_VECTORS];
        int32_t unseen[ATTENTION_VECTORS], unseen_by_all = segment.first;
        for (int64_t v = begin; v < end; ++v) {
            const int64_t row = segment.row + v / group, head = kv_head * group + v % group;
            queries[v - begin] = query + (row * heads + head) * head_size;
            outputs[v - begin] = out + (row * heads + head) * head_size;
            ancestors[v - begin] = rows->view.ancestors[row];
            if (window == 0) continue;
            const int32_t positions = segment.first + __builtin_popcountll(rows->view.ancestors[row]);
            unseen[v - begin] = std::max(0, positions - window);
            unseen_by_all = std::min(unseen_by_all, unseen[v - begin]);
        }
        const int32_t blocks = window == 0 ? 0 : unseen_by_all / KEY_BLOCK, left_out = blocks * KEY_BLOCK;
        for (int64_t v = 0; window != 0 && v < end - begin; ++v) unseen[v] -= left_out;
        worker.kernels().attention({head_size, static_cast<int>(pool->value_stride), segment.first - left_out,
                                    segment.count, worker.own().keys.get() + blocks, worker.own().values.get() + blocks,
                                    static_cast<int>(end - begin), queries, ancestors, outputs,
                                    window == 0 ? nullptr : unseen, scale, cap, worker.own().scores.get(),
                                    worker.scratch().positions});
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Attention& operation, CpuProgram& program) {
    program.reserve(0, operation.rows->batch->capacity() + 2 * KEY_BLOCK);
    auto task = std::make_unique<AttentionTask>();
    task->rows = operation.rows;
    task->query = operation.query->floats();
    task->heads = operation.heads;
    task->pool = static_cast<const CpuKvPool*>(operation.pool);
    task->layer = operation.layer;
    const auto head_size = static_cast<float>(operation.pool->head_size);
    task->scale = operation.scale != 0 ? operation.scale : 1.0f / std::sqrt(head_size);
    task->cap = operation.cap;
    task->window = operation.window;
    task->out = operation.out->floats();
    return task;
}

}  // namespace hydra
