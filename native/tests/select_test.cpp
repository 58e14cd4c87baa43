#include "sampling.h"

namespace hydra::test {
namespace {

TEST(Select, TakesTheBestOfNodesAndOfTheLastRowsOfChains) {
    const Backend backend = open_backend(2);
    Pass pass(backend, {29, 3, 0}, 200);
    const Tree trees = tree(pass.batch, Shape{{-1, 0, 0}, {0, 0, 1}, {0, 1, 1}});
    const Rows prompts = rows(pass.batch, 100);
    const int32_t sequences[] = {2, 0}, counts[] = {70, 2};
    must(hydra_rows_set_chains(prompts, sequences, counts, 2, std::vector<int32_t>(72).data(), nullptr));
    const Top best = top(backend, 2, 60);
    set_ids(best, {5, 0, 6, 0, 7, 0, 8, 0, 9, 0, 10, 0});
    const Buffer selection = buffer(backend, std::vector<int32_t>(60, -9).data(), 240);
    must(record(pass.program, hydra_expand{trees, prompts, pass.rows}));
    must(record(pass.program, hydra_select{pass.rows, best, nullptr, 0, nullptr, selection, nullptr}));
    pass.run();
    std::vector<int32_t> found(6);
    must(hydra_buffer_read(selection, 0, found.data(), 24));
    EXPECT_EQ(found, (std::vector<int32_t>{5, 6, 7, 8, 9, -9}));
}

TEST(Select, RefusesASelectionWithoutRoomForAllRows) {
    const Backend backend = open_backend();
    const Pass pass(backend);
    const Top best = top(backend, 1), fewer = top(backend, 1, ROWS - 1);
    const Buffer small = floats(backend, Floats(ROWS - 1));
    expect_refused(record(pass.program, hydra_select{pass.rows, best, nullptr, 0, nullptr, small, nullptr}),
                   "selection has 252 bytes, must have 64 x 1 32-bit integers");
    EXPECT_EQ(record(pass.program, hydra_select{pass.rows, fewer, nullptr, 0, nullptr, small, nullptr}), HYDRA_OK);
}

// Trees of random tokens after histories of prompt and generated text, all of few different tokens, and what is
// selected at their nodes.
struct Selecting {
    int32_t vocabulary;
    std::vector<Before> before;  // of each sequence
    std::vector<Shape> shapes;
    Pass pass;
    Tree trees;
    Top best;
    test::Sampling sampler;
    std::vector<std::vector<int32_t>> tokens;  // of the nodes of each sequence
    Floats values;
    Buffer logits, selection, log_probabilities;

    Selecting(hydra_backend* backend, Random& random, int32_t its_vocabulary, const std::vector<int>& lengths,
              int nodes)
        : vocabulary(its_vocabulary),
          pass(backend, lengths, static_cast<int>(lengths.size()) * nodes),
          trees(tree(pass.batch, Shape())),
          best(top(backend, 2, pass.rows->max_rows)),
          sampler(sampling(pass.batch, vocabulary)) {
        for (int32_t s = 0; s < pass.batch->sequences; ++s) {
            shapes.push_back(random_shape(random, nodes));
            must(set_tree(trees, s, shapes[s]));
            Before text;
            std::vector<int32_t> history;
            for (int i = 0; i < lengths[s]; ++i) {
                const bool generated = i >= lengths[s] / 2;
                const int32_t token = random.below(std::min(vocabulary, 12));
                (generated ? text.generated : text.prompt).push_back(token);
                history.push_back(token << 1 | generated);
            }
            before.push_back(text);
            backend->copy_in(sampler->view.history_of(s), history.data(), static_cast<int64_t>(history.size()) * 4);
        }
        hydra_program* created = nullptr;
        must(hydra_program_create(backend, nullptr, &created));
        const Program expansion(created);
        must(record(expansion, hydra_expand{trees, nullptr, pass.rows}));
        must(hydra_program_run(expansion));
        std::vector<int32_t> all;
        for (int32_t s = 0; s < pass.batch->sequences; ++s) {
            tokens.emplace_back();
            for (int i = 0; i < nodes; ++i) tokens[s].push_back(random.below(std::min(vocabulary, 12)));
            append(all, tokens[s]);
        }
        set_tokens(pass.rows, all);
        const int count = static_cast<int>(all.size());
        values = random.normal(count * vocabulary, 2);
        logits = padded_rows(backend, values, vocabulary, pass.rows->max_rows);
        set_best(best, values, vocabulary);
        selection = buffer(backend, std::vector<int32_t>(all.size(), -9).data(), count * 4);
        log_probabilities = poisoned(backend, 2, count);
        must(record(pass.program, hydra_prepare_selection{pass.rows, sampler}));
        must(record(pass.program,
                    hydra_select{pass.rows, best, logits, vocabulary, sampler, selection, log_probabilities}));
    }

