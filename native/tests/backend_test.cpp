#include "cpu/backend.h"

#include "fixture.h"

namespace hydra::test {
namespace {

TEST(Backend, OpensWithTheBestInstructionSetOfTheProcessor) {
    const Backend backend = open_backend(2, "auto");
    EXPECT_EQ(hydra_backend_isa(backend), instruction_sets().back());
    EXPECT_EQ(hydra_backend_threads(backend), 2);
}

TEST(Backend, OpensWithTheInstructionSetAskedFor) {
    for (const std::string& isa : instruction_sets()) {
        EXPECT_EQ(hydra_backend_isa(open_backend(1, isa.c_str())), isa);
    }
}

TEST(Backend, RefusesUnknownInstructionSetsAndThreadCounts) {
    hydra_backend* out = nullptr;
    expect_refused(hydra_backend_open_cpu(1, "sse9", &out), "isa is 'sse9'");
    expect_refused(hydra_backend_open_cpu(0, "auto", &out), "threads is 0");
    expect_refused(hydra_backend_open_cpu(257, "auto", &out), "threads is 257");
    expect_refused(hydra_backend_open_cpu(1, nullptr, &out), "null");
    EXPECT_EQ(out, nullptr);
    hydra_backend_close(nullptr);
}

TEST(Backend, MeasuresAStreamRate) {
    double rate = 0;
    ASSERT_EQ(hydra_backend_stream_rate(open_backend(2), 1 << 20, 2, &rate), HYDRA_OK);
    EXPECT_GT(rate, 0);
    expect_refused(hydra_backend_stream_rate(open_backend(), 100, 2, &rate), "bytes is 100");
    expect_refused(hydra_backend_stream_rate(open_backend(), 1 << 20, 0, &rate), "repeats is 0");
}

TEST(Errors, AreKeptForEachThread) {
    hydra_backend* out = nullptr;
    EXPECT_EQ(hydra_backend_open_cpu(-3, "auto", &out), HYDRA_INVALID_ARGUMENT);
    const std::string mine = hydra_error_message();
    EXPECT_EQ(mine, "hydra_backend_open_cpu failed\nthreads is -3, must be from 1 to 256");
    std::thread([] { EXPECT_STREQ(hydra_error_message(), ""); }).join();
    EXPECT_EQ(hydra_error_message(), mine);
    EXPECT_EQ(hydra_abi_version(), HYDRA_ABI_VERSION);
}

}  // namespace
}  // namespace hydra::test
