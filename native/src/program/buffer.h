// Definitions of hydra_buffer and hydra_file.
#pragma once

#include "hydra4j/buffer.h"
#include "program/memory.h"

struct hydra_buffer {
    hydra_backend* backend;
    int64_t bytes;
    hydra::Memory data;  // of the backend's device

    // For that device alone.
    float* floats() { return reinterpret_cast<float*>(data.get()); }
    const float* floats() const { return reinterpret_cast<const float*>(data.get()); }
    const uint16_t* halves() const { return reinterpret_cast<const uint16_t*>(data.get()); }
    const int32_t* ints() const { return reinterpret_cast<const int32_t*>(data.get()); }
    int32_t* ints() { return reinterpret_cast<int32_t*>(data.get()); }
};

struct hydra_file {
    void* data;
    int64_t bytes;
};
