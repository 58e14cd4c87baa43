// What moves the state from step to step, exact against the same done on the host.
#include <functional>

#include "fixture.h"

namespace hydra::cuda::test {
namespace {

constexpr int WIDTH = 20, LENGTH = 29;

template <class T>
std::vector<T> first_of(const T* values, int count) {
    return std::vector<T>(values, values + count);
}

std::vector<int32_t> random_tokens(Random& random, int count, int kinds) {
    std::vector<int32_t> tokens;
    for (int i = 0; i < count; ++i) tokens.push_back(random.below(kinds));
    return tokens;
}

// The rows that a host finds on the device, as far as they are there.
void expect_same_rows(const Pass& found, const Pass& expected) {
    EXPECT_EQ(found.state[0].generation, expected.state[0].generation);
    ASSERT_EQ(found.count(), expected.count());
    ASSERT_EQ(found.state[0].segments, expected.state[0].segments);
    ASSERT_EQ(found.state[0].sequences, expected.state[0].sequences);
    ASSERT_EQ(found.state[0].trees, expected.state[0].trees);
    for (int s = 0; s < expected.state[0].segments; ++s) {
        const Segment &a = found.segments[s], &b = expected.segments[s];
        EXPECT_EQ(a.sequence, b.sequence) << s;
        EXPECT_EQ(a.order, b.order) << s;
        EXPECT_EQ(a.row, b.row) << s;
        EXPECT_EQ(a.count, b.count) << s;
        EXPECT_EQ(a.first, b.first) << s;
        EXPECT_EQ(a.sets_root, b.sets_root) << s;
        EXPECT_EQ(a.accepted, b.accepted) << s;
    }
    for (int i = 0; i < expected.state[0].sequences; ++i) EXPECT_EQ(found.last_rows[i], expected.last_rows[i]) << i;
    for (int r = 0; r < (expected.state[0].segments > 0 ? expected.count() : 0); ++r) {
        EXPECT_EQ(found.positions[r], expected.positions[r]) << r;
        EXPECT_EQ(found.segment_of[r], expected.segment_of[r]) << r;
        EXPECT_EQ(found.ancestors[r], expected.ancestors[r]) << r;
    }
}

// The same tree for all sequences.
Memory<TreeData> trees_of(const Shape& shape, int sequences = 1) {
    return Memory<TreeData>(std::vector<TreeData>(sequences, shape.data()));
}

// Trees that do not grow.
TreesView fixed(const Memory<TreeData>& trees) {
    static const Memory<Growth> growth(std::vector<Growth>(HYDRA_MAX_SEQUENCES));
    return {trees, growth, nullptr, nullptr, nullptr};
}

// Nodes of a tree's whole levels of which so many nodes and positions fit.
int nodes_that_fit(const Shape& shape, int slots, int positions) {
    int nodes = shape.nodes();
    while (nodes > 0 && (nodes > slots || shape.depths[nodes - 1] >= positions)) {
        for (const int depth = shape.depths[nodes - 1]; nodes > 0 && shape.depths[nodes - 1] == depth;) --nodes;
    }
    return nodes;
}

TEST(Expand, MakesTheRowsTheTreesNodes) {
    Random random(1);
    for (int nodes : {1, 5, 64}) {
        const Shape shape = random_shape(random, nodes);
        const Memory<TreeData> tree = trees_of(shape);
        Pass pass(LENGTH), expected(pass.batch);
        pass.result().root = 77;
        pass.chain(3);
        expand_shape(expected, shape);
        run(api().expand, Expand{fixed(tree), {}, pass.view()});
        pass.download();
        expect_same_rows(pass, expected);
        EXPECT_EQ(pass.tokens[0], 77);
    }
}

TEST(Expand, CutsTheTreeToWholeLevelsWithRoom) {
    Random random(2);
    const Shape shape = random_shape(random, 9);
    const Memory<TreeData> tree = trees_of(shape);
    const int slots = 2 * HYDRA_PAGE_POSITIONS;
    struct {
        int length, limit, root;
    } cases[] = {
        {slots - 9, 1000, 0},    {slots - 8, 1000, 0}, {slots - 1, 1000, 0}, {slots, 1000, 0},
        {LENGTH, LENGTH + 2, 0}, {LENGTH, LENGTH, 0},  {LENGTH, 1000, -1},   {LENGTH, LENGTH + shape.levels() + 1, 0}};
    for (const auto& c : cases) {
        Pass pass(c.length, 2);
        pass.state[0].position_limit = c.limit;
        pass.result().root = c.root;
        pass.chain(3);
        run(api().expand, Expand{fixed(tree), {}, pass.view()});
        pass.download();
        const int nodes = c.root < 0 ? 0 : nodes_that_fit(shape, slots - c.length, c.limit - c.length);
        EXPECT_EQ(pass.count(), nodes) << c.length << ", " << c.limit;
        EXPECT_EQ(pass.state[0].segments, nodes > 0);
        EXPECT_EQ(pass.state[0].position_limit, c.limit);
    }
}

// Trees of their own for 150 sequences, of which some are full, some have no root, and some take in prompts.
TEST(Expand, AddsPromptsToTreesOfAllShapes) {
    Random random(17);
    std::vector<int> lengths;
    std::vector<Shape> shapes;
    std::vector<TreeData> data;
    for (int s = 0; s < 150; ++s) {
        lengths.push_back(random.below(64));
        shapes.push_back(random_shape(random, 1 + random.below(9)));
        data.push_back(shapes[s].data());
    }
    const Memory<TreeData> trees(data);
    Pass pass(std::make_shared<Batch>(lengths, 2), 150 * 9 + 80), expected(pass.batch, 150 * 9 + 80);
    Pass prompts(pass.batch, 80);
    lengths[40] = lengths[149] = pass.result(40).length = pass.result(149).length = 0;
    prompts.chains({{149, 5}, {40, 70}});
    for (int r = 0; r < 75; ++r) prompts.tokens[r] = 500 + r;
    prompts.segments[0].sets_root = 0;
    std::vector<int> firsts;
    const RowsView host = expected.on_host();
    host.set_count(0);
    for (int s = 0; s < 150; ++s) {
        pass.result(s).root = s % 5 == 1 ? -1 : 1000 + s;
        const int nodes = nodes_that_fit(shapes[s], 64 - lengths[s], 1000);
        if (s % 5 == 1 || nodes == 0 || s == 40 || s == 149) continue;
        const int segment = host.state->segments;
        firsts.push_back(host.state->count);
        host.add_tree(s, lengths[s], nodes);
        for (int i = 0; i < nodes; ++i)
            host.set_row(segment, i, lengths[s] + shapes[s].depths[i], data[s].ancestors[i]);
    }
    const int trees_rows = host.state->count, trees_count = host.state->segments;
    host.add(149, 0, 5, false);
    host.add(40, 0, 70);
    for (int s = trees_count; s < host.state->segments; ++s) {
        for (int i = 0; i < expected.segments[s].count; ++i) host.set_chain_row(s, i);
    }
    prompts.upload();
    run(api().expand, Expand{fixed(trees), prompts.view(), pass.view()});
    pass.download();
    expect_same_rows(pass, expected);
    for (int t = 0; t < trees_count; ++t) EXPECT_EQ(pass.tokens[firsts[t]], 1000 + pass.segments[t].sequence);
    for (int r = 0; r < 75; ++r) EXPECT_EQ(pass.tokens[trees_rows + r], 500 + r);
}

TEST(Expand, ExpandsTheSequencesThatHaveRoomAndARoot) {
    Random random(3);
    for (int nodes : {1, 3, 11}) {
        const Shape shape = random_shape(random, nodes);
        const Memory<TreeData> tree = trees_of(shape, 150);
        std::vector<int> lengths, expanded;
        for (int s = 0; s < 150; ++s) lengths.push_back(s % 7 == 3 ? 64 : random.below(40));
        Pass pass(std::make_shared<Batch>(lengths, 2), 150 * nodes), expected(pass.batch, 150 * nodes);
        for (int s = 0; s < 150; ++s) {
            pass.result(s).root = s % 5 == 1 ? -1 : 1000 + s;
            if (s % 7 != 3 && s % 5 != 1) expanded.push_back(s);
        }
        pass.chain(3);
        expand_shape(expected, shape, expanded);
        run(api().expand, Expand{fixed(tree), {}, pass.view()});
        pass.download();
        expect_same_rows(pass, expected);
        for (size_t i = 0; i < expanded.size(); ++i) EXPECT_EQ(pass.tokens[i * nodes], 1000 + expanded[i]);
    }
}

TEST(DraftStates, TakesTheLastRowOfEachSequence) {
    Random random(4);
    const Floats values = random.normal(100 * WIDTH);
    const auto x = padded_rows(values, WIDTH, 100);
    const Memory<float> norm(random.normal(WIDTH));
    // Sequence 3 has two segments, sequences 0 and 4 have none.
    Pass pass(std::make_shared<Batch>(std::vector<int>{5, 40, 0, 9, 31}, 8), 100);
    pass.chains({{2, 1}, {3, 80}, {1, 17}});
    const int rows[] = {-1, 97, 0, 80, -1};
    const auto normed_rows = poisoned(WIDTH, 100);
    run(api().norm, Norm{pass.view(), x, norm, 1e-5f, WIDTH, normed_rows, nullptr});
    const Floats normed = normed_rows.read();
    for (bool with_norm : {false, true}) {
        const auto states = poisoned(WIDTH, 5);
        run(api().draft_states, DraftStates{pass.view(), x, with_norm ? norm.get() : nullptr, 1e-5f, WIDTH, states});
        for (int s = 0; s < 5; ++s) {
            const Floats state = row_of(states.read(), s, WIDTH);
            if (rows[s] < 0) {
                EXPECT_TRUE(std::isnan(state[0])) << s;
            } else {
                EXPECT_TRUE(same_bits(state, row_of(with_norm ? normed : values, rows[s], WIDTH))) << s;
            }
        }
    }
}

// A batch of which some sequences, in this order, have a tree's nodes.
struct Expanded {
    std::vector<int> sequences;
    Shape shape;
    TreeData data;
    Memory<TreeData> tree;
    Pass nodes;

