// RMSNorm + gate and up products + activation.
#include "cpu/product.h"

namespace hydra {

namespace {

struct GateUpTask : Task {
    const hydra_rows* rows;
    RowSource source;
    const PackedMatrix* gate;
    const PackedMatrix* up;
    bool gelu;  // or SiLU
    float* out;

    bool idle() const override { return rows->active() == 0; }
    const hydra_rows* separate_rows() const override { return rows; }

    void run(const Worker& worker) override {
        for_slices(worker, rows->active(), [&](int first, int count) { compute(worker, first, count); });
    }

    void compute(const Worker& worker, int first_row, int count) const {
        const PackedMatrix &first = *gate, &second = *up;
        const Activations x = prepare_rows(worker, source, first_row, count, {gate, up});
        float* gated = worker.own().product.get();
        float* upped = gated + MAX_TILES * SLICE_ROWS * TILE_ROWS;
        const auto up_product = worker.kernels().product[product_index(second.type)];
        const auto gate_product = worker.kernels().product[product_index(first.type)];
        const auto activate = gelu ? worker.kernels().gelu_mul : worker.kernels().silu_mul;
        const int64_t group = tiles_per_product(count);
        worker.share(first.tiles, group, [&](int64_t begin, int64_t end) {
            for (int64_t tile = begin; tile < end; tile += group) {
                const int tiles = static_cast<int>(std::min(group, end - tile));
                gate_product(first, tile, tiles, x, count, gated);
                up_product(second, tile, tiles, x, count, upped);
                activate(gated, upped, int64_t{tiles} * count * TILE_ROWS);
                for (int t = 0; t < tiles; ++t) {
                    worker.kernels().put_tile(gated + static_cast<int64_t>(t) * count * TILE_ROWS, count,
                                              lanes_of(first, tile + t), nullptr, nullptr, 0,
                                              out + first_row * first.rows + (tile + t) * TILE_ROWS, first.rows);
                }
            }
        });
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const GateUp& operation, CpuProgram& program) {
    const int64_t hidden = operation.gate->columns;
    program.reserve(hidden, 0);
    auto task = std::make_unique<GateUpTask>();
    task->rows = operation.rows;
    task->source = {operation.x->floats(), hidden, floats_of(operation.norm), operation.epsilon};
    task->gate = &packed_of(operation.gate);
    task->up = &packed_of(operation.up);
    task->gelu = operation.activation == HYDRA_GELU;
    task->out = operation.out->floats();
    return task;
}

}  // namespace hydra
