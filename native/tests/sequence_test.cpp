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
    expect_refused(hydra_rope_create(backend, 3, good, 4, &out), "head_size is 3");
    expect_refused(hydra_rope_create(backend, 4, good, 0, &out), "positions is 0");
    expect_refused(hydra_rope_create(backend, 4, endless, 4, &out), "frequency 1 is inf");
    expect_refused(hydra_rope_create(backend, 4, negative, 4, &out), "frequency 0 is -1");
    EXPECT_EQ(out, nullptr);
}

TEST(Sequence, IsEmptyAtFirst) {
    const Backend backend = open_backend();
    hydra_sequence* out = nullptr;
    ASSERT_EQ(hydra_sequence_create(backend, 4, &out), HYDRA_OK);
    const Sequence sequence(out);
    EXPECT_EQ(hydra_sequence_result(sequence)->length, 0);
    EXPECT_EQ(hydra_sequence_result(sequence)->root, -1);
    EXPECT_EQ(hydra_sequence_result(sequence)->emitted, 0);
    expect_refused(hydra_sequence_create(backend, 0, &out), "max_pages is 0");
}

TEST(Sequence, RefusesPageTablesThatDoNotFit) {
    const Backend backend = open_backend();
    const Pass pass(backend);
    const std::vector<int32_t> many(PAGES + 1), negative{0, -2};
    expect_refused(hydra_sequence_set_pages(pass.sequence, many.data(), PAGES + 1), "count is 13");
    expect_refused(hydra_sequence_set_pages(pass.sequence, negative.data(), 2), "page 1 of the table is -2");
    expect_refused(hydra_sequence_set_pages(pass.sequence, many.data(), -1), "count is -1");
}

TEST(Sequence, RewindsToAnEarlierLengthOnly) {
    const Backend backend = open_backend();
    const Pass pass(backend, 10);
    expect_refused(hydra_sequence_rewind(pass.sequence, 11, 3), "length is 11, must be from 0 to 10");
    expect_refused(hydra_sequence_rewind(pass.sequence, -1, 3), "length is -1");
    expect_refused(hydra_sequence_rewind(pass.sequence, 4, -2), "root is -2");
    ASSERT_EQ(hydra_sequence_rewind(pass.sequence, 4, 3), HYDRA_OK);
    EXPECT_EQ(hydra_sequence_result(pass.sequence)->length, 4);
    EXPECT_EQ(hydra_sequence_result(pass.sequence)->root, 3);
}

TEST(Sequence, RewindingMakesRowsOfBeforeNone) {
    const Backend backend = open_backend();
    Pass pass(backend, 10);
    pass.chain_of(3);
    EXPECT_EQ(hydra_rows_count(pass.rows), 3);
    must(hydra_sequence_rewind(pass.sequence, 10, -1));
    EXPECT_EQ(hydra_rows_count(pass.rows), 0);
    pass.chain_of(2);
    EXPECT_EQ(hydra_rows_count(pass.rows), 2);
}

TEST(Rows, AreAChainBehindTheVerifiedPositions) {
    const Backend backend = open_backend();
    Pass pass(backend, 7);
    EXPECT_EQ(hydra_rows_count(pass.rows), 0);
    pass.chain({5, 6, 9});
    EXPECT_EQ(std::vector<int32_t>(hydra_rows_tokens(pass.rows), hydra_rows_tokens(pass.rows) + 3),
              (std::vector<int32_t>{5, 6, 9}));
    EXPECT_EQ(pass.rows->state->first, 7);
    EXPECT_EQ(pass.rows->state->positions[2], 9);
    EXPECT_EQ(pass.rows->state->ancestors[2], 7u);
    pass.chain_of(HYDRA_MAX_ROWS);
    EXPECT_EQ(pass.rows->state->ancestors[63], ~uint64_t{0});
    const int32_t tokens[65] = {};
    expect_refused(hydra_rows_set_chain(pass.rows, tokens, 65), "count is 65, must be from 1 to 64");
    expect_refused(hydra_rows_set_chain(pass.rows, tokens, 0), "count is 0");
}

TEST(Tree, KnowsItsAncestorsAndLevels) {
    const Backend backend = open_backend();
    Random random(1);
    for (int nodes : {1, 2, 5, 17, 63, 64}) {
        const Shape shape = random_shape(random, nodes);
        const Tree made = tree(backend, shape);
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
            EXPECT_EQ(std::vector<int32_t>(made->data->level_nodes[depth],
                                           made->data->level_nodes[depth] + made->data->level_rows[depth]),
                      inner);
        }
    }
}

void expect_tree_refused(const std::vector<int32_t>& parents, const std::vector<int32_t>& ranks,
                         const std::string& part) {
    const Backend backend = open_backend();
    const Tree made = tree(backend, Shape{{-1, 0, 0}, {0, 0, 1}, {0, 1, 1}});
    expect_refused(hydra_tree_set(made, parents.data(), ranks.data(), static_cast<int32_t>(parents.size())), part);
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
    expect_tree_refused({-1, 0, 1, 0}, {0, 0, 0, 1}, "node 3 stands behind a deeper one");
    expect_tree_refused(std::vector<int32_t>(65, 0), std::vector<int32_t>(65, 0), "nodes is 65");
    expect_tree_refused({}, {}, "null");
}

}  // namespace
}  // namespace hydra::test