    Expanded(Random& random, int tree_nodes, int batch_size, const std::vector<int>& expanded)
        : sequences(expanded),
          shape(random_shape(random, tree_nodes)),
          data(shape.data()),
          tree(trees_of(shape, batch_size)),
          nodes(std::make_shared<Batch>(std::vector<int>(batch_size, LENGTH), 6), batch_size * tree_nodes) {
        if (!expanded.empty()) expand_shape(nodes, shape, expanded);
    }

    int trees() const { return static_cast<int>(sequences.size()); }
};

TEST(DraftInputs, GathersHiddenStatesAndTokens) {
    Random random(5);
    const Matrix embedding(HYDRA_F16, 37, WIDTH, random);
    const std::pair<int, std::vector<int>> batches[] = {{1, {}}, {1, {0}}, {4, {3, 0, 2}}};
    for (const auto& [batch_size, expanded] : batches) {
        Expanded made(random, 40, batch_size, expanded);
        const Floats states_values = random.normal(batch_size * WIDTH);
        const Memory<float> states(states_values);
        made.nodes.tokens = random_tokens(random, batch_size * 40, 38);
        made.nodes.upload();
        for (int level = 0; level <= made.shape.levels(); ++level) {
            const int each = made.data.level_rows(level), rows = made.trees() * each;
            const int64_t width = (level + 2) * WIDTH;
            Pass level_rows(made.nodes.batch, std::max(batch_size * each, batch_size));
            const auto out = poisoned(width, level_rows.max_rows), plain = poisoned(WIDTH, level_rows.max_rows);
            level_rows.chain(1);
            run(api().draft_inputs, DraftInputs{made.tree, level, made.nodes.view(), states, WIDTH, embedding.view,
                                                level_rows.view(), out});
            level_rows.download();
            EXPECT_EQ(level_rows.count(), rows);
            EXPECT_EQ(level_rows.state[0].segments, 0);
            EXPECT_EQ(level_rows.state[0].sequences, 0);
            EXPECT_EQ(level_rows.state[0].generation, made.nodes.batch->generation);
            EXPECT_TRUE(untouched_behind(out, rows * width));
            const Floats found = out.read(rows * width);
            for (int r = 0; r < rows; ++r) {
                const int g = r / each;
                Floats expected = row_of(states_values, expanded[g], WIDTH);
                for (int32_t node : made.shape.path(made.data.level_node(level, r % each))) {
                    const int32_t token = made.nodes.tokens[g * 40 + node];
                    append(expected, token < 37 ? row_of(embedding.values, token, WIDTH) : Floats(WIDTH));
                }
                EXPECT_TRUE(same_bits(row_of(found, r, width), expected)) << level << ", " << r;
            }
            run(api().draft_inputs,
                DraftInputs{made.tree, level, made.nodes.view(), states, WIDTH, {}, level_rows.view(), plain});
            level_rows.download();
            const int singles = made.shape.levels() > level ? made.trees() : 0;
            EXPECT_EQ(level_rows.count(), singles);
            EXPECT_TRUE(untouched_behind(plain, singles * WIDTH));
            for (int g = 0; g < singles; ++g) {
                EXPECT_TRUE(same_bits(row_of(plain.read(), g, WIDTH), row_of(states_values, expanded[g], WIDTH)));
            }
        }
    }
}

TEST(DraftInputs, StaysWithinTheNodesThatWereExpanded) {
    Random random(6);
    const Matrix embedding(HYDRA_F32, 9, WIDTH, random);
    Expanded made(random, 3, 2, {0, 1});
    Shape shape;
    for (int i = 0; i < 63; ++i) shape.add(i, 0);
    made.tree.write({shape.data(), shape.data()});
    const Memory<float> states(random.normal(2 * WIDTH));
    const auto out = poisoned(62 * WIDTH, 2);
    const Pass level_rows(made.nodes.batch, 2);
    run(api().draft_inputs,
        DraftInputs{made.tree, 60, made.nodes.view(), states, WIDTH, embedding.view, level_rows.view(), out});
    EXPECT_TRUE(untouched_behind(out, 0));
    const Memory<int32_t> ids(std::vector<int32_t>(2, 8));
    run(api().draft_tokens, DraftTokens{made.tree, 60, TopView{1, ids, nullptr, 0}, -1, made.nodes.view()});
    made.nodes.download();
    EXPECT_EQ(made.nodes.tokens, std::vector<int32_t>(6));
}

TEST(DraftLevels, CountsTheLevelsOfAllTrees) {
    Random random(7);
    const std::pair<int, std::vector<int>> batches[] = {{1, {}}, {1, {0}}, {4, {3, 1, 2}}};
    for (const auto& [batch_size, expanded] : batches) {
        const Expanded made(random, 20, batch_size, expanded);
        Pass rows(made.nodes.batch, batch_size * 20);
        rows.chain(1);
        run(api().draft_levels, DraftLevels{made.tree, made.nodes.view(), rows.view()});
        rows.download();
        EXPECT_EQ(rows.count(), made.shape.levels() * made.trees());
        EXPECT_EQ(rows.state[0].segments, 0);
        EXPECT_EQ(rows.state[0].generation, made.nodes.batch->generation);
    }
}

TEST(DraftTokens, HandsOutARowsEntriesByRank) {
    Random random(8);
    constexpr int K = 32;
    const std::pair<int, std::vector<int>> batches[] = {{1, {0}}, {5, {4, 0, 2}}};
    for (const auto& [batch_size, expanded] : batches) {
        Expanded made(random, 50, batch_size, expanded);
        const int trees = made.trees();
        const std::vector<int32_t> entries = random_tokens(random, 8 * 50 * trees * K, 1000);
        const Memory<int32_t> ids(entries);
        for (int group : {-1, 0, 7}) {
            for (int level = 0; level < made.shape.levels(); ++level) {
                std::fill(made.nodes.tokens.begin(), made.nodes.tokens.end(), -5);
                made.nodes.upload();
                run(api().draft_tokens,
                    DraftTokens{made.tree, level, TopView{K, ids, nullptr, 0}, group, made.nodes.view()});
                made.nodes.download();
                for (int r = 0; r < made.nodes.max_rows; ++r) {
                    const int g = r / 50, i = r % 50;
                    int32_t expected = -5;
                    if (g < trees && made.shape.depths[i] == level + 1) {
                        const int from =
                            group >= 0 ? group * trees + g
                                       : g * made.data.level_rows(level) + made.data.row_of[made.shape.parents[i]];
                        expected = entries[from * K + made.shape.ranks[i]];
                    }
                    EXPECT_EQ(made.nodes.tokens[r], expected) << r;
                }
            }
        }
    }
}

// Expanded trees of few different tokens, the base's answers, a filled cache and hidden states.
struct Step {
    static constexpr int K = 2;
    Shape shape;
    std::vector<int> sequences;            // that have a tree
    std::vector<int32_t> tokens, answers;  // by row
    Pass pass, uncommitted_pass;
    Memory<TreeData> tree;
    Memory<int32_t> ids, selection;
    Kv kv;
    std::vector<std::vector<Floats>> cache;  // by sequence and slot
    Floats hidden_values;
    Memory<float> hidden, uncommitted;

