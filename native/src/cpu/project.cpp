// residual += weight x + bias.
#include "cpu/product.h"
#include "hydra4j/program.h"

namespace hydra {

namespace {

struct Project : Operation {
    const hydra_rows* rows;
    RowSource source;
    const hydra_matrix* weight;
    const float* bias;
    float* residual;

    void run(const Worker& worker) override {
        const int count = rows->active();
        if (count == 0) return;
        const PackedMatrix& matrix = weight->packed;
        const Activations x = prepare_rows(worker, source, 0, count, is_quantised(matrix.type));
        for_tiles(worker, matrix, x, count, worker.begin(matrix.tiles), worker.end(matrix.tiles),
                  worker.own().product.get(), [&](int64_t tile, const float* values) {
                      const int64_t n = tile * TILE_ROWS;
                      const int lanes = lanes_of(matrix, tile);
                      for (int r = 0; r < count; ++r) {
                          float* target = residual + r * matrix.rows + n;
                          for (int l = 0; l < lanes; ++l) {
                              const float value = values[r * TILE_ROWS + l];
                              target[l] += bias != nullptr ? value + bias[n + l] : value;
                          }
                      }
                  });
    }
};

}  // namespace

}  // namespace hydra

hydra_status hydra_program_project(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                   const hydra_matrix* weight, const hydra_buffer* bias, hydra_buffer* residual) {
    return hydra::guarded("hydra_program_project", [&] {
        HYDRA_REQUIRE(program && rows && weight, "an argument is null");
        hydra::require_floats(x, HYDRA_MAX_ROWS, weight->packed.columns, "x");
        hydra::require_floats(residual, HYDRA_MAX_ROWS, weight->packed.rows, "residual");
        HYDRA_REQUIRE(x != residual, "residual must not be x");
        if (bias) hydra::require_floats(bias, 1, weight->packed.rows, "bias");
        program->record<hydra::Project>(weight->packed.columns, 0);
        auto& op = static_cast<hydra::Project&>(*program->operations.back());
        op.rows = rows;
        op.source = {x->floats(), weight->packed.columns, nullptr, 0};
        op.weight = weight;
        op.bias = bias ? bias->floats() : nullptr;
        op.residual = residual->floats();
    });
}
