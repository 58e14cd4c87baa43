#include "drafting.h"
#include "sampling.h"

namespace hydra::test {
namespace {

// Rows of a draft level of four sequences, the one before the last without rows, and their logits.
struct Ranking {
    static constexpr int K = 5;

    Draft draft;
    int level;
    int64_t columns;
    std::vector<int32_t> ids;  // empty: none
    test::Sampling sampler;
    Floats values;
    Top best;

    Ranking(hydra_backend* backend, Random& random, int its_level, int64_t its_columns, bool with_ids)
        : draft(backend, random_shape(random, 9), random, 4),
          level(its_level),
          columns(its_columns),
          sampler(sampling(draft.pass.batch, static_cast<int32_t>(with_ids ? 2 * its_columns : its_columns))),
          values(random.normal(static_cast<int>(its_columns) * draft.level_rows->max_rows, 2)),
          best(top(backend, K, draft.level_rows->max_rows)) {
        for (int32_t i = 0; with_ids && i < columns; ++i) ids.push_back(i * 7 % (2 * static_cast<int32_t>(columns)));
        // Equal logits, and such as are none.
        values[1] = values[0];
        values[3] = NAN;
        values[4] = -INFINITY;
    }

    void run(bool samples, bool prepares) {
        hydra_backend* backend = draft.pass.backend;
        const Buffer out = poisoned(backend, WIDTH, draft.level_rows->max_rows), logits = floats(backend, values);
        const Buffer names = ids.empty() ? Buffer() : buffer(backend, ids.data(), static_cast<int64_t>(ids.size()) * 4);
        set_ids(best, std::vector<int32_t>(static_cast<size_t>(K * best->max_rows), -9));
        hydra_program* program = draft.pass.program;
        if (prepares) must(record(program, hydra_prepare_selection{draft.pass.rows, sampler}));
        must(record(program, hydra_draft_inputs{draft.expanded, level, draft.pass.rows, draft.states, WIDTH, nullptr,
                                                draft.level_rows, out}));
        must(record(program, hydra_rank{draft.level_rows, logits, columns, names,
                                        samples ? static_cast<hydra_sampling*>(sampler) : nullptr, best}));
        draft.pass.run();
    }

    // ids and values of the rows of the three sequences that have some.
    Floats found() const {
        Floats all;
        const int32_t* found_ids = hydra_top_ids(best);
        for (int i = 0; i < 3 * K; ++i) all.push_back(static_cast<float>(found_ids[i]));
        append(all, Floats(hydra_top_values(best), hydra_top_values(best) + 3 * K));
        return all;
    }
};

const std::vector<Options> OF_SEQUENCES{
    {.temperature = 1, .seed = 1}, {}, {.temperature = 1}, {.temperature = 0.5f, .top_k = 1, .seed = 9}};

// Scores of a row, sorted, and their log-softmax in doubles.
void expect_ranking(const Ranking& ranking, int row, const Options& options, int32_t position) {
    const Floats logits = row_of(ranking.values, row, ranking.columns);
    Floats scores;
    double all = 0;
    for (int32_t i = 0; i < ranking.columns; ++i) {
        const float logit = std::isnan(logits[i]) ? -FLT_MAX : std::clamp(logits[i], -FLT_MAX, FLT_MAX);
        const int32_t token = ranking.ids.empty() ? i : ranking.ids[i];
        const float score = options.temperature > 0
                                ? logit * (1 / options.temperature) + noise_of(options.seed, position, token)
                                : logit;
        scores.push_back(std::max(score, -FLT_MAX));
        all += std::exp(static_cast<double>(scores[i]));
    }
    std::vector<int32_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return scores[a] > scores[b]; });
    for (int i = 0; i < Ranking::K; ++i) {
        const int32_t index = order[i], at = row * Ranking::K + i;
        EXPECT_EQ(hydra_top_ids(ranking.best)[at], ranking.ids.empty() ? index : ranking.ids[index]) << row;
        if (scores[index] == -FLT_MAX) continue;
        EXPECT_NEAR(hydra_top_values(ranking.best)[at], scores[index] - std::log(all), 1e-5) << row;
    }
}

