// out = weight x + bias + residual.
#include "cpu/product.h"

namespace hydra {

namespace {

struct LinearTask : Task {
    const hydra_rows* rows;
    RowSource source;
    const PackedMatrix* weight;
    const float* bias;
    const float* residual;  // or null; may be out
    float* out;

    bool idle() const override { return rows->active() == 0; }
    const hydra_rows* separate_rows() const override { return rows; }

    void run(const Worker& worker) override {
        for_slices(worker, rows->active(), [&](int first, int count) { compute(worker, first, count); });
    }

    void compute(const Worker& worker, int first, int count) const {
        const PackedMatrix& matrix = *weight;
        const Activations x = prepare_rows(worker, source, first, count, {weight}, true);
        share_tiles(worker, matrix, x, count, [&](int64_t tile, const float* values) {
            const int64_t n = tile * TILE_ROWS, at = first * matrix.rows + n;
            worker.kernels().put_tile(values, count, lanes_of(matrix, tile), bias != nullptr ? bias + n : nullptr,
                                      residual != nullptr ? residual + at : nullptr, matrix.rows, out + at,
                                      matrix.rows);
        });
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Linear& operation, CpuProgram& program) {
    program.reserve(operation.weight->columns, 0);
    auto task = std::make_unique<LinearTask>();
    task->rows = operation.rows;
    task->source = {operation.x->floats(), operation.weight->columns, nullptr, 0};
    task->weight = &packed_of(operation.weight);
    task->bias = floats_of(operation.bias);
    task->residual = floats_of(operation.residual);
    task->out = operation.out->floats();
    return task;
}

}  // namespace hydra