    Step(Random& random, const Shape& made, int kinds, hydra_type type = HYDRA_F32,
         const std::vector<int>& lengths = {LENGTH}, const std::vector<int>& expanded = {0})
        : shape(made),
          sequences(expanded),
          tokens(random_tokens(random, made.nodes() * static_cast<int>(expanded.size()), kinds)),
          answers(random_tokens(random, made.nodes() * static_cast<int>(expanded.size()), kinds)),
          pass(std::make_shared<Batch>(lengths, 4), made.nodes() * static_cast<int>(lengths.size())),
          uncommitted_pass(pass.batch, lengths.size() == 1 ? HYDRA_MAX_NODES : pass.max_rows),
          tree(trees_of(made, static_cast<int>(lengths.size()))),
          kv(type, 2, 2, 24, 4 * static_cast<int>(lengths.size())),
          cache(lengths.size()),
          hidden_values(random.normal(pass.max_rows * WIDTH)),
          hidden(hidden_values),
          uncommitted(poisoned(WIDTH, uncommitted_pass.max_rows)) {
        std::vector<int32_t> best(pass.max_rows * K, -9);
        for (size_t i = 0; i < answers.size(); ++i) best[K * i] = answers[i];
        ids = Memory<int32_t>(best);
        selection = Memory<int32_t>(std::vector<int32_t>(pass.max_rows, -9));
        expand_shape(pass, shape, expanded);
        std::copy(tokens.begin(), tokens.end(), pass.tokens.begin());
        for (hydra_step_result& result : results()) result.emitted = result.nodes = 3;
        pass.upload();
        for (size_t s = 0; s < lengths.size(); ++s) {
            for (int slot = 0; slot < lengths[s] + shape.nodes(); ++slot) {
                cache[s].push_back(kept(type, random.normal(kv.width())));
                kv.fill(pass, slot, cache[s][slot], static_cast<int>(s));
            }
        }
    }

