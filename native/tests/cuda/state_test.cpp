// What moves the state from step to step, exact against the same done on the host.
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

TEST(Plant, MakesTheRowsTheTreesNodes) {
    Random random(1);
    for (int nodes : {1, 5, 64}) {
        const Shape shape = random_shape(random, nodes);
        const Memory<TreeData> tree(std::vector<TreeData>{shape.data()});
        Pass pass(LENGTH);
        pass.state.result.root = 77;
        pass.chain(3);
        run(api().plant, Plant{tree, pass.view()});
        pass.download();
        const RowsState& rows = pass.rows_state;
        EXPECT_EQ(rows.count, nodes);
        EXPECT_EQ(rows.first, LENGTH);
        EXPECT_EQ(rows.generation, pass.state.generation);
        EXPECT_EQ(rows.tokens[0], 77);
        for (int i = 0; i < nodes; ++i) {
            EXPECT_EQ(rows.positions[i], LENGTH + shape.depths[i]);
            EXPECT_EQ(rows.ancestors[i], shape.data().ancestors[i]);
        }
    }
}

TEST(Plant, PlantsNothingWhereThereIsNoRoom) {
    Random random(2);
    const Shape shape = random_shape(random, 9);
    const Memory<TreeData> tree(std::vector<TreeData>{shape.data()});
    const int full = 2 * HYDRA_PAGE_POSITIONS - 9, limit = LENGTH + shape.levels();
    struct {
        int length, limit, count;
    } cases[] = {{full, 1000, 9}, {full + 1, 1000, 0}, {LENGTH, limit + 1, 9}, {LENGTH, limit, 0}};
    for (const auto& c : cases) {
        Pass pass(c.length, 2);
        pass.rows_state.position_limit = c.limit;
        pass.chain(3);
        run(api().plant, Plant{tree, pass.view()});
        pass.download();
        EXPECT_EQ(pass.rows_state.count, c.count) << c.length << ", " << c.limit;
    }
}

TEST(DraftInputs, GathersHiddenStateAndTokens) {
    Random random(3);
    const Matrix embedding(HYDRA_F16, 37, WIDTH, random);
    for (int states : {0, 1, 3}) {
        const Shape shape = random_shape(random, 40);
        const TreeData data = shape.data();
        const Memory<TreeData> tree(std::vector<TreeData>{data});
        const Floats hidden_values = random.normal(HYDRA_MAX_ROWS * WIDTH);
        const Memory<float> hidden(hidden_values);
        Pass nodes(LENGTH), hidden_rows(LENGTH), level_rows(LENGTH);
        plant_shape(nodes, shape);
        const std::vector<int32_t> tokens = random_tokens(random, 40, 38);
        std::copy(tokens.begin(), tokens.end(), nodes.rows_state.tokens);
        nodes.upload();
        hidden_rows.chain(states);
        for (int level = 0; level <= shape.levels(); ++level) {
            const auto out = poisoned((level + 2) * WIDTH), plain = poisoned(WIDTH);
            const int rows = states > 0 ? data.level_rows[level] : 0;
            level_rows.rows_state.generation = 0;
            level_rows.rows_state.count = 55;
            level_rows.upload();
            run(api().draft_inputs, DraftInputs{tree, level, nodes.view(), hidden_rows.view(), hidden, WIDTH,
                                                embedding.view, level_rows.view(), out});
            level_rows.download();
            EXPECT_EQ(level_rows.rows_state.count, rows);
            EXPECT_EQ(level_rows.rows_state.generation, level_rows.state.generation);
            EXPECT_TRUE(untouched_behind(out, rows * (level + 2) * WIDTH));
            const Floats found = out.read(rows * (level + 2) * WIDTH);
            for (int r = 0; r < rows; ++r) {
                Floats expected = row_of(hidden_values, states - 1, WIDTH);
                for (int32_t node : shape.path(data.level_nodes[level][r])) {
                    append(expected, tokens[node] < 37 ? row_of(embedding.values, tokens[node], WIDTH) : Floats(WIDTH));
                }
                EXPECT_TRUE(same_bits(row_of(found, r, (level + 2) * WIDTH), expected)) << level << ", " << r;
            }
            run(api().draft_inputs,
                DraftInputs{
                    tree, level, nodes.view(), hidden_rows.view(), hidden, WIDTH, {}, level_rows.view(), plain});
            level_rows.download();
            const int single = states > 0 && shape.levels() > level ? 1 : 0;
            EXPECT_EQ(level_rows.rows_state.count, single);
            EXPECT_TRUE(untouched_behind(plain, single * WIDTH));
            if (single > 0) {
                EXPECT_TRUE(same_bits(plain.read(WIDTH), row_of(hidden_values, states - 1, WIDTH)));
            }
        }
    }
}

