// LM head product + the best entries of each row, without storing logits unless asked to.
#include <cmath>
#include <cstring>

#include "cpu/product.h"

namespace hydra {

namespace {

// The k best of what a thread has seen of one row, best first, of equal values the one of the smaller index.
struct Best {
    float values[HYDRA_MAX_TOP];
    int32_t indices[HYDRA_MAX_TOP];

    void clear(int k) {
        for (int i = 0; i < k; ++i) {
            values[i] = -INFINITY;
            indices[i] = 0;
        }
    }

    // Whether a value is better than the i-th best.
    bool is_better(float value, int32_t index, int i) const {
        return value > values[i] || (value == values[i] && index < indices[i]);
    }

    void insert(int k, float value, int32_t index) {
        int i = k - 1;
        if (!is_better(value, index, i)) return;
        for (; i > 0 && is_better(value, index, i - 1); --i) {
            values[i] = values[i - 1];
            indices[i] = indices[i - 1];
        }
        values[i] = value;
        indices[i] = index;
    }
};

struct LmHeadTask : Task {
    const hydra_rows* rows;
    bool selected_rows_only;
    RowSource source;
    const PackedMatrix* weight;
    const float* bias;
    const int32_t* ids;
    float scale, cap;  // or 0
    hydra_top* top;    // or null
    float* logits;
    std::unique_ptr<Best[]> best;  // [threads][SLICE_ROWS]

    bool idle() const override { return results() == 0; }

    int results() const {
        if (!selected_rows_only) return rows->active();
        const int selections = rows->view.active_selections();
        return top != nullptr ? std::min(selections, top->max_rows) : selections;
    }

    void run(const Worker& worker) override {
        for_slices(worker, results(), [&](int first, int count) { find(worker, first, count); });
    }

    void find(const Worker& worker, int first, int count) const {
        const int k = top != nullptr ? top->k : 0;
        const PackedMatrix& matrix = *weight;
        int32_t picked[SLICE_ROWS];
        RowSource own_source = source;
        if (selected_rows_only) {
            for (int r = 0; r < count; ++r) picked[r] = rows->view.row_of_selection(first + r);
            own_source.picked = picked - first;
        }
        const Activations x = prepare_rows(worker, own_source, first, count, form_of(matrix.type));
        Best* own = best.get() + worker.thread * SLICE_ROWS;
        float worst[SLICE_ROWS];  // of those kept of each row
        for (int r = 0; r < count; ++r) {
            own[r].clear(k);
            worst[r] = -INFINITY;
        }
        share_tiles(worker, matrix, x, count, [&](int64_t tile, float* values) {
            const int64_t n = tile * TILE_ROWS;
            const int lanes = lanes_of(matrix, tile);
            const int64_t all = int64_t{count} * TILE_ROWS;
            if (bias != nullptr) {
                worker.kernels().put_tile(values, count, lanes, bias + n, nullptr, 0, values, TILE_ROWS);
            }
            for (int64_t i = 0; scale != 0 && i < all; ++i) values[i] *= scale;
            if (cap != 0) worker.kernels().soft_cap(values, all, cap);
            if (logits != nullptr) {
                worker.kernels().put_tile(values, count, lanes, nullptr, nullptr, 0, logits + first * matrix.rows + n,
                                          matrix.rows);
            }
            if (k == 0) return;
            uint32_t candidates[SLICE_ROWS];
            uint64_t any = worker.kernels().reaching(values, count, worst, candidates);
            for (; any != 0; any &= any - 1) {
                const int r = __builtin_ctzll(any);
                for (uint32_t rest = candidates[r] & 0xffffu >> (TILE_ROWS - lanes); rest != 0; rest &= rest - 1) {
                    const int lane = __builtin_ctz(rest);
                    own[r].insert(k, values[r * TILE_ROWS + lane], static_cast<int32_t>(n + lane));
                }
                worst[r] = own[r].values[k - 1];
            }
        });
        if (k > 0 && worker.is_last()) merge(worker.threads, first, count, k);
    }

    // The best of what all threads have found.
    void merge(int threads, int first, int count, int k) const {
        for (int r = 0; r < count; ++r) {
            Best& merged = best[r];
            for (int t = 1; t < threads; ++t) {
                const Best& other = best[t * SLICE_ROWS + r];
                for (int i = 0; i < k && other.values[i] > -INFINITY; ++i) {
                    merged.insert(k, other.values[i], other.indices[i]);
                }
            }
            for (int i = 0; i < k; ++i) {
                top->ids[(first + r) * k + i] = ids != nullptr ? ids[merged.indices[i]] : merged.indices[i];
                top->values[(first + r) * k + i] = merged.values[i];
            }
        }
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const LmHead& operation, CpuProgram& program) {
    program.reserve(operation.weight->columns, 0);
    auto task = std::make_unique<LmHeadTask>();
    task->rows = operation.rows;
    task->selected_rows_only = operation.selected_rows_only != 0;
    task->source = {operation.x->floats(), operation.weight->columns, nullptr, 0};
    task->weight = &packed_of(operation.weight);
    task->bias = floats_of(operation.bias);
    task->ids = operation.ids != nullptr ? operation.ids->ints() : nullptr;
    task->scale = operation.scale;
    task->cap = operation.cap;
    task->top = operation.top;
    task->logits = operation.logits != nullptr ? operation.logits->floats() : nullptr;
    task->best.reset(new Best[program.cpu.team.threads() * SLICE_ROWS]);
    return task;
}

}  // namespace hydra
