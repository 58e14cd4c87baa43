// Memory of weights, which are read from first to last at memory speed: matrices lie one behind another in large pages
// where the system has them, so that neither page borders nor address translation interrupt the stream.
#pragma once

#include <cstdint>
#include <memory>

namespace hydra {

// Zeroed, 64-byte aligned; bytes >= 1. Small pieces share a region, which lives until the last of them is gone. Throws
// std::bad_alloc. Thread-safe.
std::shared_ptr<uint8_t> allocate_weights(int64_t bytes);

}  // namespace hydra
