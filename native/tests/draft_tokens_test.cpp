#include "drafting.h"

namespace hydra::test {
namespace {

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

hydra_launches launches_of(const hydra_program* program) {
    hydra_launches out{};
    must(hydra_program_launches(program, &out));
    return out;
}

// Where a program finds candidates just before, whoever finds them gives them to the nodes.
TEST(DraftTokens, AreTheSameWhereTheCandidatesAreFoundJustBefore) {
    constexpr int K = 7, COLUMNS = 64;
    Random random(10);
    for (const bool ranked : {false, true}) {
        for (const bool of_groups : {false, true}) {
            const Backend backend = open_backend(2);
            Draft draft(backend, random_shape(random, 23), random, 4);
            const int levels = draft.shape.levels();
            const int expanded = static_cast<int>(draft.expanded_sequences.size());
            const Matrix head = matrix(backend, HYDRA_F32, VOCABULARY, COLUMNS, random.normal(VOCABULARY * COLUMNS));
            const Rows found = rows(draft.pass.batch, ROWS);
            const Buffer x = padded_rows(backend, random.normal(ROWS * COLUMNS), COLUMNS);
            const Buffer logits = poisoned(backend, VOCABULARY);
            const Top candidates = top(backend, K);
            hydra_rows* nodes = draft.pass.rows;
            for (int level = 0; level < (of_groups ? 1 : levels); ++level) {
                const int own = static_cast<int>(draft.shape.inner_nodes(level).size());
                const auto set_count = [&] {
                    const RowsView& view = found->change();
                    view.set_count(of_groups ? levels * expanded : expanded * own);
                    for (int r = 0; r < view.state->count; ++r) view.set_level_row(r, 0, 41);
                };
                const auto record_head = [&](hydra_program* program) {
                    must(record(program, hydra_lm_head{found, 0, x, head, nullptr, nullptr,
                                                       ranked ? nullptr : candidates.operator hydra_top*(),
                                                       ranked ? logits.operator hydra_buffer*() : nullptr, 0, 0}));
                    if (ranked)
                        must(record(program, hydra_rank{found, logits, VOCABULARY, nullptr, nullptr, candidates}));
                };
                const auto record_tokens = [&](hydra_program* program) {
                    for (int g = 0; g < (of_groups ? levels : 1); ++g) {
                        must(record(program, hydra_draft_tokens{draft.expanded, of_groups ? g : level, candidates,
                                                                of_groups ? g : -1, nodes}));
                    }
                };
                std::vector<int32_t> seen[2];
                int32_t kernels[2];
                for (const bool apart : {true, false}) {
                    set_tokens(nodes, draft.tokens);
                    set_count();
                    hydra_program *first = nullptr, *second = nullptr;
                    must(hydra_program_create(backend, nullptr, &first));
                    must(hydra_program_create(backend, nullptr, &second));
                    const Program finding(first), giving(second);
                    record_head(finding);
                    record_tokens(apart ? giving : finding);
                    must(hydra_program_run(finding));
                    must(hydra_program_run(giving));
                    const int32_t* tokens = hydra_rows_tokens(nodes);
                    seen[apart].assign(tokens, tokens + hydra_rows_count(nodes));
                    kernels[apart] = launches_of(finding).kernels;
                }
                EXPECT_EQ(seen[0], seen[1]) << "level " << level;
                EXPECT_NE(seen[0], draft.tokens) << "level " << level;
                EXPECT_EQ(kernels[0], kernels[1]) << "the tokens take no kernel";
            }
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

}  // namespace
}  // namespace hydra::test
