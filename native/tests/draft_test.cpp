#include "trees.h"

namespace hydra::test {
namespace {

constexpr int WIDTH = 24, VOCABULARY = 100;

std::vector<int32_t> random_tokens(Random& random, int count) {
    std::vector<int32_t> tokens;
    for (int i = 0; i < count; ++i) tokens.push_back(random.below(VOCABULARY));
    return tokens;
}

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
        must(record(pass.program, hydra_commit{nullptr, pass.rows, nullptr, nullptr, hidden, 1, made, uncommitted, 0}));
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
    must(record(pass.program, hydra_embed{pass.rows, embedding, out}));
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

TEST(DraftStates, AreTheLastRowsOfTheSequences) {
    Random random(3);
    const Floats x = random.normal(150 * WIDTH), weight = random.normal(WIDTH), old = random.normal(3 * WIDTH);
    for (bool normed : {false, true}) {
        expect_same_bits_everywhere([&](hydra_backend* backend) {
            Pass pass(backend, {8, 5, 60}, 200);
            pass.chains({std::vector<int32_t>(20), {}, std::vector<int32_t>(130)});
            const Buffer in = padded_rows(backend, x, WIDTH, 200), norm = floats(backend, weight);
            const Buffer states = floats(backend, old), expected = poisoned(backend, WIDTH, 200);
            const hydra_buffer* weights = norm;
            must(record(pass.program,
                        hydra_draft_states{pass.rows, in, normed ? weights : nullptr, 1e-5f, WIDTH, states}));
            must(record(pass.program, hydra_norm{pass.rows, in, norm, 1e-5f, WIDTH, expected}));
            pass.run();
            const Floats all = normed ? contents(expected, 150 * WIDTH) : x, found = contents(states, 3 * WIDTH);
            EXPECT_TRUE(same_bits(row_of(found, 0, WIDTH), row_of(all, 19, WIDTH)));
            EXPECT_TRUE(same_bits(row_of(found, 1, WIDTH), row_of(old, 1, WIDTH))) << "it has no rows";
            EXPECT_TRUE(same_bits(row_of(found, 2, WIDTH), row_of(all, 149, WIDTH)));
            return found;
        });
    }
}

TEST(DraftStates, RefuseWhatDoesNotFit) {
    const Backend backend = open_backend();
    const Pass pass(backend, {0, 0}, ROWS);
    const Buffer x = poisoned(backend, WIDTH), states = poisoned(backend, WIDTH, 2),
                 norm = floats(backend, Floats(WIDTH));
    const auto attempt = [&](const Buffer& from, const hydra_buffer* norms, float epsilon, const Buffer& to) {
        return record(pass.program, hydra_draft_states{pass.rows, from, norms, epsilon, WIDTH, to});
    };
    expect_refused(attempt(floats(backend, Floats(9)), norm, 1, states), "x has 36 bytes");
    expect_refused(attempt(x, floats(backend, Floats(9)), 1, states), "norm has 36 bytes");
    expect_refused(attempt(x, norm, 0, states), "epsilon is 0");
    expect_refused(attempt(x, norm, 1, x), "states must not be x");
    expect_refused(attempt(x, norm, 1, floats(backend, Floats(1))), "states has 4 bytes");
    expect_refused(attempt(x, norm, 1, {}), "null");
}

// Expanded trees with tokens, a hidden state for each sequence, and an embedding. The sequence before the last has no
// root where there are more than two.
struct Draft {
    Shape shape;
    int sequences;
    std::vector<int32_t> tokens;
    std::vector<int> expanded_sequences;
    Pass pass;
    Tree expanded;
    Rows level_rows;
    Matrix embedding;
    Floats embedding_values, state_values;
    Buffer states;

    Draft(hydra_backend* opened, const Shape& made, Random& random, int batch = 1)
        : shape(made),
          sequences(batch),
          pass(opened, std::vector<int>(static_cast<size_t>(batch), 40), batch * made.nodes()) {
        if (batch > 2) must(hydra_batch_rewind(pass.batch, batch - 2, 40, -1));
        for (int s = 0; s < batch; ++s) {
            if (pass.result(s).root >= 0) expanded_sequences.push_back(s);
        }
        tokens = random_tokens(random, static_cast<int>(expanded_sequences.size()) * made.nodes());
        expanded = tree(pass.batch, shape);
        expand(pass, expanded, tokens);
        level_rows = rows(pass.batch, batch * made.nodes());
        embedding = matrix(opened, HYDRA_F32, VOCABULARY, WIDTH, random.normal(VOCABULARY * WIDTH));
        embedding_values = values_of(embedding);
        state_values = random.normal(batch * WIDTH);
        states = floats(opened, state_values);
    }

