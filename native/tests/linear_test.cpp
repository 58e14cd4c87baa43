#include "types.h"

namespace hydra::test {
namespace {

struct Case {
    int inputs, outputs;
    hydra_type type;
    bool biased;
};

struct Data {
    Case made;
    Floats weight, bias;
    explicit Data(const Case& c) : made(c) {
        Random random(c.inputs);
        weight = random.normal(c.inputs * c.outputs, 1 / std::sqrt(static_cast<float>(c.inputs)));
        if (c.biased) bias = random.normal(c.outputs);
    }
};

Floats run(hydra_backend* backend, const Matrix& weight, const Floats& biases, const Floats& x,
           const Floats& residual) {
    const int64_t inputs = hydra_matrix_columns(weight), outputs = hydra_matrix_rows(weight);
    const int rows = static_cast<int>(static_cast<int64_t>(x.size()) / inputs);
    Pass pass(backend);
    pass.chain_of(rows);
    const Buffer in = padded_rows(backend, x, inputs), out = padded_rows(backend, residual, outputs);
    const Buffer bias = biases.empty() ? Buffer() : floats(backend, biases);
    must(record(pass.program, hydra_linear{pass.rows, in, weight, bias, out, out}));
    pass.run();
    EXPECT_TRUE(untouched_behind(out, rows * outputs));
    return contents(out, rows * outputs);
}

Floats run(hydra_backend* backend, const Data& data, const Floats& x, const Floats& residual) {
    const Case& c = data.made;
    return run(backend, matrix(backend, c.type, c.outputs, c.inputs, data.weight), data.bias, x, residual);
}

// Every third row gets one value that dwarfs the others.
Floats uneven(Floats x, int columns) {
    for (size_t i = 3; i < x.size(); i += 3 * columns) x[i] = 1e4f;
    return x;
}

// Columns that a row is large in may have no weight: what lies beside the large value must not drown in its rounding.
TEST(Linear, KeepsWhatLiesBesideALargeValue) {
    const Case c{256, 100, HYDRA_Q8_0, false};
    Data data(c);
    for (int n = 0; n < c.outputs; ++n) data.weight[n * c.inputs + 3] = 0;
    const Backend backend = open_backend(2);
    const Floats weight = values_of(matrix(backend, c.type, c.outputs, c.inputs, data.weight));
    for (int rows : {1, 4, 8, 9, 64}) {
        const Floats x = uneven(Random(rows).normal(rows * c.inputs), c.inputs), zeros(rows * c.outputs);
        const Floats out = run(backend, data, x, zeros);
        for (int r = 0; r < rows; ++r) {
            const Floats row = row_of(x, r, c.inputs);
            const Doubles expected = product(weight, Doubles(row.begin(), row.end()), {});
            EXPECT_LT(relative_error(row_of(out, r, c.outputs), expected), tolerance(c.type)) << r << " of " << rows;
        }
    }
}

TEST(Linear, AddsTheProductToTheResidual) {
    for (const Case& c : {Case{72, 120, HYDRA_F32, true},
                          {120, 72, HYDRA_F32, false},
                          {384, 100, HYDRA_F32, true},
                          {72, 120, HYDRA_Q8_0, false},
                          {384, 72, HYDRA_Q8_0, true}}) {
        const Data data(c);
        const Backend backend = open_backend(2);
        const Floats weight = values_of(matrix(backend, c.type, c.outputs, c.inputs, data.weight));
        for (int rows : {1, 2, 5, 17, 64}) {
            SCOPED_TRACE(testing::Message() << c.inputs << " to " << c.outputs << ", type " << c.type << ", " << rows);
            Random random(rows);
            const Floats x = random.normal(rows * c.inputs), residual = random.normal(rows * c.outputs);
            Doubles expected;
            for (int r = 0; r < rows; ++r) {
                const Floats row = row_of(x, r, c.inputs);
                append(expected, product(weight, Doubles(row.begin(), row.end()), data.bias));
            }
            for (size_t i = 0; i < expected.size(); ++i) expected[i] += residual[i];
            EXPECT_LT(relative_error(run(backend, data, x, residual), expected), tolerance(c.type));
        }
    }
}

TEST(Linear, TakesWeightsOfEveryTypeAsAFileHasThem) {
    constexpr int ROWS = 9, INPUTS = 256, OUTPUTS = 72;
    const Backend backend = open_backend(2);
    for (hydra_type type : matrix_types(backend)) {
        SCOPED_TRACE(testing::Message() << "type " << type);
        Random random(5);
        const Bytes source = random_rows(type, OUTPUTS, INPUTS, random);
        hydra_matrix* created = nullptr;
        must(hydra_matrix_create(backend, type, OUTPUTS, INPUTS, &created));
        const Matrix weight(created);
        must(hydra_matrix_write(weight, 0, OUTPUTS, nullptr, type, source.data(), static_cast<int64_t>(source.size())));
        const Floats values = values_of(weight), x = random.normal(ROWS * INPUTS), zeros(ROWS * OUTPUTS);
        const Floats together = run(backend, weight, {}, x, zeros);
        Doubles expected;
        for (int r = 0; r < ROWS; ++r) {
            const Floats row = row_of(x, r, INPUTS);
            append(expected, product(values, Doubles(row.begin(), row.end())));
            const Floats alone = run(backend, weight, {}, row, Floats(OUTPUTS));
            EXPECT_TRUE(same_bits(alone, row_of(together, r, OUTPUTS))) << r;
        }
        EXPECT_LT(relative_error(together, expected), tolerance(type));
    }
}

TEST(Linear, GivesTheSameBitsEverywhere) {
    for (hydra_type type : types_of_each_form()) {
        const Data data({240, 200, type, true});
        for (int rows : {1, 5, 17}) {
            const Floats x = uneven(Random(1).normal(rows * 240), 240), residual = Random(2).normal(rows * 200);
            expect_same_bits_everywhere([&](hydra_backend* backend) { return run(backend, data, x, residual); });
        }
    }
}

TEST(Linear, GivesTheSameBitsForOneRowAndForMany) {
    const Backend backend = open_backend(3);
    for (hydra_type type : types_of_each_form()) {
        const Data data({240, 200, type, true});
        const Floats x = uneven(Random(1).normal(64 * 240), 240), residual = Random(2).normal(64 * 200);
        const Floats together = run(backend, data, x, residual);
        for (int r : {0, 1, 6, 8, 31, 63}) {
            const Floats one = run(backend, data, row_of(x, r, 240), row_of(residual, r, 200));
            EXPECT_TRUE(same_bits(one, row_of(together, r, 200))) << r;
        }
    }
}

TEST(Linear, AddsTheResidualThatIsGiven) {
    for (hydra_type type : types_of_each_form()) {
        for (bool biased : {false, true}) {
            const Backend backend = open_backend(2);
            constexpr int INPUTS = 240, OUTPUTS = 120, COUNT = 70;
            Random random(3);
            Pass pass(backend, std::vector<int>{0}, COUNT + 1);
            pass.chain_of(COUNT);
            const Buffer x = padded_rows(backend, random.normal(COUNT * INPUTS), INPUTS, COUNT + 1);
            const Matrix weight = matrix(backend, type, OUTPUTS, INPUTS, random.normal(OUTPUTS * INPUTS));
            const Buffer bias = floats(backend, random.normal(OUTPUTS));
            const hydra_buffer* biases = bias;
            const Floats old = random.normal(COUNT * OUTPUTS);
            const Buffer residual = padded_rows(backend, old, OUTPUTS, COUNT + 1);
            const Buffer in_place = padded_rows(backend, old, OUTPUTS, COUNT + 1);
            const Buffer sum = poisoned(backend, OUTPUTS, COUNT + 1), out = poisoned(backend, OUTPUTS, COUNT + 1);
            const hydra_buffer* given = biased ? biases : nullptr;
            must(record(pass.program, hydra_linear{pass.rows, x, weight, given, nullptr, out}));
            must(record(pass.program, hydra_linear{pass.rows, x, weight, given, residual, sum}));
            must(record(pass.program, hydra_linear{pass.rows, x, weight, given, in_place, in_place}));
            pass.run();
            Floats expected = contents(out, COUNT * OUTPUTS);
            for (size_t i = 0; i < expected.size(); ++i) expected[i] = old[i] + expected[i];
            EXPECT_TRUE(same_bits(contents(sum, COUNT * OUTPUTS), expected));
            EXPECT_TRUE(same_bits(contents(in_place, COUNT * OUTPUTS), expected));
            EXPECT_TRUE(same_bits(contents(residual, COUNT * OUTPUTS), old));
            EXPECT_TRUE(untouched_behind(out, COUNT * OUTPUTS));
            EXPECT_TRUE(untouched_behind(sum, COUNT * OUTPUTS));
            expect_refused(record(pass.program, hydra_linear{pass.rows, x, weight, x, nullptr, x}),
                           "out must not be x");
            expect_refused(record(pass.program, hydra_linear{pass.rows, bias, weight, nullptr, nullptr, out}),
                           "x has 480 bytes");
            expect_refused(record(pass.program, hydra_linear{pass.rows, x, weight, nullptr, nullptr, bias}),
                           "out has 480 bytes");
            expect_refused(record(pass.program, hydra_linear{pass.rows, x, weight, nullptr, bias, out}),
                           "residual has 480 bytes");
            expect_refused(record(pass.program, hydra_linear{pass.rows, x, nullptr, nullptr, nullptr, out}), "null");
        }
    }
}

TEST(Linear, RefusesWhatDoesNotFit) {
    const Backend backend = open_backend();
    const Pass pass(backend);
    const Matrix weight = matrix(backend, HYDRA_F32, 40, 40, Floats(1600));
    const Buffer good = poisoned(backend, 40), out = poisoned(backend, 40), small = poisoned(backend, 39);
    const auto attempt = [&](const Buffer& x, const Matrix& w, const Buffer& bias, const Buffer& residual) {
        return record(pass.program, hydra_linear{pass.rows, x, w, bias, residual, residual});
    };
    expect_refused(attempt(small, weight, {}, out), "x has 9984 bytes, must have 64 x 40 floats");
    expect_refused(attempt(good, weight, {}, small), "residual has 9984 bytes");
    expect_refused(attempt(good, weight, floats(backend, Floats(39)), out), "bias has 156 bytes");
    expect_refused(attempt(good, {}, {}, out), "null");
    expect_refused(attempt(good, weight, {}, good), "out must not be x");
    expect_refused(record(nullptr, hydra_linear{pass.rows, good, weight, nullptr, out, out}), "null");
}

}  // namespace
}  // namespace hydra::test
