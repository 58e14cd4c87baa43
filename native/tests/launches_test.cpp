// What a run gives the device to do: it grows with the rows that there are, not with those that there is room for.
#include "drafting.h"
#include "toy_model.h"

namespace hydra::test {
namespace {

hydra_launches launches_of(const hydra_program* program) {
    hydra_launches out{};
    must(hydra_program_launches(program, &out));
    return out;
}

#define SKIP_ON_CPU()                                                        \
    do {                                                                     \
        if (cuda_library() == nullptr) GTEST_SKIP() << "for CUDA's backend"; \
    } while (0)

TEST(Launches, AreNoneOnTheCpuAndBeforeARun) {
    const Backend backend = open_backend();
    Pass pass(backend);
    const Buffer x = poisoned(backend, 40), norm = floats(backend, Floats(40));
    must(record(pass.program, hydra_norm{pass.rows, x, norm, 1e-5f, 40, x, nullptr}));
    pass.chain_of(3);
    EXPECT_EQ(launches_of(pass.program).kernels, 0);
    pass.run();
    EXPECT_EQ(launches_of(pass.program).kernels, cuda_library() != nullptr ? 1 : 0);
    hydra_launches out{};
    expect_refused(hydra_program_launches(nullptr, &out), "program or out is null");
    expect_refused(hydra_program_launches(pass.program, nullptr), "program or out is null");
}

// A plain step of three sequences where there is room for five waves of rows.
TEST(Launches, OfAStepAreThoseOfItsRows) {
    SKIP_ON_CPU();
    const Backend backend = open_backend();
    const ToyModel model(backend, HYDRA_BF16);
    ToySession one(model, 1, 1), many(model, 3, 1200);
    one.feed({5}, 1);
    many.feed_all({{5}, {6}, {7}}, 1);
    one.verify(Shape{}, {0});
    many.verify_all(Shape{}, {{0}, {0}, {0}});
    EXPECT_EQ(launches_of(many.step).kernels, launches_of(one.step).kernels);
    EXPECT_EQ(launches_of(one.step).copies - launches_of(many.step).copies, 0);
    EXPECT_TRUE(same_bits(many.row(0), one.row(0)));
    EXPECT_EQ(many.result(0).root, one.result().root);
}

// Layers whose products are small, with heads that the kernel of tasks knows.
TEST(Launches, OfASmallModelsLayersAreOne) {
    SKIP_ON_CPU();
    const Backend backend = open_backend();
    const ToyModel model(backend, HYDRA_Q8_0, 1, {3, 1, 64, HYDRA_F16, 160});
    ToySession session(model, 1, 16);
    session.feed({5, 6, 7}, 3);
    for (const int32_t nodes : {1, 9}) {
        Random random(4);
        const Shape shape = nodes == 1 ? Shape{} : random_shape(random, nodes);
        session.verify(shape, std::vector<int32_t>(static_cast<size_t>(nodes), 2));
        // Beside them embedding, last norm, the LM head's rows made ready, its product, its merge, which selects, and
        // the commit, which judges.
        EXPECT_EQ(launches_of(session.step).kernels, 1 + 6) << nodes;
    }
}

// Rows that one program leaves and another one reads are counted, too, though the host has not seen them.
TEST(Launches, FollowRowsThatAnotherProgramHasSet) {
    SKIP_ON_CPU();
    const Backend backend = open_backend();
    Pass pass(backend, std::vector<int>{0}, 600);
    const Buffer x = padded_rows(backend, Floats(64, 1.0f), 64, 600), out = poisoned(backend, 48, 600);
    const Matrix weight = matrix(backend, HYDRA_BF16, 48, 64, Floats(48 * 64, 1.0f));
    must(record(pass.program, hydra_linear{pass.rows, x, weight, nullptr, nullptr, out}));
    pass.chain_of(600);
    pass.run();
    const int32_t of_all = launches_of(pass.program).kernels;
    const Tree expanded = tree(pass.batch, Shape{});
    hydra_program* made = nullptr;
    must(hydra_program_create(backend, nullptr, &made));
    const Program expand(made);
    must(record(made, hydra_expand{expanded, nullptr, pass.rows}));
    must(hydra_program_run(expand));
    pass.run();
    EXPECT_EQ(of_all, 3 * launches_of(pass.program).kernels) << "three waves of 256 rows";
    EXPECT_EQ(contents(out, 48), Floats(48, 64.0f));
}

// Of rows that the host has set and a program has marked there are as many as before.
TEST(Launches, FollowRowsThatAnotherProgramHasChanged) {
    const Backend backend = open_backend();
    Pass pass(backend, std::vector<int>{0}, 600);
    const Buffer x = padded_rows(backend, Floats(600 * 64, 1.0f), 64, 600), out = poisoned(backend, 48, 600);
    const Buffer selection = floats(backend, Floats(600));
    const Matrix weight = matrix(backend, HYDRA_BF16, 48, 64, Floats(48 * 64, 1.0f));
    const Tree trees = tree(pass.batch, Shape{});
    must(record(pass.program, hydra_linear{pass.rows, x, weight, nullptr, nullptr, out}));
    hydra_program* made = nullptr;
    must(hydra_program_create(backend, nullptr, &made));
    const Program judge(made);
    must(record(made, hydra_judge{trees, pass.rows, selection}));
    pass.chain_of(600);
    must(hydra_program_run(judge));
    pass.run();
    EXPECT_EQ(contents(out, 600 * 48), Floats(600 * 48, 64.0f));
}

// More combinations of rows than graphs are kept for.
TEST(Launches, ServeAnyRowsInAnyOrder) {
    const Backend backend = open_backend();
    Pass pass(backend, {0, 0}, 300);
    const Rows others = rows(pass.batch, 300);
    const Buffer x = padded_rows(backend, Floats(300 * 8, 3.0f), 8, 300), weights = floats(backend, Floats(8, 1.0f));
    const Buffer out = poisoned(backend, 8, 300), more = poisoned(backend, 8, 300);
    must(record(pass.program, hydra_norm{pass.rows, x, weights, 1e-5f, 8, out, nullptr}));
    must(record(pass.program, hydra_norm{others, x, weights, 1e-5f, 8, more, nullptr}));
    const int counts[] = {1, 5, 16, 30, 64, 256, 300};
    const Floats nothing(300 * 8, NAN);
    for (int round = 0; round < 2; ++round) {
        for (const int first : counts) {
            for (const int second : counts) {
                must(hydra_buffer_write(out, 0, nothing.data(), 300 * 8 * 4));
                must(hydra_buffer_write(more, 0, nothing.data(), 300 * 8 * 4));
                pass.chain_of(first);
                const int32_t sequence = 1, count = second;
                const std::vector<int32_t> tokens(static_cast<size_t>(second));
                must(hydra_rows_set_chains(others, &sequence, &count, 1, tokens.data(), nullptr));
                pass.run();
                for (const auto& [buffer, rows] : {std::pair{&out, first}, {&more, second}}) {
                    const Floats found = contents(*buffer, int64_t{rows} * 8);
                    EXPECT_TRUE(std::all_of(found.begin(), found.end(), [](float f) { return f > 0.99f; }));
                    EXPECT_TRUE(untouched_behind(*buffer, int64_t{rows} * 8));
                }
            }
        }
    }
}

TEST(Launches, BringNothingBackByCopiesAndOnlyNewPagesThere) {
    SKIP_ON_CPU();
    constexpr int SEQUENCES = 40, MOST_PAGES = 2000;
    const Backend backend = open_backend();
    hydra_batch* made = nullptr;
    must(hydra_batch_create(backend, SEQUENCES, MOST_PAGES, &made));
    const Batch batch(made);
    const Rows passing = rows(batch);
    hydra_program* out = nullptr;
    must(hydra_program_create(backend, nullptr, &out));
    const Program program(out);
    must(record(out, hydra_commit{nullptr, passing, nullptr, nullptr, nullptr, 0, nullptr, nullptr, 0, nullptr}));
    const int32_t sequence = 7, one = 1, token = 3;
    std::vector<int32_t> table;
    for (int step = 0; step < 3; ++step) {
        table.push_back(step + 40);
        must(hydra_batch_set_pages(batch, sequence, table.data(), static_cast<int32_t>(table.size())));
        must(hydra_rows_set_chains(passing, &sequence, &one, 1, &token, nullptr));
        must(hydra_program_run(program));
        EXPECT_EQ(hydra_batch_result(batch, sequence)->length, step + 1);
        const hydra_launches launches = launches_of(program);
        EXPECT_EQ(launches.kernels, 1);
        if (step == 0) continue;
        EXPECT_EQ(launches.copies, 3) << "a page, how many there are, and the rows";
        EXPECT_EQ(launches.copied_bytes, 4 + int64_t{sizeof(SequenceState)} + passing->memory.bytes);
    }
    must(hydra_rows_set_chains(passing, &sequence, &one, 1, &token, nullptr));
    must(hydra_program_run(program));
    EXPECT_EQ(launches_of(program).copies, 1) << "the rows";
}

// Times of a step's parts come from its own kernels.
TEST(Launches, TellTimesWithoutKernelsOfTheirOwn) {
    SKIP_ON_CPU();
    const Backend backend = open_backend();
    const ToyModel model(backend, HYDRA_F32);
    for (const bool marked : {false, true}) {
        ToySession session(model, 1, 1);
        session.feed({5}, 1);
        hydra_program* out = nullptr;
        must(hydra_program_create(backend, nullptr, &out));
        const Program step(out);
        must(record(out, hydra_expand{session.nodes, nullptr, session.pass.rows}));
        if (marked) must(hydra_program_mark(out));
        session.record_forward(out, true);
        must(record_end(session.pass, out,
                        {nullptr, session.pass.rows, nullptr, nullptr, nullptr, 0, nullptr, nullptr, 0}));
        if (marked) must(hydra_program_mark(out));
        must(hydra_program_run(step));
        static int32_t kernels;
        if (!marked) {
            kernels = launches_of(step).kernels;
            continue;
        }
        EXPECT_EQ(launches_of(step).kernels, kernels);
        const int64_t* times = hydra_program_times(step);
        for (int i = 1; i < 4; ++i) EXPECT_LE(times[i - 1], times[i]) << i;
        EXPECT_GT(times[2], times[1]);
    }
}

}  // namespace
}  // namespace hydra::test
