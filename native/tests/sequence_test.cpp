#include "trees.h"

namespace hydra::test {
namespace {

TEST(KvPool, RefusesShapesOutOfRange) {
    const Backend backend = open_backend();
    hydra_kv_pool* out = nullptr;
    expect_refused(hydra_kv_pool_create(backend, HYDRA_F32, 0, 1, 8, 1, &out), "layers is 0");
    expect_refused(hydra_kv_pool_create(backend, HYDRA_F32, 1, 5000, 8, 1, &out), "kv_heads is 5000");
    expect_refused(hydra_kv_pool_create(backend, HYDRA_F32, 1, 1, 12, 1, &out), "head_size is 12");
    expect_refused(hydra_kv_pool_create(backend, HYDRA_F32, 1, 1, 1032, 1, &out), "head_size is 1032");
    expect_refused(hydra_kv_pool_create(backend, HYDRA_F32, 1, 1, 8, 0, &out), "pages is 0");
    expect_refused(hydra_kv_pool_create(nullptr, HYDRA_F32, 1, 1, 8, 1, &out), "null");
    expect_refused(hydra_kv_pool_create(backend, HYDRA_BF16, 1, 1, 8, 1, &out),
                   "type is 30, must be F32 (0) or F16 (1)");
    if (cuda_library() == nullptr) {
        expect_refused(hydra_kv_pool_create(backend, HYDRA_F16, 1, 1, 8, 1, &out), "type is 1; the CPU keeps");
    }
    EXPECT_EQ(hydra_kv_pool_create(backend, HYDRA_F32, 4096, 4096, 1024, 1 << 24, &out), HYDRA_OUT_OF_MEMORY);
    EXPECT_EQ(out, nullptr);
    hydra_kv_pool_destroy(nullptr);
}

TEST(KvPool, ReservesMoreThanItTakes) {
    SKIP_ON_CUDA();
    const Backend backend = open_backend();
    const Pool made = pool(backend, 4, 8, 128, 1 << 16);
    EXPECT_GE(hydra_kv_pool_page_bytes(made), 2 * 4 * 4 * 8 * 128 * HYDRA_PAGE_POSITIONS);
    EXPECT_EQ(hydra_kv_pool_page_bytes(made) % 4096, 0);
}

TEST(KvPool, TakesHalfTheMemoryForHalves) {
    if (cuda_library() == nullptr) GTEST_SKIP() << "the CPU's cache is F32";
    const Backend backend = open_backend();
    const Pool floats = pool(backend, 2, 3, 24, 4), halves = pool(backend, 2, 3, 24, 4, HYDRA_F16);
    EXPECT_EQ(hydra_kv_pool_page_bytes(floats), 2 * 2 * 3 * 24 * 4 * HYDRA_PAGE_POSITIONS);
    EXPECT_EQ(hydra_kv_pool_page_bytes(halves) * 2, hydra_kv_pool_page_bytes(floats));
    Floats given(2 * 2 * 3 * 24, 0.25f), found(given.size());
    given.front() = 1e6f;
    given.back() = 1 / 3.0f;
    halves->write(3, 31, given.data());
    halves->read(3, 31, found.data());
    given.front() = 65504;
    given.back() = 0x555p-12f;
    EXPECT_EQ(found, given);
}

TEST(KvPool, ForgetsReleasedPagesAndNoOthers) {
    const Backend backend = open_backend();
    const Pool made = pool(backend, 2, 1, 8, 3);
    const Floats fives(32, 5);
    for (int page = 0; page < 3; ++page) made->write(page, 31, fives.data());
    must(hydra_kv_pool_release(made, 1));
    for (int page : {0, 1, 2}) {
        Floats found(32, NAN);
        made->read(page, 31, found.data());
        EXPECT_EQ(found, page == 1 && cuda_library() == nullptr ? Floats(32) : fives);
    }
    expect_refused(hydra_kv_pool_release(made, 3), "page is 3");
    expect_refused(hydra_kv_pool_release(made, -1), "page is -1");
}

TEST(Rope, RefusesFrequenciesThatAreNone) {
    const Backend backend = open_backend();
    hydra_rope* out = nullptr;
    const float good[2] = {1, 0.5f}, endless[2] = {1, INFINITY}, negative[2] = {-1, 1};
    expect_refused(hydra_rope_create(backend, 3, good, 1, 4, &out), "head_size is 3");
    expect_refused(hydra_rope_create(backend, 4, good, 1, 0, &out), "positions is 0");
    expect_refused(hydra_rope_create(backend, 4, endless, 1, 4, &out), "frequency 1 is inf");
    expect_refused(hydra_rope_create(backend, 4, negative, 1, 4, &out), "frequency 0 is -1");
    expect_refused(hydra_rope_create(backend, 4, good, 0, 4, &out), "scale is 0, must be positive");
    expect_refused(hydra_rope_create(backend, 4, good, INFINITY, 4, &out), "scale is inf");
    EXPECT_EQ(out, nullptr);
}

TEST(Batch, IsEmptyAtFirst) {
    const Backend backend = open_backend();
    hydra_batch* out = nullptr;
    ASSERT_EQ(hydra_batch_create(backend, 3, 4, &out), HYDRA_OK);
    const Batch batch(out);
    for (int s = 0; s < 3; ++s) {
        EXPECT_EQ(hydra_batch_result(batch, s)->length, 0);
        EXPECT_EQ(hydra_batch_result(batch, s)->root, -1);
        EXPECT_EQ(hydra_batch_result(batch, s)->emitted, 0);
    }
    EXPECT_EQ(hydra_batch_result(batch, 3), nullptr);
    EXPECT_EQ(hydra_batch_result(batch, -1), nullptr);
    expect_refused(hydra_batch_create(backend, 1, 0, &out), "max_pages is 0");
    expect_refused(hydra_batch_create(backend, 0, 1, &out), "sequences is 0, must be from 1 to 256");
    expect_refused(hydra_batch_create(backend, 257, 1, &out), "sequences is 257");
}

TEST(Batch, RefusesPageTablesThatDoNotFit) {
    const Backend backend = open_backend();
    const Pass pass(backend, {0, 0}, ROWS);
    const std::vector<int32_t> many(PAGES + 1), negative{0, -2};
    expect_refused(hydra_batch_set_pages(pass.batch, 1, many.data(), PAGES + 1), "count is 13");
    expect_refused(hydra_batch_set_pages(pass.batch, 1, negative.data(), 2), "page 1 of the table is -2");
    expect_refused(hydra_batch_set_pages(pass.batch, 1, many.data(), -1), "count is -1");
    expect_refused(hydra_batch_set_pages(pass.batch, 2, many.data(), 1), "sequence is 2, must be from 0 to 1");
}

TEST(Batch, RewindsASequenceToAnEarlierLengthOnly) {
    const Backend backend = open_backend();
    const Pass pass(backend, {3, 10}, ROWS);
    expect_refused(hydra_batch_rewind(pass.batch, 1, 11, 3), "length is 11, must be from 0 to 10");
    expect_refused(hydra_batch_rewind(pass.batch, 1, -1, 3), "length is -1");
    expect_refused(hydra_batch_rewind(pass.batch, 1, 4, -2), "root is -2");
    expect_refused(hydra_batch_rewind(pass.batch, -1, 4, 3), "sequence is -1");
    ASSERT_EQ(hydra_batch_rewind(pass.batch, 1, 4, 3), HYDRA_OK);
    EXPECT_EQ(pass.result(1).length, 4);
    EXPECT_EQ(pass.result(1).root, 3);
    EXPECT_EQ(pass.result(0).length, 3);
}

TEST(Batch, RewindingOrAShorterTableMakesRowsOfBeforeNone) {
    const Backend backend = open_backend();
    Pass pass(backend, {10, 10}, ROWS);
    const std::vector<int32_t> table(PAGES);
    pass.chain_of(3);
    must(hydra_batch_set_pages(pass.batch, 1, table.data(), PAGES));
    EXPECT_EQ(hydra_rows_count(pass.rows), 3);
    must(hydra_batch_rewind(pass.batch, 1, 10, -1));
    EXPECT_EQ(hydra_rows_count(pass.rows), 0);
    pass.chain_of(2);
    EXPECT_EQ(hydra_rows_count(pass.rows), 2);
    must(hydra_batch_set_pages(pass.batch, 1, table.data(), PAGES - 1));
    EXPECT_EQ(hydra_rows_count(pass.rows), 0);
}

TEST(Rows, AreChainsBehindTheVerifiedPositions) {
    const Backend backend = open_backend();
    Pass pass(backend, {7, 0, 50}, 300);
    EXPECT_EQ(hydra_rows_count(pass.rows), 0);
    const int32_t sequences[] = {2, 0}, counts[] = {3, 130};
    std::vector<int32_t> tokens(133);
    for (int i = 0; i < 133; ++i) tokens[i] = 5 + i;
    must(hydra_rows_set_chains(pass.rows, sequences, counts, 2, tokens.data(), nullptr));
    ASSERT_EQ(hydra_rows_count(pass.rows), 133);
    EXPECT_EQ(std::vector<int32_t>(hydra_rows_tokens(pass.rows), hydra_rows_tokens(pass.rows) + 133), tokens);
    const RowsView& view = pass.rows->view;
    EXPECT_EQ(view.active_sequences(), 2);
    EXPECT_EQ(view.last_rows[0], 2);
    EXPECT_EQ(view.last_rows[1], 132);
    // 130 rows are three segments.
    ASSERT_EQ(view.active_segments(), 4);
    const int expected[4][5] = {{2, 0, 0, 3, 50}, {0, 1, 3, 64, 7}, {0, 1, 67, 64, 71}, {0, 1, 131, 2, 135}};
    for (int s = 0; s < 4; ++s) {
        const Segment& segment = view.segments[s];
        EXPECT_EQ((std::vector<int>{segment.sequence, segment.order, segment.row, segment.count, segment.first}),
                  std::vector<int>(expected[s], expected[s] + 5));
        EXPECT_EQ(view.ends_sequence(s), s == 0 || s == 3);
    }
    for (int row = 3; row < 133; ++row) {
        EXPECT_EQ(view.positions[row], 4 + row);
        EXPECT_EQ(view.slot_of(row), 4 + row);
        EXPECT_EQ(view.ancestors[row], ~uint64_t{0} >> (63 - (row - 3) % 64));
    }
}

TEST(Rows, RefuseChainsThatDoNotFit) {
    const Backend backend = open_backend();
    Pass pass(backend, {7, 0}, 65);
    const std::vector<int32_t> tokens(200);
    const auto set = [&](const std::vector<int32_t>& sequences, const std::vector<int32_t>& counts) {
        return hydra_rows_set_chains(pass.rows, sequences.data(), counts.data(), static_cast<int32_t>(sequences.size()),
                                     tokens.data(), nullptr);
    };
    must(set({0, 1}, {64, 1}));
    expect_refused(set({0, 1}, {64, 2}), "the chains have 66 tokens, the rows have room for 65");
    expect_refused(set({0, 1}, {INT32_MAX, INT32_MAX}), "the rows have room for 65");
    expect_refused(set({0, 1}, {1, 0}), "count 1 is 0");
    expect_refused(set({1, 1}, {1, 1}), "sequence 1 has two chains");
    expect_refused(set({2}, {1}), "sequence is 2");
    expect_refused(set({0, 1, 1}, {1, 1, 1}), "chains is 3, must be from 0 to 2");
    EXPECT_EQ(hydra_rows_count(pass.rows), 65) << "what was there must stay";
    hydra_rows* out = nullptr;
    expect_refused(hydra_rows_create(pass.batch, 0, &out), "max_rows is 0, must be from 1 to 2048");
    expect_refused(hydra_rows_create(pass.batch, 2049, &out), "max_rows is 2049");
}

// A step between their being set and their run would otherwise be forgotten: their commit sets the length.
TEST(Rows, AreRefusedWhereTheirSequenceHasMovedSinceTheyWereSet) {
    const Backend backend = open_backend();
    Pass pass(backend, {7, 4}, ROWS);
    const Rows chains = rows(pass.batch);
    hydra_program* created = nullptr;
    must(hydra_program_create(backend, nullptr, &created));
    const Program step(created);
    const Tree trees = tree(pass.batch, Shape{});
    const Pool kv = pool(backend, 1, 1, 8, PAGES * 2);
    const Top best = top(backend, 1);
    set_ids(best, {1, 2});
    must(record(step, hydra_expand{trees, nullptr, pass.rows}));
    must(record_end(pass, step, {trees, pass.rows, best, kv, nullptr, 0, nullptr, nullptr, 0}));
    must(record_end(pass, pass.program, {nullptr, chains, nullptr, nullptr, nullptr, 0, nullptr, nullptr, 0}));
    const int32_t sequences[] = {1, 0}, counts[] = {2, 70};
    const std::vector<int32_t> tokens(72);
    const auto set = [&](hydra_rows* rows, int32_t chains_of_all) {
        must(hydra_rows_set_chains(rows, sequences, counts, chains_of_all, tokens.data(), nullptr));
    };
    hydra_rows* wide = nullptr;
    must(hydra_rows_create(pass.batch, 72, &wide));
    const Rows prompts(wide);
    set(chains, 1);
    set(prompts, 2);
    must(hydra_program_run(step));
    ASSERT_EQ(pass.result(1).length, 5);
    expect_refused(hydra_program_run(pass.program),
                   "the chain of sequence 1 was set after 4 verified positions, now there are 5: set it again");
    EXPECT_EQ(pass.result(1).length, 5);
    EXPECT_EQ(pass.result(0).length, 8);
    hydra_program* with_prompts = nullptr;
    must(hydra_program_create(backend, nullptr, &with_prompts));
    const Program both(with_prompts);
    const Rows all = rows(pass.batch, 200);
    must(record(both, hydra_expand{trees, prompts, all}));
    expect_refused(hydra_program_run(both), "the chain of sequence 1 was set after 4 verified positions");
    // Attention over them would overwrite what is verified.
    hydra_program* attending = nullptr;
    must(hydra_program_create(backend, nullptr, &attending));
    const Program attention(attending);
    const Buffer query = poisoned(backend, 8), out = poisoned(backend, 8);
    must(record(attention, hydra_attention{chains, query, 1, kv, 0, out, 0, 0, 0}));
    expect_refused(hydra_program_run(attention), "the chain of sequence 1 was set after 4 verified positions");
    set(chains, 1);
    set(prompts, 2);
    must(hydra_program_run(both));
    must(hydra_program_run(attention));
    pass.run();
    EXPECT_EQ(pass.result(1).length, 7);
    must(hydra_program_run(attention));
    expect_refused(hydra_program_run(pass.program), "the chain of sequence 1 was set after 5 verified positions");
}

TEST(Tree, KnowsItsAncestorsAndLevels) {
    const Backend backend = open_backend();
    Random random(1);
    for (int nodes : {1, 2, 5, 17, 63, 64}) {
        const Shape shape = random_shape(random, nodes);
        const Pass pass(backend);
        const Tree made = tree(pass.batch, shape);
        EXPECT_EQ(made->data->nodes, nodes);
        EXPECT_EQ(made->data->levels, shape.levels());
        for (int32_t i = 0; i < nodes; ++i) {
            uint64_t path = 0;
            for (int32_t node : shape.path(i)) path |= uint64_t{1} << node;
            EXPECT_EQ(made->data->ancestors[i], path);
            EXPECT_EQ(made->data->depths[i], shape.depths[i]);
        }
        for (int depth = 0; depth <= shape.levels(); ++depth) {
            const std::vector<int32_t> inner = shape.inner_nodes(depth);
            ASSERT_EQ(made->data->level_rows(depth), static_cast<int32_t>(inner.size()));
            for (size_t i = 0; i < inner.size(); ++i) {
                EXPECT_EQ(made->data->level_node(depth, static_cast<int32_t>(i)), inner[i]);
                EXPECT_EQ(made->data->row_of[inner[i]], static_cast<int>(i));
            }
        }
    }
}

void expect_tree_refused(const std::vector<int32_t>& parents, const std::vector<int32_t>& ranks,
                         const std::string& part) {
    const Backend backend = open_backend();
    const Pass pass(backend);
    const Tree made = tree(pass.batch, Shape{{-1, 0, 0}, {0, 0, 1}, {0, 1, 1}});
    expect_refused(hydra_tree_set(made, 0, parents.data(), ranks.data(), static_cast<int32_t>(parents.size())), part);
    EXPECT_EQ(made->data->nodes, 3) << "the tree of before must stay";
}

TEST(Tree, RefusesShapesThatAreNoTree) {
    expect_tree_refused({0}, {0}, "node 0 must be the root");
    expect_tree_refused({-1}, {1}, "node 0 must be the root");
    expect_tree_refused({-1, -1}, {0, 0}, "the parent of node 1 is -1");
    expect_tree_refused({-1, 1}, {0, 0}, "the parent of node 1 is 1");
    expect_tree_refused({-1, 0, 3, 0}, {0, 0, 0, 1}, "the parent of node 2 is 3");
    expect_tree_refused({-1, 0}, {0, 32}, "the rank of node 1 is 32");
    expect_tree_refused({-1, 0}, {0, -1}, "the rank of node 1 is -1");
    expect_tree_refused({-1, 0, 0}, {0, 2, 2}, "nodes 1 and 2 have the same parent and rank");
    expect_tree_refused({-1, 0, 1, 0}, {0, 0, 0, 1}, "node 3 stands after a deeper one");
    expect_tree_refused(std::vector<int32_t>(65, 0), std::vector<int32_t>(65, 0), "nodes is 65");
    expect_tree_refused({}, {}, "null");
}

}  // namespace
}  // namespace hydra::test
