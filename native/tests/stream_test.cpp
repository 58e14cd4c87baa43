#include "program/stream.h"

#include <thread>

#include "fixture.h"

namespace hydra::test {
namespace {

Stream stream(hydra_backend* backend) {
    hydra_stream* out = nullptr;
    must(hydra_stream_create(backend, &out));
    return Stream(out);
}

// RMSNorm over the rows of a pass on a stream.
struct Norm {
    static constexpr int COLUMNS = 40, ROWS = 5;
    Pass pass;
    Program program;
    Buffer x, weight, out;

    Norm(hydra_backend* backend, hydra_stream* stream, const Floats& values)
        : pass(backend),
          x(padded_rows(backend, values, COLUMNS)),
          weight(floats(backend, Floats(COLUMNS, 1.0f))),
          out(poisoned(backend, COLUMNS)) {
        hydra_program* created = nullptr;
        must(hydra_program_create(backend, stream, &created));
        program = Program(created);
        must(record(program, hydra_norm{pass.rows, x, weight, 1e-5f, COLUMNS, out, nullptr}));
        pass.chain_of(ROWS);
    }
    Floats result() const { return contents(out, ROWS * COLUMNS); }
};

Floats values(int seed) { return Random(seed).normal(Norm::ROWS * Norm::COLUMNS); }

TEST(Stream, GivesTheSameBitsAsNone) {
    const Backend backend = open_backend(2);
    const Stream own = stream(backend);
    const Norm plain(backend, nullptr, values(1)), streamed(backend, own, values(1));
    must(hydra_program_run(plain.program));
    must(hydra_program_run(streamed.program));
    EXPECT_TRUE(same_bits(plain.result(), streamed.result()));
}

TEST(Stream, RunsProgramsOfManyThreads) {
    const Backend backend = open_backend(2);
    std::vector<int> right(3);
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] {
            const Norm once(backend, nullptr, values(t));
            must(hydra_program_run(once.program));
            const Stream own = stream(backend);
            for (int run = 0; run < 5; ++run) {
                const Norm norm(backend, own, values(t));
                must(hydra_program_run(norm.program));
                right[t] += same_bits(norm.result(), once.result());
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(right, std::vector<int>(3, 5));
}

TEST(Stream, HasTheResultsOfAnEnqueuedProgramOnceItIsAwaited) {
    const Backend backend = open_backend();
    const Stream own = stream(backend);
    const Norm plain(backend, nullptr, values(2)), enqueued(backend, own, values(2));
    must(hydra_program_run(plain.program));
    must(hydra_program_await(enqueued.program));
    must(hydra_program_enqueue(enqueued.program));
    must(hydra_program_enqueue(enqueued.program));
    must(hydra_program_await(enqueued.program));
    EXPECT_TRUE(same_bits(plain.result(), enqueued.result()));
    expect_refused(hydra_program_enqueue(nullptr), "program is null");
    expect_refused(hydra_program_await(nullptr), "program is null");
}

TEST(Stream, IsTheCallersWhereItIsWrapped) {
    if (cuda_library() == nullptr) GTEST_SKIP() << "for the CUDA backend";
    const Backend backend = open_backend();
    const Stream theirs = stream(backend);
    {
        const Stream wrapped = wrap(backend, hydra_stream_native(theirs));
        EXPECT_EQ(hydra_stream_native(wrapped), hydra_stream_native(theirs));
        const Norm plain(backend, nullptr, values(3)), norm(backend, wrapped, values(3));
        must(hydra_program_run(plain.program));
        must(hydra_program_run(norm.program));
        EXPECT_TRUE(same_bits(plain.result(), norm.result()));
    }
    const Norm after(backend, theirs, values(4));
    EXPECT_EQ(hydra_program_run(after.program), HYDRA_OK) << "closing the wrapped one left theirs alone";
}

TEST(Stream, RefusesWhatIsNone) {
    const Backend backend = open_backend(), other = open_backend();
    const Stream theirs = stream(other);
    hydra_stream* out = nullptr;
    hydra_program* program = nullptr;
    expect_refused(hydra_stream_create(nullptr, &out), "null");
    expect_refused(hydra_stream_create(backend, nullptr), "null");
    expect_refused(hydra_stream_wrap(backend, nullptr, &out), "the default stream");
    expect_refused(hydra_program_create(backend, theirs, &program), "the stream belongs to another backend");
    if (cuda_library() == nullptr) {
        int place = 0;
        expect_refused(hydra_stream_wrap(backend, &place, &out), "the CPU backend takes no stream of the caller's");
        EXPECT_EQ(hydra_stream_native(theirs), nullptr);
    } else if (emulated()) {
        // A real driver looks into what is no stream at all.
        int place = 0;
        expect_refused(hydra_stream_wrap(backend, &place, &out), "is none of the primary context of device 0");
    }
    EXPECT_EQ(out, nullptr);
    EXPECT_EQ(hydra_stream_native(nullptr), nullptr);
    hydra_stream_destroy(nullptr);
}

}  // namespace
}  // namespace hydra::test