TEST(DraftLevels, CountsTheTreesLevels) {
    Random random(4);
    const Shape shape = random_shape(random, 20);
    const Memory<TreeData> tree(std::vector<TreeData>{shape.data()});
    Pass pass;
    pass.rows_state.generation = 0;
    pass.upload();
    run(api().draft_levels, DraftLevels{tree, pass.view()});
    pass.download();
    EXPECT_EQ(pass.rows_state.count, shape.levels());
    EXPECT_EQ(pass.rows_state.generation, pass.state.generation);
}

TEST(DraftTokens, HandsOutARowsEntriesByRank) {
    Random random(5);
    constexpr int K = 32;
    const Shape shape = random_shape(random, 50);
    const TreeData data = shape.data();
    const Memory<TreeData> tree(std::vector<TreeData>{data});
    const std::vector<int32_t> entries = random_tokens(random, HYDRA_MAX_ROWS * K, 1000);
    const Memory<int32_t> ids(entries);
    for (int row : {-1, 0, 7}) {
        for (int level = 0; level < shape.levels(); ++level) {
            Pass pass;
            plant_shape(pass, shape);
            std::fill_n(pass.rows_state.tokens, HYDRA_MAX_ROWS, -5);
            pass.upload();
            run(api().draft_tokens, DraftTokens{tree, level, TopView{K, ids, nullptr}, row, pass.view()});
            pass.download();
            for (int i = 0; i < HYDRA_MAX_ROWS; ++i) {
                int32_t expected = -5;
                if (i < 50 && shape.depths[i] == level + 1) {
                    const int from = row >= 0 ? row : data.row_of[shape.parents[i]];
                    expected = entries[from * K + shape.ranks[i]];
                }
                EXPECT_EQ(pass.rows_state.tokens[i], expected) << i;
            }
        }
    }
}

// A planted tree of few different tokens, the base's answers, a filled cache and hidden states.
struct Step {
    static constexpr int K = 2;
    Shape shape;
    std::vector<int32_t> tokens, answers;
    Pass pass{LENGTH}, pending_pass{LENGTH};
    Memory<TreeData> tree;
    Memory<int32_t> ids;
    Kv kv;
    std::vector<Floats> cache;
    Floats hidden_values;
    Memory<float> hidden, pending;

    Step(Random& random, const Shape& made, int kinds, hydra_type type = HYDRA_F32)
        : shape(made),
          tokens(random_tokens(random, made.nodes(), kinds)),
          answers(random_tokens(random, made.nodes(), kinds)),
          tree(std::vector<TreeData>{made.data()}),
          kv(type, 2, 2, 24),
          hidden_values(random.normal(made.nodes() * WIDTH)),
          hidden(padded_rows(hidden_values, WIDTH)),
          pending(poisoned(WIDTH)) {
        std::vector<int32_t> best(HYDRA_MAX_ROWS * K, -9);
        for (int i = 0; i < shape.nodes(); ++i) best[K * i] = answers[i];
        ids = Memory<int32_t>(best);
        plant_shape(pass, shape);
        std::copy(tokens.begin(), tokens.end(), pass.rows_state.tokens);
        pass.upload();
        for (int slot = 0; slot < LENGTH + shape.nodes(); ++slot) {
            cache.push_back(kept(type, random.normal(kv.width())));
            kv.fill(pass, slot, cache[slot]);
        }
    }

