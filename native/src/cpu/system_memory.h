// How much memory this process can have.
#pragma once

#include <cstdint>
#include <string>

namespace hydra {

struct SystemMemory {
    int64_t available;  // bytes that can be had now without swapping: caches of files are given up for them
    int64_t total;
};

// As the system and the control groups of the process say, version 1 or 2, in files below `root`.
SystemMemory system_memory(const std::string& root);

}  // namespace hydra
