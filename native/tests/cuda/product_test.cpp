#include <functional>

#include "fixture.h"

namespace hydra::cuda::test {
namespace {

using hydra::test::gelu;
using hydra::test::product;
using hydra::test::rms_norm;
using hydra::test::rotate;
using hydra::test::silu;

constexpr float EPSILON = 1e-5f;

// Relative error allowed beyond the weights' own rounding: activations keep 16 bits, and where two products are
// multiplied with each other, few outputs of one row are off by a few times as much.
double tolerance(hydra_type type) { return type == HYDRA_F32 ? 3e-6 : 2e-5; }

Doubles doubles(const Floats& values) { return Doubles(values.begin(), values.end()); }

// One operation over activation rows: `width` columns in, results of `rows` rows out.
struct Case {
    hydra_type type, other;
    int rows, inputs, outputs;

    testing::Message name() const {
        return testing::Message() << "types " << type << " and " << other << ", " << rows << " rows, " << inputs
                                  << " to " << outputs;
    }
};

std::vector<Case> cases() {
    std::vector<Case> all;
    const int rows[] = {1, 3, 8, 17, 64}, inputs[] = {64, 32, 288, 96, 320}, outputs[] = {16, 48, 33, 80, 8};
    int i = 0;
    for (hydra_type type : ALL_TYPES) {
        for (int j = 0; j < 5; ++j, ++i) {
            const int odd = is_blocked(type) ? 0 : j * 3;
            const hydra_type other = j % 2 == 0 ? type : ALL_TYPES[i % std::size(ALL_TYPES)];
            const int columns = whole_columns(other, whole_columns(type, inputs[(i + j) % 5] - odd));
            all.push_back({type, other, rows[j], columns, outputs[(i + 2 * j) % 5]});
        }
    }
    return all;
}

// Data of one case; the first `rows` rows are always the same.
struct Data {
    Floats x, residual, norm, bias, other_bias;
    Matrix first, second;

    Data(const Case& c, Random& random)
        : x(random.normal(HYDRA_MAX_NODES * c.inputs)),
          residual(random.normal(HYDRA_MAX_NODES * c.outputs)),
          norm(random.normal(c.inputs)),
          bias(random.normal(c.outputs)),
          other_bias(random.normal(c.outputs)),
          first(c.type, c.outputs, c.inputs, random),
          second(c.other, c.outputs, c.inputs, random) {}

