// Memory with an owner: the host's, zeroed and 64-byte aligned, and what a backend's device works on.
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

// Memory of a backend's device, which is the host's on the CPU.
using Memory = std::shared_ptr<uint8_t>;

// Plain data that the host and a program share. On the CPU there is one copy of it; a device of its own has another,
// and a run brings it what the host has changed.
struct Mirror {
    Memory host, device;  // the same on the CPU
    int64_t bytes;
    bool changed = false;          // by the host, since the device's copy was made
    int32_t enqueued = 0;          // programs that use it and have not been awaited
    const void* stream = nullptr;  // theirs
    bool changing = false;         // one of them changes it

    // Before the host changes it: refused while a program that uses it is enqueued.
    void change();

    template <class T>
    T* at(int64_t offset = 0) const {
        return reinterpret_cast<T*>(host.get() + offset);
    }
    // Where the device has what the host has at `pointer`.
    template <class T>
    T* on_device(T* pointer) const {
        return reinterpret_cast<T*>(device.get() + (reinterpret_cast<const uint8_t*>(pointer) - host.get()));
    }
};

}  // namespace hydra
