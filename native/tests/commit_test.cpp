#include "acceptance.h"
#include "sampling.h"

namespace hydra::test {
namespace {

TEST(Commit, MovesWhatIsAcceptedAfterWhatWasVerified) {
    Random random(1);
    int ties = 0, longer = 0;
    for (int round = 0; round < 60; ++round) {
        const int sizes[] = {1, 2, 5, 17, 33, 64};
        const Backend backend = open_backend(round % 3 + 1);
        Step step(backend, random, random_shape(random, sizes[round % 6]), 1 + round % 4);
        const std::vector<int32_t> path = step.longest();
        const int count = static_cast<int>(path.size());
        step.run();
        const hydra_step_result& result = step.pass.result();
        ASSERT_EQ(std::vector<int32_t>(result.path, result.path + result.emitted), path);
        for (int i = 0; i < count; ++i) EXPECT_EQ(result.tokens[i], step.tokens[path[i]]);
        EXPECT_EQ(result.length, LENGTH + count);
        EXPECT_EQ(result.root, step.answers[path.back()]);
        EXPECT_EQ(result.nodes, step.shape.nodes());
        // The cache holds the path after what was verified before.
        for (int slot = 0; slot < LENGTH; ++slot) ASSERT_TRUE(same_bits(step.slots.all(slot), step.cache[slot]));
        for (int i = 0; i < count; ++i) {
            ASSERT_TRUE(same_bits(step.slots.all(LENGTH + i), step.cache[LENGTH + path[i]])) << i;
        }
        // The hidden states of the path wait for the drafter.
        EXPECT_EQ(hydra_rows_count(step.uncommitted_rows), count);
        EXPECT_EQ(step.uncommitted_rows->view.segments[0].first, LENGTH);
        Floats waiting;
        for (int32_t node : path) append(waiting, row_of(step.hidden_values, node, WIDTH));
        EXPECT_TRUE(same_bits(contents(step.uncommitted, count * WIDTH), waiting));
        EXPECT_TRUE(untouched_behind(step.uncommitted, count * WIDTH));
        for (int i = 0; i < count; ++i) {
            EXPECT_EQ(step.uncommitted_rows->view.positions[i], LENGTH + i);
            EXPECT_EQ(step.uncommitted_rows->view.tokens[i], step.tokens[path[i]]);
            EXPECT_EQ(step.uncommitted_rows->view.ancestors[i], ~uint64_t{0} >> (63 - i));
        }
        longer += count > 2;
        ties += count > 1 && std::count(step.shape.depths.begin(), step.shape.depths.end(), count - 1) > 1;
    }
    EXPECT_GT(longer, 10);
    EXPECT_GT(ties, 10);
}

TEST(Commit, AppendsToTheUncommittedRowsThatEndThere) {
    const Backend backend = open_backend();
    Random random(3);
    Shape chain;
    for (int i = 0; i < 3; ++i) chain.add(i, 0);
    Step step(backend, random, chain, 1);
    // Five rows wait, the last of them just before the expanded root.
    set_chain(step.uncommitted_rows, LENGTH - 5, 5);
    std::vector<int32_t> tokens{50, 51, 52, 53, 54};
    set_tokens(step.uncommitted_rows, tokens);
    const Floats waiting = random.normal(5 * WIDTH);
    must(hydra_buffer_write(step.uncommitted, 0, waiting.data(), 5 * WIDTH * 4));
    step.run(true);
    EXPECT_EQ(hydra_rows_count(step.uncommitted_rows), 9);
    EXPECT_EQ(step.uncommitted_rows->view.segments[0].first, LENGTH - 5);
    Floats expected = waiting;
    append(expected, step.hidden_values);
    EXPECT_TRUE(same_bits(contents(step.uncommitted, 9 * WIDTH), expected));
    tokens.insert(tokens.end(), step.tokens.begin(), step.tokens.end());
    const int32_t* left = hydra_rows_tokens(step.uncommitted_rows);
    EXPECT_EQ(std::vector<int32_t>(left, left + 9), tokens);
}

TEST(Commit, DropsUncommittedRowsThatEndElsewhereOrHaveNoRoom) {
    const Backend backend = open_backend();
    Random random(3);
    Shape chain;
    for (int i = 0; i < 39; ++i) chain.add(i, 0);
    const std::pair<int, int> waiting[] = {{LENGTH - 6, 5}, {LENGTH - 25, 25}, {LENGTH, 0}};
    for (const auto& [first, count] : waiting) {
        Step step(backend, random, chain, 1);
        set_chain(step.uncommitted_rows, first, count);
        step.run(true);
        EXPECT_EQ(hydra_rows_count(step.uncommitted_rows), 40);
        EXPECT_EQ(step.uncommitted_rows->view.segments[0].first, LENGTH);
        EXPECT_TRUE(same_bits(contents(step.uncommitted, 40 * WIDTH), step.hidden_values));
    }
}

TEST(Commit, DoesNothingAfterARewind) {
    const Backend backend = open_backend(2);
    Random random(4);
    Step step(backend, random, random_shape(random, 9), 1);
    must(hydra_batch_rewind(step.pass.batch, 0, 11, 4));
    step.run();
    EXPECT_EQ(step.pass.result().length, 11);
    EXPECT_EQ(step.pass.result().root, 4);
    EXPECT_EQ(hydra_rows_count(step.uncommitted_rows), 0);
}

TEST(Commit, StaysWithinTheNodesThatWereExpanded) {
    const Backend backend = open_backend();
    Random random(4);
    Step step(backend, random, random_shape(random, 3), 1);
    const Shape larger = random_shape(random, 64);
    must(set_tree(step.expanded, 0, larger));
    step.run();
    EXPECT_EQ(step.pass.result().nodes, 3);
    EXPECT_LE(step.pass.result().length, LENGTH + 3);
}

TEST(Commit, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    Random random(5);
    Step step(backend, random, random_shape(random, 5), 1);
    const Pass other(backend);
    int32_t append = 0;
    const auto attempt = [&](const Buffer& hidden, hydra_rows* uncommitted_rows, const Buffer& uncommitted) {
        return record_end(
            step.pass, step.pass.program,
            {step.expanded, step.pass.rows, step.best, step.kv, hidden, WIDTH, uncommitted_rows, uncommitted, append});
    };
    expect_refused(attempt({}, step.uncommitted_rows, step.uncommitted), "hidden is null");
    expect_refused(attempt(step.hidden, step.uncommitted_rows, {}), "uncommitted is null");
    expect_refused(attempt(step.hidden, step.uncommitted_rows, floats(backend, Floats(9))), "uncommitted has 36 bytes");
    expect_refused(attempt(step.hidden, step.uncommitted_rows, step.hidden), "uncommitted must not be hidden");
    expect_refused(attempt(step.hidden, nullptr, step.uncommitted), "uncommitted without uncommitted_rows");
    expect_refused(attempt(step.hidden, step.pass.rows, step.uncommitted),
                   "uncommitted_rows must not be the rows of the pass");
    expect_refused(attempt(step.hidden, other.rows, step.uncommitted), "uncommitted_rows belong to another batch");
    const Buffer few_tokens = floats(backend, Floats(ROWS - 1)), selection = floats(backend, Floats(ROWS));
    hydra_program* program = step.pass.program;
    expect_refused(record(program, hydra_commit{step.expanded, step.pass.rows, few_tokens, step.kv, nullptr, 0, nullptr,
                                                nullptr, 0, nullptr}),
                   "selection has 252 bytes");
    expect_refused(record(program, hydra_commit{step.expanded, step.pass.rows, selection, nullptr, nullptr, 0, nullptr,
                                                nullptr, 0, nullptr}),
                   "tree and pool are for trees");
    expect_refused(record_end(step.pass, program,
                              {step.expanded, step.pass.rows, step.best, step.kv, step.hidden, 0, step.uncommitted_rows,
                               step.uncommitted, 0}),
                   "width is 0");
    // A path of the tree may be as long as the tree is deep.
    const Rows few = rows(step.pass.batch, step.shape.levels());
    must(attempt(step.hidden, few, step.uncommitted));
    expect_refused(hydra_program_run(step.pass.program), "are more than the rows' max_rows of");
    const Pass two(backend, {LENGTH, LENGTH}, ROWS);
    expect_refused(
        record_end(two, two.program,
                   {tree(two.batch, Shape{}), two.rows, step.best, step.kv, nullptr, 0, nullptr, nullptr, 1}),
        "append is for a batch of one sequence, not of 2");
}

TEST(Commit, RefusesADrafterWithAShorterContext) {
    const Backend backend = open_backend();
    Random random(5);
    Step step(backend, random, random_shape(random, 5), 1);
    step.pass.rows->change().state->position_limit = 100;
    step.uncommitted_rows->change().state->position_limit = 99;
    must(record_end(step.pass, step.pass.program,
                    {step.expanded, step.pass.rows, step.best, step.kv, step.hidden, WIDTH, step.uncommitted_rows,
                     step.uncommitted, 0}));
    expect_refused(hydra_program_run(step.pass.program), "context is 99 positions, that of the pass 100");
}

TEST(Commit, TakesEverySequenceByItself) {
    const Backend backend = open_backend(2);
    Random random(7);
    for (int nodes : {1, 5, 17, 64}) {
        const Shape shape = random_shape(random, nodes);
        const std::vector<int> lengths{LENGTH, 3, 0, 40, 64};
        const int without = 2, sequences = 5, rows_of_all = sequences * nodes;
        Pass pass(backend, lengths, rows_of_all);
        must(hydra_batch_rewind(pass.batch, without, 0, -1));
        pass.batch->change(without).result.emitted = 5;
        const Tree expanded = tree(pass.batch, shape);
        const Pool kv = pool(backend, 2, 2, 24, PAGES * sequences);
        std::vector<int32_t> tokens, answers;
        for (int i = 0; i < (sequences - 1) * nodes; ++i) {
            tokens.push_back(random.below(2));
            answers.push_back(random.below(2));
        }
        expand(pass, expanded, tokens);
        const Top best = top(backend, 1, rows_of_all);
        set_ids(best, answers);
        std::vector<std::vector<Floats>> caches(sequences);
        for (int s = 0; s < sequences; ++s) {
            const KvSlot slots{kv, pass.batch, s};
            for (int slot = 0; slot < lengths[s] + nodes; ++slot) {
                caches[s].push_back(random.normal(slots.width()));
                slots.fill(slot, caches[s][slot]);
            }
        }
        const Floats values = random.normal((sequences - 1) * nodes * WIDTH);
        const Buffer hidden = padded_rows(backend, values, WIDTH, rows_of_all);
        const Buffer uncommitted = poisoned(backend, WIDTH, rows_of_all);
        const Rows uncommitted_rows = rows(pass.batch, rows_of_all);
        must(record_end(pass, pass.program,
                        {expanded, pass.rows, best, kv, hidden, WIDTH, uncommitted_rows, uncommitted, 0}));
        pass.run();
        EXPECT_EQ(pass.result(without).emitted, 0);
        EXPECT_EQ(pass.result(without).nodes, 0);
        EXPECT_EQ(pass.result(without).length, 0);
        EXPECT_EQ(pass.result(without).root, -1);
        Floats waiting;
        int order = 0, uncommitted_row = 0;
        hydra_rows_count(uncommitted_rows);
        const RowsView& chains = uncommitted_rows->view;
        for (int s = 0; s < sequences; ++s) {
            const KvSlot slots{kv, pass.batch, s};
            const int first = order * nodes;
            const std::vector<int32_t> path =
                s == without ? std::vector<int32_t>() : longest_path(shape, &tokens[first], &answers[first]);
            const int count = static_cast<int>(path.size());
            for (int slot = 0; slot < lengths[s] + count; ++slot) {
                const int from = slot < lengths[s] ? slot : lengths[s] + path[slot - lengths[s]];
                ASSERT_TRUE(same_bits(slots.all(slot), caches[s][from])) << s << ", " << slot;
            }
            if (s == without) continue;
            const hydra_step_result& result = pass.result(s);
            EXPECT_EQ(std::vector<int32_t>(result.path, result.path + result.emitted), path);
            EXPECT_EQ(result.length, lengths[s] + count);
            EXPECT_EQ(result.root, answers[first + path.back()]);
            const Segment& chain = chains.segments[order];
            EXPECT_EQ((std::vector<int>{chain.sequence, chain.order, chain.row, chain.count, chain.first}),
                      (std::vector<int>{s, order, uncommitted_row, count, lengths[s]}));
            EXPECT_EQ(chains.last_rows[order], uncommitted_row + count - 1);
            for (int i = 0; i < count; ++i) {
                EXPECT_EQ(result.tokens[i], tokens[first + path[i]]);
                EXPECT_EQ(chains.positions[uncommitted_row + i], lengths[s] + i);
                EXPECT_EQ(chains.tokens[uncommitted_row + i], tokens[first + path[i]]);
                EXPECT_EQ(chains.slot_of(uncommitted_row + i), lengths[s] + i);
                append(waiting, row_of(values, first + path[i], WIDTH));
            }
            uncommitted_row += count;
            ++order;
        }
        EXPECT_EQ(hydra_rows_count(uncommitted_rows), uncommitted_row);
        EXPECT_EQ(chains.active_segments(), order);
        EXPECT_TRUE(same_bits(contents(uncommitted, uncommitted_row * WIDTH), waiting));
        EXPECT_TRUE(untouched_behind(uncommitted, uncommitted_row * WIDTH));
    }
}

TEST(Commit, LeavesNoRowsToADrafterThatHasNoRoomForThem) {
    const Backend backend = open_backend();
    Pass pass(backend, {LENGTH, 7}, 200);
    pass.chains({std::vector<int32_t>(130), std::vector<int32_t>(3)});
    const Tree expanded = tree(pass.batch, Shape{});
    const Pool kv = pool(backend, 1, 1, 8, PAGES * 2);
    const Top best = top(backend, 1, 200);
    const Buffer hidden = poisoned(backend, WIDTH, 200), uncommitted = poisoned(backend, WIDTH, 2);
    const Rows uncommitted_rows = rows(pass.batch, 2);
    must(record_end(pass, pass.program,
                    {expanded, pass.rows, best, kv, hidden, WIDTH, uncommitted_rows, uncommitted, 0}));
    pass.run();
    EXPECT_EQ(pass.result(0).length, LENGTH + 130);
    EXPECT_EQ(pass.result(1).length, 7 + 3);
    EXPECT_EQ(pass.result(1).emitted, 0);
    EXPECT_EQ(hydra_rows_count(uncommitted_rows), 0);
    EXPECT_TRUE(untouched_behind(uncommitted, 0));
}

TEST(Commit, EmptiesRowsToAppendToThatHaveNoRoom) {
    const Backend backend = open_backend();
    Pass pass(backend, LENGTH);
    pass.chain_of(5);
    const Tree expanded = tree(pass.batch, Shape{});
    const Pool kv = pool(backend, 1, 1, 8, PAGES);
    const Top best = top(backend, 1);
    const Buffer hidden = poisoned(backend, WIDTH), uncommitted = poisoned(backend, WIDTH, 2);
    const Rows uncommitted_rows = rows(pass.batch, 2);
    set_chain(uncommitted_rows, LENGTH - 2, 2);
    must(record_end(pass, pass.program,
                    {expanded, pass.rows, best, kv, hidden, WIDTH, uncommitted_rows, uncommitted, 1}));
    pass.run();
    EXPECT_EQ(pass.result().length, LENGTH + 5);
    EXPECT_EQ(hydra_rows_count(uncommitted_rows), 0);
}

// Two sequences verify trees of their own while two others take in prompts, one of which goes on.
TEST(Commit, TreesAndPromptsOfOnePassAreThoseOfPassesOfTheirOwn) {
    const Backend backend = open_backend(2);
    Random random(11);
    const std::vector<int> lengths{LENGTH, 3, 0, 40};
    for (int round = 0; round < 6; ++round) {
        Pass pass(backend, lengths, 300);
        const Shape shapes[] = {random_shape(random, 5 + round), random_shape(random, 64 - 9 * round)};
        const Tree trees = tree(pass.batch, shapes[0]);
        must(set_tree(trees, 3, shapes[1]));
        const Rows prompts = rows(pass.batch, 150), uncommitted_rows = rows(pass.batch, 300);
        const int32_t sequences[] = {2, 1}, counts[] = {100, 17}, sets_root[] = {1, 0};
        must(hydra_rows_set_chains(prompts, sequences, counts, 2, std::vector<int32_t>(117, 6).data(), sets_root));
        hydra_program* created = nullptr;
        must(hydra_program_create(backend, nullptr, &created));
        const Program begin(created);
        must(record(begin, hydra_expand{trees, prompts, pass.rows}));
        must(hydra_program_run(begin));
        const int nodes = shapes[0].nodes() + shapes[1].nodes(), all = nodes + 117;
        ASSERT_EQ(hydra_rows_count(pass.rows), all);
        std::vector<int32_t> tokens, selected;
        for (int i = 0; i < nodes; ++i) tokens.push_back(random.below(2));
        for (int i = 0; i < nodes + 2; ++i) selected.push_back(random.below(2));
        selected[nodes] = 77;
        set_tokens(pass.rows, tokens);
        const Floats values = random.normal(all * WIDTH);
        const Buffer hidden = padded_rows(backend, values, WIDTH, 300), uncommitted = poisoned(backend, WIDTH, 300);
        const Buffer selection = buffer(backend, std::vector<int32_t>(300).data(), 1200);
        must(hydra_buffer_write(selection, 0, selected.data(), 4 * (nodes + 2)));
        const Pool kv = pool(backend, 2, 2, 24, PAGES * 4);
        std::vector<Floats> cache[2];
        for (int t = 0; t < 2; ++t) {
            const KvSlot slots{kv, pass.batch, t * 3};
            for (int i = 0; i < shapes[t].nodes(); ++i) {
                cache[t].push_back(random.normal(slots.width()));
                slots.fill(lengths[t * 3] + i, cache[t][i]);
            }
        }
        must(record(pass.program, hydra_judge{trees, pass.rows, selection}));
        must(record(pass.program, hydra_commit{trees, pass.rows, selection, kv, hidden, WIDTH, uncommitted_rows,
                                               uncommitted, 0, nullptr}));
        pass.run();
        Floats waiting;
        for (int t = 0, row = 0; t < 2; row += shapes[t++].nodes()) {
            const std::vector<int32_t> path = longest_path(shapes[t], &tokens[row], &selected[row]);
            const int s = t * 3, count = static_cast<int>(path.size());
            const hydra_step_result& result = pass.result(s);
            EXPECT_EQ(std::vector<int32_t>(result.path, result.path + result.emitted), path);
            EXPECT_EQ(result.length, lengths[s] + count);
            EXPECT_EQ(result.root, selected[row + path.back()]);
            EXPECT_EQ(result.nodes, shapes[t].nodes());
            const KvSlot slots{kv, pass.batch, s};
            for (int i = 0; i < count; ++i) {
                ASSERT_TRUE(same_bits(slots.all(lengths[s] + i), cache[t][path[i]]));
                append(waiting, row_of(values, row + path[i], WIDTH));
            }
        }
        for (int row = nodes; row < all; ++row) append(waiting, row_of(values, row, WIDTH));
        const int expected[2][4] = {{100, 77, 100, 0}, {20, -1, 17, 0}};
        for (int i = 0; i < 2; ++i) {
            const hydra_step_result& result = pass.result(sequences[i]);
            EXPECT_EQ((std::vector<int>{result.length, result.root, result.nodes, result.emitted}),
                      std::vector<int>(expected[i], expected[i] + 4));
        }
        const auto count = static_cast<int64_t>(waiting.size());
        ASSERT_EQ(hydra_rows_count(uncommitted_rows), count / WIDTH);
        EXPECT_TRUE(same_bits(contents(uncommitted, count), waiting));
        EXPECT_TRUE(untouched_behind(uncommitted, count));
        const RowsView& chains = uncommitted_rows->view;
        EXPECT_EQ(chains.active_trees(), 0);
        EXPECT_EQ(chains.active_sequences(), 4);
        EXPECT_EQ(chains.last_rows[3], count / WIDTH - 1);
        EXPECT_EQ(chains.last_rows[2], count / WIDTH - 18);
        for (int row = 0; row < count / WIDTH; ++row) EXPECT_EQ(chains.slot_of(row), chains.positions[row]);
    }
}

TEST(Commit, CountsAllRowsOfAChainAsVerified) {
    const Backend backend = open_backend(2);
    Random random(6);
    const Floats values = random.normal(17 * WIDTH);
    const Buffer hidden = padded_rows(backend, values, WIDTH), uncommitted = poisoned(backend, WIDTH);
    const Top best = top(backend, 3);
    set_ids(best, {42});
    for (bool last : {false, true}) {
        Pass pass(backend, 8);
        const Rows uncommitted_rows = rows(pass.batch);
        pass.chain_of(17);
        hydra_top* answer = last ? static_cast<hydra_top*>(best) : nullptr;
        must(record_end(pass, pass.program,
                        {nullptr, pass.rows, answer, nullptr, hidden, WIDTH, uncommitted_rows, uncommitted, 0}));
        pass.run();
        const hydra_step_result& result = pass.result();
        EXPECT_EQ(result.length, 25);
        EXPECT_EQ(result.root, last ? 42 : -1);
        EXPECT_EQ(result.nodes, 17);
        EXPECT_EQ(result.emitted, 0);
        EXPECT_EQ(hydra_rows_count(uncommitted_rows), 17);
        EXPECT_EQ(uncommitted_rows->view.segments[0].first, 8);
        EXPECT_TRUE(same_bits(contents(uncommitted, 17 * WIDTH), values));
        EXPECT_TRUE(untouched_behind(uncommitted, 17 * WIDTH));
    }
}

TEST(Commit, CountsTheChainsOfAllSequences) {
    const Backend backend = open_backend(2);
    Random random(8);
    Pass pass(backend, {8, 5, 60}, 200);
    const Floats values = random.normal(150 * WIDTH);
    const Buffer hidden = padded_rows(backend, values, WIDTH, 200), uncommitted = poisoned(backend, WIDTH, 200);
    const Rows uncommitted_rows = rows(pass.batch, 200);
    const Top best = top(backend, 2, 3);
    set_ids(best, {42, 0, 43, 0});
    must(record_end(pass, pass.program,
                    {nullptr, pass.rows, best, nullptr, hidden, WIDTH, uncommitted_rows, uncommitted, 0}));
    pass.chains({std::vector<int32_t>(20), {}, std::vector<int32_t>(130)});
    pass.run();
    const int expected[3][3] = {{28, 42, 20}, {5, 0, 0}, {190, 43, 130}};
    for (int s = 0; s < 3; ++s) {
        const hydra_step_result& result = pass.result(s);
        EXPECT_EQ((std::vector<int>{result.length, result.root, result.nodes}),
                  std::vector<int>(expected[s], expected[s] + 3));
        EXPECT_EQ(result.emitted, 0);
    }
    ASSERT_EQ(hydra_rows_count(uncommitted_rows), 150);
    const RowsView& chains = uncommitted_rows->view;
    EXPECT_EQ(chains.active_segments(), 4);
    EXPECT_EQ(chains.last_rows[0], 19);
    EXPECT_EQ(chains.last_rows[1], 149);
    for (int row = 0; row < 150; ++row) {
        EXPECT_EQ(chains.slot_of(row), pass.rows->view.slot_of(row));
        EXPECT_EQ(chains.positions[row], pass.rows->view.positions[row]);
        EXPECT_EQ(chains.ancestors[row], pass.rows->view.ancestors[row]);
        EXPECT_EQ(chains.segment_of_row(row).sequence, pass.rows->view.segment_of_row(row).sequence);
    }
    EXPECT_TRUE(same_bits(contents(uncommitted, 150 * WIDTH), values));
    EXPECT_TRUE(untouched_behind(uncommitted, 150 * WIDTH));
}

std::vector<int32_t> history_of(const test::Sampling& sampler, int32_t sequence, int32_t count) {
    std::vector<int32_t> history(static_cast<size_t>(count));
    sampler->backend->copy_out(history.data(), sampler->view.history_of(sequence), count * 4);
    return history;
}

TEST(Commit, KeepsAcceptedTokensInTheHistoryOfTheSampling) {
    const Backend backend = open_backend();
    Random random(31);
    Step step(backend, random, random_shape(random, 17), 2);
    const test::Sampling sampler = sampling(step.pass.batch, 100);
    const std::vector<int32_t> path = step.longest();
    std::vector<int32_t> answers = step.answers;
    answers.resize(ROWS);
    const Buffer selection = buffer(backend, answers.data(), ROWS * 4);
    must(record(step.pass.program, hydra_judge{step.expanded, step.pass.rows, selection}));
    must(record(step.pass.program, hydra_commit{step.expanded, step.pass.rows, selection, step.kv, nullptr, 0, nullptr,
                                                nullptr, 0, sampler}));
    step.pass.run();
    std::vector<int32_t> expected(LENGTH);
    for (int32_t node : path) expected.push_back(step.tokens[node] << 1 | 1);
    EXPECT_GT(path.size(), 1u);
    EXPECT_EQ(history_of(sampler, 0, static_cast<int32_t>(expected.size())), expected);
}

TEST(Commit, KeepsChainsInTheHistoryAndWritesOverWhatWasRewound) {
    const Backend backend = open_backend();
    Pass pass(backend, {3, 0}, 200);
    const test::Sampling sampler = sampling(pass.batch, 1000);
    must(record(pass.program,
                hydra_commit{nullptr, pass.rows, nullptr, nullptr, nullptr, 0, nullptr, nullptr, 0, sampler}));
    std::vector<int32_t> first, second{7, 8, 9};
    for (int i = 0; i < 130; ++i) first.push_back(500 + i);
    pass.chains({first, second});
    pass.run();
    std::vector<int32_t> expected(3);
    for (int32_t token : first) expected.push_back(token << 1);
    EXPECT_EQ(history_of(sampler, 0, 133), expected);
    EXPECT_EQ(history_of(sampler, 1, 4), (std::vector<int32_t>{14, 16, 18, 0}));
    must(hydra_batch_rewind(pass.batch, 0, 100, -1));
    pass.chains({{1, 2}, {4}});
    pass.run();
    expected.resize(100);
    expected.insert(expected.end(), {2, 4});
    EXPECT_EQ(history_of(sampler, 0, 102), expected);
    EXPECT_EQ(history_of(sampler, 1, 4), (std::vector<int32_t>{14, 16, 18, 8}));
    const Pass other(backend);
    expect_refused(record(other.program, hydra_commit{nullptr, other.rows, nullptr, nullptr, nullptr, 0, nullptr,
                                                      nullptr, 0, sampler}),
                   "the sampling belongs to another batch than the rows");
}

}  // namespace
}  // namespace hydra::test