    // Rows of x or of the residual, from `from` on.
    static Floats part(const Floats& values, int columns, int from, int rows) {
        return Floats(values.begin() + from * columns, values.begin() + (from + rows) * columns);
    }
};

// Calls check(run, reference): run(from, rows) computes rows from ... from + rows - 1 of the data in one pass.
void expect_right_and_invariant(const Case& c, const std::function<Floats(int, int)>& run,
                                const std::function<Doubles(int)>& reference) {
    SCOPED_TRACE(c.name());
    const Floats together = run(0, c.rows);
    Doubles expected;
    for (int r = 0; r < c.rows; ++r) append(expected, reference(r));
    EXPECT_LT(relative_error(together, expected), tolerance(c.type));
    const auto columns = static_cast<int64_t>(together.size()) / c.rows;
    for (int r : {0, c.rows / 2, c.rows - 1}) {
        EXPECT_TRUE(same_bits(run(r, 1), row_of(together, r, columns))) << "row " << r << " alone";
    }
}

TEST(Project, AddsTheProductToTheResidual) {
    Random random(1);
    for (const Case& c : cases()) {
        const Data data(c, random);
        const Memory<float> bias(data.bias);
        const Memory<uint8_t> work = workspace(c.outputs, c.inputs);
        const auto run_rows = [&](int from, int rows) {
            Pass pass;
            pass.chain(rows);
            const auto x = padded_rows(Data::part(data.x, c.inputs, from, rows), c.inputs);
            const auto residual = padded_rows(Data::part(data.residual, c.outputs, from, rows), c.outputs);
            run(api().linear,
                Linear{pass.view(), x, data.first.view, c.rows == 8 ? nullptr : bias.get(), residual, residual, work});
            EXPECT_TRUE(untouched_behind(residual, rows * c.outputs));
            return residual.read(rows * c.outputs);
        };
        expect_right_and_invariant(c, run_rows, [&](int r) {
            Doubles out =
                product(data.first.values, doubles(row_of(data.x, r, c.inputs)), c.rows == 8 ? Floats{} : data.bias);
            for (int n = 0; n < c.outputs; ++n) out[n] += data.residual[r * c.outputs + n];
            return out;
        });
    }
}

TEST(GateUp, MultipliesTheGatedProducts) {
    Random random(2);
    bool with_gelu = true;
    for (const Case& c : cases()) {
        with_gelu = !with_gelu;
        const Data data(c, random);
        const Memory<float> norm(data.norm);
        const Memory<uint8_t> work = workspace(c.outputs, c.inputs);
        const auto run_rows = [&](int from, int rows) {
            Pass pass;
            pass.chain(rows);
            const auto x = padded_rows(Data::part(data.x, c.inputs, from, rows), c.inputs), out = poisoned(c.outputs);
            run(api().gate_up, GateUp{pass.view(), x, norm, EPSILON, data.first.view, data.second.view,
                                      with_gelu ? HYDRA_GELU : HYDRA_SILU, out, work});
            EXPECT_TRUE(untouched_behind(out, rows * c.outputs));
            return out.read(rows * c.outputs);
        };
        expect_right_and_invariant(c, run_rows, [&](int r) {
            const Doubles x = rms_norm(doubles(row_of(data.x, r, c.inputs)), data.norm, EPSILON);
            Doubles gate = product(data.first.values, x);
            const Doubles up = product(data.second.values, x);
            for (int n = 0; n < c.outputs; ++n) gate[n] = (with_gelu ? gelu(gate[n]) : silu(gate[n])) * up[n];
            return gate;
        });
    }
}

TEST(Block, AddsTheSkip) {
    Random random(3);
    constexpr int GROUP = 2;
    for (const Case& c : cases()) {
        const Data data(c, random);
        const Memory<float> bias(data.bias), other_bias(data.other_bias);
        const Memory<uint8_t> work = workspace(c.outputs, c.inputs);
        const auto run_rows = [&](int from, int rows) {
            Pass pass;
            pass.chain(rows);
            const auto x = padded_rows(Data::part(data.x, c.inputs, from, rows), c.inputs);
            const auto out = poisoned(c.outputs, (GROUP + 1) * HYDRA_MAX_NODES);
            run(api().block, Block{pass.view(), x, data.first.view, bias, data.second.view,
                                   c.rows == 8 ? nullptr : other_bias.get(), GROUP, out, work});
            EXPECT_TRUE(untouched_behind(out, (GROUP + 1) * rows * c.outputs));
            const Floats all = out.read((GROUP + 1) * rows * c.outputs);
            EXPECT_TRUE(std::isnan(all[GROUP * rows * c.outputs - 1]));
            return Floats(all.begin() + GROUP * rows * c.outputs, all.end());
        };
        expect_right_and_invariant(c, run_rows, [&](int r) {
            const Doubles x = doubles(row_of(data.x, r, c.inputs));
            Doubles out = product(data.first.values, x, data.bias);
            const Doubles skip = product(data.second.values, x, c.rows == 8 ? Floats{} : data.other_bias);
            for (int n = 0; n < c.outputs; ++n) out[n] = silu(out[n]) + skip[n];
            return out;
        });
    }
}

TEST(Block, AddsItsInputInPlace) {
    Random random(4);
    for (hydra_type type : ALL_TYPES) {
        const int columns = whole_columns(type, 64);
        const Case c{type, type, 17, columns, columns};
        const Data data(c, random);
        const Memory<float> bias(data.bias);
        const Memory<uint8_t> work = workspace(c.outputs, c.inputs);
        const auto run_rows = [&](int from, int rows) {
            Pass pass;
            pass.chain(rows);
            const auto x = padded_rows(Data::part(data.x, c.inputs, from, rows), c.inputs);
            run(api().block, Block{pass.view(), x, data.first.view, bias, {}, nullptr, 0, x, work});
            EXPECT_TRUE(untouched_behind(x, rows * c.outputs));
            return x.read(rows * c.outputs);
        };
        expect_right_and_invariant(c, run_rows, [&](int r) {
            const Doubles x = doubles(row_of(data.x, r, c.inputs));
            Doubles out = product(data.first.values, x, data.bias);
            for (int n = 0; n < c.outputs; ++n) out[n] = silu(out[n]) + x[n];
            return out;
        });
    }
}

TEST(Product, AddsUpManyColumns) {
    Random random(5);
    for (hydra_type type : ALL_TYPES) {
        const Case c{type, type, 9, whole_columns(type, 1600), 16};
        const Data data(c, random);
        const Memory<uint8_t> work = workspace(c.outputs, c.inputs);
        const auto run_rows = [&](int from, int rows) {
            Pass pass;
            pass.chain(rows);
            const auto x = padded_rows(Data::part(data.x, c.inputs, from, rows), c.inputs);
            const auto residual = padded_rows(Floats(static_cast<size_t>(rows * c.outputs)), c.outputs);
            run(api().linear, Linear{pass.view(), x, data.first.view, nullptr, residual, residual, work});
            return residual.read(rows * c.outputs);
        };
        expect_right_and_invariant(
            c, run_rows, [&](int r) { return product(data.first.values, doubles(row_of(data.x, r, c.inputs))); });
    }
}

// Large matrices are computed in other shapes, their columns split over blocks.
TEST(Product, ComputesLargeMatrices) {
    Random random(6);
    for (hydra_type type : {HYDRA_F32, HYDRA_BF16, HYDRA_Q8_0, HYDRA_Q4_1, HYDRA_Q4_K, HYDRA_Q6_K}) {
        const bool wide = type != HYDRA_Q8_0;
        const Case c{type, type, 9, whole_columns(type, wide ? 4128 : 512), wide ? 1033 : 8219};
        const Data data(c, random);
        const Memory<uint8_t> work = workspace(c.outputs, c.inputs);
        const auto run_rows = [&](int from, int rows) {
            Pass pass;
            pass.chain(rows);
            const auto x = padded_rows(Data::part(data.x, c.inputs, from, rows), c.inputs);
            const auto residual = padded_rows(Data::part(data.residual, c.outputs, from, rows), c.outputs);
            run(api().linear, Linear{pass.view(), x, data.first.view, nullptr, residual, residual, work});
            EXPECT_TRUE(untouched_behind(residual, rows * c.outputs));
            return residual.read(rows * c.outputs);
        };
        expect_right_and_invariant(c, run_rows, [&](int r) {
            Doubles out = product(data.first.values, doubles(row_of(data.x, r, c.inputs)));
            for (int n = 0; n < c.outputs; ++n) out[n] += data.residual[r * c.outputs + n];
            return out;
        });
    }
}

TEST(Product, ComputesLargePairs) {
    Random random(11);
    for (hydra_type type : {HYDRA_BF16, HYDRA_Q5_1, HYDRA_Q5_K}) {
        const Case c{type, type, 18, whole_columns(type, 2080), 1025};
        const Data data(c, random);
        const Memory<float> norm(data.norm);
        const Memory<uint8_t> work = workspace(c.outputs, c.inputs);
        const auto run_rows = [&](int from, int rows) {
            Pass pass;
            pass.chain(rows);
            const auto x = padded_rows(Data::part(data.x, c.inputs, from, rows), c.inputs), out = poisoned(c.outputs);
            run(api().gate_up,
                GateUp{pass.view(), x, norm, EPSILON, data.first.view, data.second.view, HYDRA_SILU, out, work});
            EXPECT_TRUE(untouched_behind(out, rows * c.outputs));
            return out.read(rows * c.outputs);
        };
        expect_right_and_invariant(c, run_rows, [&](int r) {
            const Doubles x = rms_norm(doubles(row_of(data.x, r, c.inputs)), data.norm, EPSILON);
            Doubles gate = product(data.first.values, x);
            const Doubles up = product(data.second.values, x);
            for (int n = 0; n < c.outputs; ++n) gate[n] = silu(gate[n]) * up[n];
            return gate;
        });
    }
}

// A pass of few rows has kernels of its own, which groups of eight rows share out among themselves otherwise.
TEST(Product, HasTheSameBitsInPassesOfAnySize) {
    Random random(12);
    std::vector<Case> all;
    for (hydra_type type : ALL_TYPES) all.push_back({type, type, 31, whole_columns(type, 544), 33});
    for (hydra_type type : {HYDRA_BF16, HYDRA_Q6_K}) all.push_back({type, type, 12, 8192, 513});
    for (const Case& c : all) {
        SCOPED_TRACE(c.name());
        const Data data(c, random);
        const auto run_rows = [&](int rows, int max_rows) {
            Pass pass(std::make_shared<Batch>(std::vector<int>{0}, Pass::PAGES), max_rows);
            pass.chain(rows);
            const Memory<uint8_t> work = workspace(c.outputs, c.inputs, max_rows);
            const auto x = padded_rows(Data::part(data.x, c.inputs, 0, rows), c.inputs, max_rows);
            const auto out = poisoned(c.outputs, max_rows);
            run(api().linear, Linear{pass.view(), x, data.first.view, nullptr, nullptr, out, work});
            EXPECT_TRUE(untouched_behind(out, rows * c.outputs));
            return out.read(rows * c.outputs);
        };
        const Floats expected = run_rows(c.rows, HYDRA_MAX_NODES);
        for (int max_rows : {5, 16, 32}) {
            const int rows = std::min(c.rows, max_rows);
            EXPECT_TRUE(
                same_bits(run_rows(rows, max_rows), Floats(expected.begin(), expected.begin() + rows * c.outputs)))
                << max_rows;
        }
    }
}

TEST(Product, DoesNothingAfterARewind) {
    Random random(10);
    const Case c{HYDRA_F32, HYDRA_F32, 3, 32, 16};
    const Data data(c, random);
    const Memory<uint8_t> work = workspace(c.outputs, c.inputs);
    const auto x = padded_rows(data.x, c.inputs), residual = padded_rows(data.residual, c.outputs);
    Pass pass;
    pass.chain(3);
    ++pass.batch->generation;
    pass.upload();
    run(api().linear, Linear{pass.view(), x, data.first.view, nullptr, residual, residual, work});
    EXPECT_TRUE(same_bits(residual.read(), data.residual));
}

struct QkvCase {
    hydra_type query, key, value;
    int rows, hidden, heads, kv_heads, head_size, first;
};

TEST(QkvAndAppend, TurnsQueriesAndKeysAndStoresKeysAndValues) {
    Random random(7);
    const QkvCase all[] = {{HYDRA_F32, HYDRA_F32, HYDRA_F32, 1, 45, 2, 1, 8, 0},
                           {HYDRA_BF16, HYDRA_BF16, HYDRA_BF16, 64, 96, 4, 2, 16, 31},
                           {HYDRA_F16, HYDRA_F16, HYDRA_F16, 17, 40, 3, 3, 24, 100},
                           {HYDRA_Q8_0, HYDRA_Q8_0, HYDRA_Q8_0, 8, 64, 2, 2, 64, 33},
                           {HYDRA_Q4_0, HYDRA_Q8_0, HYDRA_Q4_0, 9, 96, 6, 2, 40, 7},
                           {HYDRA_Q4_1, HYDRA_BF16, HYDRA_F32, 3, 64, 1, 1, 96, 62},
                           {HYDRA_Q4_K, HYDRA_Q4_K, HYDRA_Q6_K, 10, 256, 3, 1, 32, 5}};
    for (const QkvCase& c : all) {
        SCOPED_TRACE(testing::Message() << "types " << c.query << ", " << c.key << ", " << c.value << ", " << c.rows
                                        << " rows");
        const int q = c.heads * c.head_size, kv_columns = c.kv_heads * c.head_size, layer = 1;
        const bool biased = c.rows != 9;
        const Floats x_values = random.normal(c.rows * c.hidden), norm_values = random.normal(c.hidden);
        const Floats biases[3] = {random.normal(q), random.normal(kv_columns), random.normal(kv_columns)};
        const Matrix query(c.query, q, c.hidden, random), key(c.key, kv_columns, c.hidden, random),
            value(c.value, kv_columns, c.hidden, random);
        Floats frequencies, table;
        for (int i = 0; i < c.head_size / 2; ++i) frequencies.push_back(std::pow(10000.0f, -2.0f * i / c.head_size));
        for (int p = 0; p < 256; ++p) {
            for (float frequency : frequencies) append(table, {std::cos(p * frequency), std::sin(p * frequency)});
        }
        const Memory<float> norm(norm_values), rope(table),
            bias[3] = {Memory<float>(biases[0]), Memory<float>(biases[1]), Memory<float>(biases[2])};
        const Memory<uint8_t> work = workspace(q, c.hidden);
        // Rows from ... from + rows - 1 in one pass: queries, then of each row keys and values.
        const auto run_rows = [&](int from, int rows) {
            Pass pass(c.first + from);
            pass.chain(rows);
            const Kv kv(HYDRA_F32, 2, c.kv_heads, c.head_size);
            const auto x = padded_rows(Data::part(x_values, c.hidden, from, rows), c.hidden), out = poisoned(q);
            run_together(
                Qkv{pass.view(), x, norm, EPSILON, query.view, key.view, value.view, biased ? bias[0].get() : nullptr,
                    biased ? bias[1].get() : nullptr, biased ? bias[2].get() : nullptr, out, nullptr, nullptr, work},
                AppendKv{pass.view(), out, nullptr, nullptr, c.heads, nullptr, nullptr, 0, rope, kv.view, layer, work});
            EXPECT_TRUE(untouched_behind(out, rows * q));
            Floats found;
            for (int r = 0; r < rows; ++r) {
                append(found, row_of(out.read(rows * q), r, q));
                const Floats slot = kv.slot(pass, c.first + from + r);
                const auto half = static_cast<int64_t>(slot.size()) / 2;
                EXPECT_TRUE(std::all_of(slot.begin(), slot.begin() + half, [](float v) { return std::isnan(v); }));
                append(found, row_of(slot, layer, half));
            }
            // Nothing beside the rows' slots is written.
            for (int slot : {c.first + from - 1, c.first + from + rows}) {
                if (slot < 0) continue;
                for (float v : kv.slot(pass, slot)) EXPECT_TRUE(std::isnan(v));
            }
            return found;
        };
        const Case shape{c.query, c.key, c.rows, c.hidden, q};
        expect_right_and_invariant(shape, run_rows, [&](int r) {
            const Doubles x = rms_norm(doubles(row_of(x_values, r, c.hidden)), norm_values, EPSILON);
            Doubles queries = product(query.values, x, biased ? biases[0] : Floats{});
            Doubles keys = product(key.values, x, biased ? biases[1] : Floats{});
            const Doubles values = product(value.values, x, biased ? biases[2] : Floats{});
            rotate(queries, c.head_size, frequencies, c.first + r);
            rotate(keys, c.head_size, frequencies, c.first + r);
            for (int head = 0; head < c.kv_heads; ++head) {
                append(queries, row_of(keys, head, c.head_size));
                append(queries, row_of(values, head, c.head_size));
            }
            return queries;
        });
    }
}

TEST(Norm, DividesByTheRootOfTheMeanSquare) {
    Random random(8);
    for (int columns : {1, 31, 256, 1000}) {
        const Floats values = random.normal(17 * columns), weight = random.normal(columns);
        const Memory<float> norm(weight);
        const Case c{HYDRA_F32, HYDRA_F32, 17, columns, columns};
        const auto run_rows = [&](int from, int rows) {
            Pass pass;
            pass.chain(rows);
            const auto x = padded_rows(Data::part(values, columns, from, rows), columns), out = poisoned(columns);
            run(api().norm, Norm{pass.view(), x, norm, EPSILON, columns, out, nullptr});
            EXPECT_TRUE(untouched_behind(out, rows * columns));
            return out.read(rows * columns);
        };
        expect_right_and_invariant(
            c, run_rows, [&](int r) { return rms_norm(doubles(row_of(values, r, columns)), weight, EPSILON); });
    }
}

TEST(Embed, ReadsTheTokensRows) {
    Random random(9);
    for (hydra_type type : ALL_TYPES) {
        const int columns = whole_columns(type, 64);
        const Matrix embedding(type, 37, columns, random);
        const auto out = poisoned(columns);
        Pass pass;
        pass.chain(5);
        const int tokens[] = {36, 0, 37, -1, 17};
        std::copy_n(tokens, 5, pass.tokens.begin());
        pass.upload();
        run(api().embed, Embed{pass.view(), embedding.view, out, 0});
        EXPECT_TRUE(untouched_behind(out, 5 * columns));
        for (int r = 0; r < 5; ++r) {
            const bool known = tokens[r] >= 0 && tokens[r] < 37;
            const Floats expected = known ? row_of(embedding.values, tokens[r], columns) : Floats(columns);
            EXPECT_TRUE(same_bits(row_of(out.read(5 * columns), r, columns), expected)) << r;
        }
    }
}

}  // namespace
}  // namespace hydra::cuda::test
