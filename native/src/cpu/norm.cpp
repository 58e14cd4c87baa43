// RMSNorm on its own.
#include "cpu/product.h"

namespace hydra {

namespace {

struct NormTask : Task {
    const hydra_rows* rows;
    RowSource source;
    float* out;

    bool idle() const override { return rows->active() == 0; }

    void run(const Worker& worker) override {
        const int count = rows->active();
        for (int64_t r = worker.begin(count); r < worker.end(count); ++r) {
            worker.kernels().rms_norm(source.x + r * source.columns, source.norm, source.columns, source.epsilon,
                                      out + r * source.columns);
        }
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Norm& operation, CpuProgram& program) {
    program.reserve(operation.width, 0);
    auto task = std::make_unique<NormTask>();
    task->rows = operation.rows;
    task->source = {operation.x->floats(), operation.width, operation.norm->floats(), operation.epsilon};
    task->out = operation.out->floats();
    return task;
}

}  // namespace hydra
