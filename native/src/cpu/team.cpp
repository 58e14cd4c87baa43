#include "cpu/team.h"

#include <immintrin.h>

namespace hydra {

namespace {

// Spins before a waiting thread sleeps, so that whoever it waits for gets a core: some tens of microseconds.
constexpr int SPINS = 4000;

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
        for (int i = 0; i < SPINS && generation_.load(std::memory_order_acquire) == seen; ++i) _mm_pause();
        generation_.wait(seen, std::memory_order_acquire);
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
    for (int i = 0; i < SPINS && barrier_.load(std::memory_order_acquire) == phase; ++i) _mm_pause();
    barrier_.wait(phase, std::memory_order_acquire);
}

}  // namespace hydra
