#include "drafting.h"

namespace hydra::test {
namespace {

TEST(Expand, MakesRowsOfTheNodes) {
    const Backend backend = open_backend(2);
    Random random(1);
    for (int nodes : {1, 2, 17, 64}) {
        const Shape shape = random_shape(random, nodes);
        Pass pass(backend, 33);
        const Tree expanded = tree(pass.batch, shape);
        must(hydra_batch_rewind(pass.batch, 0, 31, 77));
        must(record(pass.program, hydra_expand{expanded, nullptr, pass.rows}));
        pass.run();
        EXPECT_EQ(hydra_rows_count(pass.rows), nodes);
        EXPECT_EQ(hydra_rows_tokens(pass.rows)[0], 77);
        EXPECT_EQ(pass.rows->view.segments[0].first, 31);
        for (int i = 0; i < nodes; ++i) {
            EXPECT_EQ(pass.rows->view.positions[i], 31 + shape.depths[i]);
            EXPECT_EQ(pass.rows->view.ancestors[i], expanded->data->ancestors[i]);
        }
    }
}

TEST(Expand, RefusesToBeginWithoutASequence) {
    const Backend backend = open_backend();
    Pass pass(backend, {50, 64}, ROWS);
    const Tree expanded = tree(pass.batch, Shape{});
    must(record(pass.program, hydra_expand{expanded, nullptr, pass.rows}));
    const int32_t pages[] = {3, 1};
    must(hydra_batch_set_pages(pass.batch, 1, pages, 2));
    must(hydra_batch_rewind(pass.batch, 0, 40, -1));
    expect_refused(hydra_program_run(pass.program), "no sequence has a root token, and room for it, or a prompt");
    must(hydra_batch_set_root(pass.batch, 0, 5));
    pass.run();
    EXPECT_EQ(hydra_rows_count(pass.rows), 1);
    EXPECT_EQ(hydra_rows_tokens(pass.rows)[0], 5);
}

// Five sequences with trees of their own, of which the last two have room for less.
TEST(Expand, CutsTheTreeOfASequenceToWholeLevelsWithRoom) {
    const Backend backend = open_backend(2);
    Random random(3);
    const std::vector<int> lengths{33, 7, 64, 50, 20};
    Pass pass(backend, lengths, 5 * HYDRA_MAX_NODES);
    const Tree trees = tree(pass.batch, Shape{});
    std::vector<Shape> shapes{random_shape(random, 7), Shape{}, random_shape(random, 64), random_shape(random, 64),
                              random_shape(random, 40)};
    for (int s = 0; s < 5; ++s) must(set_tree(trees, s, shapes[s]));
    const int32_t pages[] = {3, 1};
    must(hydra_batch_set_pages(pass.batch, 2, pages, 2));
    must(hydra_batch_set_pages(pass.batch, 3, pages, 2));
    must(hydra_rows_limit(pass.rows, 52));
    must(record(pass.program, hydra_expand{trees, nullptr, pass.rows}));
    pass.run();
    int rows = 0, order = 0;
    hydra_rows_count(pass.rows);
    const RowsView& view = pass.rows->view;
    for (int s = 0; s < 5; ++s) {
        const Shape& shape = shapes[s];
        const int slots = s == 2 || s == 3 ? 64 : PAGES * HYDRA_PAGE_POSITIONS;
        int nodes = shape.nodes();
        while (nodes > 0 && (lengths[s] + nodes > slots || lengths[s] + shape.depths[nodes - 1] >= 52)) {
            for (const int depth = shape.depths[nodes - 1]; nodes > 0 && shape.depths[nodes - 1] == depth;) --nodes;
        }
        EXPECT_EQ(nodes == 0, s == 2) << "it is full";
        EXPECT_EQ(nodes < shape.nodes(), s == 2 || s == 3);
        if (nodes == 0) continue;
        const Segment& segment = view.segments[order];
        EXPECT_EQ((std::vector<int>{segment.sequence, segment.order, segment.row, segment.count, segment.first}),
                  (std::vector<int>{s, order, rows, nodes, lengths[s]}));
        for (int i = 0; i < nodes; ++i) {
            EXPECT_EQ(view.positions[rows + i], lengths[s] + shape.depths[i]);
            EXPECT_EQ(view.ancestors[rows + i], trees->data[s].ancestors[i]);
        }
        rows += nodes;
        EXPECT_EQ(view.last_rows[order++], rows - 1);
    }
    EXPECT_EQ(view.active(), rows);
    EXPECT_EQ(view.active_trees(), 4);
    EXPECT_EQ(view.active_sequences(), 4);
}

TEST(Expand, AddsTheChainsOfPromptsAfterTheTrees) {
    const Backend backend = open_backend(2);
    Random random(4);
    const std::vector<int> lengths{33, 7, 12, 90};
    Pass pass(backend, lengths, 300);
    const Shape shape = random_shape(random, 9);
    const Tree trees = tree(pass.batch, shape);
    const Rows prompts = rows(pass.batch, 200);
    must(record(pass.program, hydra_expand{trees, prompts, pass.rows}));
    for (int s = 0; s < 4; ++s) must(hydra_batch_set_root(pass.batch, s, s == 2 ? -1 : 70 + s));
    // Sequence 1 has a root, too, which its prompt drops.
    const int32_t sequences[] = {2, 1}, counts[] = {130, 3}, sets_root[] = {0, 1};
    const std::vector<int32_t> tokens = random_tokens(random, 133);
    must(hydra_rows_set_chains(prompts, sequences, counts, 2, tokens.data(), sets_root));
    pass.run();
    ASSERT_EQ(hydra_rows_count(pass.rows), 18 + 133);
    const RowsView& view = pass.rows->view;
    EXPECT_EQ(view.active_trees(), 2);
    EXPECT_EQ(view.active_sequences(), 4);
    ASSERT_EQ(view.active_segments(), 6);
    const int expected[6][6] = {{0, 0, 0, 9, 33, 1},   {3, 1, 9, 9, 90, 1},    {2, 2, 18, 64, 12, 0},
                                {2, 2, 82, 64, 76, 0}, {2, 2, 146, 2, 140, 0}, {1, 3, 148, 3, 7, 1}};
    for (int s = 0; s < 6; ++s) {
        const Segment& segment = view.segments[s];
        EXPECT_EQ((std::vector<int>{segment.sequence, segment.order, segment.row, segment.count, segment.first,
                                    segment.sets_root}),
                  std::vector<int>(expected[s], expected[s] + 6))
            << s;
        EXPECT_EQ(segment.accepted, s < 2 ? 1 : first_rows(segment.count));
    }
    EXPECT_EQ(view.tokens[0], 70);
    EXPECT_EQ(view.tokens[9], 73);
    EXPECT_EQ(view.last_rows[2], 147);
    EXPECT_EQ(view.last_rows[3], 150);
    EXPECT_EQ(view.active_selections(), 20);
    EXPECT_EQ(view.row_of_selection(17), 17);
    EXPECT_EQ(view.row_of_selection(18), 147);
    EXPECT_EQ(view.row_of_selection(19), 150);
    for (int row = 18; row < 151; ++row) {
        EXPECT_EQ(view.tokens[row], tokens[row - 18]);
        EXPECT_EQ(view.positions[row], row < 148 ? row - 18 + 12 : row - 148 + 7);
        EXPECT_EQ(view.slot_of(row), view.positions[row]);
    }
    must(hydra_rows_set_chains(prompts, nullptr, nullptr, 0, nullptr, nullptr));
    must(hydra_batch_rewind(pass.batch, 0, 0, -1));
    pass.run();
    EXPECT_EQ(hydra_rows_count(pass.rows), 18) << "sequences 1 and 3";
}

TEST(Expand, RefusesPromptsThatDoNotFit) {
    const Backend backend = open_backend();
    Pass pass(backend, {33, 7}, 64);
    const Tree trees = tree(pass.batch, Shape{});
    const Rows prompts = rows(pass.batch, 100);
    const Pass other(backend);
    expect_refused(record(pass.program, hydra_expand{trees, pass.rows, pass.rows}), "prompts must not be rows");
    expect_refused(record(pass.program, hydra_expand{trees, other.rows, pass.rows}), "prompts belong to another batch");
    expect_refused(record(other.program, hydra_expand{trees, nullptr, other.rows}),
                   "the trees belong to another batch");
    must(record(pass.program, hydra_expand{trees, prompts, pass.rows}));
    const int32_t sequence = 1, count = 64;
    const std::vector<int32_t> tokens(64);
    must(hydra_rows_set_chains(prompts, &sequence, &count, 1, tokens.data(), nullptr));
    expect_refused(hydra_program_run(pass.program), "65 rows of 2 sequences are more than the rows' max_rows of 64");
    must(hydra_batch_set_root(pass.batch, 0, -1));
    pass.run();
    must(hydra_rows_limit(pass.rows, 70));
    expect_refused(hydra_program_run(pass.program), "position 70 is beyond the context of 70 positions");
}

TEST(Expand, DropsPromptsThatItsProgramMadeAndRefusesThemLater) {
    const Backend backend = open_backend();
    for (bool fit : {true, false}) {
        Pass pass(backend, {0, 7}, 100);
        const Tree trees = tree(pass.batch, Shape{{-1, 0, 0}, {0, 0, 1}, {0, 1, 1}});
        const Rows made = rows(pass.batch, 100), few = rows(pass.batch, fit ? 75 : 8);
        const Buffer hidden = floats(backend, Floats(100)), uncommitted = floats(backend, Floats(100));
        must(record(pass.program,
                    hydra_commit{nullptr, pass.rows, nullptr, nullptr, hidden, 1, made, uncommitted, 0, nullptr}));
        must(record(pass.program, hydra_expand{trees, made, few}));
        pass.chain_of(70);
        pass.run();
        EXPECT_EQ(hydra_rows_count(made), 70);
        EXPECT_EQ(hydra_rows_count(few), fit ? 73 : 3);
        EXPECT_EQ(few->view.active_sequences(), fit ? 2 : 1);
        EXPECT_EQ(few->view.segments[0].sequence, 1);
        expect_refused(hydra_program_run(pass.program), "a program has changed the prompts since they were set");
    }
}

TEST(Expand, RefusesARootOutsideTheVocabulary) {
    const Backend backend = open_backend();
    const Matrix embedding = matrix(backend, HYDRA_F32, VOCABULARY, WIDTH, Floats(VOCABULARY * WIDTH));
    const Buffer out = poisoned(backend, WIDTH);
    Pass pass(backend, 5);
    const Tree expanded = tree(pass.batch, Shape{});
    must(record(pass.program, hydra_expand{expanded, nullptr, pass.rows}));
    must(record(pass.program, hydra_embed{pass.rows, embedding, out, 0}));
    must(hydra_batch_rewind(pass.batch, 0, 5, VOCABULARY));
    expect_refused(hydra_program_run(pass.program),
                   "the root token 100 of sequence 0 is outside the vocabulary of 100");
}

TEST(Expand, ExpandsNothingWhereTheSameProgramHasUsedUpTheRoom) {
    const Backend backend = open_backend();
    Pass pass(backend, 0);
    const Tree expanded = tree(pass.batch, Shape{});
    const int32_t pages[] = {3};
    must(hydra_batch_set_pages(pass.batch, 0, pages, 1));
    const Rows nodes = rows(pass.batch);
    const Top best = top(backend, 1);
    pass.chain_of(HYDRA_PAGE_POSITIONS);
    must(record_end(pass, pass.program, {nullptr, pass.rows, best, nullptr, nullptr, 0, nullptr, nullptr, 0}));
    must(record(pass.program, hydra_expand{expanded, nullptr, nodes}));
    pass.run();
    EXPECT_EQ(pass.result().length, HYDRA_PAGE_POSITIONS);
    EXPECT_EQ(hydra_rows_count(nodes), 0);
}

TEST(Expand, ExpandsEverySequenceThatHasARoot) {
    const Backend backend = open_backend(2);
    Random random(2);
    const Shape shape = random_shape(random, 17);
    Pass pass(backend, {33, 7, 0, 90}, 3 * 17);
    const Tree expanded = tree(pass.batch, shape);
    must(hydra_batch_rewind(pass.batch, 1, 7, -1));
    for (int s : {0, 2, 3}) must(hydra_batch_rewind(pass.batch, s, pass.result(s).length, 70 + s));
    must(record(pass.program, hydra_expand{expanded, nullptr, pass.rows}));
    pass.run();
    ASSERT_EQ(hydra_rows_count(pass.rows), 3 * 17);
    const RowsView& view = pass.rows->view;
    EXPECT_EQ(view.active_sequences(), 3);
    for (int order = 0; order < 3; ++order) {
        const int s = std::vector<int>{0, 2, 3}[order], first = pass.result(s).length;
        const Segment& segment = view.segments[order];
        EXPECT_EQ((std::vector<int>{segment.sequence, segment.order, segment.row, segment.count, segment.first}),
                  (std::vector<int>{s, order, order * 17, 17, first}));
        EXPECT_EQ(view.tokens[order * 17], 70 + s);
        for (int i = 0; i < 17; ++i) {
            EXPECT_EQ(view.positions[order * 17 + i], first + shape.depths[i]);
            EXPECT_EQ(view.slot_of(order * 17 + i), first + i);
            EXPECT_EQ(view.ancestors[order * 17 + i], expanded->data->ancestors[i]);
        }
    }
    const Tree larger = tree(pass.batch, random_shape(random, 18));
    must(record(pass.program, hydra_expand{larger, nullptr, pass.rows}));
    expect_refused(hydra_program_run(pass.program), "54 rows of 4 sequences are more than the rows' max_rows");
}

}  // namespace
}  // namespace hydra::test
