// Zeroed, 64-byte aligned memory with an owner.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace hydra {

struct Free {
    void operator()(void* p) const { std::free(p); }
};

template <class T>
using Aligned = std::unique_ptr<T[], Free>;

// Throws std::bad_alloc; count >= 0.
template <class T>
Aligned<T> allocate(int64_t count) {
    int64_t bytes = 0;
    if (count < 0 || __builtin_mul_overflow(count, static_cast<int64_t>(sizeof(T)), &bytes) || bytes > INT64_MAX - 64) {
        throw std::bad_alloc();
    }
    size_t padded = (static_cast<size_t>(bytes) / 64 + 1) * 64;
    void* p = std::aligned_alloc(64, padded);
    if (p == nullptr) throw std::bad_alloc();
    std::memset(p, 0, padded);
    return Aligned<T>(static_cast<T*>(p));
}

}  // namespace hydra
