// Memory of weights, which are read from first to last at memory speed: matrices lie one after another in large pages
// where the system has them, so that neither page borders nor address translation interrupt the stream.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

namespace hydra {

// Thread-safe.
class WeightMemory {
  public:
    // Zeroed, 64-byte aligned; bytes >= 1. Small pieces share a region, which lives until the last of them is gone.
    // Throws std::bad_alloc.
    std::shared_ptr<uint8_t> allocate(int64_t bytes);

  private:
    std::mutex mutex_;
    std::weak_ptr<uint8_t> region_;  // the one that small pieces come from
    int64_t used_ = 0;               // bytes of it
};

}  // namespace hydra
