#include "cpu/team.h"

#include <fcntl.h>
#include <immintrin.h>
#include <linux/futex.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "program/error.h"
#include "program/process.h"

namespace hydra {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

// In which nearly every wait at a barrier ends where each thread has a core. A longer one is for a thread that has
// none.
constexpr microseconds SHORT_WAIT{100};

// How long a thread spins before it sleeps. At barriers first several times what waking a thread takes: one that has
// slept is late for the next barrier, and if the others went to sleep there, so it would go on. What long waits take of
// that in a run is gone, for a thread may be waiting on the very core that the other one needs.
constexpr microseconds SPIN_BETWEEN_RUNS{200}, SPIN_AT_BARRIERS{1000}, LEAST_SPIN{20};

constexpr uint64_t ABORTED = uint64_t{1} << 63;  // of arrivals: a thread has thrown

// What threads leave their tasks by when another one has thrown.
struct RunAborted {};

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t), "the system waits for a number of 32 bits");

// Returns the value of `count` when it has reached `least`: spins for `spin` and sleeps then. Sets `time` to how long
// it has been, 0 where it was hardly anything.
uint64_t await(AwaitedCount& count, uint64_t least, Clock::duration spin, Clock::duration& time) {
    constexpr int LOOKS = 16;  // between two at the clock
    uint64_t seen;
    const auto reached = [&] {
        for (int i = 0; i < LOOKS; ++i) {
            if ((seen = count.value.load(std::memory_order_acquire)) >= least) return true;
            _mm_pause();
        }
        return false;
    };
    time = Clock::duration::zero();
    if (reached()) return seen;
    const Clock::time_point begin = Clock::now();
    while (!reached()) {
        time = Clock::now() - begin;
        if (time < spin) continue;
        seen = count.sleep(least);
        time = Clock::now() - begin;
        break;
    }
    return seen;
}

uint64_t await(AwaitedCount& count, uint64_t least) {
    Clock::duration time;
    return await(count, least, SPIN_BETWEEN_RUNS, time);
}

// The second number of the system's file: how long the thread was ready and did not run, in ns; -1 if there is none.
int64_t run_delay(int thread_id) {
    char text[64];
    std::snprintf(text, sizeof text, "/proc/self/task/%d/schedstat", thread_id);
    const int file = open(text, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    const ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0) return -1;
    text[length] = 0;
    char* end;
    std::strtoll(text, &end, 10);
    return std::strtoll(end, nullptr, 10);
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

void AwaitedCount::wake() noexcept {
    if (sleepers.load() == 0) return;
    wakes.fetch_add(1);
    syscall(SYS_futex, &wakes, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

uint64_t AwaitedCount::sleep(uint64_t least) noexcept {
    // Who changes the value looks for sleepers after that, who sleeps for the value after it has become one: so one of
    // them sees the other.
    sleepers.fetch_add(1);
    uint64_t seen;
    for (;;) {
        const uint32_t before = wakes.load();
        if ((seen = value.load()) >= least) break;
        syscall(SYS_futex, &wakes, FUTEX_WAIT_PRIVATE, before, nullptr, nullptr, 0);
    }
    sleepers.fetch_sub(1);
    return seen;
}

Team::Team(int threads) : threads_(threads), started_after_(forks()), workers_(new Worker[threads]) {
    int started = 0;
    try {
        for (; started < threads - 1; ++started) {
            workers_[started + 1].thread = std::thread(&Team::work, this, started + 1);
        }
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
    for (int i = 1; i <= started; ++i) {
        workers_[i].run.value.store(runs_ + 1);
        workers_[i].run.wake();
    }
    for (int i = 1; i <= started; ++i) workers_[i].thread.join();
}

void Team::run(int count, void (*task)(void*, int), void* context) {
    count_ = count;
    arrived_before_ = arrivals_.value.load(std::memory_order_relaxed);
    task_ = task;
    context_ = context;
    ++runs_;
    for (int i = 1; i < count; ++i) {
        workers_[i].run.value.store(runs_);
        workers_[i].run.wake();
    }
    if (attempt(0, runs_)) return;
    // Workers that have departed touch nothing until their next run begins.
    await(departures_, static_cast<uint64_t>(count - 1));
    departures_.value.store(0);
    arrivals_.value.fetch_and(~ABORTED);
    std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Team::work(int thread) {
    Worker& own = workers_[thread];
    own.id.store(gettid(), std::memory_order_relaxed);
    for (uint64_t run = 0;;) {
        run = await(own.run, run + 1);
        if (stopping_.load()) return;
        if (attempt(thread, run)) continue;
        departures_.value.fetch_add(1);
        departures_.wake();
    }
}

bool Team::attempt(int thread, uint64_t run) noexcept {
    workers_[thread].spin = SPIN_AT_BARRIERS;
    try {
        task_(context_, thread);
    } catch (const RunAborted&) {
        return false;
    } catch (...) {
        abort_run(std::current_exception(), run);
        return false;
    }
    // Who wakes late may already see that a later run is aborted: then all have ended this one.
    return meet(thread) || aborted_run_.load() != run;
}

void Team::abort_run(std::exception_ptr failure, uint64_t run) noexcept {
    if (aborted_run_.exchange(run) != run) failure_ = std::move(failure);
    arrivals_.value.fetch_or(ABORTED);
    arrivals_.wake();
}

void Team::barrier(int thread) {
    if (!meet(thread)) throw RunAborted();
}

bool Team::meet(int thread) {
    // Read before this thread arrives: then all may, and the next run begins.
    const uint64_t count = static_cast<uint64_t>(count_), first = arrived_before_;
    if (count == 1) return true;
    const uint64_t before = arrivals_.value.fetch_add(1);
    if (before >= ABORTED) return false;
    const uint64_t last = before - (before - first) % count + count;
    if (before + 1 == last) {
        arrivals_.wake();
        return true;
    }
    Worker& own = workers_[thread];
    Clock::duration time;
    const uint64_t seen = await(arrivals_, last, own.spin, time);
    if (time > SHORT_WAIT) {
        own.waited.fetch_add(std::chrono::nanoseconds(time).count(), std::memory_order_relaxed);
        own.spin = std::max<Clock::duration>(own.spin - time, LEAST_SPIN);
    }
    return seen < ABORTED;
}

int64_t Team::waited() const {
    int64_t sum = 0;
    for (int i = 0; i < threads_; ++i) sum += workers_[i].waited.load(std::memory_order_relaxed);
    return sum;
}

int64_t Team::delayed(int count) const {
    int64_t sum = 0;
    for (int i = 0; i < count; ++i) {
        const int64_t delay = run_delay(i == 0 ? gettid() : workers_[i].id.load(std::memory_order_relaxed));
        if (delay < 0) return -1;
        sum += delay;
    }
    return sum;
}

}  // namespace hydra
