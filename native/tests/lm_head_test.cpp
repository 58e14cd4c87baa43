#include <numeric>

#include "fixture.h"
#include "team_sizes.h"
#include "types.h"

namespace hydra::test {
namespace {

struct Data {
    int hidden, vocabulary;
    hydra_type type;
    Floats weight, bias;
    float scale = 0, cap = 0;

    Data(int columns, int rows, hydra_type made, bool biased) : hidden(columns), vocabulary(rows), type(made) {
        Random random(rows);
        weight = random.normal(rows * columns, 1 / std::sqrt(static_cast<float>(columns)));
        if (biased) bias = random.normal(rows, 0.1f);
    }
};

struct Result {
    Floats logits, values;
    std::vector<int32_t> ids;

    // All of it as bits, to compare.
    Floats bits() const {
        Floats all = logits;
        append(all, values);
        all.insert(all.end(), ids.begin(), ids.end());
        return all;
    }
};

Result run(hydra_backend* backend, const Data& data, const Floats& x, int k, const std::vector<int32_t>& ids = {},
           bool selected_rows_only = false) {
    const int rows = static_cast<int>(x.size()) / data.hidden, results = selected_rows_only ? 1 : rows;
    const int max_rows = std::max(ROWS, rows);
    Pass pass(backend, std::vector<int>{0}, max_rows);
    pass.chain_of(rows);
    const Buffer in = padded_rows(backend, x, data.hidden, max_rows);
    const Buffer logits = poisoned(backend, data.vocabulary, max_rows);
    const Matrix weight = matrix(backend, data.type, data.vocabulary, data.hidden, data.weight);
    const Buffer bias = data.bias.empty() ? Buffer() : floats(backend, data.bias);
    const Buffer names = ids.empty() ? Buffer() : buffer(backend, ids.data(), static_cast<int64_t>(ids.size() * 4));
    const Top best = top(backend, k, max_rows);
    must(record(pass.program, hydra_lm_head{pass.rows, selected_rows_only, in, weight, bias, names, best, logits,
                                            data.scale, data.cap}));
    pass.run();
    EXPECT_TRUE(untouched_behind(logits, results * data.vocabulary));
    return {contents(logits, results * data.vocabulary),
            Floats(hydra_top_values(best), hydra_top_values(best) + results * k),
            std::vector<int32_t>(hydra_top_ids(best), hydra_top_ids(best) + results * k)};
}

// Sorts the logits of every row: best first, equal ones by index.
void expect_best_of_logits(const Result& result, int vocabulary, int k) {
    for (size_t r = 0; r < result.logits.size() / vocabulary; ++r) {
        const Floats row = row_of(result.logits, r, vocabulary);
        std::vector<int32_t> order(vocabulary);
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return row[a] > row[b]; });
        for (int i = 0; i < k; ++i) {
            ASSERT_EQ(result.ids[r * k + i], order[i]) << "row " << r << ", place " << i;
            ASSERT_EQ(result.values[r * k + i], row[order[i]]);
        }
    }
}

TEST(LmHead, GivesLogitsOfTheReferenceAndTheBestOfThem) {
    for (const Data& data :
         {Data(72, 33, HYDRA_F32, true), Data(120, 500, HYDRA_F32, false), Data(384, 1001, HYDRA_F32, true),
          Data(72, 100, HYDRA_Q8_0, false), Data(384, 500, HYDRA_Q8_0, true)}) {
        for (int rows : {1, 2, 5, 17, 64}) {
            const int k = rows % 5 == 0 ? 32 : rows % 4 == 1 ? 1 : 7;
            SCOPED_TRACE(testing::Message() << data.hidden << " to " << data.vocabulary << ", type " << data.type
                                            << ", " << rows << " rows, k " << k);
            const Backend backend = open_backend(rows % 3 + 1);
            const Floats x = Random(rows).normal(rows * data.hidden);
            const Floats weight = values_of(matrix(backend, data.type, data.vocabulary, data.hidden, data.weight));
            Doubles expected;
            for (int r = 0; r < rows; ++r) {
                const Floats row = row_of(x, r, data.hidden);
                append(expected, product(weight, Doubles(row.begin(), row.end()), data.bias));
            }
            const Result result = run(backend, data, x, k);
            EXPECT_LT(relative_error(result.logits, expected), tolerance(data.type));
            expect_best_of_logits(result, data.vocabulary, k);
        }
    }
}

