#include "cpu/team.h"

#include <immintrin.h>
#include <sched.h>
#include <sys/resource.h>

#include <system_error>
#include <utility>

#include "program/error.h"
#include "program/process.h"

namespace hydra {

namespace {

constexpr int SPINS = 500;    // some tens of microseconds, in which nearly every wait ends
constexpr int YIELDS = 5000;  // some milliseconds: a virtual processor takes long to wake

constexpr uint64_t ABORTED = uint64_t{1} << 63;  // of arrivals: a thread has thrown

// What threads leave their tasks by when another one has thrown.
struct RunAborted {};

// Returns `count` when it has reached `least`. Spins first, then lets others have the core, as the thread that it waits
// for may be one of them, and sleeps at last.
uint64_t await(const std::atomic<uint64_t>& count, uint64_t least) {
    uint64_t seen;
    for (int i = 0; i < SPINS + YIELDS; ++i) {
        if ((seen = count.load(std::memory_order_acquire)) >= least) return seen;
        if (i < SPINS) {
            _mm_pause();
        } else {
            sched_yield();
        }
    }
    while ((seen = count.load(std::memory_order_acquire)) < least) count.wait(seen);
    return seen;
}

[[noreturn]] void fail_for_thread(int thread, int threads, const char* reason) {
    rlimit limit{};
    getrlimit(RLIMIT_NPROC, &limit);
    const std::string most = limit.rlim_cur == RLIM_INFINITY ? "unlimited" : std::to_string(limit.rlim_cur);
    fail(HYDRA_UNAVAILABLE,
         "the system refuses thread %d of a team of %d: %s. Use fewer threads, or raise the limit that is met: the "
         "user's processes and threads (ulimit -u, which is %s), the container's (pids.max), or the memory for stacks",
         thread, threads, reason, most.c_str());
}

}  // namespace

Team::Team(int threads)
    : threads_(threads), started_after_(forks()), workers_(new std::thread[threads > 1 ? threads - 1 : 1]) {
    int started = 0;
    try {
        for (; started < threads - 1; ++started) workers_[started] = std::thread(&Team::work, this, started + 1);
    } catch (const std::system_error& refused) {
        stop(started);
        fail_for_thread(started + 1, threads, refused.code().message().c_str());
    } catch (...) {
        stop(started);
        throw;
    }
}

Team::~Team() {
    if (started_after_ == forks()) {
        stop(threads_ - 1);
    } else {
        // A child has none of the threads: nothing to wait for, and nothing that a thread's destructor could end.
        static_cast<void>(workers_.release());
    }
}

void Team::stop(int started) {
    stopping_.store(true);
    runs_.fetch_add(1);
    runs_.notify_all();
    for (int i = 0; i < started; ++i) workers_[i].join();
}

void Team::run(void (*task)(void*, int), void* context) {
    task_ = task;
    context_ = context;
    runs_.fetch_add(1);
    runs_.notify_all();
    if (attempt(0, runs_.load())) return;
    // Workers that have departed touch nothing until the next run begins.
    await(departures_, static_cast<uint64_t>(threads_ - 1));
    departures_.store(0);
    arrivals_.store(0);
    std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Team::work(int thread) {
    for (uint64_t run = 1;; ++run) {
        await(runs_, run);
        if (stopping_.load()) return;
        if (attempt(thread, run)) continue;
        departures_.fetch_add(1);
        departures_.notify_all();
    }
}

bool Team::attempt(int thread, uint64_t run) noexcept {
    try {
        task_(context_, thread);
    } catch (const RunAborted&) {
        return false;
    } catch (...) {
        abort_run(std::current_exception(), run);
        return false;
    }
    // Who wakes late may already see that the next run is aborted: then all have ended this one.
    return meet() || aborted_run_.load() != run;
}

void Team::abort_run(std::exception_ptr failure, uint64_t run) noexcept {
    if (aborted_run_.exchange(run) != run) failure_ = std::move(failure);
    arrivals_.fetch_or(ABORTED);
    arrivals_.notify_all();
}

void Team::barrier() {
    if (!meet()) throw RunAborted();
}

bool Team::meet() {
    if (threads_ == 1) return true;
    const uint64_t before = arrivals_.fetch_add(1, std::memory_order_acq_rel);
    if (before >= ABORTED) return false;
    const uint64_t last = before - before % threads_ + threads_;
    if (before + 1 != last) return await(arrivals_, last) < ABORTED;
    arrivals_.notify_all();
    return true;
}

}  // namespace hydra
