// operator new of libhydra4j.so, and of it alone (exports.map keeps the symbols inside): allocations are counted, and
// fail where a test wants it. The other forms of new and delete end in these.
#include <cstdlib>
#include <new>

#include "program/allocation.h"

namespace {

void* counted(void* memory) {
    if (memory == nullptr) throw std::bad_alloc();
    hydra::end_allocation();
    return memory;
}

}  // namespace

void* operator new(size_t bytes) {
    hydra::begin_allocation();
    return counted(std::malloc(bytes == 0 ? 1 : bytes));
}

void* operator new(size_t bytes, std::align_val_t alignment) {
    hydra::begin_allocation();
    const auto unit = static_cast<size_t>(alignment);
    return counted(std::aligned_alloc(unit, (bytes / unit + 1) * unit));
}

void operator delete(void* memory) noexcept {
    if (memory != nullptr) hydra::note_release();
    std::free(memory);
}

void operator delete(void* memory, std::align_val_t) noexcept { operator delete(memory); }
void operator delete(void* memory, size_t) noexcept { operator delete(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { operator delete(memory); }
