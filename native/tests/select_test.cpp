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

TEST(Select, FollowsTheRuleWithEveryOptionAtEveryNode) {
    Random random(5);
    for (const int32_t vocabulary : {3, 16, 33, 250, 1031}) {
        const Backend backend = open_backend(2);
        std::vector<int> lengths;
        for (size_t i = 0; i < EVERY_OPTION.size(); ++i) lengths.push_back(static_cast<int>(i) * 5);
        Selecting selecting(backend, random, vocabulary, lengths, 6);
        for (size_t s = 0; s < EVERY_OPTION.size(); ++s) {
            must(EVERY_OPTION[s].set(selecting.sampler, static_cast<int32_t>(s)));
        }
        EXPECT_EQ(selecting.run(), selecting.expected(EVERY_OPTION)) << vocabulary;
    }
}

}  // namespace
}  // namespace hydra::test
