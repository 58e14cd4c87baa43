// RMSNorm on its own, or added to a residual.
#include "cpu/product.h"

namespace hydra {

namespace {

struct NormTask : Task {
    const hydra_rows* rows;
    RowSource source;
    const float* residual;  // or null; may be out
    float* out;

    bool idle() const override { return rows->active() == 0; }
    const hydra_rows* separate_rows() const override { return rows; }

    void run(const Worker& worker) override {
        const int count = rows->active();
        for (int64_t r = worker.begin(count); r < worker.end(count); ++r) {
            const int64_t n = source.columns, at = r * n;
            float* normed = residual != nullptr ? worker.own().normed.get() : out + at;
            worker.kernels().rms_norm(source.x + at, source.norm, n, source.epsilon, normed);
            for (int64_t c = 0; residual != nullptr && c < n; ++c) out[at + c] = residual[at + c] + normed[c];
        }
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Norm& operation, CpuProgram& program) {
    program.reserve(operation.width, 0);
    auto task = std::make_unique<NormTask>();
    task->rows = operation.rows;
    task->source = {operation.x->floats(), operation.width, operation.norm->floats(), operation.epsilon};
    task->residual = floats_of(operation.residual);
    task->out = operation.out->floats();
    return task;
}

}  // namespace hydra
