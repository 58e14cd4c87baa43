#include "program/rope.h"

#include <algorithm>
#include <cmath>

#include "program/backend.h"
#include "program/error.h"

namespace {

constexpr int64_t BATCH_FLOATS = int64_t{1} << 16;  // that are computed at a time

}  // namespace

hydra_rope::hydra_rope(hydra_backend* owner, int32_t its_head_size, const float* its_frequencies, float its_scale,
                       int32_t its_positions)
    : backend(owner),
      head_size(its_head_size),
      positions(its_positions),
      scale_(its_scale),
      frequencies_(its_frequencies, its_frequencies + its_head_size / 2) {
    grow(std::min(positions, hydra::FIRST_ANGLES));
}

void hydra_rope::cover(int64_t count) const {
    count = std::min<int64_t>(count, positions);
    if (count <= covered()) return;
    std::lock_guard<std::mutex> lock(mutex_);
    if (count > covered()) grow(std::clamp<int64_t>(2 * covered(), count, positions));
}

void hydra_rope::grow(int64_t count) const {
    tables_.reserve(tables_.size() + 1);
    hydra::Memory table = backend->allocate(count * head_size * 4);
    auto* target = reinterpret_cast<float*>(table.get());
    const int64_t rows = std::clamp<int64_t>(BATCH_FLOATS / head_size, 1, count);
    std::vector<float> batch(static_cast<size_t>(rows * head_size));
    for (int64_t first = 0; first < count; first += rows) {
        const int64_t last = std::min(count, first + rows);
        float* out = batch.data();
        for (int64_t position = first; position < last; ++position) {
            for (const float frequency : frequencies_) {
                sincosf(static_cast<float>(position) * frequency, out + 1, out);
                const float scale = frequency > 0 ? scale_ : 1.0f;
                *out++ *= scale;
                *out++ *= scale;
            }
        }
        backend->copy_in(target + first * head_size, batch.data(), (last - first) * head_size * 4);
    }
    tables_.push_back(std::move(table));
    values_.store(target, std::memory_order_release);
    covered_.store(count, std::memory_order_release);
    ++backend->moved_tables;
}

hydra_status hydra_rope_create(hydra_backend* backend, int32_t head_size, const float* frequencies, float scale,
                               int32_t positions, hydra_rope** out) {
    return hydra::guarded("hydra_rope_create", [&] {
        HYDRA_REQUIRE(backend != nullptr && frequencies != nullptr && out != nullptr, "an argument is null");
        HYDRA_REQUIRE(head_size >= 2 && head_size % 2 == 0, "head_size is %d, must be even and positive", head_size);
        HYDRA_REQUIRE(positions >= 1 && positions <= (1 << 24), "positions is %d, must be from 1 to 2^24", positions);
        for (int i = 0; i < head_size / 2; ++i) {
            HYDRA_REQUIRE(std::isfinite(frequencies[i]) && frequencies[i] >= 0, "frequency %d is %g", i,
                          static_cast<double>(frequencies[i]));
        }
        HYDRA_REQUIRE(std::isfinite(scale) && scale > 0, "scale is %g, must be positive and finite",
                      static_cast<double>(scale));
        *out = new hydra_rope(backend, head_size, frequencies, scale, positions);
    });
}

void hydra_rope_destroy(hydra_rope* rope) { delete rope; }
