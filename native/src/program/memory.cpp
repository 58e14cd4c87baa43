#include "program/memory.h"

#include <algorithm>

#include "program/error.h"

namespace {

// Changes that are closer to each other are copied as one: a copy takes as long as some kilobytes of it do.
constexpr int64_t NEAR = 4096;
constexpr size_t MOST_RANGES = 32;

}  // namespace

void hydra::Mirror::change(int64_t offset, int64_t count) {
    HYDRA_REQUIRE(enqueued == 0, "a program that uses this state is enqueued: await it first");
    if (count == 0 || host == device) return;
    const auto far_before = [&](const Range& range) { return range.end + NEAR < offset; };
    const auto first = std::find_if_not(changed.begin(), changed.end(), far_before);
    Range all{offset, offset + count};
    auto last = first;
    for (; last != changed.end() && last->begin <= all.end + NEAR; ++last) {
        all = {std::min(all.begin, last->begin), std::max(all.end, last->end)};
    }
    const auto at = changed.erase(first, last);
    changed.insert(at, all);
    if (changed.size() > MOST_RANGES) changed.assign(1, {changed.front().begin, changed.back().end});
}
