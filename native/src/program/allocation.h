// Every allocation of the library passes here, so that tests can count them and have one fail (hydra4j/allocation.h).
#pragma once

#include <cstdint>

namespace hydra {

// Before an allocation: throws std::bad_alloc where a test wants this one to fail.
void begin_allocation();
bool may_allocate() noexcept;    // the same, false where it is to fail
void end_allocation() noexcept;  // it has come to be
void note_release() noexcept;

}  // namespace hydra
