#include "train/operands.h"

#include <algorithm>

namespace hydra::train {

void* Operands::address(const char* name, const hydra_train_buffer* buffer, int64_t count, hydra_train_type type,
                        bool optional, bool written, std::initializer_list<const void*> same) {
    if (buffer == nullptr) {
        HYDRA_REQUIRE(optional, "%s is null", name);
        return nullptr;
    }
    HYDRA_REQUIRE(buffer->device == device_, "%s is a buffer of another device", name);
    HYDRA_REQUIRE(buffer->type == type, "%s holds %s, must hold %s", name,
                  buffer->type == HYDRA_TRAIN_F32 ? "float32" : "int32", type == HYDRA_TRAIN_F32 ? "float32" : "int32");
    HYDRA_REQUIRE(count <= buffer->count, "%s holds %lld elements, needs %lld", name,
                  static_cast<long long>(buffer->count), static_cast<long long>(count));
    void* const memory = buffer->memory.get();
    if (count == 0) return memory;
    const auto first = reinterpret_cast<uintptr_t>(memory);
    const Range range{name, first, first + static_cast<uintptr_t>(count * ELEMENT), written};
    const bool allowed = std::find(same.begin(), same.end(), memory) != same.end();
    for (const Range& other : ranges_) {
        if (!(written || other.written) || range.first >= other.end || other.first >= range.end) continue;
        HYDRA_REQUIRE(allowed && other.first == first && !other.written, "%s and %s overlap in memory", name,
                      other.name);
    }
    ranges_.push_back(range);
    return memory;
}

Texts checked_texts(int64_t sequences, const int64_t* starts) {
    size("sequences", sequences);
    HYDRA_REQUIRE(starts != nullptr, "starts is null");
    HYDRA_REQUIRE(starts[0] == 0, "starts[0] is %lld, must be 0", static_cast<long long>(starts[0]));
    for (int64_t s = 0; s < sequences; ++s) {
        HYDRA_REQUIRE(starts[s + 1] >= starts[s] && starts[s + 1] <= MOST_IN_ROW,
                      "starts[%lld] is %lld after %lld, must ascend to at most %lld", static_cast<long long>(s + 1),
                      static_cast<long long>(starts[s + 1]), static_cast<long long>(starts[s]),
                      static_cast<long long>(MOST_IN_ROW));
    }
    return {sequences, starts};
}

}  // namespace hydra::train
