// How the C ABI's arguments are checked: sizes that do not overflow, buffers that are of the device, of the type, large
// enough, and do not overlap where one of them is written.
#pragma once

#include <initializer_list>
#include <vector>

#include "program/error.h"
#include "train/device.h"

struct hydra_train_buffer {
    hydra_train_device* device;
    hydra_train_type type;
    int64_t count;
    hydra::Memory memory;  // of the first element
};

namespace hydra::train {

constexpr int64_t ELEMENT = 4;                       // bytes
constexpr int64_t MOST_ELEMENTS = int64_t{1} << 40;  // of a buffer
constexpr int64_t MOST_IN_ROW = int64_t{1} << 30;    // rows, columns, heads, ...

// Runs an operation of the device with its lock, and turns what is thrown into a status.
template <class Body>
hydra_status operate(const char* where, hydra_train_device* device, Body&& body) noexcept {
    return guarded(where, [&] {
        HYDRA_REQUIRE(device != nullptr, "device is null");
        std::lock_guard<std::mutex> lock(device->mutex);
        device->require_usable();
        body();
    });
}

// A size `name` from `least` to the most that a size may be.
inline int64_t size(const char* name, int64_t value, int64_t least = 0, int64_t most = MOST_IN_ROW) {
    HYDRA_REQUIRE(value >= least && value <= most, "%s is %lld, must be from %lld to %lld", name,
                  static_cast<long long>(value), static_cast<long long>(least), static_cast<long long>(most));
    return value;
}

inline bool flag(const char* name, int32_t value) {
    HYDRA_REQUIRE(value == 0 || value == 1, "%s is %d, must be 0 or 1", name, value);
    return value == 1;
}

class Operands {
  public:
    explicit Operands(const hydra_train_device* device) : device_(device) {}

    // Operands that are read, then those that are written. Of a buffer that must hold `count` elements; null where
    // `optional` and there is none. A written operand may be one of `same` exactly.
    const float* in(const char* name, const hydra_train_buffer* buffer, int64_t count, bool optional = false) {
        return static_cast<const float*>(address(name, buffer, count, HYDRA_TRAIN_F32, optional, false, {}));
    }
    const int32_t* in_ids(const char* name, const hydra_train_buffer* buffer, int64_t count, bool optional = false) {
        return static_cast<const int32_t*>(address(name, buffer, count, HYDRA_TRAIN_I32, optional, false, {}));
    }
    float* out(const char* name, hydra_train_buffer* buffer, int64_t count,
               std::initializer_list<const void*> same = {}, bool optional = false) {
        return static_cast<float*>(address(name, buffer, count, HYDRA_TRAIN_F32, optional, true, same));
    }
    int32_t* out_ids(const char* name, hydra_train_buffer* buffer, int64_t count, bool optional = false) {
        return static_cast<int32_t*>(address(name, buffer, count, HYDRA_TRAIN_I32, optional, true, {}));
    }

  private:
    struct Range {
        const char* name;
        uintptr_t first, end;
        bool written;
    };

    void* address(const char* name, const hydra_train_buffer* buffer, int64_t count, hydra_train_type type,
                  bool optional, bool written, std::initializer_list<const void*> same);

    const hydra_train_device* device_;
    std::vector<Range> ranges_;
};

// The texts of a batch; throws unless they are as the header says.
Texts checked_texts(int64_t sequences, const int64_t* starts);

}  // namespace hydra::train
