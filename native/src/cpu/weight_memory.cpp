#include "cpu/weight_memory.h"

#include <sys/mman.h>

#include <new>

#include "program/allocation.h"

namespace hydra {

namespace {

constexpr int64_t PAGE = int64_t{1} << 21;
constexpr int64_t REGION = 16 * PAGE;

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// `bytes` bytes, a multiple of PAGE, of zeros that begin at a multiple of PAGE.
std::shared_ptr<uint8_t> map(int64_t bytes) {
    const auto mapped = static_cast<size_t>(bytes + PAGE);
    begin_allocation();
    void* p = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    end_allocation();
    auto* first = reinterpret_cast<uint8_t*>(round_up(reinterpret_cast<intptr_t>(p), PAGE));
    madvise(first, static_cast<size_t>(bytes), MADV_HUGEPAGE);
    std::shared_ptr<void> owner(p, [mapped](void* all) {
        munmap(all, mapped);
        note_release();
    });
    return std::shared_ptr<uint8_t>(std::move(owner), first);
}

}  // namespace

std::shared_ptr<uint8_t> WeightMemory::allocate(int64_t bytes) {
    if (bytes > INT64_MAX - 2 * PAGE) throw std::bad_alloc();
    if (bytes >= REGION / 2) return map(round_up(bytes, PAGE));

    std::lock_guard<std::mutex> lock(mutex_);
    std::shared_ptr<uint8_t> region = region_.lock();
    if (region == nullptr || used_ + bytes > REGION) {
        region = map(REGION);
        region_ = region;
        used_ = 0;
    }
    uint8_t* piece = region.get() + used_;
    used_ += round_up(bytes, 64);
    return std::shared_ptr<uint8_t>(std::move(region), piece);
}

}  // namespace hydra
