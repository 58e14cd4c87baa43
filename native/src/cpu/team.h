// A persistent thread team. The caller of run() is thread 0; workers wait awake for a while between runs and sleep
// after that.
//
// A thread that throws takes no part in the barriers that the others wait at. It sets the highest bit of their common
// count instead, which ends every wait of the run: whoever sees the bit there leaves its task by an exception of its
// own. So a barrier costs what it did, and no task needs to know.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>

namespace hydra {

class Team {
  public:
    // Throws HYDRA_UNAVAILABLE where the system refuses a thread.
    explicit Team(int threads);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int threads() const { return threads_; }

    // Calls task(context, thread) on every thread and returns when all are done. One run at a time. Where a thread
    // throws, the others leave at their next barrier, and the first exception is thrown here when all have left; the
    // team can run again.
    void run(void (*task)(void*, int), void* context);

    // Inside a run: returns when every thread has arrived, and throws where one never will.
    void barrier();

  private:
    void work(int thread);
    // The thread's part of a run: whether all threads have done theirs.
    bool attempt(int thread, uint64_t run) noexcept;
    void abort_run(std::exception_ptr failure, uint64_t run) noexcept;
    // A barrier: false where a thread has thrown.
    bool meet();
    void stop(int started);

    const int threads_;
    const uint32_t started_after_;  // forks
    std::unique_ptr<std::thread[]> workers_;
    void (*task_)(void*, int) = nullptr;
    void* context_ = nullptr;
    std::atomic<bool> stopping_{false};
    std::atomic<uint64_t> aborted_run_{0};  // the last run in which a thread has thrown
    std::exception_ptr failure_;            // of the first one
    // On cache lines of their own: every thread spins on them.
    alignas(64) std::atomic<uint64_t> runs_{0};
    // At all barriers: the n-th ends when all threads came n times.
    alignas(64) std::atomic<uint64_t> arrivals_{0};
    alignas(64) std::atomic<uint64_t> departures_{0};  // of workers from a run that failed
};

}  // namespace hydra
