// A residual block of a draft head: skip(x) + silu(linear(x)).
#include "cpu/product.h"

namespace hydra {

namespace {

struct BlockTask : Task {
    const hydra_rows* rows;
    RowSource source;
    const PackedMatrix* linear;
    const PackedMatrix* skip;  // or null
    const float* linear_bias;
    const float* skip_bias;
    int group;
    float* out;

    bool idle() const override { return rows->active() == 0; }

    void run(const Worker& worker) override {
        const int all = rows->active();
        for_slices(worker, all, [&](int first, int count) { compute(worker, first, count, group * all + first); });
    }

    void compute(const Worker& worker, int first, int count, int first_out) const {
        const PackedMatrix& matrix = *linear;
        const Activations x = prepare_rows(worker, source, first, count, {linear, skip});
        // A few rows are prepared without waiting for the other threads, which may still read x where out is x.
        if (count <= ROW_GROUP && out == source.x) worker.barrier();
        float* second = worker.own().product.get() + MAX_TILES * SLICE_ROWS * TILE_ROWS;
        share_tiles(worker, matrix, x, count, [&](int64_t tile, float* values) {
            const auto put = worker.kernels().put_tile;
            const int64_t n = tile * TILE_ROWS;
            const int lanes = lanes_of(matrix, tile);
            if (linear_bias != nullptr) {
                put(values, count, lanes, linear_bias + n, nullptr, 0, values, TILE_ROWS);
            }
            worker.kernels().silu(values, int64_t{count} * TILE_ROWS);
            float* target = out + first_out * matrix.rows + n;
            if (skip == nullptr) {
                put(values, count, lanes, nullptr, source.x + first * source.columns + n, source.columns, target,
                    matrix.rows);
                return;
            }
            worker.kernels().product[product_index(skip->type)](*skip, tile, 1, x, count, second);
            put(second, count, lanes, skip_bias != nullptr ? skip_bias + n : nullptr, values, TILE_ROWS, target,
                matrix.rows);
        });
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Block& operation, CpuProgram& program) {
    const int64_t inputs = operation.linear->columns;
    program.reserve(inputs, 0);
    auto task = std::make_unique<BlockTask>();
    task->rows = operation.rows;
    task->source = {operation.x->floats(), inputs, nullptr, 0};
    task->linear = &packed_of(operation.linear);
    task->skip = operation.skip != nullptr ? &packed_of(operation.skip) : nullptr;
    task->linear_bias = floats_of(operation.linear_bias);
    task->skip_bias = floats_of(operation.skip_bias);
    task->group = operation.group;
    task->out = operation.out->floats();
    return task;
}

}  // namespace hydra
