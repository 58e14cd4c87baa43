// Definition of hydra_stream.
#pragma once

#include "hydra4j/stream.h"

struct hydra_stream {
    hydra_backend* backend;

    explicit hydra_stream(hydra_backend* owner) : backend(owner) {}
    virtual ~hydra_stream() = default;
    virtual void* native() const { return nullptr; }
};