    RowsView pending_view() const { return {pending_pass.rows, pass.sequence, pass.pages}; }

    void accept(bool append = false, bool with_pending = true) {
        pending_pass.rows.write({pending_pass.rows_state});
        run(api().accept,
            Accept{tree, pass.view(), TopView{K, ids, nullptr}, kv.view, with_pending ? hidden.get() : nullptr, WIDTH,
                   with_pending ? pending_view() : RowsView{}, with_pending ? pending.get() : nullptr, append});
        pass.download();
        pending_pass.rows_state = pending_pass.rows.read()[0];
    }

    // All paths one by one: the longest whose tokens the base would have chosen, the first among equals.
    std::vector<int32_t> longest() const {
        std::vector<int32_t> found{0};
        for (int node = 1; node < shape.nodes(); ++node) {
            const std::vector<int32_t> path = shape.path(node);
            bool right = true;
            for (size_t i = 1; i < path.size(); ++i) right = right && tokens[path[i]] == answers[path[i - 1]];
            if (right && path.size() > found.size()) found = path;
        }
        return found;
    }
};

TEST(Accept, KeepsTheLongestPathThatTheBaseAgreesWith) {
    Random random(6);
    int longer = 0, ties = 0;
    for (int round = 0; round < 48; ++round) {
        const int sizes[] = {1, 2, 5, 17, 33, 64};
        Step step(random, random_shape(random, sizes[round % 6]), 1 + round % 4,
                  round / 6 % 2 == 0 ? HYDRA_F32 : HYDRA_F16);
        const std::vector<int32_t> path = step.longest();
        const int count = static_cast<int>(path.size());
        step.accept(false, round % 5 != 4);
        const hydra_step_result& result = step.pass.state.result;
        ASSERT_EQ(first_of(result.path, result.emitted), path);
        for (int i = 0; i < count; ++i) EXPECT_EQ(result.tokens[i], step.tokens[path[i]]);
        EXPECT_EQ(result.length, LENGTH + count);
        EXPECT_EQ(result.root, step.answers[path.back()]);
        EXPECT_EQ(result.nodes, step.shape.nodes());
        for (int slot = 0; slot < LENGTH; ++slot) {
            ASSERT_TRUE(same_bits(step.kv.slot(step.pass, slot), step.cache[slot]));
        }
        for (int i = 0; i < count; ++i) {
            ASSERT_TRUE(same_bits(step.kv.slot(step.pass, LENGTH + i), step.cache[LENGTH + path[i]])) << i;
        }
        longer += count > 2;
        ties += count > 1 && std::count(step.shape.depths.begin(), step.shape.depths.end(), count - 1) > 1;
        if (round % 5 == 4) continue;
        const RowsState& waiting = step.pending_pass.rows_state;
        EXPECT_EQ(waiting.count, count);
        EXPECT_EQ(waiting.first, LENGTH);
        EXPECT_EQ(waiting.generation, step.pass.state.generation);
        Floats states;
        for (int i = 0; i < count; ++i) {
            append(states, row_of(step.hidden_values, path[i], WIDTH));
            EXPECT_EQ(waiting.positions[i], LENGTH + i);
            EXPECT_EQ(waiting.ancestors[i], ~uint64_t{0} >> (63 - i));
        }
        EXPECT_TRUE(same_bits(step.pending.read(count * WIDTH), states));
        EXPECT_TRUE(untouched_behind(step.pending, count * WIDTH));
    }
    EXPECT_GT(longer, 8);
    EXPECT_GT(ties, 8);
}