    void expect_inputs(int level, bool grounded) {
        const int64_t stride = grounded ? (level + 2) * WIDTH : WIDTH;
        const Buffer out = poisoned(pass.backend, stride, sequences * shape.nodes());
        hydra_program* created = nullptr;
        must(hydra_program_create(pass.backend, nullptr, &created));
        const Program program(created);
        hydra_matrix* embeddings = grounded ? static_cast<hydra_matrix*>(embedding) : nullptr;
        must(record(program,
                    hydra_draft_inputs{expanded, level, pass.rows, states, WIDTH, embeddings, level_rows, out}));
        must(hydra_program_run(program));
        Floats expected;
        std::vector<int32_t> inner = level <= shape.levels() ? shape.inner_nodes(level) : std::vector<int32_t>();
        if (!grounded && !inner.empty()) inner = {inner[0]};
        for (size_t order = 0; order < expanded_sequences.size(); ++order) {
            for (int32_t node : inner) {
                append(expected, row_of(state_values, expanded_sequences[order], WIDTH));
                if (!grounded) continue;
                for (int32_t ancestor : shape.path(node)) {
                    const int32_t token = tokens[order * shape.nodes() + ancestor];
                    const bool known = token >= 0 && token < VOCABULARY;
                    append(expected, known ? row_of(embedding_values, token, WIDTH) : Floats(WIDTH));
                }
            }
        }
        EXPECT_EQ(hydra_rows_count(level_rows), static_cast<int32_t>(inner.size() * expanded_sequences.size()));
        EXPECT_TRUE(same_bits(contents(out, static_cast<int64_t>(expected.size())), expected));
        EXPECT_TRUE(untouched_behind(out, static_cast<int64_t>(expected.size())));
    }
};

TEST(DraftInputs, AreTheHiddenStateAndTheEmbeddingsOfThePath) {
    Random random(5);
    for (int nodes : {1, 2, 5, 17, 64}) {
        for (int threads : {1, 2, 3}) {
            const Backend backend = open_backend(threads);
            Draft draft(backend, random_shape(random, nodes), random);
            for (int level = 0; level <= draft.shape.levels() + 1 && level < HYDRA_MAX_NODES; ++level) {
                SCOPED_TRACE(testing::Message() << nodes << " nodes, level " << level);
                draft.expect_inputs(level, true);
                draft.expect_inputs(level, false);
            }
        }
    }
}

TEST(DraftInputs, ReachDownTheDeepestTree) {
    Shape chain;
    for (int i = 0; i < HYDRA_MAX_NODES - 1; ++i) chain.add(i, 0);
    const Backend backend = open_backend(2);
    Random random(4);
    Draft draft(backend, chain, random);
    for (int level : {0, 1, 61, 62, 63}) draft.expect_inputs(level, true);
}

TEST(DraftInputs, ReadNothingForTokensThatTheEmbeddingDoesNotHave) {
    const Backend backend = open_backend();
    Random random(6);
    Draft draft(backend, random_shape(random, 17), random);
    draft.tokens[1] = VOCABULARY;
    draft.tokens[2] = INT32_MAX;
    draft.tokens[3] = -1;
    set_tokens(draft.pass.rows, draft.tokens);
    for (int level = 0; level < draft.shape.levels(); ++level) draft.expect_inputs(level, true);
}

TEST(DraftInputs, AreThoseOfAllExpandedSequences) {
    Random random(10);
    for (int nodes : {1, 5, 33}) {
        const Backend backend = open_backend(nodes % 3 + 1);
        Draft draft(backend, random_shape(random, nodes), random, 4);
        for (int level = 0; level <= draft.shape.levels(); ++level) {
            draft.expect_inputs(level, true);
            draft.expect_inputs(level, false);
        }
    }
}

TEST(DraftInputs, ReadNothingForNodesThatWereNotExpanded) {
    const Backend backend = open_backend(2);
    Random random(11);
    Draft draft(backend, Shape{}, random);
    const Shape larger = random_shape(random, 33);
    must(set_tree(draft.expanded, 0, larger));
    const Rows level_rows = rows(draft.pass.batch, ROWS);
    for (int level = 0; level < larger.levels(); ++level) {
        const Buffer out = poisoned(backend, (level + 2) * WIDTH);
        hydra_program* created = nullptr;
        must(hydra_program_create(backend, nullptr, &created));
        const Program program(created);
        must(record(program, hydra_draft_inputs{draft.expanded, level, draft.pass.rows, draft.states, WIDTH,
                                                draft.embedding, level_rows, out}));
        must(hydra_program_run(program));
        EXPECT_EQ(hydra_rows_count(level_rows), 0);
        EXPECT_TRUE(untouched_behind(out, 0));
    }
}

TEST(DraftInputs, AreNoneAfterARewind) {
    const Backend backend = open_backend(2);
    Random random(7);
    Draft draft(backend, random_shape(random, 17), random);
    const Buffer out = poisoned(backend, 2 * WIDTH);
    must(record(draft.pass.program, hydra_draft_inputs{draft.expanded, 0, draft.pass.rows, draft.states, WIDTH,
                                                       draft.embedding, draft.level_rows, out}));
    must(hydra_batch_rewind(draft.pass.batch, 0, 3, 1));
    draft.pass.run();
    EXPECT_EQ(hydra_rows_count(draft.level_rows), 0);
    EXPECT_TRUE(untouched_behind(out, 0));
}

TEST(DraftInputs, AreNoneForChainsThatAreLongerThanATree) {
    const Backend backend = open_backend(2);
    Random random(12);
    Draft draft(backend, random_shape(random, 5), random);
    const Rows chain = rows(draft.pass.batch, 200);
    set_chain(chain, 40, 130);
    const Buffer out = poisoned(backend, 2 * WIDTH, 5), parts = poisoned(backend, 32);
    const Buffer tables = poisoned(backend, VOCABULARY);
    hydra_program* program = draft.pass.program;
    must(record(program, hydra_draft_inputs{draft.expanded, 0, chain, draft.states, WIDTH, draft.embedding,
                                            draft.level_rows, out}));
    draft.pass.run();
    EXPECT_EQ(hydra_rows_count(draft.level_rows), 0);
    must(record(program, hydra_draft_levels{draft.expanded, chain, draft.level_rows}));
    draft.pass.run();
    EXPECT_EQ(hydra_rows_count(draft.level_rows), 0);
    must(record(program, hydra_table_block{draft.expanded, 0, chain, parts, 32, 0, tables, VOCABULARY / 16, 16,
                                           draft.level_rows, out}));
    draft.pass.run();
    EXPECT_EQ(hydra_rows_count(draft.level_rows), 0);
    EXPECT_TRUE(untouched_behind(out, 0));
}

TEST(DraftInputs, RefuseWhatDoesNotFit) {
    const Backend backend = open_backend();
    Random random(8);
    Draft draft(backend, random_shape(random, 64), random);
    const Buffer small = poisoned(backend, 3 * WIDTH - 1), out = poisoned(backend, 3 * WIDTH);
    const Pass other(backend);
    const auto attempt = [&](int level, const Buffer& states, const hydra_rows* level_rows, const Buffer& to) {
        return record(draft.pass.program, hydra_draft_inputs{draft.expanded, level, draft.pass.rows, states, WIDTH,
                                                             draft.embedding, const_cast<hydra_rows*>(level_rows), to});
    };
    expect_refused(attempt(1, draft.states, draft.level_rows, small), "out has 18176 bytes");
    expect_refused(attempt(2, draft.states, draft.level_rows, out), "out has 18432 bytes");
    expect_refused(attempt(64, draft.states, draft.level_rows, out), "level is 64");
    expect_refused(attempt(-1, draft.states, draft.level_rows, out), "level is -1");
    expect_refused(attempt(1, floats(backend, Floats(9)), draft.level_rows, out), "states has 36 bytes");
    expect_refused(attempt(1, draft.states, draft.pass.rows, out), "level_rows must not be nodes");
    expect_refused(attempt(1, draft.states, other.rows, out), "level_rows belong to another batch");
    expect_refused(attempt(1, draft.states, nullptr, out), "null");
    int level = 0;
    while (draft.expanded->data->level_rows(level) < 2) ++level;
    const int inner = draft.expanded->data->level_rows(level);
    const Rows few = rows(draft.pass.batch, inner - 1);
    must(attempt(level, draft.states, few, poisoned(backend, (level + 2) * WIDTH)));
    expect_refused(hydra_program_run(draft.pass.program), "more than the rows' max_rows of");
}

// The parts of a block of 32 columns, and its tables in halves.
struct Tables {
    static constexpr int N = 32, COLUMNS = 100, FIRST = 12;

