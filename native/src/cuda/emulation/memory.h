// Memory whose end cannot be overstepped unseen.
#pragma once

#include <stddef.h>

namespace hydra::emulation {

// `bytes` bytes, all 0xff (NaN as floats), aligned as asked, ending at most alignment - 1 bytes before a page that
// faults when touched. Null where the system refuses.
void* guarded_memory(size_t bytes, size_t alignment);
void release_guarded(void* memory);

}  // namespace hydra::emulation
