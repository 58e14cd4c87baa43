// Embedding rows.
#include "cpu/embedding.h"
#include "cpu/program.h"
#include "program/buffer.h"
#include "program/sequence.h"

namespace hydra {

namespace {

struct EmbedTask : Task {
    const hydra_rows* rows;
    const PackedMatrix* embedding;
    float scale;  // or 0
    float* out;

    bool idle() const override { return rows->view.placed() == 0; }
    const hydra_rows* separate_rows() const override { return rows; }

    void run(const Worker& worker) override {
        const int count = rows->view.placed();
        const int64_t columns = embedding->columns;
        for (int64_t r = worker.begin(count); r < worker.end(count); ++r) {
            float* row = out + r * columns;
            read_token(*embedding, rows->view.tokens[r], row);
            for (int64_t c = 0; scale != 0 && c < columns; ++c) row[c] *= scale;
        }
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Embed& operation, CpuProgram&) {
    auto task = std::make_unique<EmbedTask>();
    task->rows = operation.rows;
    task->embedding = &packed_of(operation.embedding);
    task->scale = operation.scale;
    task->out = operation.out->floats();
    return task;
}

}  // namespace hydra
