// Ids on a device that the host has put there and therefore knows: looking at them waits for nothing. By the address of
// the first; of what has been overwritten by a kernel, or released, nothing is known. Thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

namespace hydra::train {

class KnownIds {
  public:
    void put(const int32_t* at, const int32_t* ids, int64_t count) {
        if (count == 0) return;
        std::lock_guard<std::mutex> lock(mutex_);
        forget(at, at + count);
        known_[at].assign(ids, ids + count);
    }

    void overwritten(const int32_t* at, int64_t count) {
        std::lock_guard<std::mutex> lock(mutex_);
        forget(at, at + count);
    }

    // Whether all of these ids are known; they are copied then.
    bool find(const int32_t* at, int64_t count, std::vector<int32_t>& ids) const {
        std::lock_guard<std::mutex> lock(mutex_);
        auto next = known_.upper_bound(at);
        if (next == known_.begin()) return false;
        const auto& [first, values] = *--next;
        const int64_t from = at - first;
        if (from + count > static_cast<int64_t>(values.size())) return false;
        ids.assign(values.begin() + from, values.begin() + from + count);
        return true;
    }

  private:
    // What overlaps with [first, end), as a whole.
    void forget(const int32_t* first, const int32_t* end) {
        auto each = known_.lower_bound(first);
        if (each != known_.begin()) {
            const auto before = std::prev(each);
            if (before->first + before->second.size() > first) known_.erase(before);
        }
        while (each != known_.end() && each->first < end) each = known_.erase(each);
    }

    mutable std::mutex mutex_;
    std::map<const int32_t*, std::vector<int32_t>, std::less<>> known_;
};

}  // namespace hydra::train
