#include "trees.h"

namespace hydra::test {
namespace {

TEST(Select, TakesTheBestOfNodesAndOfTheLastRowsOfChains) {
    const Backend backend = open_backend(2);
    Pass pass(backend, {29, 3, 0}, 200);
    const Tree trees = tree(pass.batch, Shape{{-1, 0, 0}, {0, 0, 1}, {0, 1, 1}});
    const Rows prompts = rows(pass.batch, 100);
    const int32_t sequences[] = {2, 0}, counts[] = {70, 2};
    must(hydra_rows_set_chains(prompts, sequences, counts, 2, std::vector<int32_t>(72).data(), nullptr));
    const Top best = top(backend, 2, 60);
    set_ids(best, {5, 0, 6, 0, 7, 0, 8, 0, 9, 0, 10, 0});
    const Buffer selection = buffer(backend, std::vector<int32_t>(60, -9).data(), 240);
    must(record(pass.program, hydra_expand{trees, prompts, pass.rows}));
    must(record(pass.program, hydra_select{pass.rows, best, selection}));
    pass.run();
    std::vector<int32_t> found(6);
    must(hydra_buffer_read(selection, 0, found.data(), 24));
    EXPECT_EQ(found, (std::vector<int32_t>{5, 6, 7, 8, 9, -9}));
}

TEST(Select, RefusesASelectionWithoutRoomForAllRows) {
    const Backend backend = open_backend();
    const Pass pass(backend);
    const Top best = top(backend, 1), fewer = top(backend, 1, ROWS - 1);
    const Buffer small = floats(backend, Floats(ROWS - 1));
    expect_refused(record(pass.program, hydra_select{pass.rows, best, small}),
                   "selection has 252 bytes, must have 64 x 1 32-bit integers");
    EXPECT_EQ(record(pass.program, hydra_select{pass.rows, fewer, small}), HYDRA_OK);
}

}  // namespace
}  // namespace hydra::test
