#include "sampling.h"

namespace hydra::test {
namespace {

constexpr int32_t VOCABULARY = 150;

template <class T>
std::vector<T> read(hydra_backend* backend, const T* source, int64_t count) {
    std::vector<T> values(static_cast<size_t>(count));
    backend->copy_out(values.data(), source, count * static_cast<int64_t>(sizeof(T)));
    return values;
}

Floats noise_at(uint64_t seed, int32_t position) {
    Floats noise;
    for (int32_t v = 0; v < VOCABULARY; ++v) noise.push_back(noise_of(seed, position, v));
    return noise;
}

TEST(PrepareSelection, DrawsForThePositionsThatTreesAndPromptsSelectAt) {
    const auto run = [](hydra_backend* backend) {
        Pass pass(backend, {29, 3, 40, 0, 7}, 200);
        const Tree trees = tree(pass.batch, Shape{{-1, 0, 0}, {0, 0, 1}, {0, 1, 1}});
        const Rows prompts = rows(pass.batch, 100);
        const int32_t sequences[] = {3, 4}, counts[] = {70, 2}, sets_root[] = {1, 0};
        must(hydra_rows_set_chains(prompts, sequences, counts, 2, std::vector<int32_t>(72).data(), sets_root));
        const test::Sampling sampler = sampling(pass.batch, VOCABULARY, 2);
        for (int32_t s : {0, 2, 3, 4}) must(Options{.temperature = 1, .seed = 5u + s}.set(sampler, s));
        must(record(pass.program, hydra_expand{trees, prompts, pass.rows}));
        must(record(pass.program, hydra_prepare_selection{pass.rows, sampler}));
        pass.run();
        const SamplingView& view = sampler->view;
        const auto tags = read(backend, view.tags, 5 * 3);
        const auto expect_noise = [&](int32_t sequence, int32_t position) {
            const NoiseTag& tag = tags[static_cast<size_t>(view.place(sequence, position))];
            EXPECT_EQ(tag.position, position) << sequence;
            EXPECT_EQ(tag.seed, 5u + sequence);
            EXPECT_TRUE(same_bits(read(backend, view.noise_at(sequence, position), VOCABULARY),
                                  noise_at(5u + sequence, position)))
                << sequence << " at " << position;
        };
        for (int32_t level = 0; level <= 2; ++level) {
            expect_noise(0, 30 + level);
            expect_noise(2, 41 + level);
            EXPECT_EQ(tags[3 + level].position, 0) << "sequence 1 draws nothing";
            EXPECT_EQ(tags[12 + level].position, 0) << "no token of sequence 4 is wanted";
        }
        expect_noise(3, 70);
        return read(backend, view.noise, 5 * 3 * view.stride);
    };
    expect_same_bits_everywhere(run);
}

TEST(PrepareSelection, DrawsNothingAgain) {
    const Backend backend = open_backend(2);
    Pass pass(backend, 10);
    const Tree trees = tree(pass.batch, Shape());
    const test::Sampling sampler = sampling(pass.batch, VOCABULARY, 1);
    must(Options{.temperature = 1, .seed = 3}.set(sampler));
    must(record(pass.program, hydra_expand{trees, nullptr, pass.rows}));
    must(record(pass.program, hydra_prepare_selection{pass.rows, sampler}));
    pass.run();
    const float mark = 77;
    float* first = sampler->view.noise_at(0, 11);
    backend->copy_in(first, &mark, 4);
    pass.run();
    EXPECT_EQ(read(backend, first, 1)[0], mark) << "what is there stays";
    must(Options{.temperature = 1, .seed = 4}.set(sampler));
    pass.run();
    EXPECT_TRUE(same_bits(read(backend, first, VOCABULARY), noise_at(4, 11))) << "of another seed";
}

TEST(PrepareSelection, CountsTheHistoryAndTheChainsOfThePass) {
    const Backend backend = open_backend(2);
    Random random(3);
    Pass pass(backend, {20, 9, 5}, 200);
    const Tree trees = tree(pass.batch, Shape());
    const Rows prompts = rows(pass.batch, 100);
    const test::Sampling sampler = sampling(pass.batch, VOCABULARY, 1);
    std::vector<std::vector<int32_t>> expected(3, std::vector<int32_t>(VOCABULARY));
    for (int32_t s = 0; s < 3; ++s) {
        std::vector<int32_t> history;
        for (int i = 0; i < pass.result(s).length; ++i) {
            const int32_t token = random.below(7), generated = random.below(2);
            history.push_back(token << 1 | generated);
            expected[s][token] = (expected[s][token] | 1) + 2 * generated;
        }
        backend->copy_in(sampler->view.history_of(s), history.data(), static_cast<int64_t>(history.size()) * 4);
    }
    // Beyond the vocabulary: nothing to count.
    std::vector<int32_t> chain{VOCABULARY, VOCABULARY + 1000};
    while (chain.size() < 70) chain.push_back(random.below(20));
    for (size_t i = 2; i < chain.size(); ++i) expected[1][chain[i]] |= 1;
    const int32_t sequence = 1, count = 70;
    must(hydra_rows_set_chains(prompts, &sequence, &count, 1, chain.data(), nullptr));
    must(Options{.presence = 1}.set(sampler, 0));
    must(Options{.repetition = 2}.set(sampler, 1));
    must(record(pass.program, hydra_expand{trees, prompts, pass.rows}));
    must(record(pass.program, hydra_prepare_selection{pass.rows, sampler}));
    for (int run = 0; run < 2; ++run) {
        pass.run();
        for (int32_t s = 0; s < 2; ++s) {
            EXPECT_EQ(read(backend, sampler->view.occurrences_of(s), VOCABULARY), expected[s]) << s;
        }
        EXPECT_EQ(read(backend, sampler->view.occurrences_of(2), VOCABULARY), std::vector<int32_t>(VOCABULARY))
            << "without penalties nothing is counted";
    }
}

TEST(PrepareSelection, RefusesTheSamplingOfAnotherBatch) {
    const Backend backend = open_backend();
    const Pass pass(backend), other(backend);
    const test::Sampling sampler = sampling(other.batch, VOCABULARY);
    expect_refused(record(pass.program, hydra_prepare_selection{pass.rows, sampler}),
                   "the sampling belongs to another batch than the rows");
    expect_refused(record(pass.program, hydra_prepare_selection{pass.rows, nullptr}), "sampling is null");
}

}  // namespace
}  // namespace hydra::test
