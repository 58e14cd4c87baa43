#include "sampling.h"

namespace hydra::test {
namespace {

TEST(Sampling, RefusesEachOptionThatIsOutOfRange) {
    const Backend backend = open_backend();
    const Pass pass(backend, {0, 0}, ROWS);
    const test::Sampling sampler = sampling(pass.batch, 40);
    const auto refused = [&](const Options& options, const std::string& part) {
        expect_refused(options.set(sampler), part);
    };
    refused({.temperature = -0.1f}, "temperature is -0.1, must be at least 0");
    refused({.temperature = NAN}, "temperature is nan, must be a number");
    refused({.temperature = INFINITY}, "temperature is inf, must be a number");
    refused({.top_k = -1}, "top_k is -1, must be at least 0");
    refused({.top_p = 0}, "top_p is 0, must be more than 0 and at most 1");
    refused({.top_p = 1.01f}, "top_p is 1.01");
    refused({.top_p = NAN}, "top_p is nan");
    refused({.min_p = -0.5f}, "min_p is -0.5, must be at least 0 and at most 1");
    refused({.min_p = 1.5f}, "min_p is 1.5");
    refused({.min_p = NAN}, "min_p is nan");
    refused({.repetition = 0}, "repetition_penalty is 0, must be more than 0");
    refused({.repetition = INFINITY}, "repetition_penalty is inf, must be a number");
    refused({.presence = NAN}, "presence_penalty is nan, must be a number");
    refused({.frequency = -INFINITY}, "frequency_penalty is -inf, must be a number");
    refused({.bias = {{1, 0}, {40, 0}}}, "entry 1 of bias_tokens is 40, must be from 0 to 39");
    refused({.bias = {{-1, 0}}}, "entry 0 of bias_tokens is -1");
    refused({.bias = {{1, NAN}}}, "entry 0 of bias_values is nan, must be a number or -infinity");
    refused({.bias = {{1, INFINITY}}}, "entry 0 of bias_values is inf");
    hydra_sampling_options options{};
    options.top_p = options.repetition_penalty = 1;
    options.biases = -1;
    expect_refused(hydra_sampling_set(sampler, 0, &options), "biases is -1, must be at least 0");
    options.biases = 2;
    expect_refused(hydra_sampling_set(sampler, 0, &options), "bias_tokens is null");
    const int32_t twice[] = {7, 7};
    const float values[] = {1, 1};
    options.bias_tokens = twice;
    expect_refused(hydra_sampling_set(sampler, 0, &options), "bias_values is null");
    options.bias_values = values;
    expect_refused(hydra_sampling_set(sampler, 0, &options), "entry 1 of bias_tokens is 7, as one before is");
    options.biases = 0;
    expect_refused(hydra_sampling_set(sampler, 2, &options), "sequence is 2, must be from 0 to 1, or -1");
    expect_refused(hydra_sampling_set(sampler, -2, &options), "sequence is -2");
    expect_refused(hydra_sampling_set(nullptr, 0, &options), "null");
    expect_refused(hydra_sampling_set(sampler, 0, nullptr), "null");
    EXPECT_EQ(hydra_sampling_set(sampler, 1, &options), HYDRA_OK);
}

TEST(Sampling, RefusesSizesOutOfRange) {
    const Backend backend = open_backend();
    const Pass pass(backend);
    hydra_sampling* out = nullptr;
    expect_refused(hydra_sampling_create(nullptr, 10, 0, &out), "null");
    expect_refused(hydra_sampling_create(pass.batch, 10, 0, nullptr), "null");
    expect_refused(hydra_sampling_create(pass.batch, 0, 0, &out), "vocabulary is 0, must be from 1 to 16777216");
    expect_refused(hydra_sampling_create(pass.batch, 10, -1, &out), "levels is -1, must be from 0 to 63");
    expect_refused(hydra_sampling_create(pass.batch, 10, 64, &out), "levels is 64");
}

TEST(Sampling, IsNotSetWhileAProgramThatUsesItIsEnqueued) {
    if (cuda_library() == nullptr) GTEST_SKIP() << "on the CPU a program has run when it is enqueued";
    const Backend backend = open_backend();
    Pass pass(backend);
    const test::Sampling sampler = sampling(pass.batch, 40);
    must(record(pass.program, hydra_prepare_selection{pass.rows, sampler}));
    pass.chain_of(3);
    must(hydra_program_enqueue(pass.program));
    expect_refused(Options{}.set(sampler), "await");
    must(hydra_program_await(pass.program));
    EXPECT_EQ(Options{}.set(sampler), HYDRA_OK);
}

// Draws of one row of logits, by each sequence at each position in turn.
void expect_distribution(const Options& options, const Floats& row, const Doubles& probabilities) {
    const Backend backend = open_backend();
    const int sequences = emulated() ? 20 : 250, positions = emulated() ? 30 : 380, runs = emulated() ? 1 : 2;
    const auto vocabulary = static_cast<int32_t>(row.size());
    Pass pass(backend, std::vector<int>(static_cast<size_t>(sequences)), sequences);
    const test::Sampling sampler = sampling(pass.batch, vocabulary, 0);
    Floats all;
    for (int s = 0; s < sequences; ++s) append(all, row);
    const Buffer logits = floats(backend, all), selection = buffer(backend, all.data(), sequences * 4);
    const Top best = top(backend, 1, sequences);
    must(record(pass.program, hydra_prepare_selection{pass.rows, sampler}));
    must(record(pass.program, hydra_select{pass.rows, best, logits, vocabulary, sampler, selection, nullptr}));
    std::vector<int64_t> counts(row.size());
    for (int run = 0; run < runs; ++run) {
        for (int s = 0; s < sequences; ++s) {
            Options own = options;
            own.seed = static_cast<uint64_t>(run) << 32 | static_cast<uint64_t>(s);
            must(own.set(sampler, s));
        }
        for (int position = 0; position < positions; ++position) {
            for (int s = 0; s < sequences; ++s) pass.batch->change(s).result.length = position;
            pass.chains(std::vector<std::vector<int32_t>>(static_cast<size_t>(sequences), {0}));
            pass.run();
            std::vector<int32_t> found(static_cast<size_t>(sequences));
            must(hydra_buffer_read(selection, 0, found.data(), sequences * 4));
            for (int32_t token : found) ++counts[token];
        }
    }
    const double draws = static_cast<double>(sequences) * positions * runs;
    double chi_square = 0;
    int degrees = -1;
    for (size_t v = 0; v < row.size(); ++v) {
        const double expected = probabilities[v] * draws;
        if (expected == 0) {
            EXPECT_EQ(counts[v], 0) << v;
            continue;
        }
        ++degrees;
        chi_square += (counts[v] - expected) * (counts[v] - expected) / expected;
    }
    // Four standard deviations above the mean.
    EXPECT_LT(chi_square, degrees + 4 * std::sqrt(2.0 * degrees));
}

// softmax(logits / temperature) of the tokens that are left.
Doubles softmax(const Floats& logits, double temperature, const std::vector<int32_t>& left) {
    Doubles probabilities(logits.size());
    double all = 0;
    for (int32_t v : left) all += std::exp(logits[v] / temperature);
    for (int32_t v : left) probabilities[v] = std::exp(logits[v] / temperature) / all;
    return probabilities;
}

const Floats ROW{1.5f, -0.5f, 0.25f, 2.5f, -3, 0.75f, 2, -1, 0, 1};

TEST(Sampling, DrawsBySoftmaxOfTheLogitsOverTheTemperature) {
    const std::vector<int32_t> all{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    expect_distribution({.temperature = 1}, ROW, softmax(ROW, 1, all));
    expect_distribution({.temperature = 0.6f}, ROW, softmax(ROW, 0.6, all));
    Floats biased = ROW;
    biased[1] += 2;
    expect_distribution({.temperature = 1.5f, .bias = {{1, 2.0f}}}, ROW, softmax(biased, 1.5, all));
}

TEST(Sampling, DrawsOfWhatFiltersLeave) {
    expect_distribution({.temperature = 1.3f, .top_k = 4}, ROW, softmax(ROW, 1.3, {0, 3, 6, 9}));
    // 0.39, 0.24, 0.14: these three have 0.77 of the mass.
    expect_distribution({.temperature = 1, .top_p = 0.7f}, ROW, softmax(ROW, 1, {0, 3, 6}));
    expect_distribution({.temperature = 1, .min_p = 0.2f}, ROW, softmax(ROW, 1, {0, 3, 6, 9}));
    expect_distribution({.temperature = 1, .top_k = 5, .top_p = 0.95f, .min_p = 0.3f}, ROW, softmax(ROW, 1, {0, 3, 6}));
}

}  // namespace
}  // namespace hydra::test
