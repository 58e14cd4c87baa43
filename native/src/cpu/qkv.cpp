// RMSNorm + query, key and value products + RoPE + storing keys and values.
#include "cpu/kv_pool.h"
#include "cpu/product.h"
#include "program/rope.h"

namespace hydra {

namespace {

struct QkvTask : Task {
    const hydra_rows* rows;
    RowSource source;
    const PackedMatrix* weights[3];  // query, key, value
    const float* biases[3];
    const hydra_rope* rope;
    const CpuKvPool* pool;
    int32_t layer;
    float* out;

    bool idle() const override { return rows->view.placed() == 0; }

    void run(const Worker& worker) override {
        for_slices(worker, rows->view.placed(), [&](int first, int count) { compute(worker, first, count); });
    }

    void compute(const Worker& worker, int first_row, int count) const {
        int64_t tiles = 0;
        for (const PackedMatrix* weight : weights) tiles += weight->tiles;
        const Activations x = prepare_rows(worker, source, first_row, count, {weights[0], weights[1], weights[2]},
                                           Precision::BYTES_AND_REMAINDERS);
        prefetch_slots(worker, first_row, count);
        // The matrices' tiles are shared out as one list, KV head by KV head where tiles do not cross heads: then the
        // thread that stores a head's keys and values is, as a rule, the one whose attention reads them.
        const int groups = pool->head_size % TILE_ROWS == 0 ? pool->kv_heads : 1;
        const int64_t begin = worker.begin(tiles), end = worker.end(tiles);
        int64_t first = 0;
        for (int group = 0; group < groups; ++group) {
            for (int part = 0; part < 3; ++part) {
                const PackedMatrix& matrix = *weights[part];
                const int64_t own = matrix.tiles / groups, shift = group * own - first;
                const int64_t from = std::clamp<int64_t>(begin, first, first + own);
                const int64_t to = std::clamp<int64_t>(end, first, first + own);
                for_tiles(worker, matrix, x, count, from + shift, to + shift, worker.own().product.get(),
                          [&](int64_t tile, float* values) { finish(worker, part, tile, values, first_row, count); });
                first += own;
            }
        }
    }

    // Asks for the memory that the thread's part of the keys and values goes to.
    void prefetch_slots(const Worker& worker, int first_row, int count) const {
        int64_t asked = -1;
        for (int row = first_row; row < first_row + count; ++row) {
            const Segment& segment = rows->view.segment_of_row(row);
            const int slot = rows->view.slot_of(row), place = slot % HYDRA_PAGE_POSITIONS;
            const int64_t block = int64_t{segment.sequence} << 32 | slot / KEY_BLOCK;
            if (block == asked) continue;
            asked = block;
            const int32_t page = rows->view.pages_of(segment.sequence)[slot / HYDRA_PAGE_POSITIONS];
            for (int64_t head = worker.begin(pool->kv_heads); head < worker.end(pool->kv_heads); ++head) {
                const float* keys = pool->keys_of(page, layer, static_cast<int32_t>(head), place);
                for (int d = 0; d < pool->head_size; ++d) __builtin_prefetch(keys + d * KEY_BLOCK, 1);
            }
        }
    }

    void finish(const Worker& worker, int part, int64_t tile, float* values, int first_row, int count) const {
        const int64_t n = tile * TILE_ROWS;
        const int lanes = lanes_of(*weights[part], tile);
        const int head_size = pool->head_size;
        const float* angles = rope->values();
        for (int r = 0; r < count; ++r) {
            float* value = values + r * TILE_ROWS;
            if (biases[part] != nullptr) {
                for (int l = 0; l < lanes; ++l) value[l] += biases[part][n + l];
            }
            if (part < 2) {
                rotate(worker, value, static_cast<int>(n % head_size),
                       angles + int64_t{rows->view.positions[first_row + r]} * head_size);
            }
            if (part == 0) {
                float* target = out + (first_row + r) * weights[0]->rows + n;
                for (int l = 0; l < lanes; ++l) target[l] = value[l];
            } else {
                keep(part, first_row + r, n, value, lanes);
            }
        }
    }

    // Turns the pairs of neighbouring lanes; `column` is the first lane's place in its head.
    void rotate(const Worker& worker, float* value, int column, const float* angles) const {
        float own[TILE_ROWS];
        if (column + TILE_ROWS > pool->head_size) {
            for (int l = 0; l < TILE_ROWS; ++l) own[l] = angles[(column + l) % pool->head_size];
            angles = own - column;
        }
        worker.kernels().rotate(value, angles + column);
    }

    void keep(int part, int row, int64_t n, const float* value, int lanes) const {
        const int slot = rows->view.slot_of(row);
        const int32_t page = rows->view.pages_of(rows->view.segment_of_row(row).sequence)[slot / HYDRA_PAGE_POSITIONS];
        const int place = slot % HYDRA_PAGE_POSITIONS;
        int head = static_cast<int>(n / pool->head_size), column = static_cast<int>(n % pool->head_size);
        for (int l = 0; l < lanes;) {
            const int run = std::min(lanes - l, pool->head_size - column);
            if (part == 1) {
                float* keys = pool->keys_of(page, layer, head, place) + column * KEY_BLOCK + place % KEY_BLOCK;
                for (int i = 0; i < run; ++i) keys[i * KEY_BLOCK] = value[l + i];
            } else {
                float* target = pool->values_of(page, layer, head, place) + column;
                for (int i = 0; i < run; ++i) target[i] = value[l + i];
            }
            l += run;
            column = 0;
            ++head;
        }
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Qkv& operation, CpuProgram& program) {
    const int64_t hidden = operation.query->columns;
    program.reserve(hidden, 0);
    auto task = std::make_unique<QkvTask>();
    task->rows = operation.rows;
    task->source = {operation.x->floats(), hidden, operation.norm->floats(), operation.epsilon};
    const hydra_matrix* weights[3] = {operation.query, operation.key, operation.value};
    const hydra_buffer* biases[3] = {operation.query_bias, operation.key_bias, operation.value_bias};
    for (int i = 0; i < 3; ++i) {
        task->weights[i] = &packed_of(weights[i]);
        task->biases[i] = floats_of(biases[i]);
    }
    task->rope = operation.rope;
    task->pool = static_cast<const CpuKvPool*>(operation.pool);
    task->layer = operation.layer;
    task->out = operation.out->floats();
    return task;
}

}  // namespace hydra
