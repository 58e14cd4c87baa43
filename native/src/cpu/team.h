// A persistent thread team. The caller of run() is thread 0. Who waits, for a barrier or between runs, stays awake for
// a while and sleeps after that.
//
// A thread that throws takes no part in the barriers that the others wait at. It sets the highest bit of their common
// count instead, which ends every wait of the run: whoever sees the bit there leaves its task by an exception of its
// own. So a barrier costs what it did, and no task needs to know.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <type_traits>

namespace hydra {

// A number on a cache line of its own that threads await. Not by std::atomic's wait: the 64-bit numbers of a process at
// the beginning of such lines all sleep on one word of libstdc++, so that each barrier of a team would wake the idle
// threads of all other teams, which then have the processors.
struct alignas(64) AwaitedCount {
    std::atomic<uint64_t> value{0};
    std::atomic<uint32_t> sleepers{0};
    std::atomic<uint32_t> wakes{0};

    // Behind a change of the value, sequentially consistent: wakes all who sleep.
    void wake() noexcept;
    // Returns the value when it has reached `least`.
    uint64_t sleep(uint64_t least) noexcept;
};

class Team {
  public:
    // Throws HYDRA_UNAVAILABLE where the system refuses a thread.
    explicit Team(int threads);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int threads() const { return threads_; }
    int running() const { return count_; }  // inside a run: threads that take part in it

    // Calls task(context, thread) on the first `count` threads, 1 <= count <= threads(), and returns when all are done;
    // the others sleep on. One run at a time. Where a thread throws, the others leave at their next barrier, and the
    // first exception is thrown here when all have left; the team can run again.
    void run(int count, void (*task)(void*, int), void* context);
    void run(void (*task)(void*, int), void* context) { run(threads_, task, context); }
    // The same of body(thread).
    template <class Body>
    void run(int count, Body&& body) {
        using Callable = std::remove_reference_t<Body>;
        run(
            count, [](void* context, int thread) { (*static_cast<Callable*>(context))(thread); }, &body);
    }

    // Inside a run, on its thread `thread`: returns when every thread of the run has arrived, and throws where one
    // never will.
    void barrier(int thread);

    // Between runs: for how long threads have waited for others so far, all together, in waits that are longer than
    // those for threads that have cores, in ns.
    int64_t waited() const;
    // Between runs: for how long the caller and workers 1 ... count - 1 together have been ready to run without getting
    // a processor, in ns, or -1 where the system does not tell. Takes some microseconds for each.
    int64_t delayed(int count) const;

  private:
    struct Worker {
        AwaitedCount run;                            // the last one that it is to take part in
        std::chrono::steady_clock::duration spin{};  // at the next barrier, at most
        std::atomic<int64_t> waited{0};
        std::atomic<int> id{0};  // the system's
        std::thread thread;
    };

    void work(int thread);
    // The thread's part of a run: whether all threads have done theirs.
    bool attempt(int thread, uint64_t run) noexcept;
    void abort_run(std::exception_ptr failure, uint64_t run) noexcept;
    // A barrier: false where a thread has thrown.
    bool meet(int thread);
    void stop(int started);

    const int threads_;
    const uint32_t started_after_;       // forks
    std::unique_ptr<Worker[]> workers_;  // [threads]; the first one stands for the callers
    int count_ = 0;                      // threads of the run
    void (*task_)(void*, int) = nullptr;
    void* context_ = nullptr;
    uint64_t runs_ = 0;
    std::atomic<bool> stopping_{false};
    std::atomic<uint64_t> aborted_run_{0};  // the last run in which a thread has thrown
    std::exception_ptr failure_;            // of the first one
    uint64_t arrived_before_ = 0;           // arrivals of the runs before
    // At all barriers of a run: the n-th ends when all threads came n times. Never smaller than before, since who is
    // late may still look for the end of an earlier run.
    AwaitedCount arrivals_;
    AwaitedCount departures_;  // of workers from a run that failed
};

}  // namespace hydra
