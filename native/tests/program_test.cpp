#include "cpu/program.h"

#include "toy_model.h"

namespace hydra::test {
namespace {

TEST(Program, RunsWithoutOperations) {
    const Backend backend = open_backend(2);
    Pass pass(backend);
    pass.run();
    EXPECT_EQ(hydra_program_marks(pass.program), 2);
    EXPECT_LE(hydra_program_times(pass.program)[0], hydra_program_times(pass.program)[1]);
}

TEST(Program, TellsTheTimesOfItsMarksInOrder) {
    const Backend backend = open_backend(2);
    Pass pass(backend);
    const Buffer x = poisoned(backend, 40), norm = floats(backend, Floats(40));
    pass.chain_of(64);
    for (int i = 0; i < 5; ++i) {
        must(record(pass.program, hydra_norm{pass.rows, x, norm, 1e-5f, 40, x, nullptr}));
        must(hydra_program_mark(pass.program));
    }
    ASSERT_EQ(hydra_program_marks(pass.program), 7);
    int64_t before = 0;
    for (int run = 0; run < 3; ++run) {
        pass.run();
        const int64_t* times = hydra_program_times(pass.program);
        EXPECT_GT(times[0], before);
        for (int i = 1; i < 7; ++i) EXPECT_LE(times[i - 1], times[i]) << i;
        before = times[6];
    }
}

TEST(Program, DoesNothingOverNoRows) {
    const Backend backend = open_backend(2);
    Pass pass(backend);
    const Buffer x = poisoned(backend, 48), out = poisoned(backend, 48), norm = floats(backend, Floats(48, 1.0f));
    const Buffer key = poisoned(backend, 48), value = poisoned(backend, 48);
    const Matrix weight = matrix(backend, HYDRA_F32, 48, 48, Floats(48 * 48));
    const Pool kv = pool(backend, 1, 2, 24, PAGES);
    const Rope angles = rope(backend, 24, 10);
    const Top best = top(backend, 2);
    set_ids(best, {7});
    hydra_program* program = pass.program;
    const hydra_rows* none = pass.rows;
    must(record(program, hydra_embed{none, weight, out, 0}));
    must(record(program,
                hydra_qkv{none, x, norm, 1e-5f, weight, weight, weight, nullptr, nullptr, nullptr, out, key, value}));
    must(record(program, hydra_append_kv{none, out, key, value, 2, nullptr, nullptr, 0, angles, kv, 0}));
    must(record(program, hydra_attention{none, x, 2, kv, 0, out, 0, 0, 0}));
    must(record(program, hydra_linear{none, x, weight, nullptr, out, out}));
    must(record(program, hydra_gate_up{none, x, norm, 1e-5f, weight, weight, HYDRA_SILU, out}));
    must(record(program, hydra_norm{none, x, norm, 1e-5f, 48, out, nullptr}));
    must(record(program, hydra_lm_head{none, 1, x, weight, nullptr, nullptr, best, out, 0, 0}));
    must(record(program, hydra_block{none, x, weight, nullptr, nullptr, nullptr, 0, out}));
    must(record_end(pass, program, {nullptr, pass.rows, best, nullptr, nullptr, 0, nullptr, nullptr, 0}));
    pass.run();
    EXPECT_TRUE(untouched_behind(out, 0));
    EXPECT_EQ(hydra_top_ids(best)[0], 7);
    EXPECT_EQ(pass.result().length, 0);
}

TEST(Program, RunsNothingWhereACheckFails) {
    const Backend backend = open_backend();
    Pass pass(backend, 0);
    const Buffer out = poisoned(backend, 24);
    const Matrix embedding = matrix(backend, HYDRA_F32, 9, 24, Floats(9 * 24));
    const Pool kv = pool(backend, 1, 1, 24, 3);
    must(record(pass.program, hydra_embed{pass.rows, embedding, out, 0}));
    must(record(pass.program, hydra_attention{pass.rows, out, 1, kv, 0, out, 0, 0, 0}));
    pass.chain_of(2);
    expect_refused(hydra_program_run(pass.program),
                   "hydra_program_run failed\nthe page table of sequence 0 has page 11, the pool has");
    EXPECT_TRUE(untouched_behind(out, 0));
}

// Throws on one thread of the run, the last one where it has fewer, while the others wait for it.
struct FailingTask : Task {
    explicit FailingTask(int its_thread) : thread(its_thread) {}
    void run(const Worker& worker) override {
        const int thrower = std::min(thread, worker.threads - 1);
        if (worker.thread == thrower) {
            thrown = thrower;
            throw std::runtime_error("thread " + std::to_string(thrower) + " cannot");
        }
        worker.barrier();
        ++passed;
    }
    int thread;
    std::atomic<int> thrown{-1}, passed{0};
};

TEST(Program, ThatFailsOnAThreadReturnsItsErrorAndOthersRun) {
    SKIP_ON_CUDA();
    const Backend backend = open_backend(3);
    const Floats values = Random(1).normal(64 * 40);
    const Buffer x = padded_rows(backend, values, 40), norm = floats(backend, Floats(40, 1.0f)),
                 out = poisoned(backend, 40);
    Pass sound(backend);
    must(record(sound.program, hydra_norm{sound.rows, x, norm, 1e-5f, 40, out, nullptr}));
    sound.chain_of(64);
    sound.run();
    const Floats expected = contents(out, 64 * 40);
    for (int thread = 0; thread < 3; ++thread) {
        Pass failing(backend);
        auto& tasks = static_cast<CpuProgram*>(static_cast<hydra_program*>(failing.program))->tasks;
        tasks.push_back(std::make_unique<FailingTask>(thread));
        const auto& task = static_cast<const FailingTask&>(*tasks.back());
        for (int run = 0; run < 3; ++run) {
            EXPECT_EQ(hydra_program_run(failing.program), HYDRA_INTERNAL);
            EXPECT_EQ(std::string(hydra_error_message()),
                      "hydra_program_run failed\nthread " + std::to_string(task.thrown) + " cannot");
            sound.run();
            EXPECT_TRUE(same_bits(contents(out, 64 * 40), expected));
        }
        EXPECT_EQ(task.passed, 0) << "nobody passes the barrier";
    }
}

// Is always idle. Threads other than the test's take their time to find out, and note what they saw.
struct SlowlyIdleTask : Task {
    explicit SlowlyIdleTask(const int& its_state) : state(its_state) {}
    void run(const Worker&) override {}
    bool idle() const override {
        if (std::this_thread::get_id() == caller) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        if (state != 0) ++late;
        return true;
    }
    const int& state;
    const std::thread::id caller = std::this_thread::get_id();
    mutable std::atomic<int> late{0};
};

// One thread changes what idle() of the task above reads.
struct ChangingTask : Task {
    explicit ChangingTask(int& its_state) : state(its_state) {}
    bool changes_rows() const override { return true; }
    bool by_one_thread() const override { return true; }
    void run(const Worker&) override { state = 1; }
    int& state;
};

TEST(Program, ChangesRowsOnlyWhenNoThreadAsksAnIdleTask) {
    SKIP_ON_CUDA();
    const Backend backend = open_backend(4);
    Pass pass(backend);
    int state = 0;
    auto& tasks = static_cast<CpuProgram*>(static_cast<hydra_program*>(pass.program))->tasks;
    tasks.push_back(std::make_unique<SlowlyIdleTask>(state));
    const auto& idle = static_cast<SlowlyIdleTask&>(*tasks.back());
    must(hydra_program_mark(pass.program));  // one thread's, too: no barrier between it and the next
    tasks.push_back(std::make_unique<ChangingTask>(state));
    for (int run = 0; run < 5; ++run, state = 0) pass.run();
    EXPECT_EQ(idle.late, 0);
}

TEST(Program, OfIdleOperationsWhoseRowsOneThreadSetsIsTheSameAtEveryRun) {
    const Backend backend = open_backend(4);
    Pass pass(backend);
    const Tree chain = tree(pass.batch, Shape{{-1, 0}, {0, 0}, {0, 1}});
    const Rows drafted = rows(pass.batch);
    const Buffer x = floats(backend, Floats(ROWS * 8, 2.0f)), norm = floats(backend, Floats(8, 1.0f));
    const Buffer before = poisoned(backend, 8), after = poisoned(backend, 8);
    must(record(pass.program, hydra_expand{chain, nullptr, pass.rows}));
    must(record(pass.program, hydra_norm{drafted, x, norm, 1e-5f, 8, before, nullptr}));
    must(hydra_program_mark(pass.program));
    must(record(pass.program, hydra_draft_levels{chain, pass.rows, drafted}));
    must(record(pass.program, hydra_norm{drafted, x, norm, 1e-5f, 8, after, nullptr}));
    for (int run = 0; run < (emulated() ? 3 : 40); ++run) {
        must(hydra_rows_set_chains(drafted, nullptr, nullptr, 0, nullptr, nullptr));
        pass.run();
        ASSERT_EQ(hydra_rows_count(drafted), 1);
    }
    EXPECT_TRUE(untouched_behind(before, 0));
    EXPECT_TRUE(untouched_behind(after, 8));
    EXPECT_FALSE(untouched_behind(after, 0));
}

TEST(Program, ForgetsAnOperationWhoseLimitsTheRowsCannotTake) {
    const Backend backend = open_backend();
    Pass pass(backend);
    const Buffer query = poisoned(backend, 24), key = poisoned(backend, 24), value = poisoned(backend, 24);
    const Pool kv = pool(backend, 1, 1, 24, PAGES);
    const Rope angles = rope(backend, 24, 10);
    const hydra_append_kv append{pass.rows, query, key, value, 1, nullptr, nullptr, 0, angles, kv, 0};
    pass.rows->memory.enqueued = 1;  // as while a program that uses them is
    expect_refused(record(pass.program, append), "a program that uses this state is enqueued");
    pass.rows->memory.enqueued = 0;
    EXPECT_TRUE(pass.program->operations.empty());
    EXPECT_TRUE(pass.program->placed.empty());
    must(record(pass.program, append));
    EXPECT_EQ(pass.program->operations.size(), 1);
}

TEST(Program, RefusesNullHandles) {
    const Backend backend = open_backend();
    hydra_program* out = nullptr;
    expect_refused(hydra_program_create(nullptr, nullptr, &out), "null");
    expect_refused(hydra_program_create(backend, nullptr, nullptr), "null");
    expect_refused(hydra_program_run(nullptr), "program is null");
    expect_refused(hydra_program_mark(nullptr), "program is null");
    EXPECT_EQ(hydra_program_marks(nullptr), 0);
    EXPECT_EQ(hydra_program_times(nullptr), nullptr);
    EXPECT_EQ(out, nullptr);
    hydra_program_destroy(nullptr);
}

// Threads that record and run programs of one backend at the same time take turns.
TEST(Program, RunsOfOneBackendTakeTurns) {
    const Backend backend = open_backend(2);
    std::vector<std::thread> callers;
    std::vector<int> right(3);
    for (int caller = 0; caller < 3; ++caller) {
        callers.emplace_back([&, caller] {
            const int columns = 72 + 64 * caller;
            const Floats x = Random(caller).normal(17 * columns);
            const Matrix weight = matrix(backend, HYDRA_F32, columns, columns, Random(9).normal(columns * columns));
            for (int run = 0; run < 10; ++run) {
                Pass pass(backend);
                pass.chain_of(17);
                const Buffer in = padded_rows(backend, x, columns);
                const Buffer out = padded_rows(backend, Floats(17 * columns), columns);
                must(record(pass.program, hydra_linear{pass.rows, in, weight, nullptr, out, out}));
                pass.run();
                Floats expected = contents(out, 17 * columns);
                must(hydra_buffer_write(out, 0, Floats(17 * columns).data(), 17 * columns * 4));
                pass.run();
                right[caller] += same_bits(contents(out, 17 * columns), expected);
            }
        });
    }
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(right, std::vector<int>(3, 10));
}

// Steps over the root and what the host guesses to follow it, of two sequences, of which one has no root.
struct GuessingSteps {
    ToySession session;
    Program step;

