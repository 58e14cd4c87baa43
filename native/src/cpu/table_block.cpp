// The first block of a grounded head from tables: what each token of a path adds to the state's part.
#include <cstring>

#include "cpu/levels.h"
#include "cpu/product.h"

namespace hydra {

namespace {

struct TableBlockTask : Task {
    const TreeData* trees;
    int level;
    const hydra_rows* nodes;
    const float* parts;
    int64_t width, first;
    const uint16_t* tables;
    int64_t vocabulary, n;
    hydra_rows* level_rows;
    float* out;

    bool changes_rows() const override { return true; }

    // Each thread has its own columns of all rows.
    void run(const Worker& worker) override {
        const Level at{{trees, nodes->view, level}};
        if (worker.thread == 0) level_rows->view.set_count(at.all_parents());
        int32_t row = 0;
        const float* part = parts;
        for (int s = 0; s < nodes->view.active_trees(); ++s) {
            const Segment& segment = nodes->view.segments[s];
            for (int i = 0; i < at.parents(s); ++i, ++row) {
                compute(worker, segment, i, part + first, out + row * n);
                if (worker.thread > 0) continue;
                level_rows->view.set_level_row(row, segment.sequence, at.drafted_position(s, level));
            }
            part += at.guesses(s) * width;
        }
    }

    void compute(const Worker& worker, const Segment& segment, int index, const float* part, float* target) const {
        const int64_t begin = worker.begin(n / TILE_ROWS) * TILE_ROWS;
        const int64_t columns = worker.end(n / TILE_ROWS) * TILE_ROWS - begin;
        float *linear = worker.own().normed.get(), *skip = linear + columns;
        std::memcpy(linear, part + begin, sizeof(float) * columns);
        std::memcpy(skip, part + begin + n, sizeof(float) * columns);
        const TreeData& tree = trees[segment.sequence];
        int32_t tokens[HYDRA_MAX_NODES];
        int node = tree.level_node(level, index);
        for (int depth = level; depth >= 0; --depth, node = tree.parents[node]) {
            tokens[depth] = nodes->view.token_of(segment, node);
        }
        for (int depth = 0; depth <= level; ++depth) {
            if (tokens[depth] < 0 || tokens[depth] >= vocabulary) continue;
            const uint16_t* entry = tables + (depth * vocabulary + tokens[depth]) * 2 * n + begin;
            worker.kernels().add_f16(entry, columns, linear);
            worker.kernels().add_f16(entry + n, columns, skip);
        }
        worker.kernels().silu(linear, columns);
        for (int64_t c = 0; c < columns; ++c) target[begin + c] = skip[c] + linear[c];
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const TableBlock& operation, CpuProgram& program) {
    program.reserve(2 * operation.n, 0);
    auto task = std::make_unique<TableBlockTask>();
    task->trees = operation.tree->data;
    task->level = operation.level;
    task->nodes = operation.nodes;
    task->parts = operation.parts->floats();
    task->width = operation.width;
    task->first = operation.first;
    task->tables = operation.tables->halves();
    task->vocabulary = operation.vocabulary;
    task->n = operation.n;
    task->level_rows = operation.level_rows;
    task->out = operation.out->floats();
    return task;
}

}  // namespace hydra
