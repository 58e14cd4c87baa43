#include "trees.h"

namespace hydra::test {
namespace {

Floats run_norm(hydra_backend* backend, const Floats& x, const Floats& weight) {
    const int columns = static_cast<int>(weight.size()), rows = static_cast<int>(x.size()) / columns;
    Pass pass(backend);
    pass.chain_of(rows);
    const Buffer in = padded_rows(backend, x, columns), out = poisoned(backend, columns);
    const Buffer norm = floats(backend, weight);
    must(record(pass.program, hydra_norm{pass.rows, in, norm, 1e-5f, columns, out, nullptr}));
    pass.run();
    EXPECT_TRUE(untouched_behind(out, rows * columns));
    return contents(out, rows * columns);
}

TEST(Norm, MatchesTheReference) {
    for (int columns : {8, 15, 72, 120, 384}) {
        for (int rows : {1, 2, 5, 17, 64}) {
            SCOPED_TRACE(testing::Message() << columns << " columns, " << rows << " rows");
            Random random(columns + rows);
            const Floats x = random.normal(rows * columns, 3.0f), weight = random.normal(columns);
            Doubles expected;
            for (int r = 0; r < rows; ++r) {
                const Floats row = row_of(x, r, columns);
                append(expected, rms_norm(Doubles(row.begin(), row.end()), weight, 1e-5f));
            }
            EXPECT_LT(relative_error(run_norm(open_backend(rows % 3 + 1), x, weight), expected), 1e-6);
        }
    }
}

TEST(Norm, AddsTheResidualAndMayWorkInPlace) {
    for (int columns : {15, 72, 384}) {
        const Backend backend = open_backend(2);
        constexpr int COUNT = 17;
        Random random(columns);
        const Floats x = random.normal(COUNT * columns), old = random.normal(COUNT * columns);
        const Floats weight = random.normal(columns);
        Floats expected = run_norm(backend, x, weight);
        Pass pass(backend);
        pass.chain_of(COUNT);
        const Buffer in = padded_rows(backend, x, columns), norm = floats(backend, weight);
        const Buffer in_place = padded_rows(backend, x, columns), residual = padded_rows(backend, old, columns);
        const Buffer sum = poisoned(backend, columns), grown = padded_rows(backend, old, columns);
        must(record(pass.program, hydra_norm{pass.rows, in_place, norm, 1e-5f, columns, in_place, nullptr}));
        must(record(pass.program, hydra_norm{pass.rows, in, norm, 1e-5f, columns, sum, residual}));
        must(record(pass.program, hydra_norm{pass.rows, in, norm, 1e-5f, columns, grown, grown}));
        pass.run();
        EXPECT_TRUE(same_bits(contents(in_place, COUNT * columns), expected));
        Doubles sums;
        for (size_t i = 0; i < expected.size(); ++i) sums.push_back(double{old[i]} + expected[i]);
        EXPECT_LT(relative_error(contents(sum, COUNT * columns), sums), 1e-7);
        EXPECT_TRUE(same_bits(contents(grown, COUNT * columns), contents(sum, COUNT * columns)));
        EXPECT_TRUE(same_bits(contents(residual, COUNT * columns), old));
        EXPECT_TRUE(untouched_behind(sum, COUNT * columns));
    }
}

TEST(Norm, GivesTheSameBitsEverywhereAndForOneRowAndMany) {
    for (int columns : {15, 72, 384}) {
        Random random(columns);
        const Floats x = random.normal(17 * columns), weight = random.normal(columns);
        expect_same_bits_everywhere([&](hydra_backend* backend) { return run_norm(backend, x, weight); });
        const Floats together = run_norm(open_backend(2), x, weight);
        for (int r = 0; r < 17; ++r) {
            const Floats one = run_norm(open_backend(), row_of(x, r, columns), weight);
            EXPECT_TRUE(same_bits(one, row_of(together, r, columns))) << r;
        }
    }
}

TEST(Norm, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    const Pass pass(backend);
    const Buffer norm = floats(backend, Floats(40)), x = poisoned(backend, 40), small = poisoned(backend, 39);
    expect_refused(record(pass.program, hydra_norm{pass.rows, small, norm, 1e-5f, 40, x, nullptr}), "x has 9984 bytes");
    expect_refused(record(pass.program, hydra_norm{pass.rows, x, norm, 1e-5f, 40, small, nullptr}),
                   "out has 9984 bytes");
    expect_refused(record(pass.program, hydra_norm{pass.rows, x, norm, 0, 40, x, nullptr}), "epsilon is 0");
    expect_refused(record(pass.program, hydra_norm{pass.rows, x, norm, 1e-5f, 40, norm, x}), "residual must not be x");
    expect_refused(record(pass.program, hydra_norm{pass.rows, x, norm, 1e-5f, 40, x, small}),
                   "residual has 9984 bytes");
    expect_refused(record(pass.program, hydra_norm{pass.rows, x, nullptr, 1e-5f, 40, x, nullptr}), "null");
}

TEST(Embed, GivesTheRowsOfTheTokens) {
    for (hydra_type type : {HYDRA_F32, HYDRA_Q8_0}) {
        for (int columns : {72, 120, 384}) {
            const Floats values = Random(columns).normal(50 * columns);
            for (int rows : {1, 2, 5, 17, 64}) {
                const Backend backend = open_backend(rows % 3 + 1);
                const Matrix embedding = matrix(backend, type, 50, columns, values);
                const Floats held = values_of(embedding);
                const Buffer out = poisoned(backend, columns);
                Pass pass(backend);
                std::vector<int32_t> tokens;
                Floats expected;
                for (int r = 0; r < rows; ++r) {
                    tokens.push_back(r * 31 % 50);
                    append(expected, row_of(held, tokens[r], columns));
                }
                pass.chain(tokens);
                must(record(pass.program, hydra_embed{pass.rows, embedding, out, 0}));
                pass.run();
                EXPECT_TRUE(same_bits(contents(out, rows * columns), expected)) << type << ", " << rows;
                EXPECT_TRUE(untouched_behind(out, rows * columns));
            }
        }
    }
}

TEST(Embed, ScalesTheRowsOfTheTokens) {
    const Backend backend = open_backend(2);
    const Floats values = Random(3).normal(50 * 72);
    const Matrix embedding = matrix(backend, HYDRA_F32, 50, 72, values);
    const Buffer out = poisoned(backend, 72);
    Pass pass(backend);
    pass.chain({49, 7});
    must(record(pass.program, hydra_embed{pass.rows, embedding, out, 3.3f}));
    pass.run();
    Floats expected = row_of(values, 49, 72);
    append(expected, row_of(values, 7, 72));
    for (float& value : expected) value *= 3.3f;
    EXPECT_TRUE(same_bits(contents(out, 2 * 72), expected));
    EXPECT_TRUE(untouched_behind(out, 2 * 72));
    expect_refused(record(pass.program, hydra_embed{pass.rows, embedding, out, -1}), "scale is -1");
}

TEST(Embed, RefusesToRunWithTokensOutsideTheVocabulary) {
    const Backend backend = open_backend();
    const Matrix embedding = matrix(backend, HYDRA_F32, 50, 72, Floats(50 * 72));
    const Buffer out = poisoned(backend, 72), small = poisoned(backend, 71);
    Pass pass(backend);
    expect_refused(record(pass.program, hydra_embed{pass.rows, embedding, small, 0}), "out has 18176 bytes");
    must(record(pass.program, hydra_embed{pass.rows, embedding, out, 0}));
    pass.chain({1, 50});
    expect_refused(hydra_program_run(pass.program), "token 50 of row 1 is outside the vocabulary of 50");
    pass.chain({-1});
    expect_refused(hydra_program_run(pass.program), "token -1 of row 0");
    EXPECT_TRUE(untouched_behind(out, 0));
}

TEST(Embed, GivesZerosForDraftedTokensThatTheVocabularyDoesNotHave) {
    const Backend backend = open_backend(2);
    const Matrix embedding = matrix(backend, HYDRA_Q8_0, 50, 96, Random(1).normal(50 * 96));
    const Buffer out = poisoned(backend, 96);
    Pass pass(backend);
    expand(pass, tree(pass.batch, Shape{{-1, 0, 0, 0}, {0, 0, 1, 2}, {0, 1, 1, 1}}), {7, 50, INT32_MAX, -1});
    must(record(pass.program, hydra_embed{pass.rows, embedding, out, 0}));
    // Twice: what a draft left behind must not stop the next run either.
    for (int run = 0; run < 2; ++run) {
        pass.run();
        Floats expected = row_of(values_of(embedding), 7, 96);
        append(expected, Floats(3 * 96));
        EXPECT_TRUE(same_bits(contents(out, 4 * 96), expected));
    }
}

}  // namespace
}  // namespace hydra::test