TEST(LmHead, ScalesAndCapsLogits) {
    for (const auto& [scale, cap] : std::initializer_list<std::pair<float, float>>{{0.25f, 0}, {0, 1.5f}, {3, 2.5f}}) {
        Data data(120, 500, HYDRA_Q8_0, true);
        const Floats x = Random(4).normal(17 * 120);
        const Result plain = run(open_backend(2), data, x, 7);
        data.scale = scale;
        data.cap = cap;
        const Result result = run(open_backend(2), data, x, 7);
        Doubles expected;
        for (double logit : plain.logits) {
            if (scale != 0) logit *= scale;
            expected.push_back(cap != 0 ? cap * std::tanh(logit / cap) : logit);
        }
        EXPECT_LT(relative_error(result.logits, expected), 1e-6);
        expect_best_of_logits(result, 500, 7);
        expect_same_bits_everywhere([&](hydra_backend* backend) { return run(backend, data, x, 5).bits(); });
        const Result one = run(open_backend(), data, row_of(x, 16, 120), 7);
        EXPECT_TRUE(same_bits(one.logits, row_of(result.logits, 16, 500)));
    }
}

TEST(LmHead, PrefersTheSmallerIndexAmongEquals) {
    Data data(72, 200, HYDRA_F32, false);
    // Every row of the matrix stands there eight times, in different tiles and threads.
    for (int n = 25; n < 200; ++n) std::copy_n(data.weight.begin() + n % 25 * 72, 72, data.weight.begin() + n * 72);
    const Floats x = Random(1).normal(9 * 72);
    for (int threads : team_sizes()) {
        const Result result = run(open_backend(threads), data, x, 20);
        expect_best_of_logits(result, 200, 20);
        EXPECT_EQ(result.values[0], result.values[7]);
    }
}

TEST(LmHead, NamesEntriesByTheirIds) {
    const Data data(72, 50, HYDRA_F32, false);
    const Floats x = Random(1).normal(3 * 72);
    std::vector<int32_t> ids;
    for (int i = 0; i < 50; ++i) ids.push_back(1000 + 7 * i);
    const Result plain = run(open_backend(), data, x, 4), named = run(open_backend(2), data, x, 4, ids);
    for (size_t i = 0; i < plain.ids.size(); ++i) EXPECT_EQ(named.ids[i], ids[plain.ids[i]]);
    EXPECT_EQ(named.values, plain.values);
}

TEST(LmHead, ComputesOnlyTheLastRowIfAskedTo) {
    const Data data(72, 50, HYDRA_Q8_0, true);
    const Floats x = Random(1).normal(17 * 72);
    const Result all = run(open_backend(2), data, x, 3), last = run(open_backend(2), data, x, 3, {}, true);
    EXPECT_TRUE(same_bits(last.logits, row_of(all.logits, 16, 50)));
    EXPECT_EQ(last.ids, row_of(all.ids, 16, 3));
}

TEST(LmHead, ComputesTheLastRowOfEachSequence) {
    const Backend backend = open_backend(2);
    const Data data(72, 50, HYDRA_Q8_0, true);
    const Floats x = Random(2).normal(170 * 72);
    Pass pass(backend, {8, 5, 60, 0}, 170);
    pass.chains({std::vector<int32_t>(1), {}, std::vector<int32_t>(130), std::vector<int32_t>(39)});
    const Buffer in = padded_rows(backend, x, 72, 170), logits = poisoned(backend, 50, 4);
    const Matrix weight = matrix(backend, data.type, 50, 72, data.weight);
    const Buffer bias = floats(backend, data.bias);
    const Top best = top(backend, 3, 4);
    must(record(pass.program, hydra_lm_head{pass.rows, 1, in, weight, bias, nullptr, best, logits, 0, 0}));
    pass.run();
    Floats last;
    for (int row : {0, 130, 169}) append(last, row_of(x, row, 72));
    const Result expected = run(backend, data, last, 3);
    EXPECT_TRUE(same_bits(contents(logits, 3 * 50), expected.logits));
    EXPECT_TRUE(untouched_behind(logits, 3 * 50));
    EXPECT_EQ(std::vector<int32_t>(hydra_top_ids(best), hydra_top_ids(best) + 9), expected.ids);
}

