#include "fixture.h"
#include "team_sizes.h"
#include "types.h"

namespace hydra::test {
namespace {

constexpr float EPSILON = 1e-5f;

struct Case {
    int query_rows, key_rows, value_rows, hidden;
    hydra_type type;
    bool biased;
    bool normed = true;
};

struct Products {
    Case shape;
    Matrix query, key, value;
    Buffer norm, query_bias, key_bias, value_bias;
    Floats norm_values, biases[3];

    Products(hydra_backend* backend, const Case& made, uint32_t seed) : shape(made) {
        Random random(seed);
        const auto weight = [&](int rows) {
            const float deviation = 1 / std::sqrt(static_cast<float>(made.hidden));
            return matrix(backend, made.type, rows, made.hidden, random.normal(int64_t{rows} * made.hidden, deviation));
        };
        query = weight(made.query_rows);
        key = weight(made.key_rows);
        value = weight(made.value_rows);
        norm_values = random.normal(made.hidden);
        if (made.normed) norm = floats(backend, norm_values);
        if (!made.biased) return;
        const int rows[] = {made.query_rows, made.key_rows, made.value_rows};
        for (int i = 0; i < 3; ++i) biases[i] = random.normal(rows[i]);
        query_bias = floats(backend, biases[0]);
        key_bias = floats(backend, biases[1]);
        value_bias = floats(backend, biases[2]);
    }

