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
        const Tree expanded = tree(backend, shape);
        Pass pass(backend, 33);
        must(hydra_batch_rewind(pass.batch, 0, 31, 77));
        must(record(pass.program, hydra_expand{expanded, pass.rows}));
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

TEST(Expand, RefusesASequenceWithoutRootOrRoom) {
    const Backend backend = open_backend();
    Random random(1);
    const Tree expanded = tree(backend, random_shape(random, 40));
    Pass pass(backend, 50);
    must(record(pass.program, hydra_expand{expanded, pass.rows}));
    must(hydra_batch_rewind(pass.batch, 0, 40, -1));
    expect_refused(hydra_program_run(pass.program), "no sequence has a root token");
    must(hydra_batch_rewind(pass.batch, 0, 30, 5));
    const int32_t pages[] = {3, 1};
    must(hydra_batch_set_pages(pass.batch, 0, pages, 2));
    expect_refused(hydra_program_run(pass.program),
                   "the page table of sequence 0, 2 pages, does not cover 70 positions");
    must(hydra_batch_rewind(pass.batch, 0, 24, 5));
    pass.run();
    EXPECT_EQ(hydra_rows_count(pass.rows), 40);
}

TEST(Expand, RefusesARootOutsideTheVocabulary) {
    const Backend backend = open_backend();
    const Tree expanded = tree(backend, Shape{});
    const Matrix embedding = matrix(backend, HYDRA_F32, VOCABULARY, WIDTH, Floats(VOCABULARY * WIDTH));
    const Buffer out = poisoned(backend, WIDTH);
    Pass pass(backend, 5);
    must(record(pass.program, hydra_expand{expanded, pass.rows}));
    must(record(pass.program, hydra_embed{pass.rows, embedding, out}));
    must(hydra_batch_rewind(pass.batch, 0, 5, VOCABULARY));
    expect_refused(hydra_program_run(pass.program),
                   "the root token 100 of sequence 0 is outside the vocabulary of 100");
}

TEST(Expand, ExpandsNothingWhereTheSameProgramHasUsedUpTheRoom) {
    const Backend backend = open_backend();
    const Tree expanded = tree(backend, Shape{});
    Pass pass(backend, 0);
    const int32_t pages[] = {3};
    must(hydra_batch_set_pages(pass.batch, 0, pages, 1));
    const Rows nodes = rows(pass.batch);
    const Top best = top(backend, 1);
    pass.chain_of(HYDRA_PAGE_POSITIONS);
    must(record(pass.program, hydra_advance{pass.rows, best, nullptr, 0, nullptr, nullptr}));
    must(record(pass.program, hydra_expand{expanded, nodes}));
    pass.run();
    EXPECT_EQ(pass.result().length, HYDRA_PAGE_POSITIONS);
    EXPECT_EQ(hydra_rows_count(nodes), 0);
}

TEST(Expand, ExpandsEverySequenceThatHasARoot) {
    const Backend backend = open_backend(2);
    Random random(2);
    const Shape shape = random_shape(random, 17);
    const Tree expanded = tree(backend, shape);
    Pass pass(backend, {33, 7, 0, 90}, 4 * 17);
    must(hydra_batch_rewind(pass.batch, 1, 7, -1));
    for (int s : {0, 2, 3}) must(hydra_batch_rewind(pass.batch, s, pass.result(s).length, 70 + s));
    must(record(pass.program, hydra_expand{expanded, pass.rows}));
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
    const Tree larger = tree(backend, random_shape(random, 18));
    must(record(pass.program, hydra_expand{larger, pass.rows}));
    expect_refused(hydra_program_run(pass.program), "18 rows for each of 4 sequences are more than the rows' max_rows");
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
        expanded = tree(opened, shape);
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
    must(hydra_tree_set(draft.expanded, larger.parents.data(), larger.ranks.data(), 33));
    const Rows level_rows = rows(draft.pass.batch, ROWS);
    for (int level = 0; level < larger.levels(); ++level) {
        const int64_t stride = (level + 2) * WIDTH;
        const Buffer out = poisoned(backend, stride);
        hydra_program* created = nullptr;
        must(hydra_program_create(backend, nullptr, &created));
        const Program program(created);
        must(record(program, hydra_draft_inputs{draft.expanded, level, draft.pass.rows, draft.states, WIDTH,
                                                draft.embedding, level_rows, out}));
        must(hydra_program_run(program));
        const auto inner = static_cast<int64_t>(larger.inner_nodes(level).size());
        Floats row = row_of(draft.state_values, 0, WIDTH);
        append(row, row_of(draft.embedding_values, draft.tokens[0], WIDTH));
        row.resize(static_cast<size_t>(stride));
        Floats expected;
        for (int64_t r = 0; r < inner; ++r) append(expected, row);
        EXPECT_TRUE(same_bits(contents(out, inner * stride), expected));
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
    while (draft.expanded->data->level_rows[level] < 2) ++level;
    const int inner = draft.expanded->data->level_rows[level];
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
    expect_refused(attempt(2, 12, 32, made.tables, out), "tables has 25600 bytes, must have 300 x 32 floats");
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

TEST(DraftTokens, RefuseTooFewCandidates) {
    const Backend backend = open_backend();
    const Tree made = tree(backend, Shape{{-1, 0, 0, 1}, {0, 0, 4, 6}, {0, 1, 1, 2}});
    const Top four = top(backend, 4);
    Pass pass(backend);
    must(record(pass.program, hydra_draft_tokens{made, 0, four, -1, pass.rows}));
    expect_refused(hydra_program_run(pass.program), "depth 1 of the tree needs 5 candidates, the draft keeps 4");
    const Pass few(backend);
    const Top two = top(backend, 5, 2);
    must(record(few.program, hydra_draft_tokens{made, 0, two, 2, few.rows}));
    expect_refused(hydra_program_run(few.program), "top has room for 2 rows, must have it for 3");
    expect_refused(record(pass.program, hydra_draft_tokens{made, 63, four, -1, pass.rows}), "level is 63");
    expect_refused(record(pass.program, hydra_draft_tokens{made, 0, four, 64, pass.rows}), "group is 64");
    expect_refused(record(pass.program, hydra_draft_tokens{made, 0, four, -2, pass.rows}), "group is -2");
    expect_refused(record(pass.program, hydra_draft_tokens{made, 0, nullptr, -1, pass.rows}), "null");
}

}  // namespace
}  // namespace hydra::test