TEST(LmHead, GivesLogitsAloneWhereNoTopIsWanted) {
    const Backend backend = open_backend(2);
    const Data data(72, 50, HYDRA_Q8_0, true);
    const Floats x = Random(2).normal(70 * 72);
    const Result expected = run(backend, data, x, 3), last = run(backend, data, x, 3, {}, true);
    for (const int selected_rows_only : {0, 1}) {
        Pass pass(backend, std::vector<int>{0}, 70);
        pass.chain_of(70);
        const Buffer in = padded_rows(backend, x, 72, 70), logits = poisoned(backend, 50, 70);
        const Matrix weight = matrix(backend, data.type, 50, 72, data.weight);
        const Buffer bias = floats(backend, data.bias);
        must(record(pass.program,
                    hydra_lm_head{pass.rows, selected_rows_only, in, weight, bias, nullptr, nullptr, logits, 0, 0}));
        pass.run();
        const Floats& all = selected_rows_only ? last.logits : expected.logits;
        EXPECT_TRUE(same_bits(contents(logits, static_cast<int64_t>(all.size())), all));
        EXPECT_TRUE(untouched_behind(logits, static_cast<int64_t>(all.size())));
    }
}

TEST(LmHead, GivesTheSameBitsEverywhereAndForOneRowAndMany) {
    for (hydra_type type : types_of_each_form()) {
        const Data data(120, 500, type, true);
        const int rows = emulated() ? 70 : 150;
        const Floats x = Random(1).normal(rows * 120);
        expect_same_bits_everywhere([&](hydra_backend* backend) { return run(backend, data, x, 5).bits(); });
        const Backend backend = open_backend(2);
        const Result together = run(backend, data, x, 5);
        for (int r = 0; r < rows; r += 3) {
            const Result one = run(backend, data, row_of(x, r, 120), 5);
            EXPECT_TRUE(same_bits(one.logits, row_of(together.logits, r, 500))) << r;
            EXPECT_EQ(one.ids, row_of(together.ids, r, 5));
        }
    }
}

TEST(LmHead, StaysWithinTheVocabularyWhereNoLogitIsANumber) {
    const Data data(72, 50, HYDRA_F32, false);
    const Result result = run(open_backend(2), data, Floats(72, NAN), 4);
    for (int32_t id : result.ids) EXPECT_TRUE(id >= 0 && id < 50) << id;
}

TEST(LmHead, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    const Pass pass(backend);
    const Matrix weight = matrix(backend, HYDRA_F32, 20, 40, Floats(800));
    const Buffer x = poisoned(backend, 40), small = poisoned(backend, 19), bias = floats(backend, Floats(19));
    const Top best = top(backend, 4), wide = top(backend, 21);
    const int32_t negative[20] = {3, -7};
    const auto attempt = [&](const Buffer& in, const Buffer& biases, const Buffer& ids, const Top& to,
                             const Buffer& all) {
        return record(pass.program, hydra_lm_head{pass.rows, 0, in, weight, biases, ids, to, all, 0, 0});
    };
    expect_refused(attempt(small, {}, {}, best, {}), "x has 4864 bytes");
    expect_refused(attempt(x, bias, {}, best, {}), "bias has 76 bytes");
    expect_refused(attempt(x, {}, bias, best, {}), "ids has 76 bytes");
    expect_refused(attempt(x, {}, buffer(backend, negative, 80), best, {}), "entry 1 of ids is -7");
    expect_refused(attempt(x, {}, {}, wide, {}), "top has k 21, the vocabulary only 20 rows");
    expect_refused(attempt(x, {}, {}, best, small), "logits has 4864 bytes");
    expect_refused(record(pass.program, hydra_lm_head{pass.rows, 0, x, weight, {}, {}, best, {}, -2, 0}),
                   "scale is -2");
    expect_refused(record(pass.program, hydra_lm_head{pass.rows, 0, x, weight, {}, {}, best, {}, 0, -2}), "cap is -2");
    expect_refused(attempt(x, {}, {}, {}, {}), "top and logits are null, one must be there");
    hydra_top* out = nullptr;
    expect_refused(hydra_top_create(backend, 33, 1, &out), "k is 33, must be from 1 to 32");
    expect_refused(hydra_top_create(backend, 0, 1, &out), "k is 0");
    expect_refused(hydra_top_create(backend, 1, 0, &out), "max_rows is 0, must be from 1 to 2048");
    expect_refused(hydra_top_create(backend, 1, 2049, &out), "max_rows is 2049");
    expect_refused(attempt(x, {}, {}, top(backend, 4, 63), {}), "top has room for 63 rows, must have it for 64");
}

}  // namespace
}  // namespace hydra::test
