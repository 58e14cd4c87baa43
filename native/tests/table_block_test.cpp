#include "drafting.h"

namespace hydra::test {
namespace {

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
                    draft.expect_level_rows(level, static_cast<int>(draft.shape.inner_nodes(level).size()));
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

}  // namespace
}  // namespace hydra::test
