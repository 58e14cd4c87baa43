// Buffers and mapped files.
#include "program/buffer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "program/allocation.h"
#include "program/backend.h"
#include "program/error.h"

using hydra::fail;
using hydra::guarded;

namespace {

constexpr int WIDEST_ACCESS = 16;  // bytes that a thread of the device reads at once

void check_range(const hydra_buffer* buffer, int64_t offset, const void* memory, int64_t bytes) {
    HYDRA_REQUIRE(buffer != nullptr && memory != nullptr, "buffer or memory is null");
    HYDRA_REQUIRE(offset >= 0 && bytes >= 0 && offset <= buffer->bytes && bytes <= buffer->bytes - offset,
                  "offset %lld and %lld bytes leave the buffer of %lld bytes", static_cast<long long>(offset),
                  static_cast<long long>(bytes), static_cast<long long>(buffer->bytes));
}

}  // namespace

hydra_status hydra_buffer_create(hydra_backend* backend, int64_t bytes, hydra_buffer** out) {
    return guarded("hydra_buffer_create", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        HYDRA_REQUIRE(bytes >= 1, "bytes is %lld, must be positive", static_cast<long long>(bytes));
        *out = new hydra_buffer{backend, bytes, backend->allocate(bytes)};
    });
}

hydra_status hydra_buffer_wrap(hydra_backend* backend, void* pointer, int64_t bytes, hydra_buffer** out) {
    return guarded("hydra_buffer_wrap", [&] {
        HYDRA_REQUIRE(backend != nullptr && pointer != nullptr && out != nullptr, "an argument is null");
        HYDRA_REQUIRE(bytes >= 1, "bytes is %lld, must be positive", static_cast<long long>(bytes));
        HYDRA_REQUIRE(reinterpret_cast<uintptr_t>(pointer) % WIDEST_ACCESS == 0,
                      "pointer %p is not aligned to %d bytes", pointer, WIDEST_ACCESS);
        *out = new hydra_buffer{backend, bytes, backend->wrap_memory(pointer, bytes)};
    });
}

void* hydra_buffer_pointer(const hydra_buffer* buffer) { return buffer == nullptr ? nullptr : buffer->data.get(); }

void hydra_buffer_destroy(hydra_buffer* buffer) { delete buffer; }

int64_t hydra_buffer_bytes(const hydra_buffer* buffer) { return buffer == nullptr ? 0 : buffer->bytes; }

hydra_status hydra_buffer_write(hydra_buffer* buffer, int64_t offset, const void* source, int64_t bytes) {
    return guarded("hydra_buffer_write", [&] {
        check_range(buffer, offset, source, bytes);
        buffer->backend->copy_in(buffer->data.get() + offset, source, bytes);
    });
}

hydra_status hydra_buffer_read(const hydra_buffer* buffer, int64_t offset, void* target, int64_t bytes) {
    return guarded("hydra_buffer_read", [&] {
        check_range(buffer, offset, target, bytes);
        buffer->backend->copy_out(target, buffer->data.get() + offset, bytes);
    });
}

hydra_status hydra_file_map(const char* path, hydra_file** out) {
    return guarded("hydra_file_map", [&] {
        HYDRA_REQUIRE(path != nullptr && out != nullptr, "path or out is null");
        // Made before anything is open, as it may fail.
        auto file = std::make_unique<hydra_file>();
        hydra::begin_allocation();
        int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (descriptor < 0) fail(HYDRA_IO, "cannot open %s: %s", path, std::strerror(errno));
        struct stat facts {};
        if (fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size <= 0) {
            close(descriptor);
            fail(HYDRA_IO, "%s is not a regular file with contents", path);
        }
        void* data = mmap(nullptr, static_cast<size_t>(facts.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0);
        int error = errno;
        close(descriptor);
        if (data == MAP_FAILED) fail(HYDRA_IO, "cannot map %s: %s", path, std::strerror(error));
        hydra::end_allocation();
        *file = {data, facts.st_size};
        *out = file.release();
    });
}

void hydra_file_unmap(hydra_file* file) {
    if (file == nullptr) return;
    munmap(file->data, static_cast<size_t>(file->bytes));
    hydra::note_release();
    delete file;
}

const void* hydra_file_data(const hydra_file* file) { return file == nullptr ? nullptr : file->data; }

int64_t hydra_file_bytes(const hydra_file* file) { return file == nullptr ? 0 : file->bytes; }
