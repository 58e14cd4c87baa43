#include "cpu/program.h"

#include <type_traits>

#include "cpu/matrix.h"
#include "program/sequence.h"

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

// Where threads compute rows apart, a layer has one barrier in place of up to ten, and no core reads what another one
// has just written but keys and values; but each reads all weights. That pays from some rows for each thread on, where
// weights come from a cache. 19m Q8_0, two threads of a Xeon (family 6, model 207), us a pass of 16, 32 and 64 rows:
// 1296, 2481 and 4870 together, 1142, 2179 and 4332 apart.
constexpr int LEAST_APART_ROWS = 5;  // of each thread
constexpr int64_t MOST_APART_BYTES = int64_t{1} << 25;

bool is_apart(const CpuProgram& program, const Task& task, int threads) {
    const hydra_rows* rows = task.separate_rows();
    return rows != nullptr && threads > 1 && threads <= MOST_APART && program.weight_bytes <= MOST_APART_BYTES &&
           program.cpu.kernels->release_tiles == nullptr && rows->active() >= threads * LEAST_APART_ROWS;
}

void walk(void* context, int thread) {
    auto* program = static_cast<CpuProgram*>(context);
    const Worker worker{program->cpu, thread, program->cpu.team.running()};
    Worker apart = worker;
    apart.apart = true;
    const TileState tiles(worker.kernels());
    worker.own().shared = 0;
    bool together = true;                  // no thread may still be asking an idle task
    bool ran = false;                      // a task that no barrier has followed yet
    const hydra_rows* separate = nullptr;  // the rows that it computed apart, or null
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
            separate = nullptr;
            continue;
        }
        Task& task = *tasks[i++];
        const bool goes_on = separate != nullptr && separate == task.separate_rows() && !task.reads_other_rows();
        if (ran && !goes_on) meet();
        if (task.idle()) {
            together = false;
            continue;
        }
        if (!together && task.changes_rows()) meet();
        // Who is not to go on apart asks after the barrier only, since a task before may have changed the rows.
        const bool is_separate = goes_on || is_apart(*program, task, worker.threads);
        task.run(is_separate ? apart : worker);
        ran = true;
        separate = is_separate ? task.separate_rows() : nullptr;
    }
    if (ran) worker.barrier();
}

}  // namespace

std::unique_ptr<Task> task_of(const Mark& operation, CpuProgram& program) {
    return std::make_unique<MarkTask>(program, operation.index);
}

void CpuProgram::add(const Operation& operation) {
    tasks.push_back(std::visit([&](const auto& one) { return task_of(one, *this); }, operation));
    const auto count = [this](auto value, const char*, bool) {
        if constexpr (std::is_convertible_v<decltype(value), const hydra_matrix*>) {
            if (value != nullptr) weight_bytes += value->bytes();
        }
    };
    if (tasks.back()->separate_rows() != nullptr) {
        std::visit([&](const auto& one) { each_field(one, count); }, operation);
    }
}

void CpuProgram::reserve(int64_t columns, int64_t positions) {
    std::lock_guard<std::mutex> lock(cpu.mutex);
    cpu.scratch.reserve(cpu.team.threads(), columns, positions, Scratch::also(*cpu.kernels));
}

bool CpuProgram::postpone() {
    ++runs;
    ++postponed;
    return true;
}

void CpuProgram::await_first() {
    if (runs == 0) return;
    const bool has_run = runs > postponed;
    --runs;
    if (has_run) return;
    --postponed;
    try {
        start(true);
    } catch (...) {
        runs = postponed = 0;
        throw;
    }
    --runs;
}

void CpuProgram::await() {
    while (runs > 0) await_first();
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
