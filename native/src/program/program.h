// A recorded program, and the result of an LM head.
#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include "program/memory.h"
#include "program/operations.h"

struct hydra_program {
    hydra_backend* backend;
    std::mutex& mutex;  // held while the program is enqueued or awaited
    std::vector<hydra::Operation> operations;
    std::vector<int64_t> times{0, 0};  // beginning, recorded marks, end
    hydra_launches launched{};         // by the last run
    // Rows whose positions the pages of a pool must cover, each pair once: a run checks them.
    std::vector<std::pair<const hydra_rows*, const hydra_kv_pool*>> placed;
    // Rows that operations change; and those which one that has a pool, or commits, finds as they were before the run:
    // where the host set them, a run checks that their sequences have not moved since, but by committing them.
    std::vector<hydra_rows*> changed;
    std::vector<const hydra_rows*> unchanged, committed;
    std::vector<const hydra_rows*> used;             // all rows of operations
    std::vector<std::pair<hydra_batch*, int>> ends;  // how many operations commit a batch
    bool changes_state = false;                      // of sequences, rows and trees
    int32_t runs = 0;                                // enqueued and not awaited

    virtual ~hydra_program() = default;
    void record(const hydra::Operation& operation);
    // Checks the state that the operations will find, and launches them. Of a program that changes state, a second run
    // may be enqueued before the first one is awaited.
    void enqueue();
    // Waits until all runs are done, where launch did not, and sets the times.
    virtual void await() = 0;
    // Waits for the first of two runs, or for the only one.
    virtual void await_first() = 0;

  protected:
    hydra_program(hydra_backend* owner, std::mutex& its_mutex) : backend(owner), mutex(its_mutex) {}
    // Takes note of the operation that becomes the last one.
    virtual void add(const hydra::Operation& operation) = 0;
    // Takes the state for a run, or refuses where another program has it. drop undoes it where the run does not come
    // to be.
    virtual void claim() = 0;
    virtual void drop() = 0;
    virtual void launch() = 0;
    // Whether a run waits until the one before it has been awaited, as results would else be lost; it is noted then.
    virtual bool postpone() { return false; }
    // A run that is to begin now. again: the one before it is enqueued still, or has been in its place.
    void start(bool again);

  private:
    // Refuses what the host has set otherwise than operations need it.
    void check_states();
    // Refuses a second run that would not do what it would do after the first one.
    void require_repeatable() const;
};

struct hydra_top {
    hydra_backend* backend;
    int32_t k, max_rows;
    hydra::Mirror memory;
    int32_t* ids;                // [max_rows][k]
    float* values;               // [max_rows][k]
    mutable bool stale = false;  // the device's copy is newer than the host's

    hydra_top(hydra_backend* owner, int32_t its_k, int32_t most_rows);
    // Brings what the device has to the host.
    void fetch() const;
};

namespace hydra {

// Nanoseconds of a monotonic clock.
int64_t now();

}  // namespace hydra
