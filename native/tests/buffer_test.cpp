#include "program/buffer.h"

#include <cstdio>
#include <fstream>

#include "fixture.h"

namespace hydra::test {
namespace {

TEST(Buffer, IsZeroAtFirstAndAligned) {
    const Backend backend = open_backend();
    hydra_buffer* out = nullptr;
    ASSERT_EQ(hydra_buffer_create(backend, 4 * 100, &out), HYDRA_OK);
    const Buffer buffer(out);
    EXPECT_EQ(hydra_buffer_bytes(buffer), 400);
    EXPECT_EQ(contents(buffer, 100), Floats(100));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->floats()) % 64, 0u);
}

TEST(Buffer, GivesBackWhatWasWritten) {
    const Backend backend = open_backend();
    const Buffer buffer = floats(backend, Floats(8));
    const float part[2] = {1.5f, -2.0f};
    ASSERT_EQ(hydra_buffer_write(buffer, 12, part, sizeof part), HYDRA_OK);
    EXPECT_EQ(contents(buffer, 8), (Floats{0, 0, 0, 1.5f, -2.0f, 0, 0, 0}));
    float last = 1;
    ASSERT_EQ(hydra_buffer_read(buffer, 16, &last, 4), HYDRA_OK);
    EXPECT_EQ(last, -2.0f);
}

TEST(Buffer, RefusesRangesThatLeaveIt) {
    const Backend backend = open_backend();
    const Buffer buffer = floats(backend, Floats(8));
    char memory[64] = {};
    EXPECT_EQ(hydra_buffer_write(buffer, 32, memory, 0), HYDRA_OK);
    expect_refused(hydra_buffer_write(buffer, 30, memory, 3), "offset 30 and 3 bytes leave the buffer of 32 bytes");
    expect_refused(hydra_buffer_read(buffer, -1, memory, 2), "offset -1");
    expect_refused(hydra_buffer_read(buffer, 2, memory, -5), "-5 bytes");
    expect_refused(hydra_buffer_read(buffer, 8, memory, INT64_MAX), "9223372036854775807 bytes");
    expect_refused(hydra_buffer_read(buffer, 0, nullptr, 4), "null");
    expect_refused(hydra_buffer_write(nullptr, 0, memory, 4), "null");
}

TEST(Buffer, RefusesSizesThatAreNone) {
    const Backend backend = open_backend();
    hydra_buffer* out = nullptr;
    expect_refused(hydra_buffer_create(backend, 0, &out), "bytes is 0");
    expect_refused(hydra_buffer_create(nullptr, 8, &out), "null");
    EXPECT_EQ(hydra_buffer_create(backend, INT64_MAX, &out), HYDRA_OUT_OF_MEMORY);
    EXPECT_EQ(out, nullptr);
    hydra_buffer_destroy(nullptr);
}

TEST(Buffer, SharesMemoryThatItWraps) {
    if (cuda_library() == nullptr) GTEST_SKIP() << "for the CUDA backend";
    const Backend backend = open_backend();
    const Buffer whole = floats(backend, {0, 1, 2, 3, 4, 5, 6, 7});
    {
        hydra_buffer* out = nullptr;
        must(hydra_buffer_wrap(backend, whole->data.get() + 16, 16, &out));
        const Buffer half(out);
        EXPECT_EQ(hydra_buffer_pointer(half), whole->data.get() + 16);
        EXPECT_EQ(contents(half, 4), (Floats{4, 5, 6, 7}));
        const float value = -1;
        must(hydra_buffer_write(half, 4, &value, 4));
    }
    EXPECT_EQ(contents(whole, 8), (Floats{0, 1, 2, 3, 4, -1, 6, 7})) << "and outlives the one that wrapped it";
}

TEST(Buffer, WrapsMemoryOfItsDeviceAlone) {
    const Backend backend = open_backend();
    const Buffer owner = floats(backend, Floats(8));
    hydra_buffer* out = nullptr;
    void* pointer = hydra_buffer_pointer(owner);
    expect_refused(hydra_buffer_wrap(backend, nullptr, 32, &out), "null");
    expect_refused(hydra_buffer_wrap(nullptr, pointer, 32, &out), "null");
    expect_refused(hydra_buffer_wrap(backend, pointer, 0, &out), "bytes is 0, must be positive");
    expect_refused(hydra_buffer_wrap(backend, owner->data.get() + 4, 4, &out), "is not aligned to 16 bytes");
    if (cuda_library() == nullptr) {
        expect_refused(hydra_buffer_wrap(backend, pointer, 32, &out),
                       "the CPU backend takes no memory of the caller's");
    } else {
        alignas(16) float host[4];
        expect_refused(hydra_buffer_wrap(backend, host, 16, &out), "is memory that CUDA does not know, must be device");
        expect_refused(hydra_buffer_wrap(backend, pointer, int64_t{1} << 46, &out), "byte 70368744177663 of pointer");
        const Mirror pinned = backend->mirror(64);
        expect_refused(hydra_buffer_wrap(backend, pinned.host.get(), 64, &out),
                       "is host memory, must be device memory");
    }
    EXPECT_EQ(out, nullptr);
    EXPECT_EQ(hydra_buffer_pointer(nullptr), nullptr);
}

TEST(File, ShowsTheContentsOfTheFile) {
    const std::string path = testing::TempDir() + "hydra4j_buffer_test";
    std::ofstream(path) << "drafted";
    hydra_file* file = nullptr;
    ASSERT_EQ(hydra_file_map(path.c_str(), &file), HYDRA_OK);
    EXPECT_EQ(std::string(static_cast<const char*>(hydra_file_data(file)), hydra_file_bytes(file)), "drafted");
    hydra_file_unmap(file);
    std::remove(path.c_str());
    hydra_file_unmap(nullptr);
}

TEST(File, SaysWhyItCannotBeMapped) {
    const std::string path = testing::TempDir() + "hydra4j_buffer_test_empty";
    hydra_file* file = nullptr;
    EXPECT_EQ(hydra_file_map(path.c_str(), &file), HYDRA_IO);
    EXPECT_NE(std::string(hydra_error_message()).find(path + ": No such file"), std::string::npos);
    std::ofstream{path};
    EXPECT_EQ(hydra_file_map(path.c_str(), &file), HYDRA_IO);
    EXPECT_NE(std::string(hydra_error_message()).find("not a regular file with contents"), std::string::npos);
    std::remove(path.c_str());
    EXPECT_EQ(hydra_file_map(testing::TempDir().c_str(), &file), HYDRA_IO);
    expect_refused(hydra_file_map(nullptr, &file), "null");
    EXPECT_EQ(file, nullptr);
}

}  // namespace
}  // namespace hydra::test
