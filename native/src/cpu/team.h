// A persistent thread team. The caller of run() is thread 0; workers wait awake for a while between runs and sleep
// after that.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

namespace hydra {

class Team {
  public:
    explicit Team(int threads);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int threads() const { return threads_; }

    // Calls task(context, thread) on every thread and returns when all are done. One run at a time.
    void run(void (*task)(void*, int), void* context);

    // Inside a run: returns when every thread has arrived.
    void barrier();

  private:
    void work(int thread);
    void stop(int started);

    const int threads_;
    std::unique_ptr<std::thread[]> workers_;
    void (*task_)(void*, int) = nullptr;
    void* context_ = nullptr;
    std::atomic<bool> stopping_{false};
    // On cache lines of their own: every thread spins on them.
    alignas(64) std::atomic<uint64_t> runs_{0};
    alignas(64) std::atomic<uint64_t> arrivals_{0};  // at all barriers: the n-th ends when all threads came n times
};

}  // namespace hydra
