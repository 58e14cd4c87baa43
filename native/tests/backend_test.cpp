#include "cpu/backend.h"

#include <grp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "fixture.h"
#include "hydra4j/allocation.h"
#include "program/error.h"

namespace hydra::test {
namespace {

TEST(Backend, OpensWithTheBestInstructionSetOfTheProcessor) {
    SKIP_ON_CUDA();
    const Backend backend = open_backend(2, "auto");
    EXPECT_EQ(hydra_backend_isa(backend), instruction_sets().back());
    EXPECT_EQ(hydra_backend_threads(backend), 2);
}

TEST(Backend, OpensWithTheInstructionSetAskedFor) {
    SKIP_ON_CUDA();
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

TEST(Backend, MeasuresMemoryThatIsThere) {
    SKIP_ON_CUDA();
    constexpr int64_t MEBIBYTES = 200;
    double rate = 0;
    ASSERT_EQ(hydra_backend_stream_rate(open_backend(1), MEBIBYTES << 20, 1, &rate), HYDRA_OK);
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    EXPECT_GE(used.ru_maxrss, MEBIBYTES << 10) << "KiB: less is there than was read";
}

void expect_whole(const Scratch::Rows& rows) {
    EXPECT_EQ(rows.activations.values, rows.values.get());
    EXPECT_EQ(rows.activations.quantised, rows.quantised.get());
    EXPECT_EQ(rows.activations.planes, rows.planes.get());
    EXPECT_EQ(rows.activations.tiles, rows.tiles.get());
    EXPECT_EQ(rows.activations.signed_blocks, rows.signed_blocks.get());
    EXPECT_EQ(rows.activations.signed_planes, rows.signed_planes.get());
}

TEST(Backend, HasTheInstructionSetThatIsForcedOrSaysThatTheProcessorLacksIt) {
    SKIP_ON_CUDA();
    for (const char* isa : {"amx", "avx512", "avx2", "portable"}) {
        hydra_backend* out = nullptr;
        const hydra_status status = hydra_backend_open_cpu(1, isa, &out);
        const Backend backend(out);
        if (status == HYDRA_OK) {
            EXPECT_STREQ(hydra_backend_isa(backend), isa);
        } else {
            EXPECT_EQ(status, HYDRA_UNAVAILABLE) << isa;
            EXPECT_EQ(out, nullptr) << isa;
        }
    }
    EXPECT_NE(find_kernels("portable"), nullptr);
}

TEST(Scratch, StaysWholeWhereItCannotGrow) {
    SKIP_ON_CUDA();
    Scratch scratch;
    scratch.threads.reset(new Scratch::PerThread[2]);
    scratch.reserve(2, 64, 64, {true, true});
    for (int64_t k = 1, columns = 96;; ++k, columns += 32) {
        hydra_fail_allocation(k);
        try {
            scratch.reserve(2, columns, columns, {true, true});
        } catch (const std::bad_alloc&) {
        }
        expect_whole(scratch.rows);
        for (int thread = 0; thread < 2; ++thread) expect_whole(scratch.threads[thread].rows);
        if (hydra_fail_allocation(0) > 0) break;
        EXPECT_EQ(scratch.positions, 64) << "what did not grow everywhere has not grown";
    }
    EXPECT_GT(scratch.positions, 64);
}

// Runs in a process of its own, which exits with what it returns.
template <class Body>
int in_child(Body&& body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    int state = 0;
    waitpid(child, &state, 0);
    return WIFEXITED(state) ? WEXITSTATUS(state) : 256 + WTERMSIG(state);
}

TEST(Backend, SaysWhichLimitRefusesAThread) {
    SKIP_ON_CUDA();
    EXPECT_EQ(in_child([] {
                  // The limit does not hold for root.
                  if (getuid() == 0 && (setgroups(0, nullptr) != 0 || setuid(65534) != 0)) return 1;
                  const rlimit limit{1, 1};
                  hydra_backend* out = nullptr;
                  if (setrlimit(RLIMIT_NPROC, &limit) != 0) return 2;
                  if (hydra_backend_open_cpu(4, "auto", &out) != HYDRA_UNAVAILABLE) return 3;
                  const std::string message = hydra_error_message();
                  for (const char* part : {"thread 1 of a team of 4", "ulimit -u, which is 1", "Use fewer threads"}) {
                      if (message.find(part) == std::string::npos) return 4;
                  }
                  return hydra_backend_open_cpu(1, "auto", &out) == HYDRA_OK ? 0 : 5;
              }),
              0);
}

// Whether the status and the message are those of a backend of the parent.
bool is_foreign(hydra_status status) {
    return status == HYDRA_UNAVAILABLE &&
           std::string(hydra_error_message())
                   .find(cuda_library() != nullptr ? "forked after the cuda backend was opened"
                                                   : "forked after the cpu backend was opened") != std::string::npos;
}

// Whether what only a device of its own refuses is refused, too: 0, or which is not.
int takes_of_the_parents_device(hydra_backend* backend, hydra_batch* batch, hydra_buffer* buffer, hydra_stream* native,
                                float* values) {
    hydra_buffer* made_buffer = nullptr;
    hydra_batch* made_batch = nullptr;
    hydra_rows* made_rows = nullptr;
    hydra_tree* made_tree = nullptr;
    hydra_top* made_top = nullptr;
    hydra_stream* made_stream = nullptr;
    hydra_kv_pool* made_pool = nullptr;
    hydra_rope* made_rope = nullptr;
    int64_t free_bytes = 0, total_bytes = 0;
    const std::function<hydra_status()> calls[] = {
        [&] { return hydra_buffer_create(backend, 64, &made_buffer); },
        [&] { return hydra_buffer_wrap(backend, hydra_buffer_pointer(buffer), 64, &made_buffer); },
        [&] { return hydra_buffer_write(buffer, 0, values, 4); },
        [&] { return hydra_buffer_read(buffer, 0, values, 4); },
        [&] { return hydra_batch_create(backend, 1, 1, &made_batch); },
        [&] { return hydra_rows_create(batch, 4, &made_rows); },
        [&] { return hydra_tree_create(batch, &made_tree); },
        [&] { return hydra_top_create(backend, 1, 4, &made_top); },
        [&] { return hydra_stream_create(backend, &made_stream); },
        [&] { return hydra_stream_wrap(backend, hydra_stream_native(native), &made_stream); },
        [&] { return hydra_kv_pool_create(backend, HYDRA_F32, 1, 1, 8, 1, &made_pool); },
        [&] { return hydra_rope_create(backend, 2, values, 1, 4, &made_rope); },
        [&] { return hydra_backend_memory(backend, &free_bytes, &total_bytes); }};
    int number = 0;
    for (const auto& call : calls) {
        ++number;
        if (!is_foreign(call())) return number;
    }
    return 0;
}

TEST(Backend, OfTheParentLendsAChildNoMemoryOrStreamsOfItsDevice) {
    if (cuda_library() == nullptr) GTEST_SKIP() << "the CPU's memory is a child's own";
    Backend backend = open_backend();
    hydra_stream* created = nullptr;
    must(hydra_stream_create(backend, &created));
    Stream stream(created);
    auto pass = std::make_unique<Pass>(backend);
    Buffer x = poisoned(backend, 40), ones = floats(backend, Floats(40, 1.0f));
    Matrix weight = matrix(backend, HYDRA_F32, 4, 4, Floats(16));
    must(record(pass->program, hydra_norm{pass->rows, x, ones, 1e-5f, 40, x, nullptr}));
    pass->chain_of(5);
    must(hydra_program_enqueue(pass->program));
    EXPECT_EQ(in_child([&] {
                  float values[] = {1, 1, 1, 1};
                  const int refusals = takes_of_the_parents_device(backend, pass->batch, x, stream, values);
                  if (refusals != 0) return refusals;
                  if (!is_foreign(hydra_matrix_write(weight, 0, 1, nullptr, HYDRA_F32, values, 16))) return 20;
                  if (!is_foreign(hydra_matrix_read(weight, 0, values))) return 21;
                  pass.reset();
                  x = Buffer();
                  weight = Matrix();
                  stream = Stream();
                  backend = Backend();
                  hydra_backend* own = nullptr;
                  return hydra_backend_open_cpu(1, "auto", &own) == HYDRA_OK ? 0 : 22;
              }),
              0);
    must(hydra_program_await(pass->program));
    const Buffer more = poisoned(backend, 40);
    pass->run();
}

// ThreadSanitizer takes threads of a forked child for those of its parent.
#ifdef __SANITIZE_THREAD__
constexpr int OF_A_CHILD = 1;
#else
constexpr int OF_A_CHILD = 3;
#endif

TEST(Backend, OfTheParentIsRefusedAfterAFork) {
    for (int threads : {1, 3}) {
        Backend backend = open_backend(threads);
        auto pass = std::make_unique<Pass>(backend);
        Buffer x = poisoned(backend, 40), norm = floats(backend, Floats(40, 1.0f));
        Matrix weight = matrix(backend, HYDRA_F32, 4, 4, Floats(16));
        must(record(pass->program, hydra_norm{pass->rows, x, norm, 1e-5f, 40, x, nullptr}));
        pass->chain_of(5);
        pass->run();
        EXPECT_EQ(in_child([&] {
                      alarm(60);  // or a hang would be the test's
                      double rate = 0;
                      hydra_matrix* made = nullptr;
                      const int32_t ids[] = {0};
                      if (!is_foreign(hydra_program_run(pass->program))) return 1;
                      if (!is_foreign(hydra_program_enqueue(pass->program))) return 2;
                      if (!is_foreign(hydra_program_await(pass->program))) return 3;
                      if (!is_foreign(record(pass->program, hydra_norm{pass->rows, x, norm, 1e-5f, 40, x, nullptr})))
                          return 4;
                      if (!is_foreign(hydra_matrix_fill(weight, 1, 1))) return 5;
                      if (!is_foreign(hydra_matrix_create(backend, HYDRA_F32, 4, 4, &made))) return 6;
                      if (!is_foreign(hydra_matrix_gather(weight, ids, 1, &made))) return 7;
                      if (!is_foreign(hydra_backend_stream_rate(backend, 1 << 20, 1, &rate))) return 8;
                      pass.reset();
                      x = Buffer();
                      norm = Buffer();
                      weight = Matrix();
                      backend = Backend();
                      hydra_backend* own = nullptr;
                      if (hydra_backend_open_cpu(OF_A_CHILD, "auto", &own) != HYDRA_OK) return 9;
                      return hydra_backend_stream_rate(own, 1 << 20, 1, &rate) == HYDRA_OK ? 0 : 10;
                  }),
                  0);
        pass->run();
    }
}

TEST(Errors, OfAnyTypeBecomeAStatus) {
    EXPECT_EQ(guarded("here", [] { throw 7; }), HYDRA_INTERNAL);
    EXPECT_STREQ(hydra_error_message(), "here failed\nan exception of an unknown type");
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