    // Of `rows` rows of x the queries, then the keys, then the values.
    Floats run(hydra_backend* backend, const Floats& x, int rows) const {
        Pass pass(backend, 20);
        pass.chain_of(rows);
        const Buffer in = padded_rows(backend, x, shape.hidden);
        const Buffer outs[] = {poisoned(backend, shape.query_rows), poisoned(backend, shape.key_rows),
                               poisoned(backend, shape.value_rows)};
        must(record(pass.program, hydra_qkv{pass.rows, in, norm, EPSILON, query, key, value, query_bias, key_bias,
                                            value_bias, outs[0], outs[1], outs[2]}));
        pass.run();
        Floats all;
        const int columns[] = {shape.query_rows, shape.key_rows, shape.value_rows};
        for (int i = 0; i < 3; ++i) {
            EXPECT_TRUE(untouched_behind(outs[i], int64_t{rows} * columns[i]));
            append(all, contents(outs[i], int64_t{rows} * columns[i]));
        }
        return all;
    }
};

void expect_near_reference(hydra_backend* backend, const Case& shape, int rows) {
    SCOPED_TRACE(testing::Message() << shape.query_rows << ", " << shape.key_rows << ", " << shape.value_rows
                                    << " outputs, hidden " << shape.hidden << ", type " << shape.type << ", " << rows
                                    << " rows");
    const Products products(backend, shape, 11);
    const Floats x = Random(rows).normal(int64_t{rows} * shape.hidden);
    Doubles expected;
    const Matrix* weights[] = {&products.query, &products.key, &products.value};
    for (int part = 0; part < 3; ++part) {
        for (int r = 0; r < rows; ++r) {
            const Floats row = row_of(x, r, shape.hidden);
            Doubles normed(row.begin(), row.end());
            if (shape.normed) normed = rms_norm(normed, products.norm_values, EPSILON);
            append(expected, product(values_of(*weights[part]), normed, products.biases[part]));
        }
    }
    EXPECT_LT(relative_error(products.run(backend, x, rows), expected), tolerance(shape.type));
}

TEST(Qkv, MatchesTheReference) {
    for (int threads : team_sizes()) {
        const Backend backend = open_backend(threads);
        expect_near_reference(backend, {24, 8, 8, 72, HYDRA_F32, true}, 5);
        expect_near_reference(backend, {96, 48, 48, 120, HYDRA_F32, false}, 17);
        expect_near_reference(backend, {576, 192, 192, 384, HYDRA_F32, true}, 1);
        expect_near_reference(backend, {33, 7, 65, 40, HYDRA_F32, true}, 3);
        expect_near_reference(backend, {128, 128, 128, 72, HYDRA_F32, false}, 64);
        expect_near_reference(backend, {64, 32, 32, 72, HYDRA_Q8_0, true}, 2);
        expect_near_reference(backend, {216, 72, 72, 120, HYDRA_Q8_0, false}, 17);
        expect_near_reference(backend, {192, 192, 192, 384, HYDRA_Q8_0, true}, 64);
        expect_near_reference(backend, {96, 48, 48, 120, HYDRA_F32, true, false}, 17);
        expect_near_reference(backend, {216, 72, 72, 120, HYDRA_Q8_0, false, false}, 3);
    }
}

TEST(Qkv, GivesTheSameBitsEverywhere) {
    for (hydra_type type : types_of_each_form()) {
        for (int rows : {1, 5, 17}) {
            const Floats x = Random(2).normal(rows * 120);
            expect_same_bits_everywhere([&](hydra_backend* backend) {
                return Products(backend, {128, 64, 64, 120, type, true}, 3).run(backend, x, rows);
            });
        }
    }
}

TEST(Qkv, GivesTheSameBitsForOneRowAndForMany) {
    const Backend backend = open_backend(2);
    for (hydra_type type : types_of_each_form()) {
        const Products products(backend, {96, 48, 48, 120, type, true}, 3);
        const Floats x = Random(4).normal(64 * 120);
        for (int rows : {2, 5, 8, 9, 17, 64}) {
            Floats parts[3];
            for (int r = 0; r < rows; ++r) {
                const Floats one = products.run(backend, row_of(x, r, 120), 1);
                append(parts[0], Floats(one.begin(), one.begin() + 96));
                append(parts[1], Floats(one.begin() + 96, one.begin() + 144));
                append(parts[2], Floats(one.begin() + 144, one.end()));
            }
            append(parts[0], parts[1]);
            append(parts[0], parts[2]);
            EXPECT_TRUE(same_bits(parts[0], products.run(backend, x, rows))) << rows;
        }
    }
}

TEST(Qkv, TakesMatricesOfDifferentTypes) {
    const Backend backend = open_backend(2);
    const hydra_type types[] = {HYDRA_F32, HYDRA_Q8_0, HYDRA_Q4_0};
    constexpr int ROWS_OF_X = 3, OUTPUTS[] = {96, 48, 48};
    const Floats x = Random(5).normal(ROWS_OF_X * 96);
    const auto part_of = [&](const Floats& all, int part) {
        const auto begin = all.begin() + (part == 0 ? 0 : ROWS_OF_X * (part == 1 ? 96 : 144));
        return Floats(begin, begin + ROWS_OF_X * OUTPUTS[part]);
    };
    std::vector<Floats> pure;
    for (hydra_type type : types)
        pure.push_back(Products(backend, {96, 48, 48, 96, type, false}, 3).run(backend, x, 3));
    EXPECT_FALSE(same_bits(pure[0], pure[1]));
    EXPECT_FALSE(same_bits(pure[1], pure[2]));
    for (int of_query : {0, 1, 2}) {
        for (int of_key : {0, 1, 2}) {
            for (int of_value : {0, 1, 2}) {
                SCOPED_TRACE(testing::Message() << of_query << of_key << of_value);
                Products mixed(backend, {96, 48, 48, 96, types[of_query], false}, 3);
                mixed.key = std::move(Products(backend, {96, 48, 48, 96, types[of_key], false}, 3).key);
                mixed.value = std::move(Products(backend, {96, 48, 48, 96, types[of_value], false}, 3).value);
                const Floats all = mixed.run(backend, x, ROWS_OF_X);
                const int of[] = {of_query, of_key, of_value};
                for (int i = 0; i < 3; ++i) EXPECT_TRUE(same_bits(part_of(all, i), part_of(pure[of[i]], i))) << i;
            }
        }
    }
}

TEST(Qkv, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    const Products products(backend, {96, 48, 48, 72, HYDRA_F32, true}, 3);
    const Pass pass(backend);
    const Buffer x = poisoned(backend, 72), query = poisoned(backend, 96), key = poisoned(backend, 48),
                 value = poisoned(backend, 48);
    const hydra_qkv fits{pass.rows,      x,       products.norm, EPSILON, products.query, products.key,
                         products.value, nullptr, nullptr,       nullptr, query,          key,
                         value};
    const auto expect = [&](const char* refusal, auto&& change) {
        hydra_qkv arguments = fits;
        change(arguments);
        expect_refused(record(pass.program, arguments), refusal);
    };
    const Buffer small = poisoned(backend, 48);
    const Matrix narrow = matrix(backend, HYDRA_F32, 48, 40, Floats(48 * 40));
    expect("key is [48][40], must be [48][72]", [&](hydra_qkv& o) { o.key = narrow; });
    expect("value is [48][40], must be [48][72]", [&](hydra_qkv& o) { o.value = narrow; });
    expect("x has 288 bytes", [&](hydra_qkv& o) { o.x = products.norm; });
    expect("query_bias has 288", [&](hydra_qkv& o) { o.query_bias = products.norm; });
    expect("epsilon is 0", [&](hydra_qkv& o) { o.epsilon = 0; });
    expect("query_out has 12288 bytes", [&](hydra_qkv& o) { o.query_out = small; });
    expect("query_out must not be x", [&](hydra_qkv& o) { o.query_out = x; });
    expect("value_out must not be key_out", [&](hydra_qkv& o) { o.value_out = key; });
    EXPECT_EQ(record(pass.program, fits), HYDRA_OK);
}

}  // namespace
}  // namespace hydra::test
