// Memory with an owner: the host's, zeroed and 64-byte aligned, and what a backend's device works on.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "program/allocation.h"

namespace hydra {

constexpr size_t ALIGNMENT = 64;

struct Free {
    void* all = nullptr;
    void operator()(void*) const {
        std::free(all);
        note_release();
    }
};

template <class T>
using Aligned = std::unique_ptr<T[], Free>;

// Throws std::bad_alloc; count >= 0. Of much memory the system gives only what is touched.
template <class T>
Aligned<T> allocate(int64_t count) {
    int64_t bytes = 0;
    if (count < 0 || __builtin_mul_overflow(count, static_cast<int64_t>(sizeof(T)), &bytes) || bytes > INT64_MAX / 2) {
        throw std::bad_alloc();
    }
    begin_allocation();
    // A whole vector may be read where the last values are.
    const size_t padded = (static_cast<size_t>(bytes) / ALIGNMENT + 1) * ALIGNMENT;
    void* all = std::calloc(padded + ALIGNMENT, 1);
    if (all == nullptr) throw std::bad_alloc();
    end_allocation();
    const uintptr_t first = (reinterpret_cast<uintptr_t>(all) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return Aligned<T>(reinterpret_cast<T*>(first), Free{all});
}

// Memory of a backend's device, which is the host's on the CPU.
using Memory = std::shared_ptr<uint8_t>;

// Plain data that the host and a program share. On the CPU there is one copy of it; a device of its own has another,
// and a run brings it what the host has changed.
struct Mirror {
    struct Range {
        int64_t begin, end;  // bytes
    };

    Memory host, device;  // the same on the CPU
    int64_t bytes;
    std::vector<Range> changed{};  // by the host, since the device's copy was made: apart from each other, in order
    int32_t enqueued = 0;          // programs that use it and have not been awaited
    const void* stream = nullptr;  // theirs
    bool changing = false;         // one of them changes it

    // Before the host changes it, or so many bytes: refused while a program that uses it is enqueued.
    void change() { change(0, bytes); }
    void change(int64_t offset, int64_t count);
    // Before the host changes these values in it.
    template <class T>
    void change(const T* first, int64_t count) {
        change(reinterpret_cast<const uint8_t*>(first) - host.get(), count * int64_t{sizeof(T)});
    }

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