    GuessingSteps(const ToyModel& model, const std::vector<int32_t>& chain) : session(model, 2) {
        session.feed_all({{3, 1, 4, 1, 5}, {}}, 5);
        const std::vector<float> chances(chain.size(), 0.5f);
        must(hydra_tree_set_growth(session.nodes, -1, 1 + static_cast<int32_t>(chain.size()), 0, 0, 1, chain.data(),
                                   chances.data(), static_cast<int32_t>(chain.size())));
        hydra_program* out = nullptr;
        must(hydra_program_create(model.backend, nullptr, &out));
        step = Program(out);
        must(record(step, hydra_expand{session.nodes, nullptr, session.pass.rows}));
        session.record_forward(step, false);
        must(record_end(session.pass, step,
                        {session.nodes, session.pass.rows, session.best, session.kv, nullptr, 0, nullptr, nullptr, 0}));
    }

    // What the last step that was awaited has left: length, root, then the tokens.
    std::vector<int32_t> left() const {
        const hydra_step_result& result = session.result();
        EXPECT_EQ(session.result(1).nodes, 0);
        std::vector<int32_t> all{result.length, result.root};
        all.insert(all.end(), result.tokens, result.tokens + result.emitted);
        return all;
    }
};

TEST(Program, EnqueuedBeforeItsRunBeforeIsAwaitedLeavesWhatItWouldAfterIt) {
    const Backend backend = open_backend(2);
    const ToyModel model(backend, HYDRA_Q8_0);
    constexpr int STEPS = 6;
    GuessingSteps plain(model, {});
    for (int i = 0; i < STEPS; ++i) must(hydra_program_run(plain.step));
    const int32_t guess = plain.session.result().tokens[0];  // right before the last step, at least
    GuessingSteps expected(model, {guess}), ahead(model, {guess});
    must(hydra_program_enqueue(ahead.step));
    bool was_right = false;
    for (int i = 0; i < STEPS; ++i) {
        if (i + 1 < STEPS) must(hydra_program_enqueue(ahead.step));
        must(hydra_program_run(expected.step));
        must(hydra_program_await_first(ahead.step));
        EXPECT_EQ(ahead.left(), expected.left()) << i;
        was_right = was_right || ahead.session.result().emitted == 2;
    }
    EXPECT_TRUE(was_right);
    EXPECT_TRUE(same_bits(ahead.session.cache(), expected.session.cache()));
    EXPECT_EQ(hydra_rows_count(ahead.session.pass.rows), 2);
    // What has run too far is taken back.
    const int32_t length = ahead.session.result().length, root = ahead.session.result().root;
    must(hydra_program_enqueue(ahead.step));
    must(hydra_program_await(ahead.step));
    must(hydra_batch_rewind(ahead.session.pass.batch, 0, length, root));
    must(hydra_program_run(ahead.step));
    must(hydra_program_run(expected.step));
    EXPECT_EQ(ahead.left(), expected.left());
}

TEST(Program, EnqueuedAheadDoesNothingWhereTheRunBeforeLeavesNoRoom) {
    const Backend backend = open_backend(2);
    const ToyModel model(backend, HYDRA_Q8_0);
    GuessingSteps steps(model, {});
    must(hydra_rows_limit(steps.session.pass.rows, 6));
    must(hydra_program_enqueue(steps.step));
    must(hydra_program_enqueue(steps.step));
    must(hydra_program_await_first(steps.step));
    EXPECT_EQ(steps.session.result().length, 6);
    EXPECT_EQ(steps.session.result().emitted, 1);
    must(hydra_program_await_first(steps.step));
    EXPECT_EQ(steps.session.result().length, 6);
    EXPECT_EQ(steps.session.result().nodes, 0);
    EXPECT_EQ(steps.session.result().emitted, 0);
    EXPECT_EQ(hydra_program_run(steps.step), HYDRA_INVALID_ARGUMENT) << "nothing is enqueued any more";
}

TEST(Program, IsNotEnqueuedAheadWhereItWouldTakeTheSameInAgain) {
    const Backend backend = open_backend(2);
    const ToyModel model(backend, HYDRA_Q8_0);
    ToySession session(model);
    session.pass.chain({1, 2});
    must(hydra_program_enqueue(session.prefill));
    expect_refused(hydra_program_enqueue(session.prefill), "takes in chains that were set: await it first");
    must(hydra_program_await_first(session.prefill));
    EXPECT_EQ(session.result().length, 2);
    GuessingSteps twice(model, {});
    must(record_end(twice.session.pass, twice.step,
                    {twice.session.nodes, twice.session.pass.rows, twice.session.best, twice.session.kv, nullptr, 0,
                     nullptr, nullptr, 0}));
    must(hydra_program_enqueue(twice.step));
    expect_refused(hydra_program_enqueue(twice.step), "commits a batch 2 times: await it first");
    must(hydra_program_await(twice.step));
    GuessingSteps steps(model, {});
    must(hydra_program_enqueue(steps.step));
    must(hydra_program_enqueue(steps.step));
    expect_refused(hydra_program_enqueue(steps.step), "enqueued twice: await its first run first");
    must(hydra_program_await(steps.step));
    EXPECT_EQ(steps.session.result().length, 7);
    expect_refused(hydra_program_await_first(nullptr), "program is null");
}

}  // namespace
}  // namespace hydra::test
