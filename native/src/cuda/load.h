// How libraries of this build find the tables of libhydra4j_cuda.
#pragma once

#include <dlfcn.h>
#include <unistd.h>

#include "program/error.h"

namespace hydra::cuda {

inline void require_path(const char* path) {
    HYDRA_REQUIRE(path != nullptr && path[0] == '/', "library is '%s', must be an absolute path",
                  path == nullptr ? "" : path);
}

// Loads the library, or finds the one that was loaded by that name, though its file may be gone. Never unloaded: the
// CUDA runtime in it lives until the process ends.
inline void* load(const char* path) {
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library != nullptr) return library;
    if (access(path, F_OK) != 0) fail(HYDRA_UNAVAILABLE, "there is no CUDA library %s", path);
    fail(HYDRA_UNAVAILABLE, "the CUDA library cannot be loaded: %s", dlerror());
}

// The table that a function of that name returns, of the version that this build needs.
template <class Table>
const Table& table_of(void* library, const char* path, const char* name, int32_t version) {
    using Find = const Table* (*)();
    const auto find = reinterpret_cast<Find>(dlsym(library, name));
    if (find == nullptr) fail(HYDRA_UNAVAILABLE, "%s is no CUDA library of Hydra4J, or of another build", path);
    const Table* const table = find();
    if (table->version != version) {
        fail(HYDRA_UNAVAILABLE, "%s has interface version %d, this library needs %d: use libraries of the same build",
             path, table->version, version);
    }
    return *table;
}

}  // namespace hydra::cuda
