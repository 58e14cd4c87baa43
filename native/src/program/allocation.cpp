#include "program/allocation.h"

#include <algorithm>
#include <atomic>
#include <new>

#include "hydra4j/allocation.h"

namespace hydra {

namespace {

std::atomic<int64_t> countdown{0};  // 0: off
std::atomic<int64_t> live{0};

}  // namespace

bool may_allocate() noexcept {
    int64_t left = countdown.load(std::memory_order_relaxed);
    // One alone takes it from 1 to 0.
    while (left > 0 && !countdown.compare_exchange_weak(left, left - 1)) {
    }
    return left != 1;
}

void begin_allocation() {
    if (!may_allocate()) throw std::bad_alloc();
}

void end_allocation() noexcept { live.fetch_add(1, std::memory_order_relaxed); }

void note_release() noexcept { live.fetch_sub(1, std::memory_order_relaxed); }

}  // namespace hydra

int64_t hydra_fail_allocation(int64_t k) { return hydra::countdown.exchange(std::max<int64_t>(k, 0)); }

int64_t hydra_live_allocations(void) { return hydra::live.load(); }
