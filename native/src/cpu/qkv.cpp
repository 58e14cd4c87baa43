// RMSNorm + query, key and value products.
#include "cpu/product.h"

namespace hydra {

namespace {

struct QkvTask : Task {
    const hydra_rows* rows;
    RowSource source;
    const PackedMatrix* weights[3];  // query, key, value
    const float* biases[3];          // or null
    float* outs[3];

    bool idle() const override { return rows->view.placed() == 0; }
    const hydra_rows* separate_rows() const override { return rows; }

    void run(const Worker& worker) override {
        for_slices(worker, rows->view.placed(), [&](int first, int count) { compute(worker, first, count); });
    }

    void compute(const Worker& worker, int first_row, int count) const {
        const Activations x =
            prepare_rows(worker, source, first_row, count, {weights[0], weights[1], weights[2]}, true);
        // The matrices' tiles are shared out as one list.
        const int64_t groups = groups_of_tiles();
        const int64_t tiles = weights[0]->tiles + weights[1]->tiles + weights[2]->tiles;
        worker.share(tiles, tiles_per_product(count), [&](int64_t begin, int64_t end) {
            int64_t first = 0;
            for (int64_t group = 0; group < groups; ++group) {
                for (int part = 0; part < 3; ++part) {
                    const PackedMatrix& matrix = *weights[part];
                    const int64_t own = matrix.tiles / groups, shift = group * own - first;
                    const int64_t from = std::clamp<int64_t>(begin, first, first + own);
                    const int64_t to = std::clamp<int64_t>(end, first, first + own);
                    for_tiles(worker, matrix, x, count, from + shift, to + shift, worker.own().product.get(),
                              [&](int64_t tile, const float* values) {
                                  store(worker, part, tile, values, first_row, count);
                              });
                    first += own;
                }
            }
        });
    }

    // Into how many groups the list is cut, each with its part of every matrix. Of heads of 64 values a group is a KV
    // head: then the thread that computes one is, as a rule, the one that rotates and stores it.
    int64_t groups_of_tiles() const {
        const int64_t groups = weights[1]->tiles / MAX_TILES;
        for (const PackedMatrix* weight : weights) {
            if (groups == 0 || weight->tiles % (groups * MAX_TILES) != 0) return 1;
        }
        return groups;
    }

    void store(const Worker& worker, int part, int64_t tile, const float* values, int first_row, int count) const {
        const PackedMatrix& matrix = *weights[part];
        const int64_t n = tile * TILE_ROWS;
        worker.kernels().put_tile(values, count, lanes_of(matrix, tile),
                                  biases[part] != nullptr ? biases[part] + n : nullptr, nullptr, 0,
                                  outs[part] + first_row * matrix.rows + n, matrix.rows);
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Qkv& operation, CpuProgram& program) {
    const int64_t hidden = operation.query->columns;
    program.reserve(hidden, 0);
    auto task = std::make_unique<QkvTask>();
    task->rows = operation.rows;
    task->source = {operation.x->floats(), hidden, floats_of(operation.norm), operation.epsilon};
    const hydra_matrix* weights[3] = {operation.query, operation.key, operation.value};
    const hydra_buffer* biases[3] = {operation.query_bias, operation.key_bias, operation.value_bias};
    hydra_buffer* outs[3] = {operation.query_out, operation.key_out, operation.value_out};
    for (int i = 0; i < 3; ++i) {
        task->weights[i] = &packed_of(weights[i]);
        task->biases[i] = floats_of(biases[i]);
        task->outs[i] = outs[i]->floats();
    }
    return task;
}

}  // namespace hydra
