#include "trees.h"

namespace hydra::test {
namespace {

constexpr int WIDTH = 24, VOCABULARY = 100;

std::vector<int32_t> random_tokens(Random& random, int count) {
    std::vector<int32_t> tokens;
    for (int i = 0; i < count; ++i) tokens.push_back(random.below(VOCABULARY));
    return tokens;
}

TEST(Plant, MakesRowsOfTheNodes) {
    const Backend backend = open_backend(2);
    Random random(1);
    for (int nodes : {1, 2, 17, 64}) {
        const Shape shape = random_shape(random, nodes);
        const Tree planted = tree(backend, shape);
        Pass pass(backend, 33);
        must(hydra_batch_rewind(pass.batch, 0, 31, 77));
        must(hydra_program_plant(pass.program, planted, pass.rows));
        pass.run();
        EXPECT_EQ(hydra_rows_count(pass.rows), nodes);
        EXPECT_EQ(hydra_rows_tokens(pass.rows)[0], 77);
        EXPECT_EQ(pass.rows->view.segments[0].first, 31);
        for (int i = 0; i < nodes; ++i) {
            EXPECT_EQ(pass.rows->view.positions[i], 31 + shape.depths[i]);
            EXPECT_EQ(pass.rows->view.ancestors[i], planted->data->ancestors[i]);
        }
    }
}

TEST(Plant, RefusesASequenceWithoutRootOrRoom) {
    const Backend backend = open_backend();
    Random random(1);
    const Tree planted = tree(backend, random_shape(random, 40));
    Pass pass(backend, 50);
    must(hydra_program_plant(pass.program, planted, pass.rows));
    must(hydra_batch_rewind(pass.batch, 0, 40, -1));
    expect_refused(hydra_program_run(pass.program), "the sequence has no root token");
    must(hydra_batch_rewind(pass.batch, 0, 30, 5));
    const int32_t pages[] = {3, 1};
    must(hydra_batch_set_pages(pass.batch, 0, pages, 2));
    expect_refused(hydra_program_run(pass.program), "the page table of 2 pages does not cover 70 positions");
    must(hydra_batch_rewind(pass.batch, 0, 24, 5));
    pass.run();
    EXPECT_EQ(hydra_rows_count(pass.rows), 40);
}

TEST(Plant, RefusesARootOutsideTheVocabulary) {
    const Backend backend = open_backend();
    const Tree planted = tree(backend, Shape{});
    const Matrix embedding = matrix(backend, HYDRA_F32, VOCABULARY, WIDTH, Floats(VOCABULARY * WIDTH));
    const Buffer out = poisoned(backend, WIDTH);
    Pass pass(backend, 5);
    must(hydra_program_plant(pass.program, planted, pass.rows));
    must(hydra_program_embed(pass.program, pass.rows, embedding, out));
    must(hydra_batch_rewind(pass.batch, 0, 5, VOCABULARY));
    expect_refused(hydra_program_run(pass.program), "the root token 100 is outside the vocabulary of 100");
}

TEST(Plant, PlantsNothingWhereTheSameProgramHasUsedUpTheRoom) {
    const Backend backend = open_backend();
    const Tree planted = tree(backend, Shape{});
    Pass pass(backend, 0);
    const int32_t pages[] = {3};
    must(hydra_batch_set_pages(pass.batch, 0, pages, 1));
    const Rows nodes = rows(pass.batch);
    const Top best = top(backend, 1);
    pass.chain_of(HYDRA_PAGE_POSITIONS);
    must(hydra_program_advance(pass.program, pass.rows, best, nullptr, nullptr, nullptr));
    must(hydra_program_plant(pass.program, planted, nodes));
    pass.run();
    EXPECT_EQ(pass.result().length, HYDRA_PAGE_POSITIONS);
    EXPECT_EQ(hydra_rows_count(nodes), 0);
}

// A planted tree with tokens, hidden states of three pending rows, and an embedding.
struct Draft {
    Shape shape;
    std::vector<int32_t> tokens;
    Pass pass;
    Tree planted;
    Rows pending, level_rows;
    Matrix embedding;
    Floats embedding_values, hidden_values;
    Buffer hidden;