    std::vector<int32_t> run() {
        pass.run();
        std::vector<int32_t> found(tokens.size() * tokens[0].size());
        must(hydra_buffer_read(selection, 0, found.data(), static_cast<int64_t>(found.size()) * 4));
        return found;
    }

    // What is selected at each node if sequence s has options[s % their number].
    std::vector<int32_t> expected(const std::vector<Options>& options) const {
        std::vector<int32_t> all;
        for (size_t s = 0; s < before.size(); ++s) {
            const auto length = static_cast<int32_t>(before[s].prompt.size() + before[s].generated.size());
            for (int32_t node = 0; node < shapes[s].nodes(); ++node) {
                Before text = before[s];
                for (int32_t ancestor : shapes[s].path(node)) text.generated.push_back(tokens[s][ancestor]);
                all.push_back(expected_token(row_of(values, static_cast<int64_t>(all.size()), vocabulary),
                                             options[s % options.size()], text, length + shapes[s].depths[node] + 1));
            }
        }
        return all;
    }
};

const std::vector<Options> EVERY_OPTION{
    {},
    {.temperature = 1, .seed = 7},
    {.temperature = 0.7f, .top_k = 5, .seed = 1},
    {.temperature = 1.5f, .top_p = 0.9f, .seed = 2},
    {.temperature = 1, .min_p = 0.1f, .seed = 3},
    {.repetition = 1.8f},
    {.presence = 1.5f},
    {.frequency = 0.7f},
    {.bias = {{1, 3.5f}, {0, -INFINITY}}},
    {.temperature = 2,
     .top_k = 9,
     .top_p = 0.8f,
     .min_p = 0.01f,
     .repetition = 1.3f,
     .presence = -0.4f,
     .frequency = 0.2f,
     .seed = 0x123456789abcdef0,
     .bias = {{0, 1}, {2, -2}}},
    {.temperature = 1e-30f, .seed = 4},
    {.temperature = 1e30f, .top_k = 1, .seed = 5},
    {.temperature = 1, .top_p = 1e-6f, .seed = 6},
    {.temperature = 1, .min_p = 1, .seed = 8},
};

std::vector<int> lengths_of(size_t count) {
    std::vector<int> lengths;
    for (size_t i = 0; i < count; ++i) lengths.push_back(static_cast<int>(i) * 5);
    return lengths;
}

void set_options(Selecting& selecting, const std::vector<Options>& options) {
    for (int32_t s = 0; s < selecting.pass.batch->sequences; ++s) {
        must(options[s % options.size()].set(selecting.sampler, s));
    }
}

TEST(Select, FollowsTheRuleWithEveryOptionAtEveryNode) {
    Random random(5);
    for (const int32_t vocabulary : {3, 16, 33, 250, 1031}) {
        const Backend backend = open_backend(2);
        Selecting selecting(backend, random, vocabulary, lengths_of(EVERY_OPTION.size()), 6);
        set_options(selecting, EVERY_OPTION);
        EXPECT_EQ(selecting.run(), selecting.expected(EVERY_OPTION)) << vocabulary;
    }
}

TEST(Select, GivesTheSameBitsOnEveryBackendInstructionSetAndNumberOfThreads) {
    const auto run = [](hydra_backend* backend) {
        Random random(11);
        Selecting selecting(backend, random, 517, lengths_of(EVERY_OPTION.size()), 3);
        set_options(selecting, EVERY_OPTION);
        Floats all;
        for (int32_t token : selecting.run()) all.push_back(static_cast<float>(token));
        append(all, contents(selecting.log_probabilities, 2 * static_cast<int64_t>(all.size())));
        return all;
    };
    expect_same_bits_everywhere(run);
    if (cuda_library() == nullptr) return;
    hydra_backend* cpu = nullptr;
    must(hydra_backend_open_cpu(1, "auto", &cpu));
    EXPECT_TRUE(same_bits(run(Backend(cpu)), run(open_backend())));
}

TEST(Select, DoesNotDependOnTheRowsBesideIt) {
    const Backend backend = open_backend(2);
    Random random(12);
    const std::vector<Options> options{EVERY_OPTION.begin() + 1, EVERY_OPTION.begin() + 6};
    Selecting together(backend, random, 90, lengths_of(options.size()), 5);
    set_options(together, options);
    const std::vector<int32_t> expected = together.run();
    const Floats log_probabilities = contents(together.log_probabilities, 2 * static_cast<int64_t>(expected.size()));
    for (size_t s = 0; s < options.size(); ++s) {
        // The root of this sequence alone.
        Pass alone(backend, std::vector<int>{static_cast<int>(s) * 5}, 1);
        const test::Sampling sampler = sampling(alone.batch, 90, 0);
        must(options[s].set(sampler));
        std::vector<int32_t> history;
        for (int32_t token : together.before[s].prompt) history.push_back(token << 1);
        for (int32_t token : together.before[s].generated) history.push_back(token << 1 | 1);
        backend->copy_in(sampler->view.history_of(0), history.data(), static_cast<int64_t>(history.size()) * 4);
        must(hydra_batch_set_root(alone.batch, 0, together.tokens[s][0]));
        const Tree root = tree(alone.batch, Shape());
        const Buffer logits = floats(backend, row_of(together.values, static_cast<int64_t>(s) * 5, 90)),
                     selection = poisoned(backend, 1, 1), chances = poisoned(backend, 2, 1);
        const Top best = top(backend, 1, 1);
        must(record(alone.program, hydra_expand{root, nullptr, alone.rows}));
        must(record(alone.program, hydra_prepare_selection{alone.rows, sampler}));
        must(record(alone.program, hydra_select{alone.rows, best, logits, 90, sampler, selection, chances}));
        alone.run();
        int32_t found = -1;
        must(hydra_buffer_read(selection, 0, &found, 4));
        EXPECT_EQ(found, expected[s * 5]);
        EXPECT_TRUE(same_bits(contents(chances, 2), row_of(log_probabilities, static_cast<int64_t>(s) * 5, 2)));
    }
}

TEST(Select, LeavesTheLogitAndTheLogarithmOfTheSumOfAll) {
    const Backend backend = open_backend(2);
    Random random(13);
    Selecting selecting(backend, random, 700, {0, 20, 40}, 3);
    set_options(selecting, {{}, {.temperature = 1.2f, .top_p = 0.5f, .seed = 3}, {.presence = 2, .bias = {{3, 9}}}});
    const std::vector<int32_t> tokens = selecting.run();
    const Floats found = contents(selecting.log_probabilities, 2 * static_cast<int64_t>(tokens.size()));
    for (size_t i = 0; i < tokens.size(); ++i) {
        const Floats row = row_of(selecting.values, static_cast<int64_t>(i), 700);
        double sum = 0;
        for (float logit : row) sum += std::exp(static_cast<double>(logit));
        EXPECT_EQ(found[2 * i], row[tokens[i]]) << i;
        EXPECT_NEAR(found[2 * i + 1], std::log(sum), 2e-6) << i;
    }
}

// One row of logits of a chain after ten tokens.
int32_t select_one(hydra_backend* backend, const Floats& row, const Options& options, bool prepares = true) {
    Pass pass(backend, 10);
    const auto vocabulary = static_cast<int32_t>(row.size());
    const test::Sampling sampler = sampling(pass.batch, vocabulary);
    must(options.set(sampler));
    const Buffer logits = padded_rows(backend, row, vocabulary), selection = poisoned(backend, 1),
                 chances = poisoned(backend, 2);
    const Top best = top(backend, 1);
    set_ids(best, {-3});
    if (prepares) must(record(pass.program, hydra_prepare_selection{pass.rows, sampler}));
    must(record(pass.program, hydra_select{pass.rows, best, logits, vocabulary, sampler, selection, chances}));
    pass.chain({1, 2, 1});
    pass.run();
    int32_t found = -1;
    must(hydra_buffer_read(selection, 0, &found, 4));
    float chance = 0;
    must(hydra_buffer_read(chances, 0, &chance, 4));
    if (found < 0) {
        EXPECT_EQ(chance, -INFINITY) << "of a token without a logit";
    }
    return found;
}

TEST(Select, OfAChainIsAtItsLastRowAndKnowsItsTokens) {
    const Backend backend = open_backend();
    Random random(14);
    const Before chain{{1, 2, 1}, {}};
    for (int round = 0; round < 20; ++round) {
        const Floats row = random.normal(40);
        for (Options options : EVERY_OPTION) {
            options.seed += round;
            if (options.takes_best()) continue;
            Before before = chain;
            for (int i = 0; i < 10; ++i) before.prompt.push_back(0);  // what a new history holds
            EXPECT_EQ(select_one(backend, row, options), expected_token(row, options, before, 13));
        }
        EXPECT_EQ(select_one(backend, row, {}), -3) << "the best entry of top";
        const Options options{.temperature = 1, .top_k = 20, .seed = static_cast<uint64_t>(round)};
        EXPECT_EQ(select_one(backend, row, options, false), select_one(backend, row, options))
            << "noise that is not prepared is drawn";
    }
}

TEST(Select, TakesWhatIsNoNumberForTheSmallestOne) {
    const Backend backend = open_backend();
    const Floats rows[] = {
        Floats(21, NAN),           Floats(37, -INFINITY),
        Floats(37, INFINITY),      Floats(35, 1.25f),
        {NAN, 1, NAN, 2, NAN},     {-INFINITY, 3, 2.5f, NAN},
        {1e30f, -1e30f, 3e38f, 0}, {INFINITY, 5, INFINITY, -INFINITY, NAN},
        {-FLT_MAX, FLT_MAX, 0},    {-0.0f, 0.0f, -0.0f},
    };
    for (const Floats& row : rows) {
        for (Options options : EVERY_OPTION) {
            Before before{{1, 2, 1}, {}};
            for (int i = 0; i < 10; ++i) before.prompt.push_back(0);
            const int32_t expected = expected_token(row, options, before, 13);
            if (options.bias.count(2) > 0 && row.size() < 3) continue;
            EXPECT_EQ(select_one(backend, row, options), options.takes_best() ? -3 : expected) << row[0];
        }
    }
}

TEST(Select, TakesSmallerTokensFirstAmongEqualOnes) {
    const Backend backend = open_backend();
    Random random(15);
    for (int round = 0; round < 40; ++round) {
        Floats row;
        for (int i = 0; i < 100; ++i) row.push_back(static_cast<float>(random.below(4)));
        for (const int32_t k : {1, 7, 30, 99}) {
            for (const float p : {0.2f, 0.9f, 1.0f}) {
                const Options options{.temperature = 3, .top_k = k, .top_p = p, .seed = static_cast<uint64_t>(round)};
                EXPECT_EQ(select_one(backend, row, options), expected_token(row, options, {}, 13)) << k << ", " << p;
            }
        }
        if (emulated() && round == 5) return;
    }
}

TEST(Select, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    const Pass pass(backend), other(backend);
    const test::Sampling sampler = sampling(pass.batch, 50), theirs = sampling(other.batch, 50);
    const Buffer logits = floats(backend, Floats(ROWS * 50)), selection = floats(backend, Floats(ROWS)),
                 chances = floats(backend, Floats(ROWS * 2));
    const Top best = top(backend, 1);
    const auto attempt = [&](const hydra_buffer* row, int64_t vocabulary, const hydra_sampling* by, hydra_buffer* to) {
        return record(pass.program, hydra_select{pass.rows, best, row, vocabulary, by, selection, to});
    };
    expect_refused(attempt(nullptr, 50, sampler, nullptr), "logits is null, must be there where sampling is");
    expect_refused(attempt(nullptr, 50, nullptr, chances), "logits is null, must be there where log_probabilities are");
    expect_refused(attempt(logits, 0, nullptr, chances), "vocabulary is 0, must be from 1 to 16777216");
    expect_refused(attempt(logits, 49, sampler, chances), "vocabulary is 49, the sampling has 50 tokens");
    expect_refused(attempt(logits, 51, nullptr, chances), "logits has 12800 bytes, must have 64 x 51 floats");
    expect_refused(attempt(logits, 50, theirs, nullptr), "the sampling belongs to another batch than the rows");
    expect_refused(attempt(logits, 50, sampler, selection), "log_probabilities must not be selection");
    EXPECT_EQ(attempt(logits, 50, sampler, chances), HYDRA_OK);
}

}  // namespace
}  // namespace hydra::test