    std::vector<std::reference_wrapper<hydra_step_result>> results() {
        std::vector<std::reference_wrapper<hydra_step_result>> all;
        for (SequenceState& state : pass.batch->states) all.emplace_back(state.result);
        return all;
    }

    // Together: by the launcher that judges and commits.
    void accept(bool append = false, bool with_uncommitted = true, bool together = true) {
        uncommitted_pass.upload();
        auto* selected = selection.get();
        run(api().select,
            Select{pass.view(), TopView{K, ids, nullptr, pass.max_rows}, nullptr, 0, {}, selected, nullptr});
        const Commit commit{tree,
                            pass.view(),
                            selected,
                            kv.view,
                            with_uncommitted ? hidden.get() : nullptr,
                            WIDTH,
                            with_uncommitted ? uncommitted_pass.view() : RowsView{},
                            with_uncommitted ? uncommitted.get() : nullptr,
                            append,
                            {}};
        if (together) {
            run(api().judge_and_commit, commit);
        } else {
            run(api().judge, Judge{tree, pass.view(), selected});
            run(api().commit, commit);
        }
        pass.download();
        uncommitted_pass.download();
    }

    // All paths of tree g one by one: the longest whose tokens the base would have chosen, the first among equals.
    std::vector<int32_t> longest(int g = 0) const {
        std::vector<int32_t> found{0};
        const int row = g * shape.nodes();
        for (int node = 1; node < shape.nodes(); ++node) {
            const std::vector<int32_t> path = shape.path(node);
            bool right = true;
            for (size_t i = 1; i < path.size(); ++i) {
                right = right && tokens[row + path[i]] == answers[row + path[i - 1]];
            }
            if (right && path.size() > found.size()) found = path;
        }
        return found;
    }

