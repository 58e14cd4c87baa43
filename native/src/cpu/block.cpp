// A residual block of a draft head: skip(x) + silu(linear(x)).
#include "cpu/product.h"
#include "hydra4j/program.h"

namespace hydra {

namespace {

struct Block : Operation {
    const hydra_rows* rows;
    RowSource source;
    const hydra_matrix* linear;
    const hydra_matrix* skip;  // or null
    const float* linear_bias;
    const float* skip_bias;
    int first_row;
    float* out;

    void run(const Worker& worker) override {
        const int count = rows->active();
        if (count == 0) return;
        const PackedMatrix& matrix = linear->packed;
        Activations x{};
        for (bool quantised : {false, true}) {
            if (is_quantised(matrix.type) == quantised ||
                (skip != nullptr && is_quantised(skip->packed.type) == quantised)) {
                x = prepare_rows(worker, source, 0, count, quantised);
            }
        }
        // A few rows are prepared without waiting for the other threads, which may still read x where out is x.
        if (count <= ROW_GROUP && out == source.x) worker.barrier();
        float* second = worker.own().product.get() + MAX_TILES * HYDRA_MAX_ROWS * TILE_ROWS;
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
                          worker.kernels().product[product_index(skip->packed.type)](skip->packed, tile, 1, x, count,
                                                                                     second);
                      }
                      for (int r = 0; r < count; ++r) {
                          float* target = out + (first_row + r) * matrix.rows + n;
                          const float* old = source.x + r * source.columns + n;
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

}  // namespace hydra

hydra_status hydra_program_block(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                 const hydra_matrix* linear, const hydra_buffer* linear_bias, const hydra_matrix* skip,
                                 const hydra_buffer* skip_bias, int32_t first_row, hydra_buffer* out) {
    return hydra::guarded("hydra_program_block", [&] {
        HYDRA_REQUIRE(program && rows && linear, "an argument is null");
        const int64_t inputs = linear->packed.columns, outputs = linear->packed.rows;
        if (skip) {
            hydra::require_shape(skip, outputs, inputs, "skip");
            HYDRA_REQUIRE(x != out, "out must not be x where skip is given");
        } else {
            HYDRA_REQUIRE(inputs == outputs, "linear is [%lld][%lld], must be square without skip",
                          static_cast<long long>(outputs), static_cast<long long>(inputs));
            HYDRA_REQUIRE(skip_bias == nullptr, "skip_bias without skip");
            HYDRA_REQUIRE(x != out || first_row == 0, "first_row is %d, must be 0 where out is x", first_row);
        }
        HYDRA_REQUIRE(first_row >= 0 && first_row < HYDRA_MAX_ROWS, "first_row is %d, must be from 0 to %d", first_row,
                      HYDRA_MAX_ROWS - 1);
        hydra::require_floats(x, HYDRA_MAX_ROWS, inputs, "x");
        hydra::require_floats(out, HYDRA_MAX_ROWS + first_row, outputs, "out");
        if (linear_bias) hydra::require_floats(linear_bias, 1, outputs, "linear_bias");
        if (skip_bias) hydra::require_floats(skip_bias, 1, outputs, "skip_bias");
        program->record<hydra::Block>(inputs, 0);
        auto& op = static_cast<hydra::Block&>(*program->operations.back());
        op.rows = rows;
        op.source = {x->floats(), inputs, nullptr, 0};
        op.linear = linear;
        op.skip = skip;
        op.linear_bias = linear_bias ? linear_bias->floats() : nullptr;
        op.skip_bias = skip_bias ? skip_bias->floats() : nullptr;
        op.first_row = first_row;
        op.out = out->floats();
    });
}
