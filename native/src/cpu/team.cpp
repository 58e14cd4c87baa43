#include "cpu/team.h"

#include <immintrin.h>
#include <sched.h>

namespace hydra {

namespace {

constexpr int SPINS = 500;    // some tens of microseconds, in which nearly every wait ends
constexpr int YIELDS = 5000;  // some milliseconds: a virtual processor takes long to wake

// Returns when `count` has reached `least`. Spins first, then lets others have the core, as the thread that it waits
// for may be one of them, and sleeps at last.
void await(const std::atomic<uint64_t>& count, uint64_t least) {
    for (int i = 0; i < SPINS + YIELDS; ++i) {
        if (count.load(std::memory_order_acquire) >= least) return;
        if (i < SPINS) {
            _mm_pause();
        } else {
            sched_yield();
        }
    }
    for (uint64_t seen; (seen = count.load(std::memory_order_acquire)) < least;) count.wait(seen);
}

}  // namespace

Team::Team(int threads) : threads_(threads), workers_(new std::thread[threads > 1 ? threads - 1 : 1]) {
    int started = 0;
    try {
        for (; started < threads - 1; ++started) workers_[started] = std::thread(&Team::work, this, started + 1);
    } catch (...) {
        stop(started);
        throw;
    }
}

Team::~Team() { stop(threads_ - 1); }

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
    task(context, 0);
    barrier();
}

void Team::work(int thread) {
    for (uint64_t run = 1;; ++run) {
        await(runs_, run);
        if (stopping_.load()) return;
        task_(context_, thread);
        barrier();
    }
}

void Team::barrier() {
    if (threads_ == 1) return;
    const uint64_t before = arrivals_.fetch_add(1, std::memory_order_acq_rel);
    const uint64_t last = before - before % threads_ + threads_;
    if (before + 1 == last) {
        arrivals_.notify_all();
    } else {
        await(arrivals_, last);
    }
}

}  // namespace hydra
