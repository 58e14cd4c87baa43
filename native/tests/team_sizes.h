// How many threads to compute with.
#pragma once

#include <vector>

#include "fixture.h"

namespace hydra::test {

// On CUDA a team means nothing: there one is enough.
inline std::vector<int> team_sizes() { return cuda_library() != nullptr ? std::vector{1} : std::vector{1, 2, 3}; }

}  // namespace hydra::test
