// Programs of the CPU backend: a list of tasks that the thread team walks.
#pragma once

#include "cpu/backend.h"
#include "program/program.h"

namespace hydra {

struct Worker {
    CpuBackend& backend;
    int thread, threads;  // of those that take part in the run
    // Whether each thread computes all of its own rows, begin(rows) ... end(rows)-1, and waits for nobody, instead of
    // its part of all rows' results.
    bool apart = false;

    Scratch& scratch() const { return backend.scratch; }
    Scratch::PerThread& own() const { return backend.scratch.threads[thread]; }
    const Kernels& kernels() const { return *backend.kernels; }
    void barrier() const {
        if (!apart) backend.team.barrier(thread);
    }

    // The part of 0 ... total-1 that falls to this thread.
    int64_t begin(int64_t total) const { return total * thread / threads; }
    int64_t end(int64_t total) const { return total * (thread + 1) / threads; }
    // Of 0 ... count-1, the rows that this thread has to do with.
    int first_row(int count) const { return apart ? static_cast<int>(begin(count)) : 0; }
    int last_row(int count) const { return apart ? static_cast<int>(end(count)) : count; }

    // Shares 0 ... total-1 out among all threads, which all call this: calls use(begin, end) for this thread's pieces,
    // of a multiple of `unit` where it can be; see Shares.
    template <class Use>
    void share(int64_t total, int64_t unit, Use&& use) const {
        if (threads == 1 || apart) return use(int64_t{0}, total);
        const uint64_t number = ++own().shared;
        for (Shares::Piece piece; backend.shares.take(number, thread, threads, total, unit, piece);) {
            use(piece.begin, piece.end);
        }
    }
    // Whether this thread is the last one to come here, so that all of what the others did before is there; all threads
    // call this.
    bool is_last() const {
        const uint64_t number = ++own().shared;
        return threads == 1 || backend.shares.is_last(number, threads);
    }
};

// One operation, ready to run. Every thread of the team calls run, and a barrier follows unless the task is idle; or
// one thread alone does, the last one to come from what is before, and a barrier follows after all such tasks in a row.
class Task {
  public:
    virtual ~Task() = default;
    virtual void run(const Worker& worker) = 0;
    // Whether run would do nothing, by the number of present rows. Every thread asks for itself.
    virtual bool idle() const { return false; }
    // Whether run changes what idle() of a task reads; such a task's own idle() must not read that.
    virtual bool changes_rows() const { return false; }
    // Whether one thread does all of it: no other calls run. Such a task is never idle.
    virtual bool by_one_thread() const { return false; }
    // The rows of which run computes each for itself, so that threads may do it apart; null where it does not.
    virtual const hydra_rows* separate_rows() const { return nullptr; }
    // Of such a task, whether it reads what tasks before it left of other rows.
    virtual bool reads_other_rows() const { return false; }
};

struct CpuProgram : hydra_program {
    explicit CpuProgram(CpuBackend* owner) : hydra_program(owner, owner->mutex), cpu(*owner) {}

    // Makes room in the backend's scratch memory; see Scratch::reserve.
    void reserve(int64_t columns, int64_t positions);

    void await() override;
    void await_first() override;

    CpuBackend& cpu;
    std::vector<std::unique_ptr<Task>> tasks;
    int64_t weight_bytes = 0;  // of the matrices of tasks that have separate rows

  protected:
    void add(const Operation& operation) override;
    void claim() override { ++runs; }
    void drop() override { --runs; }
    void launch() override;
    bool postpone() override;

  private:
    int32_t postponed = 0;  // runs, the last ones
};

// The tasks of the operations, each in the file of its name. They reserve the scratch memory that they need.
#define OPERATION(name, Name, FIELDS) std::unique_ptr<Task> task_of(const Name& operation, CpuProgram& program);
#include "program/operations.def"
std::unique_ptr<Task> task_of(const Mark& operation, CpuProgram& program);

}  // namespace hydra
