// Buffers and views of them.
#include <cstring>

#include "program/error.h"
#include "train/operands.h"

using hydra::train::ELEMENT;

namespace {

void check_range(const hydra_train_buffer* buffer, int64_t offset, int64_t count, int64_t least) {
    HYDRA_REQUIRE(buffer != nullptr, "buffer is null");
    HYDRA_REQUIRE(offset >= 0 && count >= least && offset <= buffer->count && count <= buffer->count - offset,
                  "%lld elements from %lld on: the buffer has %lld", static_cast<long long>(count),
                  static_cast<long long>(offset), static_cast<long long>(buffer->count));
}

uint8_t* at(const hydra_train_buffer* buffer, int64_t offset) { return buffer->memory.get() + offset * ELEMENT; }

}  // namespace

hydra_status hydra_train_buffer_create(hydra_train_device* device, int32_t type, int64_t count,
                                       hydra_train_buffer** out) {
    return hydra::guarded("hydra_train_buffer_create", [&] {
        HYDRA_REQUIRE(device != nullptr && out != nullptr, "device or out is null");
        HYDRA_REQUIRE(type == HYDRA_TRAIN_F32 || type == HYDRA_TRAIN_I32,
                      "type is %d, must be %d (float32) or %d (int32)", type, HYDRA_TRAIN_F32, HYDRA_TRAIN_I32);
        hydra::train::size("count", count, 1, hydra::train::MOST_ELEMENTS);
        std::lock_guard<std::mutex> lock(device->mutex);
        *out = new hydra_train_buffer{device, static_cast<hydra_train_type>(type), count,
                                      device->allocate(count * ELEMENT)};
    });
}

hydra_status hydra_train_buffer_view(const hydra_train_buffer* buffer, int64_t offset, int64_t count,
                                     hydra_train_buffer** out) {
    return hydra::guarded("hydra_train_buffer_view", [&] {
        HYDRA_REQUIRE(out != nullptr, "out is null");
        check_range(buffer, offset, count, 1);
        *out = new hydra_train_buffer{buffer->device, buffer->type, count,
                                      hydra::Memory(buffer->memory, at(buffer, offset))};
    });
}

void hydra_train_buffer_destroy(hydra_train_buffer* buffer) { delete buffer; }

int64_t hydra_train_buffer_count(const hydra_train_buffer* buffer) { return buffer == nullptr ? 0 : buffer->count; }

hydra_status hydra_train_upload(hydra_train_buffer* buffer, int64_t offset, const void* source, int64_t count) {
    return hydra::guarded("hydra_train_upload", [&] {
        check_range(buffer, offset, count, 0);
        HYDRA_REQUIRE(source != nullptr, "source is null");
        std::lock_guard<std::mutex> lock(buffer->device->mutex);
        if (buffer->type == HYDRA_TRAIN_I32) {
            buffer->device->upload_ids(reinterpret_cast<int32_t*>(at(buffer, offset)),
                                       static_cast<const int32_t*>(source), count);
        } else {
            buffer->device->upload(at(buffer, offset), source, count * ELEMENT);
        }
    });
}

hydra_status hydra_train_copy_in(hydra_train_buffer* buffer, int64_t offset, const void* source, int64_t count) {
    return hydra::guarded("hydra_train_copy_in", [&] {
        check_range(buffer, offset, count, 0);
        HYDRA_REQUIRE(source != nullptr, "source is null");
        HYDRA_REQUIRE(buffer->type == HYDRA_TRAIN_F32, "buffer holds int32, must hold float32");
        std::lock_guard<std::mutex> lock(buffer->device->mutex);
        buffer->device->require_usable();
        if (count == 0) return;
        buffer->device->copy_in(reinterpret_cast<float*>(at(buffer, offset)), static_cast<const float*>(source), count);
    });
}

hydra_status hydra_train_download(const hydra_train_buffer* buffer, int64_t offset, void* target, int64_t count) {
    return hydra::guarded("hydra_train_download", [&] {
        check_range(buffer, offset, count, 0);
        HYDRA_REQUIRE(target != nullptr, "target is null");
        std::lock_guard<std::mutex> lock(buffer->device->mutex);
        buffer->device->download(target, at(buffer, offset), count * ELEMENT);
    });
}
