#include <functional>
#include <thread>

#include "fixture.h"

namespace hydra::cuda::test {
namespace {

// The driver's contexts of the calling thread: the driver's own, or the emulation's.
struct Contexts {
    void* library = [] {
        void* tested = dlopen(getenv("HYDRA4J_CUDA_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
        return dlsym(tested, "cuCtxGetCurrent") != nullptr ? tested : dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    }();

    template <class... Arguments>
    void call(const char* name, Arguments... arguments) const {
        const auto function = reinterpret_cast<int (*)(Arguments...)>(dlsym(library, name));
        if (function == nullptr || function(arguments...) != 0) throw std::runtime_error(name);
    }
    // Whether anybody has taken the first device's primary one.
    bool is_active() const {
        unsigned flags = 0;
        int active = 0;
        call("cuDevicePrimaryCtxGetState", 0, &flags, &active);
        return active != 0;
    }
    void* current() const {
        void* context = nullptr;
        call("cuCtxGetCurrent", &context);
        return context;
    }
};

// The first test: later ones have taken the context for good.
TEST(Device, HasNoContextForHavingBeenLookedAt) {
    const Contexts contexts;
    if (contexts.library == nullptr) GTEST_SKIP() << "the runtime has no driver below it, and no contexts";
    if (dlsym(contexts.library, "cuInit") != nullptr) contexts.call("cuInit", 0u);
    ASSERT_FALSE(contexts.is_active());
    DeviceFacts facts{};
    must(api().device_facts(0, &facts));
    EXPECT_GT(facts.free_bytes, 0);
    EXPECT_FALSE(contexts.is_active());
    device();
    EXPECT_TRUE(contexts.is_active());
    must(api().device_facts(0, &facts));
    EXPECT_TRUE(contexts.is_active());
}

TEST(Device, SaysWhatItIs) {
    int32_t count = 0;
    must(api().count_devices(&count));
    ASSERT_GE(count, 1);
    DeviceFacts facts{};
    must(api().device_facts(0, &facts));
    EXPECT_GE(facts.major, 8);
    EXPECT_GT(facts.multiprocessors, 0);
    EXPECT_GT(facts.total_bytes, 0);
    EXPECT_LE(facts.free_bytes, facts.total_bytes);
    EXPECT_GE(facts.runtime_version, 12040);
    EXPECT_NE(std::string(facts.name), "");
    EXPECT_EQ(api().version, DEVICE_API_VERSION);
}

TEST(Device, RefusesOneThatIsNotThere) {
    Device* out = nullptr;
    EXPECT_EQ(api().open(-1, &out), HYDRA_INVALID_ARGUMENT);
    EXPECT_EQ(api().open(1000, &out), HYDRA_INVALID_ARGUMENT);
    EXPECT_NE(std::string(api().last_error()).find("device is 1000, must be from 0 to"), std::string::npos);
    EXPECT_EQ(out, nullptr);
}

TEST(Device, RefusesMoreMemoryThanThereIsAndGoesOn) {
    void* out = nullptr;
    EXPECT_EQ(api().allocate(device(), int64_t{1} << 50, &out), HYDRA_OUT_OF_MEMORY);
    EXPECT_EQ(out, nullptr);
    EXPECT_NE(std::string(api().last_error()), "");
    const Memory<int32_t> memory(1000);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.get()) % 256, 0u);
    EXPECT_EQ(memory.read(), std::vector<int32_t>(1000));
}

TEST(Device, CopiesThroughPinnedMemoryInAStream) {
    const Memory<int32_t> memory(100);
    void* pinned = nullptr;
    must(api().allocate_pinned(device(), 400, &pinned));
    auto* values = static_cast<int32_t*>(pinned);
    EXPECT_EQ(values[99], 0);
    const StreamOwner owner;
    for (int i = 0; i < 100; ++i) values[i] = i;
    must(api().enqueue_copy_in(owner.stream, memory, values, 400));
    must(api().stream_wait(owner.stream));
    const std::vector<int32_t> found = memory.read();
    for (int i = 0; i < 100; ++i) EXPECT_EQ(found[i], i);
    api().release_pinned(device(), pinned);
}

TEST(Device, RefusesAStreamThatIsCaptured) {
    const StreamOwner owner;
    Stream* wrapped = nullptr;
    Graph* graph = nullptr;
    int32_t kernels = 0, copies = 0;
    must(api().require_not_captured(owner.stream));
    must(api().capture_begin(owner.stream));
    EXPECT_EQ(api().require_not_captured(owner.stream), HYDRA_INVALID_ARGUMENT);
    EXPECT_EQ(api().stream_wrap(device(), api().stream_native(owner.stream), &wrapped), HYDRA_INVALID_ARGUMENT);
    EXPECT_NE(std::string(api().last_error()).find("the stream is being captured"), std::string::npos);
    must(api().capture_end(owner.stream, &graph, &kernels, &copies));
    api().graph_destroy(graph);
    must(api().stream_wrap(device(), api().stream_native(owner.stream), &wrapped));
    api().stream_destroy(wrapped);
    must(api().stream_wait(owner.stream));
}

TEST(Device, RunsAGraphAsOftenAsItIsLaunched) {
    Random random(1);
    const Matrix weight(HYDRA_BF16, 40, 64, random);
    Pass pass;
    pass.chain(9);
    const Floats values = random.normal(9 * 64), zeros(9 * 40);
    const auto x = padded_rows(values, 64);
    auto residual = padded_rows(zeros, 40);
    const Memory<uint8_t> work = workspace(40, 64);
    const Memory<int64_t> times(2);
    const Linear linear{pass.view(), x, weight.view, nullptr, residual, residual, work};
    const Mark begin{times.get()}, end{times.get() + 1};
    const StreamOwner owner;
    Graph* graph = nullptr;
    int32_t kernels = 0, copies = 0;
    must(api().capture_begin(owner.stream));
    must(api().mark(owner.stream, &begin));
    must(api().linear(owner.stream, &linear));
    must(api().mark(owner.stream, &end));
    must(api().capture_end(owner.stream, &graph, &kernels, &copies));
    EXPECT_EQ(kernels, 4) << "the marks, the rows' preparation and the product";
    EXPECT_EQ(copies, 0);
    EXPECT_TRUE(same_bits(residual.read(9 * 40), zeros));
    must(api().graph_launch(graph, owner.stream));
    must(api().stream_wait(owner.stream));
    const Floats once = residual.read(9 * 40);
    EXPECT_FALSE(same_bits(once, zeros));
    EXPECT_GT(times.read()[0], 0);
    EXPECT_GE(times.read()[1], times.read()[0]);
    // The number of rows is state, no argument of the graph.
    pass.chain(2);
    residual.write(zeros);
    must(api().graph_launch(graph, owner.stream));
    must(api().stream_wait(owner.stream));
    EXPECT_TRUE(same_bits(residual.read(2 * 40), Floats(once.begin(), once.begin() + 80)));
    EXPECT_TRUE(same_bits(row_of(residual.read(9 * 40), 2, 40), Floats(40)));
    must(api().graph_launch(graph, owner.stream));
    must(api().stream_wait(owner.stream));
    EXPECT_FALSE(same_bits(residual.read(2 * 40), Floats(once.begin(), once.begin() + 80)));
    api().graph_destroy(graph);
}

// Calls of every kind, of which one is refused; `check` after each.
void use_device(const std::function<void()>& check) {
    const auto checked = [&](hydra_status status) {
        check();
        must(status);
    };
    int32_t count = 0;
    checked(api().count_devices(&count));
    DeviceFacts facts{};
    checked(api().device_facts(0, &facts));
    Device* opened = nullptr;
    checked(api().open(0, &opened));
    void *memory = nullptr, *pinned = nullptr;
    checked(api().allocate(opened, 64, &memory));
    EXPECT_EQ(api().allocate(opened, int64_t{1} << 50, &pinned), HYDRA_OUT_OF_MEMORY);
    check();
    checked(api().allocate_pinned(opened, 64, &pinned));
    checked(api().copy_in(opened, memory, pinned, 64));
    Stream* stream = nullptr;
    checked(api().stream_create(opened, &stream));
    checked(api().capture_begin(stream));
    const Mark begin{static_cast<int64_t*>(memory)};
    checked(api().mark(stream, &begin));
    Graph* graph = nullptr;
    int32_t kernels = 0, copies = 0;
    checked(api().capture_end(stream, &graph, &kernels, &copies));
    checked(api().graph_launch(graph, stream));
    checked(api().stream_wait(stream));
    checked(api().copy_out(opened, pinned, memory, 64));
    EXPECT_NE(*static_cast<int64_t*>(pinned), 0);
    const MatrixView matrix{HYDRA_F32, 1, 1, static_cast<uint8_t*>(memory)};
    float value = 0;
    checked(api().matrix_read(opened, &matrix, 0, &value));
    api().graph_destroy(graph);
    check();
    api().stream_destroy(stream);
    check();
    api().release_pinned(opened, pinned);
    check();
    api().release(opened, memory);
    check();
    api().close(opened);
    check();
}

TEST(Device, LeavesTheThreadsContextAsItWas) {
    const Contexts contexts;
    if (contexts.library == nullptr) GTEST_SKIP() << "the runtime has no driver below it, and no contexts";
    std::thread([&] {
        ASSERT_EQ(contexts.current(), nullptr);
        use_device([&] { EXPECT_EQ(contexts.current(), nullptr); });
    }).join();
    // Any address is a context to the emulation.
    if (dlsym(contexts.library, "cuInit") != nullptr) return;
    std::thread([&] {
        int theirs = 0;
        void* ended = nullptr;
        contexts.call("cuCtxPushCurrent", static_cast<void*>(&theirs));
        use_device([&] { EXPECT_EQ(contexts.current(), &theirs); });
        contexts.call("cuCtxPopCurrent", &ended);
    }).join();
}

TEST(Device, MeasuresCopies) {
    double rate = 0;
    must(api().copy_rate(device(), 1 << 20, 3, &rate));
    EXPECT_GT(rate, 1e6);
}

}  // namespace
}  // namespace hydra::cuda::test
