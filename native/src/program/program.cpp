#include "program/program.h"

#include <chrono>

#include "program/error.h"

using hydra::guarded;

namespace {

int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

class Mark : public hydra::Operation {
  public:
    Mark(hydra_program* program, size_t index) : program_(program), index_(index) {}
    void run(const hydra::Worker& worker) override {
        if (worker.thread == 0) program_->times[index_] = now();
    }

  private:
    hydra_program* program_;
    size_t index_;
};

void walk(void* context, int thread) {
    auto* program = static_cast<hydra_program*>(context);
    const hydra::Worker worker{*program->backend, thread, program->backend->team.threads()};
    for (auto& operation : program->operations) {
        operation->run(worker);
        worker.barrier();
    }
}

}  // namespace

hydra_status hydra_program_create(hydra_backend* backend, hydra_program** out) {
    return guarded("hydra_program_create", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        *out = new hydra_program{backend, {}};
    });
}

void hydra_program_destroy(hydra_program* program) { delete program; }

hydra_status hydra_program_run(hydra_program* program) {
    return guarded("hydra_program_run", [&] {
        HYDRA_REQUIRE(program != nullptr, "program is null");
        std::lock_guard<std::mutex> lock(program->backend->mutex);
        for (auto& operation : program->operations) operation->check();
        program->times.front() = now();
        program->backend->team.run(walk, program);
        program->times.back() = now();
    });
}

hydra_status hydra_program_mark(hydra_program* program) {
    return guarded("hydra_program_mark", [&] {
        HYDRA_REQUIRE(program != nullptr, "program is null");
        program->times.push_back(0);
        program->record<Mark>(0, 0, program, program->times.size() - 2);
    });
}

int32_t hydra_program_marks(const hydra_program* program) {
    return program == nullptr ? 0 : static_cast<int32_t>(program->times.size());
}

const int64_t* hydra_program_times(const hydra_program* program) {
    return program == nullptr ? nullptr : program->times.data();
}

hydra_status hydra_top_create(hydra_backend* backend, int32_t k, hydra_top** out) {
    return guarded("hydra_top_create", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        HYDRA_REQUIRE(k >= 1 && k <= HYDRA_MAX_TOP, "k is %d, must be from 1 to %d", k, HYDRA_MAX_TOP);
        *out = new hydra_top{k, hydra::allocate<int32_t>(int64_t{HYDRA_MAX_ROWS} * k),
                             hydra::allocate<float>(int64_t{HYDRA_MAX_ROWS} * k)};
    });
}

void hydra_top_destroy(hydra_top* top) { delete top; }

const int32_t* hydra_top_ids(const hydra_top* top) { return top == nullptr ? nullptr : top->ids.get(); }

const float* hydra_top_values(const hydra_top* top) { return top == nullptr ? nullptr : top->values.get(); }
