// RMSNorm + gate and up products + SiLU.
#include "cpu/product.h"
#include "hydra4j/program.h"

namespace hydra {

namespace {

struct GateUp : Operation {
    const hydra_rows* rows;
    RowSource source;
    const hydra_matrix* gate;
    const hydra_matrix* up;
    float* out;

    void run(const Worker& worker) override {
        const int count = rows->active();
        if (count == 0) return;
        const PackedMatrix &first = gate->packed, &second = up->packed;
        Activations x{};
        for (bool quantised : {false, true}) {
            if (is_quantised(first.type) == quantised || is_quantised(second.type) == quantised) {
                x = prepare_rows(worker, source, 0, count, quantised);
            }
        }
        float* gated = worker.own().product.get();
        float* upped = gated + MAX_TILES * HYDRA_MAX_ROWS * TILE_ROWS;
        const auto up_product = worker.kernels().product[product_index(second.type)];
        const auto gate_product = worker.kernels().product[product_index(first.type)];
        const int64_t group = tiles_per_product(count), end = worker.end(first.tiles);
        for (int64_t tile = worker.begin(first.tiles); tile < end; tile += group) {
            const int tiles = static_cast<int>(std::min(group, end - tile));
            gate_product(first, tile, tiles, x, count, gated);
            up_product(second, tile, tiles, x, count, upped);
            worker.kernels().silu_mul(gated, upped, int64_t{tiles} * count * TILE_ROWS);
            for (int t = 0; t < tiles; ++t) {
                const int lanes = lanes_of(first, tile + t);
                for (int r = 0; r < count; ++r) {
                    float* target = out + r * first.rows + (tile + t) * TILE_ROWS;
                    const float* value = gated + (static_cast<int64_t>(t) * count + r) * TILE_ROWS;
                    for (int l = 0; l < lanes; ++l) target[l] = value[l];
                }
            }
        }
    }
};

}  // namespace

}  // namespace hydra

hydra_status hydra_program_gate_up(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                   const hydra_buffer* norm, float epsilon, const hydra_matrix* gate,
                                   const hydra_matrix* up, hydra_buffer* out) {
    return hydra::guarded("hydra_program_gate_up", [&] {
        HYDRA_REQUIRE(program && rows && gate, "an argument is null");
        const int64_t hidden = gate->packed.columns;
        hydra::require_shape(up, gate->packed.rows, hidden, "up");
        hydra::require_floats(x, HYDRA_MAX_ROWS, hidden, "x");
        hydra::require_floats(norm, 1, hidden, "norm");
        hydra::require_floats(out, HYDRA_MAX_ROWS, gate->packed.rows, "out");
        HYDRA_REQUIRE(x != out, "out must not be x");
        HYDRA_REQUIRE(epsilon > 0, "epsilon is %g, must be positive", static_cast<double>(epsilon));
        program->record<hydra::GateUp>(hidden, 0);
        auto& op = static_cast<hydra::GateUp&>(*program->operations.back());
        op.rows = rows;
        op.source = {x->floats(), hidden, norm->floats(), epsilon};
        op.gate = gate;
        op.up = up;
        op.out = out->floats();
    });
}