TEST(Accept, AppendsToThePendingRowsThatEndThere) {
    Random random(7);
    Shape chain;
    for (int i = 0; i < 3; ++i) chain.add(i, 0);
    Step step(random, chain, 1);
    const Floats waiting = random.normal(5 * WIDTH);
    step.pending.write(waiting);
    RowsState& rows = step.pending_pass.rows_state;
    rows.first = LENGTH - 5;
    rows.count = 5;
    step.accept(true);
    EXPECT_EQ(rows.count, 9);
    EXPECT_EQ(rows.first, LENGTH - 5);
    EXPECT_EQ(rows.positions[8], LENGTH + 3);
    Floats expected = waiting;
    append(expected, step.hidden_values);
    EXPECT_TRUE(same_bits(step.pending.read(9 * WIDTH), expected));
}

TEST(Accept, DropsPendingRowsThatEndElsewhereOrHaveNoRoom) {
    Random random(8);
    Shape chain;
    for (int i = 0; i < 39; ++i) chain.add(i, 0);
    const std::pair<int, int> waiting[] = {{LENGTH - 6, 5}, {LENGTH - 25, 25}, {LENGTH, 0}, {LENGTH - 5, 5}};
    for (const auto& [first, count] : waiting) {
        Step step(random, chain, 1);
        RowsState& rows = step.pending_pass.rows_state;
        rows.first = first;
        rows.count = count;
        if (first == LENGTH - 5) --rows.generation;
        step.accept(true);
        EXPECT_EQ(rows.count, 40);
        EXPECT_EQ(rows.first, LENGTH);
        EXPECT_TRUE(same_bits(step.pending.read(40 * WIDTH), step.hidden_values));
    }
}

TEST(Accept, DoesNothingAfterARewind) {
    Random random(9);
    Step step(random, random_shape(random, 9), 1);
    step.pass.state.result.length = 11;
    step.pass.state.result.root = 4;
    ++step.pass.state.generation;
    step.pass.upload();
    step.accept();
    EXPECT_EQ(step.pass.state.result.length, 11);
    EXPECT_EQ(step.pass.state.result.root, 4);
    EXPECT_EQ(step.pending_pass.rows_state.count, 0);
    EXPECT_TRUE(untouched_behind(step.pending, 0));
}

TEST(Accept, StaysWithinTheNodesThatWerePlanted) {
    Random random(10);
    Step step(random, random_shape(random, 3), 1);
    step.tree.write({random_shape(random, 64).data()});
    step.accept();
    EXPECT_EQ(step.pass.state.result.nodes, 3);
    EXPECT_LE(step.pass.state.result.length, LENGTH + 3);
}

TEST(Advance, CountsAllRowsAsVerified) {
    Random random(11);
    const Floats values = random.normal(17 * WIDTH);
    const auto hidden = padded_rows(values, WIDTH);
    const Memory<int32_t> ids(std::vector<int32_t>{42, 1, 2});
    for (bool last : {false, true}) {
        for (bool with_pending : {false, true}) {
            const auto pending = poisoned(WIDTH);
            Pass pass(8);
            const Pass pending_pass(8);
            pass.chain(17);
            const RowsView waiting = with_pending ? RowsView{pending_pass.rows, pass.sequence, pass.pages} : RowsView{};
            run(api().advance,
                Advance{pass.view(), TopView{3, last ? ids.get() : nullptr, nullptr}, hidden, WIDTH, waiting, pending});
            pass.download();
            const hydra_step_result& result = pass.state.result;
            EXPECT_EQ(result.length, 25);
            EXPECT_EQ(result.root, last ? 42 : -1);
            EXPECT_EQ(result.nodes, 17);
            EXPECT_EQ(result.emitted, 0);
            const int count = with_pending ? 17 : 0;
            const RowsState rows = pending_pass.rows.read()[0];
            EXPECT_EQ(rows.count, count);
            EXPECT_EQ(rows.first, 8);
            EXPECT_TRUE(same_bits(pending.read(count * WIDTH), Floats(values.begin(), values.begin() + count * WIDTH)));
            EXPECT_TRUE(untouched_behind(pending, count * WIDTH));
        }
    }
}

}  // namespace
}  // namespace hydra::cuda::test