    // That result, cache and uncommitted rows are those of the longest paths.
    void expect_longest(const std::vector<int>& lengths, bool with_uncommitted) {
        std::vector<std::pair<int, int>> chains;
        Floats states;
        for (size_t g = 0; g < sequences.size(); ++g) {
            const int s = sequences[g], row = static_cast<int>(g) * shape.nodes();
            const std::vector<int32_t> path = longest(static_cast<int>(g));
            const int count = static_cast<int>(path.size());
            const hydra_step_result& result = pass.result(s);
            ASSERT_EQ(first_of(result.path, result.emitted), path);
            for (int i = 0; i < count; ++i) EXPECT_EQ(result.tokens[i], tokens[row + path[i]]);
            EXPECT_EQ(result.length, lengths[s] + count);
            EXPECT_EQ(result.root, answers[row + path.back()]);
            EXPECT_EQ(result.nodes, shape.nodes());
            for (int slot = 0; slot < lengths[s]; ++slot) {
                ASSERT_TRUE(same_bits(kv.slot(pass, slot, s), cache[s][slot]));
            }
            for (int i = 0; i < count; ++i) {
                ASSERT_TRUE(same_bits(kv.slot(pass, lengths[s] + i, s), cache[s][lengths[s] + path[i]])) << i;
                append(states, row_of(hidden_values, row + path[i], WIDTH));
            }
            chains.emplace_back(s, count);
        }
        if (!with_uncommitted) return;
        Pass expected(std::make_shared<Batch>(lengths, 4), uncommitted_pass.max_rows);
        expected.chains(chains);
        expect_same_rows(uncommitted_pass, expected);
        const auto values = static_cast<int64_t>(states.size());
        EXPECT_TRUE(same_bits(uncommitted.read(values), states));
        EXPECT_TRUE(untouched_behind(uncommitted, values));
    }
};

TEST(Accept, KeepsTheLongestPathThatTheBaseAgreesWith) {
    Random random(9);
    int longer = 0, ties = 0;
    for (int round = 0; round < 48; ++round) {
        const int sizes[] = {1, 2, 5, 17, 33, 64};
        Step step(random, random_shape(random, sizes[round % 6]), 1 + round % 4,
                  round / 6 % 2 == 0 ? HYDRA_F32 : HYDRA_F16);
        const auto count = static_cast<int>(step.longest().size());
        step.accept(false, round % 5 != 4, round % 2 == 0);
        step.expect_longest({LENGTH}, round % 5 != 4);
        longer += count > 2;
        ties += count > 1 && std::count(step.shape.depths.begin(), step.shape.depths.end(), count - 1) > 1;
    }
    EXPECT_GT(longer, 8);
    EXPECT_GT(ties, 8);
}

TEST(Accept, KeepsAPathOfEachSequenceOfABatch) {
    Random random(10);
    for (int round = 0; round < 8; ++round) {
        const int size = round == 0 ? 2 : 20, nodes = round == 0 ? 1 : 3 + 5 * round;
        std::vector<int> lengths, expanded;
        for (int s = 0; s < size; ++s) {
            lengths.push_back(random.below(40));
            if (s % 3 != round % 3) expanded.push_back(s);
        }
        random.shuffle(expanded);
        Step step(random, random_shape(random, nodes), 1 + round % 3, round % 2 == 0 ? HYDRA_F32 : HYDRA_F16, lengths,
                  expanded);
        step.accept(false, round != 5, round % 2 == 0);
        step.expect_longest(lengths, round != 5);
        for (int s = 0; s < size; ++s) {
            if (std::count(expanded.begin(), expanded.end(), s) > 0) continue;
            EXPECT_EQ(step.pass.result(s).emitted, 0);
            EXPECT_EQ(step.pass.result(s).nodes, 0);
            EXPECT_EQ(step.pass.result(s).length, lengths[s]);
            EXPECT_EQ(step.pass.result(s).root, 0);
        }
    }
}

Shape chain_of(int nodes) {
    Shape chain;
    for (int i = 1; i < nodes; ++i) chain.add(i - 1, 0);
    return chain;
}

// Rows of a sequence that wait, before its verified positions.
void set_waiting(Pass& pass, int first, int count) {
    const RowsView host = pass.on_host();
    host.set_count(0);
    if (count > 0) host.add(0, first, count);
    for (int s = 0; s < host.state->segments; ++s) {
        for (int i = 0; i < pass.segments[s].count; ++i) host.set_chain_row(s, i);
    }
}

TEST(Accept, AppendsToTheUncommittedRowsThatEndThere) {
    Random random(11);
    Step step(random, chain_of(4), 1);
    const Floats waiting = random.normal(5 * WIDTH);
    step.uncommitted.write(waiting);
    set_waiting(step.uncommitted_pass, LENGTH - 5, 5);
    step.accept(true);
    Pass expected(step.pass.batch);
    set_waiting(expected, LENGTH - 5, 9);
    expect_same_rows(step.uncommitted_pass, expected);
    Floats all = waiting;
    append(all, step.hidden_values);
    EXPECT_TRUE(same_bits(step.uncommitted.read(9 * WIDTH), all));
    EXPECT_TRUE(untouched_behind(step.uncommitted, 9 * WIDTH));
}

TEST(Accept, DropsUncommittedRowsThatEndElsewhereOrHaveNoRoom) {
    Random random(12);
    const std::pair<int, int> waiting[] = {{LENGTH - 6, 5}, {LENGTH - 25, 25}, {LENGTH, 0}, {LENGTH - 5, 5}};
    for (const auto& [first, count] : waiting) {
        Step step(random, chain_of(40), 1);
        set_waiting(step.uncommitted_pass, first, count);
        if (first == LENGTH - 5) --step.uncommitted_pass.state[0].generation;
        step.accept(true);
        Pass expected(step.pass.batch);
        set_waiting(expected, LENGTH, 40);
        expect_same_rows(step.uncommitted_pass, expected);
        EXPECT_TRUE(same_bits(step.uncommitted.read(40 * WIDTH), step.hidden_values));
    }
}

TEST(Accept, EmitsNothingAfterARewind) {
    Random random(13);
    Step step(random, random_shape(random, 9), 1);
    step.pass.result().length = 11;
    step.pass.result().root = 4;
    ++step.pass.batch->generation;
    step.accept();
    EXPECT_EQ(step.pass.result().length, 11);
    EXPECT_EQ(step.pass.result().root, 4);
    EXPECT_EQ(step.pass.result().emitted, 0);
    EXPECT_EQ(step.pass.result().nodes, 0);
    EXPECT_EQ(step.uncommitted_pass.count(), 0);
    EXPECT_TRUE(untouched_behind(step.uncommitted, 0));
}

TEST(Accept, StaysWithinTheNodesThatWereExpanded) {
    Random random(14);
    Step step(random, random_shape(random, 3), 1);
    step.tree.write({random_shape(random, 64).data()});
    step.accept();
    EXPECT_EQ(step.pass.result().nodes, 3);
    EXPECT_LE(step.pass.result().length, LENGTH + 3);
}

TEST(Commit, LeavesNoRowsToADrafterThatHasNoRoomForThem) {
    Random random(15);
    Step step(random, chain_of(2), 1);
    Pass pass(step.pass.batch, 70);
    pass.chain(70);
    run(api().commit, Commit{step.tree,
                             pass.view(),
                             nullptr,
                             step.kv.view,
                             step.hidden,
                             WIDTH,
                             step.uncommitted_pass.view(),
                             step.uncommitted,
                             false,
                             {}});
    pass.download();
    step.uncommitted_pass.download();
    EXPECT_EQ(pass.result().length, LENGTH + 70);
    EXPECT_EQ(pass.result().emitted, 0);
    EXPECT_EQ(pass.result().root, -1);
    EXPECT_EQ(step.uncommitted_pass.count(), 0);
    EXPECT_TRUE(untouched_behind(step.uncommitted, 0));
}

TEST(Commit, CountsAllRowsOfChainsAsVerified) {
    Random random(16);
    const std::vector<int> lengths{8, 0, 33, 12};
    const std::vector<std::vector<std::pair<int, int>>> passes{{{0, 17}}, {{2, 3}, {0, 150}, {3, 64}}, {{1, 65}}};
    const Memory<int32_t> selection(std::vector<int32_t>{42, 43, 44});
    for (int round = 0; round < 12; ++round) {
        const auto& chains = passes[round / 4];
        const bool last = round % 2 != 0, with_uncommitted = round / 2 % 2 != 0;
        Pass pass(std::make_shared<Batch>(lengths, 8), 220), uncommitted_pass(pass.batch, 230),
            expected(pass.batch, 230);
        pass.chains(chains);
        if (with_uncommitted) expected.chains(chains);
        const int count = pass.count();
        const Floats values = random.normal(count * WIDTH);
        const auto hidden = padded_rows(values, WIDTH, 220), uncommitted = poisoned(WIDTH, 230);
        run(api().commit, Commit{nullptr,
                                 pass.view(),
                                 last ? selection.get() : nullptr,
                                 KvView{},
                                 hidden,
                                 WIDTH,
                                 with_uncommitted ? uncommitted_pass.view() : RowsView{},
                                 uncommitted,
                                 false,
                                 {}});
        pass.download();
        uncommitted_pass.download();
        for (int s = 0; s < 4; ++s) EXPECT_EQ(pass.result(s).emitted, 0);
        for (size_t i = 0; i < chains.size(); ++i) {
            const auto& [s, rows] = chains[i];
            EXPECT_EQ(pass.result(s).length, lengths[s] + rows);
            EXPECT_EQ(pass.result(s).nodes, rows);
            EXPECT_EQ(pass.result(s).root, last ? 42 + static_cast<int>(i) : -1);
        }
        EXPECT_EQ(pass.result(round / 4 == 2 ? 0 : 1).length, lengths[round / 4 == 2 ? 0 : 1]);
        expect_same_rows(uncommitted_pass, expected);
        const int64_t kept_values = with_uncommitted ? count * WIDTH : 0;
        EXPECT_TRUE(same_bits(uncommitted.read(kept_values), Floats(values.begin(), values.begin() + kept_values)));
        EXPECT_TRUE(untouched_behind(uncommitted, kept_values));
    }
}

}  // namespace
}  // namespace hydra::cuda::test
