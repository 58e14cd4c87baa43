// out = weight x + bias + residual.
#include "cpu/product.h"

namespace hydra {

namespace {

template <bool add>
struct LinearTask : Task {
    const hydra_rows* rows;
    RowSource source;
    const PackedMatrix* weight;
    const float* bias;
    const float* residual;  // may be out
    float* out;

    bool idle() const override { return rows->active() == 0; }

    void run(const Worker& worker) override {
        for_slices(worker, rows->active(), [&](int first, int count) { compute(worker, first, count); });
    }

    void compute(const Worker& worker, int first, int count) const {
        const PackedMatrix& matrix = *weight;
        const Activations x = prepare_rows(worker, source, first, count, {weight}, true);
        for_tiles(worker, matrix, x, count, worker.begin(matrix.tiles), worker.end(matrix.tiles),
                  worker.own().product.get(), [&](int64_t tile, const float* values) {
                      const int64_t n = tile * TILE_ROWS;
                      const int lanes = lanes_of(matrix, tile);
                      for (int r = 0; r < count; ++r) {
                          const int64_t at = (first + r) * matrix.rows + n;
                          for (int l = 0; l < lanes; ++l) {
                              const float value = values[r * TILE_ROWS + l];
                              const float biased = bias != nullptr ? value + bias[n + l] : value;
                              out[at + l] = add ? residual[at + l] + biased : biased;
                          }
                      }
                  });
    }
};

template <bool add>
std::unique_ptr<Task> linear_task(const Linear& operation) {
    auto task = std::make_unique<LinearTask<add>>();
    task->rows = operation.rows;
    task->source = {operation.x->floats(), operation.weight->columns, nullptr, 0};
    task->weight = &packed_of(operation.weight);
    task->bias = floats_of(operation.bias);
    task->residual = floats_of(operation.residual);
    task->out = operation.out->floats();
    return task;
}

}  // namespace

std::unique_ptr<Task> task_of(const Linear& operation, CpuProgram& program) {
    program.reserve(operation.weight->columns, 0);
    return operation.residual != nullptr ? linear_task<true>(operation) : linear_task<false>(operation);
}

}  // namespace hydra