    Floats part_values, entries;
    Buffer parts, tables;

    Tables(hydra_backend* backend, Random& random, int sequences, int level)
        : part_values(random.normal(sequences * COLUMNS)),
          entries(random.normal((level + 1) * VOCABULARY * 2 * N)),
          parts(floats(backend, part_values)) {
        std::vector<uint16_t> halves(entries.size());
        must(hydra_convert(HYDRA_F32, entries.data(), static_cast<int64_t>(entries.size() * 4), HYDRA_F16,
                           halves.data(), static_cast<int64_t>(halves.size() * 2),
                           static_cast<int64_t>(entries.size())));
        must(hydra_convert(HYDRA_F16, halves.data(), static_cast<int64_t>(halves.size() * 2), HYDRA_F32, entries.data(),
                           static_cast<int64_t>(entries.size() * 4), static_cast<int64_t>(entries.size())));
        tables = buffer(backend, halves.data(), static_cast<int64_t>(halves.size() * 2));
    }
};

TEST(TableBlock, AddsTheTablesOfThePathToThePartsOfTheSequence) {
    constexpr int N = Tables::N;
    for (int nodes : {1, 2, 17, 40}) {
        for (int batch : {1, 4}) {
            SCOPED_TRACE(testing::Message() << nodes << " nodes, batch " << batch);
            const auto run = [&](hydra_backend* backend) {
                Random random(nodes);
                Draft draft(backend, random_shape(random, nodes), random, batch);
                if (nodes > 2) {
                    draft.tokens[1] = VOCABULARY;
                    draft.tokens[2] = -1;
                    set_tokens(draft.pass.rows, draft.tokens);
                }
                Floats all;
                for (int level = 0; level <= draft.shape.levels() && level < 4; ++level) {
                    const Tables tables(backend, random, batch, level);
                    const Buffer out = poisoned(backend, N, batch * nodes);
                    hydra_program* created = nullptr;
                    must(hydra_program_create(backend, nullptr, &created));
                    const Program program(created);
                    must(record(program,
                                hydra_table_block{draft.expanded, level, draft.pass.rows, tables.parts, Tables::COLUMNS,
                                                  Tables::FIRST, tables.tables, VOCABULARY, N, draft.level_rows, out}));
                    must(hydra_program_run(program));
                    Doubles expected;
                    for (size_t order = 0; order < draft.expanded_sequences.size(); ++order) {
                        for (int32_t node : draft.shape.inner_nodes(level)) {
                            const Floats part = row_of(tables.part_values, order, Tables::COLUMNS);
                            Doubles sums(part.begin() + Tables::FIRST, part.begin() + Tables::FIRST + 2 * N);
                            const std::vector<int32_t> path = draft.shape.path(node);
                            for (size_t depth = 0; depth < path.size(); ++depth) {
                                const int32_t token = draft.tokens[order * nodes + path[depth]];
                                if (token < 0 || token >= VOCABULARY) continue;
                                const Floats entry = row_of(tables.entries, depth * VOCABULARY + token, 2 * N);
                                for (int c = 0; c < 2 * N; ++c) sums[c] += entry[c];
                            }
                            for (int c = 0; c < N; ++c) expected.push_back(sums[N + c] + silu(sums[c]));
                        }
                    }
                    EXPECT_EQ(hydra_rows_count(draft.level_rows) * N, static_cast<int32_t>(expected.size()));
                    const auto count = static_cast<int64_t>(expected.size());
                    EXPECT_TRUE(untouched_behind(out, count));
                    const Floats found = contents(out, count);
                    if (count > 0) {
                        EXPECT_LT(relative_error(found, expected), 1e-6);
                    }
                    append(all, found);
                }
                return all;
            };
            expect_same_bits_everywhere(run);
        }
    }
}

TEST(TableBlock, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    Random random(8);
    Draft draft(backend, random_shape(random, 5), random);
    const Tables made(backend, random, 1, 1);
    const Buffer out = poisoned(backend, Tables::N), small = poisoned(backend, 1, 4);
    const auto attempt = [&](int level, int64_t first, int64_t n, const Buffer& tables, const Buffer& to) {
        return record(draft.pass.program,
                      hydra_table_block{draft.expanded, level, draft.pass.rows, made.parts, Tables::COLUMNS, first,
                                        tables, VOCABULARY, n, draft.level_rows, to});
    };
    must(attempt(1, 12, 32, made.tables, out));
    expect_refused(attempt(64, 12, 32, made.tables, out), "level is 64");
    expect_refused(attempt(1, 37, 32, made.tables, out), "columns 37 to 100 are not all in a width of 100");
    expect_refused(attempt(1, -1, 32, made.tables, out), "columns -1 to 62");
    expect_refused(attempt(1, 12, 24, made.tables, out), "n is 24, must be a multiple of 16");
    expect_refused(attempt(2, 12, 32, made.tables, out), "tables has 25600 bytes, must have 300 x 64 F16 values");
    expect_refused(attempt(1, 12, 32, made.tables, small), "out has 16 bytes");
    expect_refused(attempt(1, 12, 32, made.tables, made.tables), "out must be neither");
    expect_refused(attempt(1, 12, 32, {}, out), "null");
}

TEST(DraftLevels, AreAsManyAsTheTreeIsDeepForEachSequence) {
    const Backend backend = open_backend(2);
    Random random(2);
    for (int nodes : {1, 2, 17, 64}) {
        Draft draft(backend, random_shape(random, nodes), random, 4);
        must(record(draft.pass.program, hydra_draft_levels{draft.expanded, draft.pass.rows, draft.level_rows}));
        draft.pass.run();
        EXPECT_EQ(hydra_rows_count(draft.level_rows), 3 * draft.shape.levels());
    }
}

TEST(DraftTokens, AreTheCandidatesOfTheParentOrOfAGroup) {
    Random random(9);
    for (int nodes : {2, 5, 17, 64}) {
        for (int group : {-1, 0, 5, 63}) {
            for (int batch : {1, 4}) {
                const Backend backend = open_backend(2);
                Draft draft(backend, random_shape(random, nodes), random, batch);
                const Shape& shape = draft.shape;
                const int expanded = static_cast<int>(draft.expanded_sequences.size());
                const int entries = batch * std::max(group + 1, nodes);
                for (int level = 0; level < shape.levels(); ++level) {
                    const Top candidates = top(backend, 7, entries);
                    const std::vector<int32_t> ids = random_tokens(random, entries * 7);
                    set_ids(candidates, ids);
                    Pass& pass = draft.pass;
                    hydra_program* created = nullptr;
                    must(hydra_program_create(backend, nullptr, &created));
                    const Program program(created);
                    must(record(program, hydra_draft_tokens{draft.expanded, level, candidates, group, pass.rows}));
                    must(hydra_program_run(program));
                    const std::vector<int32_t> inner = shape.inner_nodes(level);
                    const int own = static_cast<int>(inner.size());
                    const int32_t* tokens = hydra_rows_tokens(pass.rows);
                    for (int order = 0; order < expanded; ++order) {
                        for (int i = 0; i < nodes; ++i) {
                            int32_t& expected = draft.tokens[order * nodes + i];
                            if (shape.depths[i] == level + 1) {
                                const auto parent =
                                    std::find(inner.begin(), inner.end(), shape.parents[i]) - inner.begin();
                                const auto row = group < 0 ? order * own + parent : group * expanded + order;
                                expected = ids[row * 7 + shape.ranks[i]];
                            }
                            EXPECT_EQ(tokens[order * nodes + i], expected) << "node " << i << ", level " << level;
                        }
                    }
                }
            }
        }
    }
}

// What the draft of a batch whose trees all differ leaves is what each sequence's own leaves.
TEST(Draft, TreesOfAllShapesAreThoseOfSequencesAlone) {
    constexpr int K = 7;
    Random random(13);
    const int sizes[] = {1, 7, 64, 2, 17, 40}, sequences = 6;
    for (int round = 0; round < 2; ++round) {
        const Backend backend = open_backend(round + 2);
        Pass together(backend, std::vector<int>(sequences, 40), sequences * HYDRA_MAX_NODES);
        const Tree trees = tree(together.batch, Shape{});
        const Rows level_rows = rows(together.batch, sequences * HYDRA_MAX_NODES);
        const Matrix embedding = matrix(backend, HYDRA_F32, VOCABULARY, WIDTH, random.normal(VOCABULARY * WIDTH));
        const Floats state_values = random.normal(sequences * WIDTH);
        const Buffer states = floats(backend, state_values);
        std::vector<Shape> shapes;
        std::vector<int32_t> tokens;
        int deepest = 0, guessing = 0;
        for (int s = 0; s < sequences; ++s) {
            shapes.push_back(random_shape(random, sizes[(s + round) % sequences]));
            must(set_tree(trees, s, shapes[s]));
            const std::vector<int32_t> own = random_tokens(random, shapes[s].nodes());
            tokens.insert(tokens.end(), own.begin(), own.end());
            deepest = std::max(deepest, shapes[s].levels());
            guessing += shapes[s].levels() > 0;
        }
        expand(together, trees, tokens);
        const auto run = [&](const auto& operation) {
            hydra_program* created = nullptr;
            must(hydra_program_create(backend, nullptr, &created));
            const Program program(created);
            must(record(program, operation));
            must(hydra_program_run(program));
        };
        run(hydra_draft_levels{trees, together.rows, level_rows});
        EXPECT_EQ(hydra_rows_count(level_rows), deepest * guessing);
        for (int level : {0, 1, 3, deepest - 1}) {
            const int64_t stride = (level + 2) * WIDTH;
            const Buffer out = poisoned(backend, stride, sequences * HYDRA_MAX_NODES);
            const Buffer plain = poisoned(backend, WIDTH, sequences * HYDRA_MAX_NODES);
            const Tables tables(backend, random, sequences, level);
            const Buffer block = poisoned(backend, Tables::N, sequences * HYDRA_MAX_NODES);
            run(hydra_draft_inputs{trees, level, together.rows, states, WIDTH, nullptr, level_rows, plain});
            EXPECT_EQ(hydra_rows_count(level_rows), guessing);
            run(hydra_table_block{trees, level, together.rows, tables.parts, Tables::COLUMNS, Tables::FIRST,
                                  tables.tables, VOCABULARY, Tables::N, level_rows, block});
            run(hydra_draft_inputs{trees, level, together.rows, states, WIDTH, embedding, level_rows, out});
            const int count = hydra_rows_count(level_rows);
            const std::vector<int32_t> ids = random_tokens(random, sequences * HYDRA_MAX_NODES * K);
            const Top candidates = top(backend, K, sequences * HYDRA_MAX_NODES);
            set_ids(candidates, ids);
            const Floats found = contents(out, count * stride), blocks = contents(block, count * Tables::N);
            const Floats singles = contents(plain, guessing * WIDTH);
            int row = 0, begin = 0, guess = 0;
            std::vector<int32_t> of_parents = tokens, of_groups = tokens;
            for (int s = 0; s < sequences; begin += shapes[s++].nodes()) {
                const std::vector<int32_t> inner = shapes[s].inner_nodes(level);
                const std::vector<int32_t> own(tokens.begin() + begin, tokens.begin() + begin + shapes[s].nodes());
                // The same sequence in a batch of its own.
                Pass alone(backend, 40);
                const Tree its_tree = tree(alone.batch, shapes[s]);
                expand(alone, its_tree, own);
                const Rows its_rows = rows(alone.batch);
                const Buffer its_states = floats(backend, row_of(state_values, s, WIDTH));
                const Buffer its_out = poisoned(backend, stride), its_block = poisoned(backend, Tables::N);
                const Buffer its_parts =
                    floats(backend, row_of(tables.part_values, std::min(guess, guessing - 1), Tables::COLUMNS));
                run(hydra_draft_inputs{its_tree, level, alone.rows, its_states, WIDTH, embedding, its_rows, its_out});
                ASSERT_EQ(hydra_rows_count(its_rows), static_cast<int32_t>(inner.size()));
                run(hydra_table_block{its_tree, level, alone.rows, its_parts, Tables::COLUMNS, Tables::FIRST,
                                      tables.tables, VOCABULARY, Tables::N, its_rows, its_block});
                for (int r = 0; r < static_cast<int>(inner.size()); ++r) {
                    EXPECT_TRUE(same_bits(row_of(found, row + r, stride),
                                          row_of(contents(its_out, (r + 1) * stride), r, stride)));
                    EXPECT_TRUE(same_bits(row_of(blocks, row + r, Tables::N),
                                          row_of(contents(its_block, (r + 1) * Tables::N), r, Tables::N)));
                }
                for (int i = 1; i < shapes[s].nodes(); ++i) {
                    if (shapes[s].depths[i] != level + 1) continue;
                    const auto parent = std::find(inner.begin(), inner.end(), shapes[s].parents[i]) - inner.begin();
                    of_parents[begin + i] = ids[(row + parent) * K + shapes[s].ranks[i]];
                    of_groups[begin + i] = ids[(level * guessing + guess) * K + shapes[s].ranks[i]];
                }
                row += static_cast<int>(inner.size());
                if (shapes[s].levels() == 0) continue;
                EXPECT_TRUE(same_bits(row_of(singles, guess++, WIDTH), row_of(state_values, s, WIDTH)));
            }
            EXPECT_EQ(row, count);
            const int all = static_cast<int>(tokens.size());
            if (level < 4) {
                run(hydra_draft_tokens{trees, level, candidates, level, together.rows});
                const int32_t* now = hydra_rows_tokens(together.rows);
                EXPECT_EQ(std::vector<int32_t>(now, now + all), of_groups) << level;
            }
            set_tokens(together.rows, tokens);
            run(hydra_draft_tokens{trees, level, candidates, -1, together.rows});
            const int32_t* now = hydra_rows_tokens(together.rows);
            EXPECT_EQ(std::vector<int32_t>(now, now + all), of_parents) << level;
            tokens = of_parents;
        }
    }
}

TEST(DraftTokens, RefuseTooFewCandidates) {
    const Backend backend = open_backend();
    const Shape shape{{-1, 0, 0, 1}, {0, 0, 4, 6}, {0, 1, 1, 2}};
    const Top four = top(backend, 4);
    Pass pass(backend);
    const Tree made = tree(pass.batch, shape);
    must(record(pass.program, hydra_draft_tokens{made, 0, four, -1, pass.rows}));
    expect_refused(hydra_program_run(pass.program), "depth 1 of a tree needs 5 candidates, the draft keeps 4");
    const Pass few(backend);
    const Tree same = tree(few.batch, shape);
    const Top two = top(backend, 5, 2);
    must(record(few.program, hydra_draft_tokens{same, 0, two, 2, few.rows}));
    expect_refused(hydra_program_run(few.program), "top has room for 2 rows, must have it for 3");
    expect_refused(record(pass.program, hydra_draft_tokens{made, 63, four, -1, pass.rows}), "level is 63");
    expect_refused(record(pass.program, hydra_draft_tokens{made, 0, four, 64, pass.rows}), "group is 64");
    expect_refused(record(pass.program, hydra_draft_tokens{made, 0, four, -2, pass.rows}), "group is -2");
    expect_refused(record(pass.program, hydra_draft_tokens{made, 0, nullptr, -1, pass.rows}), "null");
}

TEST(GiveTokens, AreThoseOfEachSequenceAndNodeButTheRoots) {
    Random random(10);
    for (int nodes : {1, 2, 17, 64}) {
        for (int batch : {1, 4}) {
            const Backend backend = open_backend(2);
            Draft draft(backend, random_shape(random, nodes), random, batch);
            const std::vector<int32_t> guesses = random_tokens(random, batch * HYDRA_MAX_NODES);
            const Buffer given = buffer(backend, guesses.data(), batch * HYDRA_MAX_NODES * int64_t{4});
            must(record(draft.pass.program, hydra_give_tokens{given, draft.pass.rows}));
            draft.pass.run();
            const int32_t* tokens = hydra_rows_tokens(draft.pass.rows);
            for (size_t order = 0; order < draft.expanded_sequences.size(); ++order) {
                const int32_t* own = guesses.data() + draft.expanded_sequences[order] * HYDRA_MAX_NODES;
                const int32_t* row = tokens + order * nodes;
                EXPECT_EQ(row[0], draft.tokens[order * nodes]);
                EXPECT_EQ(std::vector<int32_t>(row + 1, row + nodes), std::vector<int32_t>(own + 1, own + nodes));
            }
        }
    }
}

TEST(GiveTokens, RefuseGuessesForFewerSequences) {
    const Backend backend = open_backend();
    Pass pass(backend, {3, 4}, 8);
    const Buffer one = floats(backend, Floats(HYDRA_MAX_NODES));
    expect_refused(record(pass.program, hydra_give_tokens{one, pass.rows}), "tokens");
    expect_refused(record(pass.program, hydra_give_tokens{nullptr, pass.rows}), "null");
}

}  // namespace
}  // namespace hydra::test
