// Programs of the CPU backend: a list of tasks that the thread team walks.
#pragma once

#include "cpu/backend.h"
#include "program/program.h"

namespace hydra {

struct Worker {
    CpuBackend& backend;
    int thread, threads;  // of those that take part in the run

    Scratch& scratch() const { return backend.scratch; }
    Scratch::PerThread& own() const { return backend.scratch.threads[thread]; }
    const Kernels& kernels() const { return *backend.kernels; }
    void barrier() const { backend.team.barrier(thread); }

    // The part of 0 ... total-1 that falls to this thread.
    int64_t begin(int64_t total) const { return total * thread / threads; }
    int64_t end(int64_t total) const { return total * (thread + 1) / threads; }
};

// One operation, ready to run. Every thread of the team calls run, or the first one alone. A barrier follows, unless
// the task is idle or both it and the next one are done by one thread.
class Task {
  public:
    virtual ~Task() = default;
    virtual void run(const Worker& worker) = 0;
    // Whether run would do nothing, by the number of present rows. Every thread asks for itself.
    virtual bool idle() const { return false; }
    // Whether run changes what idle() of a task reads; such a task's own idle() must not read that.
    virtual bool changes_rows() const { return false; }
    // Whether the first thread does all of it: no other calls run. Such a task is never idle, and the next one of its
    // kind need not wait for it.
    virtual bool by_one_thread() const { return false; }
};

struct CpuProgram : hydra_program {
    explicit CpuProgram(CpuBackend* owner) : hydra_program(owner, owner->mutex), cpu(*owner) {}

    // Makes room in the backend's scratch memory; see Scratch::reserve.
    void reserve(int64_t columns, int64_t positions);

    CpuBackend& cpu;
    std::vector<std::unique_ptr<Task>> tasks;

  protected:
    void add(const Operation& operation) override;
    void launch() override;
};

// The tasks of the operations, each in the file of its name. They reserve the scratch memory that they need.
#define OPERATION(name, Name, FIELDS) std::unique_ptr<Task> task_of(const Name& operation, CpuProgram& program);
#include "program/operations.def"
std::unique_ptr<Task> task_of(const Mark& operation, CpuProgram& program);

}  // namespace hydra