    Draft(hydra_backend* opened, const Shape& made, Random& random)
        : shape(made), tokens(random_tokens(random, made.nodes())), pass(opened, 40) {
        planted = tree(opened, shape);
        plant(pass, planted, tokens);
        pending = rows(pass.batch);
        const int32_t three[3] = {};
        must(XX_set_chain(pending, three, 3));
        level_rows = rows(pass.batch);
        embedding = matrix(opened, HYDRA_F32, VOCABULARY, WIDTH, random.normal(VOCABULARY * WIDTH));
        embedding_values = values_of(embedding);
        hidden_values = random.normal(3 * WIDTH);
        hidden = padded_rows(opened, hidden_values, WIDTH);
    }

    void expect_inputs(int level, bool grounded) {
        const int64_t stride = grounded ? (level + 2) * WIDTH : WIDTH;
        const Buffer out = poisoned(pass.backend, stride);
        hydra_program* created = nullptr;
        must(hydra_program_create(pass.backend, nullptr, &created));
        const Program program(created);
        hydra_matrix* embeddings = grounded ? static_cast<hydra_matrix*>(embedding) : nullptr;
        must(hydra_program_draft_inputs(program, planted, level, pass.rows, pending, hidden, embeddings, level_rows,
                                        out));
        must(hydra_program_run(program));
        Floats expected;
        std::vector<int32_t> inner = level <= shape.levels() ? shape.inner_nodes(level) : std::vector<int32_t>();
        if (!grounded && !inner.empty()) inner = {inner[0]};
        for (int32_t node : inner) {
            append(expected, row_of(hidden_values, 2, WIDTH));
            if (!grounded) continue;
            for (int32_t ancestor : shape.path(node)) {
                const bool known = tokens[ancestor] >= 0 && tokens[ancestor] < VOCABULARY;
                append(expected, known ? row_of(embedding_values, tokens[ancestor], WIDTH) : Floats(WIDTH));
            }
        }
        EXPECT_EQ(hydra_rows_count(level_rows), static_cast<int32_t>(inner.size()));
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
            for (int level = 0; level <= draft.shape.levels() + 1 && level < HYDRA_MAX_ROWS; ++level) {
                SCOPED_TRACE(testing::Message() << nodes << " nodes, level " << level);
                draft.expect_inputs(level, true);
                draft.expect_inputs(level, false);
            }
        }
    }
}

TEST(DraftInputs, ReachDownTheDeepestTree) {
    Shape chain;
    for (int i = 0; i < HYDRA_MAX_ROWS - 1; ++i) chain.add(i, 0);
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

TEST(DraftInputs, AreNoneWithoutPendingRows) {
    const Backend backend = open_backend(2);
    Random random(7);
    Draft draft(backend, random_shape(random, 17), random);
    const Buffer out = poisoned(backend, 2 * WIDTH);
    must(hydra_program_draft_inputs(draft.pass.program, draft.planted, 0, draft.pass.rows, draft.pending, draft.hidden,
                                    draft.embedding, draft.level_rows, out));
    must(hydra_batch_rewind(draft.pass.batch, 0, 3, 1));
    draft.pass.run();
    EXPECT_EQ(hydra_rows_count(draft.level_rows), 0);
    EXPECT_TRUE(untouched_behind(out, 0));
}

TEST(DraftInputs, RefuseWhatDoesNotFit) {
    const Backend backend = open_backend();
    Random random(8);
    Draft draft(backend, random_shape(random, 5), random);
    const Buffer small = poisoned(backend, 3 * WIDTH - 1), out = poisoned(backend, 3 * WIDTH);
    const auto record = [&](int level, const Rows& pending, const Buffer& hidden, const Rows& level_rows,
                            const Buffer& to) {
        return hydra_program_draft_inputs(draft.pass.program, draft.planted, level, draft.pass.rows, pending, hidden,
                                          draft.embedding, level_rows, to);
    };
    expect_refused(record(1, draft.pending, draft.hidden, draft.level_rows, small), "out has 18176 bytes");
    expect_refused(record(2, draft.pending, draft.hidden, draft.level_rows, out), "out has 18432 bytes");
    expect_refused(record(64, draft.pending, draft.hidden, draft.level_rows, out), "level is 64");
    expect_refused(record(-1, draft.pending, draft.hidden, draft.level_rows, out), "level is -1");
    expect_refused(record(1, draft.pending, floats(backend, Floats(9)), draft.level_rows, out), "hidden has 36 bytes");
    expect_refused(record(1, draft.pending, draft.hidden, draft.pending, out), "level_rows must be neither");
    expect_refused(record(1, draft.pending, draft.hidden, draft.pass.rows, out), "level_rows must be neither");
    expect_refused(record(1, draft.pending, draft.hidden, {}, out), "null");
}

TEST(DraftLevels, AreAsManyAsTheTreeIsDeep) {
    const Backend backend = open_backend(2);
    Random random(2);
    for (int nodes : {1, 2, 17, 64}) {
        const Shape shape = random_shape(random, nodes);
        const Tree made = tree(backend, shape);
        Pass pass(backend);
        must(hydra_program_draft_levels(pass.program, made, pass.rows));
        pass.run();
        EXPECT_EQ(hydra_rows_count(pass.rows), shape.levels());
    }
}

TEST(DraftTokens, AreTheCandidatesOfTheParentOrOfOneRow) {
    Random random(9);
    for (int nodes : {2, 5, 17, 64}) {
        for (int row : {-1, 0, 5, 63}) {
            const Backend backend = open_backend(2);
            Draft draft(backend, random_shape(random, nodes), random);
            const Shape& shape = draft.shape;
            for (int level = 0; level < shape.levels(); ++level) {
                const Top candidates = top(backend, 7);
                const std::vector<int32_t> ids = random_tokens(random, HYDRA_MAX_ROWS * 7);
                set_ids(candidates, ids);
                Pass& pass = draft.pass;
                hydra_program* created = nullptr;
                must(hydra_program_create(backend, nullptr, &created));
                const Program program(created);
                must(hydra_program_draft_tokens(program, draft.planted, level, candidates, row, pass.rows));
                must(hydra_program_run(program));
                const std::vector<int32_t> inner = shape.inner_nodes(level);
                for (int i = 0; i < nodes; ++i) {
                    if (shape.depths[i] == level + 1) {
                        const auto parent = std::find(inner.begin(), inner.end(), shape.parents[i]) - inner.begin();
                        draft.tokens[i] = ids[(row < 0 ? parent : row) * 7 + shape.ranks[i]];
                    }
                    EXPECT_EQ(hydra_rows_tokens(pass.rows)[i], draft.tokens[i]) << "node " << i << ", level " << level;
                }
            }
        }
    }
}

TEST(DraftTokens, RefuseTooFewCandidates) {
    const Backend backend = open_backend();
    const Tree made = tree(backend, Shape{{-1, 0, 0, 1}, {0, 0, 4, 6}, {0, 1, 1, 2}});
    const Top four = top(backend, 4);
    Pass pass(backend);
    must(hydra_program_draft_tokens(pass.program, made, 0, four, -1, pass.rows));
    expect_refused(hydra_program_run(pass.program), "depth 1 of the tree needs 5 candidates, the draft keeps 4");
    expect_refused(hydra_program_draft_tokens(pass.program, made, 63, four, -1, pass.rows), "level is 63");
    expect_refused(hydra_program_draft_tokens(pass.program, made, 0, four, 64, pass.rows), "row is 64");
    expect_refused(hydra_program_draft_tokens(pass.program, made, 0, four, -2, pass.rows), "row is -2");
    expect_refused(hydra_program_draft_tokens(pass.program, made, 0, nullptr, -1, pass.rows), "null");
}

}  // namespace
}  // namespace hydra::test
