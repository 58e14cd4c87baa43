#include "cpu/team.h"

#include <immintrin.h>
#include <sched.h>

namespace hydra {

namespace {

constexpr int SPINS = 500;    // some tens of microseconds, in which nearly every wait ends
constexpr int YIELDS = 1000;  // some hundreds more

// Returns when `word` is no longer `old`. Spins first, then lets others have the core, as the thread that it waits for
// may be one of them, and sleeps at last.
void await_change(const std::atomic<uint32_t>& word, uint32_t old) {
    for (int i = 0; i < SPINS + YIELDS; ++i) {
        if (word.load(std::memory_order_acquire) != old) return;
        if (i < SPINS) {
            _mm_pause();
        } else {
            sched_yield();
        }
    }
    word.wait(old, std::memory_order_acquire);
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
    generation_.fetch_add(1);
    generation_.notify_all();
    for (int i = 0; i < started; ++i) workers_[i].join();
}

void Team::run(void (*task)(void*, int), void* context) {
    task_ = task;
    context_ = context;
    generation_.fetch_add(1);
    generation_.notify_all();
    task(context, 0);
    barrier();
}

void Team::work(int thread) {
    uint32_t seen = 0;
    for (;;) {
        await_change(generation_, seen);
        ++seen;
        if (stopping_.load()) return;
        task_(context_, thread);
        barrier();
    }
}

void Team::barrier() {
    if (threads_ == 1) return;
    uint32_t phase = barrier_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == threads_ - 1) {
        arrived_.store(0, std::memory_order_relaxed);
        barrier_.store(phase + 1, std::memory_order_release);
        barrier_.notify_all();
        return;
    }
    await_change(barrier_, phase);
}

}  // namespace hydra
