// Forks: a child has the memory of its parent, but neither its threads nor its devices.
#pragma once

#include <cstdint>

namespace hydra {

// Number of forks between the process that loaded the library and this one.
uint32_t forks() noexcept;

}  // namespace hydra
