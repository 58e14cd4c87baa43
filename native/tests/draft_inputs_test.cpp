#include "drafting.h"
#include "team_sizes.h"

namespace hydra::test {
namespace {

TEST(DraftInputs, AreTheHiddenStateAndTheEmbeddingsOfThePath) {
    Random random(5);
    for (int nodes : {1, 2, 5, 17, 64}) {
        for (int threads : team_sizes()) {
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

}  // namespace
}  // namespace hydra::test
