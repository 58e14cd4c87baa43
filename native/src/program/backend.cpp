#include "program/backend.h"

#include "program/error.h"

using hydra::guarded;

// What every backend has: all that files have.
bool hydra_backend::has_kernel(hydra_type type) const {
    switch (type) {
        case HYDRA_F32:
        case HYDRA_F16:
        case HYDRA_BF16:
        case HYDRA_Q8_0:
        case HYDRA_Q4_0:
        case HYDRA_Q4_1:
        case HYDRA_Q5_0:
        case HYDRA_Q5_1:
        case HYDRA_Q4_K:
        case HYDRA_Q5_K:
        case HYDRA_Q6_K:
            return true;
        case HYDRA_R8:
            return false;
    }
    return false;
}

void hydra_backend::require_own_process() const {
    if (is_of_this_process()) return;
    hydra::fail(HYDRA_UNAVAILABLE,
                "this process was forked after the %s backend was opened, whose threads and device stay with the "
                "parent: open a backend in the child, or fork before opening one",
                kind());
}

void hydra_backend_close(hydra_backend* backend) { delete backend; }

const char* hydra_backend_kind(const hydra_backend* backend) { return backend == nullptr ? "" : backend->kind(); }

const char* hydra_backend_description(const hydra_backend* backend) {
    return backend == nullptr ? "" : backend->description().c_str();
}

const char* hydra_backend_isa(const hydra_backend* backend) { return backend == nullptr ? "" : backend->isa(); }

int32_t hydra_backend_threads(const hydra_backend* backend) { return backend == nullptr ? 0 : backend->threads(); }

int32_t hydra_backend_has_kernel(const hydra_backend* backend, hydra_type type) {
    return backend != nullptr && backend->has_kernel(type) ? 1 : 0;
}

hydra_status hydra_backend_memory(hydra_backend* backend, int64_t* free_bytes, int64_t* total_bytes) {
    return guarded("hydra_backend_memory", [&] {
        HYDRA_REQUIRE(backend && free_bytes && total_bytes, "an argument is null");
        backend->memory(free_bytes, total_bytes);
    });
}

hydra_status hydra_backend_workspace(const hydra_backend* backend, const hydra_limits* limits, hydra_workspace* out) {
    return guarded("hydra_backend_workspace", [&] {
        HYDRA_REQUIRE(backend && limits && out, "an argument is null");
        const auto require = [](int64_t value, const char* name, int64_t most) {
            HYDRA_REQUIRE(value >= 1 && value <= most, "%s is %lld, must be from 1 to %lld", name,
                          static_cast<long long>(value), static_cast<long long>(most));
        };
        require(limits->rows, "rows", HYDRA_MAX_ROWS);
        require(limits->matrix_rows, "matrix_rows", INT32_MAX);
        require(limits->matrix_columns, "matrix_columns", INT32_MAX);
        require(limits->heads, "heads", 4096);
        require(limits->head_size, "head_size", 1024);
        require(limits->positions, "positions", int64_t{HYDRA_PAGE_POSITIONS} << 20);
        *out = backend->workspace(*limits);
    });
}

hydra_status hydra_backend_stream_rate(hydra_backend* backend, int64_t bytes, int32_t repeats, double* out) {
    return guarded("hydra_backend_stream_rate", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        HYDRA_REQUIRE(bytes >= 65536 && bytes <= (int64_t{1} << 40), "bytes is %lld, must be from 65536 to 2^40",
                      static_cast<long long>(bytes));
        HYDRA_REQUIRE(repeats >= 1, "repeats is %d, must be positive", repeats);
        backend->require_own_process();
        *out = backend->stream_rate(bytes, repeats);
    });
}
