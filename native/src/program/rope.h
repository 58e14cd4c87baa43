// Rotation angles: a table that grows with the positions in use, as contexts are much longer than most of what is
// decoded.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "hydra4j/sequence.h"
#include "program/memory.h"

namespace hydra {

constexpr int32_t FIRST_ANGLES = 4096;  // positions that the table has at first

}  // namespace hydra

struct hydra_rope {
    hydra_rope(hydra_backend* owner, int32_t its_head_size, const float* its_frequencies, float its_scale,
               int32_t its_positions);

    hydra_backend* const backend;
    const int32_t head_size, positions;

    // Of the device, float [covered()][head_size]: cosine and sine of each pair in turn. Moves when it grows.
    const float* values() const { return values_.load(std::memory_order_acquire); }
    int64_t covered() const { return covered_.load(std::memory_order_acquire); }

    // Makes the table reach `count` positions, or all that there are. Thread-safe; a run that has begun keeps the table
    // that it began with.
    void cover(int64_t count) const;

  private:
    void grow(int64_t count) const;

    const float scale_;
    const std::vector<float> frequencies_;
    mutable std::mutex mutex_;
    mutable std::vector<hydra::Memory> tables_;  // the last one is in use; all together are less than twice as large
    mutable std::atomic<const float*> values_{nullptr};
    mutable std::atomic<int64_t> covered_{0};
};
