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
        for_tiles(worker, matrix, x, count, worker.begin(matrix.tiles), worker.end(matrix.tiles),
                  worker.own().product.get(), [&](int64_t tile, float* values) {
                      const int64_t n = tile * TILE_ROWS;
                      const int lanes = lanes_of(matrix, tile);
                      for (int r = 0; r < count; ++r) {
                          for (int l = 0; l < lanes; ++l)
                              values[r * TILE_ROWS + l] += linear_bias ? linear_bias[n + l] : 0.0f;
                      }
                      worker.kernels().silu(values, int64_t{count} * TILE_ROWS);
                      if (skip != nullptr) {
                          worker.kernels().product[product_index(skip->type)](*skip, tile, 1, x, count, second);
                      }
                      for (int r = 0; r < count; ++r) {
                          float* target = out + int64_t{first_out + r} * matrix.rows + n;
                          const float* old = source.x + (first + r) * source.columns + n;
                          for (int l = 0; l < lanes; ++l) {
                              float kept = skip != nullptr ? second[r * TILE_ROWS + l] : old[l];
                              if (skip_bias != nullptr) kept += skip_bias[n + l];
                              target[l] = kept + values[r * TILE_ROWS + l];
                          }
                      }
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
