#include "acceptance.h"

namespace hydra::test {
namespace {

// The nodes that a judge alone marks in the only tree of the pass.
std::vector<int32_t> accepted_nodes(Step& step) {
    const Buffer selection = buffer(step.pass.backend, std::vector<int32_t>(ROWS, -1).data(), ROWS * 4);
    must(hydra_buffer_write(selection, 0, step.answers.data(), static_cast<int64_t>(step.answers.size()) * 4));
    must(record(step.pass.program, hydra_judge{step.expanded, step.pass.rows, selection}));
    step.pass.run();
    hydra_rows_count(step.pass.rows);
    std::vector<int32_t> nodes;
    for (uint64_t rest = step.pass.rows->view.segments[0].accepted; rest != 0; rest &= rest - 1) {
        nodes.push_back(__builtin_ctzll(rest));
    }
    return nodes;
}

TEST(Judge, MarksTheLongestPathThatTheBaseAgreesWith) {
    Random random(1);
    int longer = 0;
    for (int round = 0; round < 24; ++round) {
        const int sizes[] = {1, 2, 5, 17, 33, 64};
        const Backend backend = open_backend(round % 3 + 1);
        Step step(backend, random, random_shape(random, sizes[round % 6]), 1 + round % 4);
        const std::vector<int32_t> path = step.longest();
        ASSERT_EQ(accepted_nodes(step), path);
        EXPECT_EQ(step.pass.result().length, LENGTH) << "nothing is committed";
        longer += path.size() > 2;
    }
    EXPECT_GT(longer, 4);
}

TEST(Judge, TakesTheFirstOfEquallyLongPaths) {
    const Backend backend = open_backend();
    Random random(2);
    // Only one kind of token: all are right, and nodes 3, 4 and 5 are the deepest.
    Step step(backend, random, Shape{{-1, 0, 0, 2, 1, 2}, {0, 3, 1, 1, 0, 0}, {0, 1, 1, 2, 2, 2}}, 1);
    EXPECT_EQ(accepted_nodes(step), (std::vector<int32_t>{0, 2, 3}));
}

TEST(Judge, MarksNoMoreThanTheNodesThatWereExpanded) {
    const Backend backend = open_backend();
    Random random(4);
    Step step(backend, random, random_shape(random, 3), 1);
    must(set_tree(step.expanded, 0, random_shape(random, 64)));
    for (int32_t node : accepted_nodes(step)) EXPECT_LT(node, 3);
}

TEST(Judge, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    const Pass pass(backend), other(backend);
    const Tree trees = tree(pass.batch, Shape{}), others = tree(other.batch, Shape{});
    const Buffer small = floats(backend, Floats(ROWS - 1)), selection = floats(backend, Floats(ROWS));
    expect_refused(record(pass.program, hydra_judge{trees, pass.rows, small}), "selection has 252 bytes");
    expect_refused(record(pass.program, hydra_judge{others, pass.rows, selection}),
                   "the trees belong to another batch");
}

}  // namespace
}  // namespace hydra::test