TEST(Rank, IsByLogitsOverTheTemperatureAndTheNoiseOfThePosition) {
    for (const int64_t columns : {5, 16, 33, 300, 1100}) {
        for (const bool with_ids : {false, true}) {
            for (const bool prepares : {true, false}) {
                const auto run = [&](hydra_backend* backend) {
                    Random random(static_cast<int>(columns));
                    Ranking ranking(backend, random, 1, columns, with_ids);
                    for (int32_t s = 0; s < 4; ++s) must(OF_SEQUENCES[s].set(ranking.sampler, s));
                    ranking.run(true, prepares);
                    // Rows are of sequences 0, 1 and 3, whose drafted tokens stand two after 40 verified ones.
                    const int sequences[] = {0, 1, 3};
                    for (int row = 0; row < 3; ++row) expect_ranking(ranking, row, OF_SEQUENCES[sequences[row]], 42);
                    return ranking.found();
                };
                expect_same_bits_everywhere(run);
                if (cuda_library() == nullptr) continue;
                hydra_backend* cpu = nullptr;
                must(hydra_backend_open_cpu(1, "auto", &cpu));
                EXPECT_TRUE(same_bits(run(Backend(cpu)), run(open_backend()))) << "the CPU's bits";
            }
        }
    }
}

TEST(Rank, IsByLogitsWithoutSampling) {
    const Backend backend = open_backend(2);
    Random random(8);
    Ranking ranking(backend, random, 0, 70, false);
    ranking.run(false, false);
    for (int row = 0; row < 3; ++row) expect_ranking(ranking, row, {}, 0);
}

TEST(Rank, LeavesRowsOfTreesThatAreNotThatDeep) {
    const Backend backend = open_backend(2);
    Random random(8);
    Ranking ranking(backend, random, 1, 70, false);
    must(set_tree(ranking.draft.expanded, 1, Shape{{-1, 0}, {0, 0}, {0, 1}}));
    ranking.run(true, true);
    for (int i = 0; i < Ranking::K; ++i) {
        EXPECT_GE(hydra_top_ids(ranking.best)[i], 0);
        EXPECT_EQ(hydra_top_ids(ranking.best)[Ranking::K + i], -9);
    }
}

TEST(Rank, OfRowsOfAPassIsForThePositionAfterThem) {
    const Backend backend = open_backend(2);
    Random random(2);
    Pass pass(backend, 10);
    pass.chain({1, 2, 3});
    const Floats values = random.normal(3 * 50);
    const Buffer logits = padded_rows(backend, values, 50);
    const Top best = top(backend, 1);
    const test::Sampling sampler = sampling(pass.batch, 50);
    const Options options{.temperature = 1, .seed = 6};
    must(options.set(sampler));
    must(record(pass.program, hydra_rank{pass.rows, logits, 50, nullptr, sampler, best}));
    pass.run();
    for (int row = 0; row < 3; ++row) {
        EXPECT_EQ(hydra_top_ids(best)[row], expected_token(row_of(values, row, 50), options, {}, 11 + row));
    }
}

TEST(Rank, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    const Pass pass(backend), other(backend);
    const test::Sampling sampler = sampling(pass.batch, 50), theirs = sampling(other.batch, 50);
    const Buffer logits = floats(backend, Floats(ROWS * 60)),
                 ids = buffer(backend, std::vector<int32_t>(60, 50).data(), 240),
                 few = buffer(backend, std::vector<int32_t>(10).data(), 40);
    const Top best = top(backend, 8), small = top(backend, 8, ROWS - 1);
    const auto attempt = [&](int64_t columns, const hydra_buffer* names, const hydra_sampling* by, hydra_top* to) {
        return record(pass.program, hydra_rank{pass.rows, logits, columns, names, by, to});
    };
    expect_refused(attempt(0, nullptr, sampler, best), "columns is 0, must be from 1 to 16777216");
    expect_refused(attempt(7, nullptr, sampler, best), "top has k 8, the vocabulary only 7 rows");
    expect_refused(attempt(51, nullptr, sampler, best), "columns is 51, the sampling has 50 tokens");
    expect_refused(attempt(61, nullptr, nullptr, best), "logits has 15360 bytes, must have 64 x 61 floats");
    expect_refused(attempt(50, nullptr, theirs, best), "the sampling belongs to another batch than the rows");
    expect_refused(attempt(60, few, nullptr, best), "ids has 40 bytes");
    expect_refused(attempt(60, ids, sampler, best), "entry 0 of ids is 50, the vocabulary has 50 tokens");
    expect_refused(attempt(50, nullptr, sampler, small), "top has room for 63 rows, must have it for 64");
    EXPECT_EQ(attempt(60, ids, nullptr, best), HYDRA_OK);
}

}  // namespace
}  // namespace hydra::test
