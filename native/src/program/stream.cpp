#include "program/stream.h"

#include "program/backend.h"
#include "program/error.h"

using hydra::guarded;

hydra_status hydra_stream_create(hydra_backend* backend, hydra_stream** out) {
    return guarded("hydra_stream_create", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        *out = backend->create_stream().release();
    });
}

hydra_status hydra_stream_wrap(hydra_backend* backend, void* native, hydra_stream** out) {
    return guarded("hydra_stream_wrap", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        HYDRA_REQUIRE(native != nullptr, "native is null, the default stream: create a stream");
        *out = backend->wrap_stream(native).release();
    });
}

void hydra_stream_destroy(hydra_stream* stream) { delete stream; }

void* hydra_stream_native(const hydra_stream* stream) { return stream == nullptr ? nullptr : stream->native(); }
