#include "cpu/program.h"

namespace hydra {

namespace {

struct MarkTask : Task {
    MarkTask(CpuProgram& its_program, int32_t its_index) : program(its_program), index(its_index) {}
    bool by_one_thread() const override { return true; }
    void run(const Worker&) override { program.times[index] = now(); }
    CpuProgram& program;
    int32_t index;
};

// Gives back, at the end of a run, the state that products by tiles took on the thread.
struct TileState {
    explicit TileState(const Kernels& kernels) : release(kernels.release_tiles) {}
    TileState(const TileState&) = delete;
    ~TileState() {
        if (release != nullptr) release();
    }
    void (*release)();
};

void walk(void* context, int thread) {
    auto* program = static_cast<CpuProgram*>(context);
    const Worker worker{program->cpu, thread, program->cpu.team.running()};
    const TileState tiles(worker.kernels());
    worker.own().shared = 0;
    bool together = true;  // no thread may still be asking an idle task
    bool ran = false;      // a task that no barrier has followed yet
    const auto meet = [&] {
        worker.barrier();
        together = true;
        ran = false;
    };
    const auto& tasks = program->tasks;
    for (size_t i = 0; i < tasks.size();) {
        if (tasks[i]->by_one_thread()) {
            size_t end = i;
            while (end < tasks.size() && tasks[end]->by_one_thread()) ++end;
            const bool alone = ran || !together ? worker.is_last() : thread == 0;
            for (; alone && i < end; ++i) tasks[i]->run(worker);
            i = end;
            ran = true;
            continue;
        }
        if (ran) meet();
        Task& task = *tasks[i++];
        if (task.idle()) {
            together = false;
            continue;
        }
        if (!together && task.changes_rows()) meet();
        task.run(worker);
        ran = true;
    }
    if (ran) worker.barrier();
}

}  // namespace

std::unique_ptr<Task> task_of(const Mark& operation, CpuProgram& program) {
    return std::make_unique<MarkTask>(program, operation.index);
}

void CpuProgram::add(const Operation& operation) {
    tasks.push_back(std::visit([&](const auto& one) { return task_of(one, *this); }, operation));
}

void CpuProgram::reserve(int64_t columns, int64_t positions) {
    std::lock_guard<std::mutex> lock(cpu.mutex);
    cpu.scratch.reserve(cpu.team.threads(), columns, positions, cpu.kernels->release_tiles != nullptr);
}

void CpuProgram::launch() {
    Team& team = cpu.team;
    const int count = cpu.team_size.threads();
    const int64_t waited = team.waited();
    cpu.shares.begin_run();
    times.front() = now();
    team.run(count, walk, this);
    times.back() = now();
    cpu.team_size.note(times.back(), times.back() - times.front(), team.waited() - waited,
                       [&] { return team.delayed(cpu.team_size.threads()); });
}

}  // namespace hydra
