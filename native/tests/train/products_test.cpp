// Linear layers and residual blocks.
#include "training.h"

namespace hydra::test {
namespace {

struct Shape {
    int64_t rows, inputs, outputs;
};

// Below, at and beyond the tiles' and the parts' sizes.
const Shape SHAPES[] = {{1, 1, 1}, {3, 5, 7}, {8, 48, 16}, {9, 49, 17}, {5, 6, 33}};

// x w^T + b, of operands x, w, b.
Doubles linear(const Doubles& x, const Doubles& weight, const Doubles& bias, Shape shape) {
    Doubles y(static_cast<size_t>(shape.rows * shape.outputs));
    for (int64_t r = 0; r < shape.rows; ++r) {
        for (int64_t o = 0; o < shape.outputs; ++o) {
            double total = bias.empty() ? 0 : bias[static_cast<size_t>(o)];
            for (int64_t i = 0; i < shape.inputs; ++i) {
                total +=
                    x[static_cast<size_t>(r * shape.inputs + i)] * weight[static_cast<size_t>(o * shape.inputs + i)];
            }
            y[static_cast<size_t>(r * shape.outputs + o)] = total;
        }
    }
    return y;
}

TEST(Linear, ForwardEqualsTheReferenceAndAddsWhereAsked) {
    Random random(1);
    for (const Shape& shape : SHAPES) {
        const Floats x = random.normal(shape.rows * shape.inputs), weight = random.normal(shape.outputs * shape.inputs),
                     bias = random.normal(shape.outputs);
        const Doubles expected = linear(doubles(x), doubles(weight), doubles(bias), shape);
        const Doubles without = linear(doubles(x), doubles(weight), {}, shape);
        on_every_device([&](Lab& lab) {
            hydra_train_buffer* y = lab.unset(shape.rows * shape.outputs);
            must(hydra_train_linear_forward(lab.device(), shape.rows, shape.inputs, shape.outputs, lab.floats(x),
                                            lab.floats(weight), lab.floats(bias), 0, y));
            const Floats first = lab.read(y);
            EXPECT_LT(relative_error(first, expected), FORWARD_TOLERANCE);
            must(hydra_train_linear_forward(lab.device(), shape.rows, shape.inputs, shape.outputs, lab.floats(x),
                                            lab.floats(weight), nullptr, 1, y));
            Doubles twice = doubles(first);
            for (size_t i = 0; i < twice.size(); ++i) twice[i] += without[i];
            EXPECT_LT(relative_error(lab.read(y), twice), FORWARD_TOLERANCE);
        });
    }
}

TEST(Linear, GradientsEqualCentralDifferences) {
    Random random(2);
    for (const Shape& shape : SHAPES) {
        const std::vector<Floats> values = {random.normal(shape.rows * shape.inputs),
                                            random.normal(shape.outputs * shape.inputs), random.normal(shape.outputs)};
        const Floats gy = random.normal(shape.rows * shape.outputs);
        const Reference reference = [&](const Operands& of) { return linear(of[0], of[1], of[2], shape); };
        std::vector<Doubles> expected;
        for (size_t i = 0; i < values.size(); ++i) expected.push_back(reference_gradient(reference, values, i, gy));
        on_every_device([&](Lab& lab) {
            hydra_train_buffer* g_x = lab.unset(shape.rows * shape.inputs);
            hydra_train_buffer* g_weight = lab.zeros(shape.outputs * shape.inputs);
            hydra_train_buffer* g_bias = lab.zeros(shape.outputs);
            must(hydra_train_linear_backward(lab.device(), shape.rows, shape.inputs, shape.outputs,
                                             lab.floats(values[0]), lab.floats(values[1]), lab.floats(gy), 0,
                                             shape.inputs, g_x, g_weight, g_bias));
            EXPECT_LT(relative_error(lab.read(g_x), expected[0]), GRADIENT_TOLERANCE);
            EXPECT_LT(relative_error(lab.read(g_weight), expected[1]), GRADIENT_TOLERANCE);
            EXPECT_LT(relative_error(lab.read(g_bias), expected[2]), GRADIENT_TOLERANCE);
        });
    }
}

TEST(Linear, GradientsOfWeightsAddUpAndThoseOfXWhereAsked) {
    const Shape shape{7, 50, 20};
    Random random(3);
    const Floats x = random.normal(350), weight = random.normal(1000), gy = random.normal(140);
    Lab lab;
    hydra_train_buffer* g_x = lab.unset(350);
    hydra_train_buffer* g_weight = lab.zeros(1000);
    hydra_train_buffer* g_bias = lab.zeros(20);
    std::vector<Floats> once, twice;
    for (const int add : {0, 1}) {
        must(hydra_train_linear_backward(lab.device(), shape.rows, shape.inputs, shape.outputs, lab.floats(x),
                                         lab.floats(weight), lab.floats(gy), add, shape.inputs, g_x, g_weight, g_bias));
        (add == 0 ? once : twice) = {lab.read(g_x), lab.read(g_weight), lab.read(g_bias)};
    }
    for (size_t i = 0; i < once.size(); ++i) {
        Doubles doubled = doubles(once[i]);
        for (double& value : doubled) value *= 2;
        EXPECT_LT(relative_error(twice[i], doubled), 1e-6) << i;
    }
}

TEST(Linear, TheGradientOfSomeColumnsIsThatOfAll) {
    const Shape shape{5, 60, 9};
    Random random(4);
    const Floats x = random.normal(300), weight = random.normal(540), gy = random.normal(45);
    Lab lab;
    hydra_train_buffer* all = lab.unset(300);
    hydra_train_buffer* some = lab.unset(5 * 20);
    for (hydra_train_buffer* g_x : {all, some}) {
        must(hydra_train_linear_backward(lab.device(), shape.rows, shape.inputs, shape.outputs, lab.floats(x),
                                         lab.floats(weight), lab.floats(gy), 0, g_x == all ? 60 : 20, g_x, nullptr,
                                         nullptr));
    }
    Floats expected;
    for (int64_t r = 0; r < 5; ++r) {
        const Floats row = row_of(lab.read(all), r, 60);
        expected.insert(expected.end(), row.begin(), row.begin() + 20);
    }
    EXPECT_TRUE(same_bits(lab.read(some), expected));
}

// More rows, columns and depth than any part of a product.
TEST(Linear, LargeProductsEqualTheReference) {
    const Shape shape{431, 787, 401};
    Random random(5);
    const Floats x = random.normal(shape.rows * shape.inputs), weight = random.normal(shape.outputs * shape.inputs);
    const Floats gy = random.normal(shape.rows * shape.outputs);
    const Doubles y = linear(doubles(x), doubles(weight), {}, shape);
    Doubles g_x(x.size()), g_weight(weight.size());
    for (int64_t r = 0; r < shape.rows; ++r) {
        for (int64_t o = 0; o < shape.outputs; ++o) {
            const double slope = gy[static_cast<size_t>(r * shape.outputs + o)];
            for (int64_t i = 0; i < shape.inputs; ++i) {
                const auto in = static_cast<size_t>(r * shape.inputs + i);
                const auto at = static_cast<size_t>(o * shape.inputs + i);
                g_x[in] += slope * weight[at];
                g_weight[at] += slope * x[in];
            }
        }
    }
    for (const std::string& isa : instruction_sets()) {
        if (isa == "portable") continue;  // takes its time
        Lab lab(3, isa.c_str());
        hydra_train_buffer* out = lab.unset(shape.rows * shape.outputs);
        hydra_train_buffer* from = lab.unset(shape.rows * shape.inputs);
        hydra_train_buffer* of_weight = lab.zeros(shape.outputs * shape.inputs);
        must(hydra_train_linear_forward(lab.device(), shape.rows, shape.inputs, shape.outputs, lab.floats(x),
                                        lab.floats(weight), nullptr, 0, out));
        must(hydra_train_linear_backward(lab.device(), shape.rows, shape.inputs, shape.outputs, lab.floats(x),
                                         lab.floats(weight), lab.floats(gy), 0, shape.inputs, from, of_weight,
                                         nullptr));
        EXPECT_LT(relative_error(lab.read(out), y), FORWARD_TOLERANCE) << isa;
        EXPECT_LT(relative_error(lab.read(from), g_x), FORWARD_TOLERANCE) << isa;
        EXPECT_LT(relative_error(lab.read(of_weight), g_weight), FORWARD_TOLERANCE) << isa;
    }
}

// Few outputs and many rows: what is summed over rows may be cut into parts.
TEST(Linear, GradientsOverManyRowsEqualTheReference) {
    const int64_t rows = 1100, inputs = 20, outputs = 24;
    Random random(8);
    const Floats x = random.normal(rows * inputs), gy = random.normal(rows * outputs);
    const Floats before = random.normal(outputs * inputs);
    Doubles g_weight = doubles(before), g_bias(static_cast<size_t>(outputs));
    for (int64_t r = 0; r < rows; ++r) {
        for (int64_t o = 0; o < outputs; ++o) {
            const double slope = gy[static_cast<size_t>(r * outputs + o)];
            g_bias[static_cast<size_t>(o)] += slope;
            for (int64_t i = 0; i < inputs; ++i) {
                g_weight[static_cast<size_t>(o * inputs + i)] += slope * x[static_cast<size_t>(r * inputs + i)];
            }
        }
    }
    on_every_device([&](Lab& lab) {
        hydra_train_buffer* of_weight = lab.floats(before);
        hydra_train_buffer* of_bias = lab.zeros(outputs);
        must(hydra_train_linear_backward(lab.device(), rows, inputs, outputs, lab.floats(x), lab.floats(before),
                                         lab.floats(gy), 0, inputs, nullptr, of_weight, of_bias));
        EXPECT_LT(relative_error(lab.read(of_weight), g_weight), FORWARD_TOLERANCE);
        EXPECT_LT(relative_error(lab.read(of_bias), g_bias), FORWARD_TOLERANCE);
    });
}

// Views begin at any element.
TEST(Linear, OperandsNeedNoAlignment) {
    const Shape shape{20, 40, 12};
    Random random(9);
    const Floats x = random.normal(shape.rows * shape.inputs), weight = random.normal(shape.outputs * shape.inputs);
    const auto forward = [&](Lab& lab, int64_t offset) {
        const auto view = [&](const Floats& values) {
            Floats moved(static_cast<size_t>(offset), NAN);
            append(moved, values);
            hydra_train_buffer* out = nullptr;
            must(hydra_train_buffer_view(lab.floats(moved), offset, static_cast<int64_t>(values.size()), &out));
            return Buffer(out);
        };
        const Buffer from = view(x), weights = view(weight);
        hydra_train_buffer* y = lab.unset(shape.rows * shape.outputs);
        must(hydra_train_linear_forward(lab.device(), shape.rows, shape.inputs, shape.outputs, from.get(),
                                        weights.get(), nullptr, 0, y));
        return lab.read(y);
    };
    on_every_device([&](Lab& lab) { EXPECT_TRUE(same_bits(forward(lab, 1), forward(lab, 0))); });
}

TEST(Linear, BitsDoNotDependOnThreadsNorInstructionSets) {
    const Shape shape{37, 500, 53};
    Random random(6);
    const Floats x = random.normal(shape.rows * shape.inputs), weight = random.normal(shape.outputs * shape.inputs);
    const Floats gy = random.normal(shape.rows * shape.outputs);
    expect_same_bits_everywhere([&](Lab& lab) {
        hydra_train_buffer* y = lab.unset(shape.rows * shape.outputs);
        must(hydra_train_linear_forward(lab.device(), shape.rows, shape.inputs, shape.outputs, lab.floats(x),
                                        lab.floats(weight), lab.floats(row_of(gy, 0, shape.outputs)), 0, y));
        hydra_train_buffer* g_x = lab.unset(shape.rows * shape.inputs);
        hydra_train_buffer* g_weight = lab.zeros(shape.outputs * shape.inputs);
        hydra_train_buffer* g_bias = lab.zeros(shape.outputs);
        must(hydra_train_linear_backward(lab.device(), shape.rows, shape.inputs, shape.outputs, lab.floats(x),
                                         lab.floats(weight), lab.floats(gy), 0, shape.inputs, g_x, g_weight, g_bias));
        Floats all = lab.read(y);
        for (const hydra_train_buffer* buffer : {g_x, g_weight, g_bias}) append(all, lab.read(buffer));
        return all;
    });
}

TEST(Linear, WithoutRowsDoesNothing) {
    Lab lab;
    hydra_train_buffer* y = lab.floats({1, 2});
    hydra_train_buffer* weight = lab.floats({3, 4});
    must(hydra_train_linear_forward(lab.device(), 0, 1, 2, weight, weight, nullptr, 0, y));
    must(hydra_train_linear_backward(lab.device(), 0, 1, 2, y, weight, y, 0, 1, lab.zeros(1), y, nullptr));
    EXPECT_EQ(lab.read(y), (Floats{1, 2}));
}

// Operands: x, weight, bias, and those of skip where there is one.
Doubles block(const Operands& of, Shape shape) {
    const Doubles a = linear(of[0], of[1], of[2], shape);
    Doubles y = of.size() > 3 ? linear(of[0], of[3], of[4], shape) : of[0];
    for (size_t i = 0; i < y.size(); ++i) y[i] += silu(a[i]);
    return y;
}

std::vector<Floats> block_operands(Random& random, Shape shape, bool skip) {
    std::vector<Floats> values = {random.normal(shape.rows * shape.inputs), random.normal(shape.outputs * shape.inputs),
                                  random.normal(shape.outputs)};
    if (skip) {
        values.push_back(random.normal(shape.outputs * shape.inputs));
        values.push_back(random.normal(shape.outputs));
    }
    return values;
}

hydra_train_block forward(Lab& lab, const std::vector<Floats>& values, Shape shape) {
    hydra_train_block arguments{};
    arguments.rows = shape.rows;
    arguments.inputs = shape.inputs;
    arguments.outputs = shape.outputs;
    arguments.x = lab.floats(values[0]);
    arguments.weight = lab.floats(values[1]);
    arguments.bias = lab.floats(values[2]);
    arguments.skip = values.size() > 3 ? lab.floats(values[3]) : nullptr;
    arguments.skip_bias = values.size() > 3 ? lab.floats(values[4]) : nullptr;
    arguments.a = lab.unset(shape.rows * shape.outputs);
    arguments.y = lab.unset(shape.rows * shape.outputs);
    must(hydra_train_block_forward(lab.device(), &arguments));
    return arguments;
}

const Shape SQUARE[] = {{1, 1, 1}, {3, 7, 7}, {9, 17, 17}}, WIDE[] = {{1, 2, 1}, {5, 21, 7}, {9, 34, 17}};

TEST(Block, GradientsEqualCentralDifferences) {
    Random random(7);
    for (const bool skip : {false, true}) {
        for (const Shape& shape : skip ? WIDE : SQUARE) {
            const std::vector<Floats> values = block_operands(random, shape, skip);
            const Floats gy = random.normal(shape.rows * shape.outputs);
            const Reference reference = [&](const Operands& of) { return block(of, shape); };
            const Doubles y = reference(operands(values));
            std::vector<Doubles> expected;
            for (size_t i = 0; i < values.size(); ++i) expected.push_back(reference_gradient(reference, values, i, gy));
            on_every_device([&](Lab& lab) {
                hydra_train_block arguments = forward(lab, values, shape);
                EXPECT_LT(relative_error(lab.read(arguments.y), y), FORWARD_TOLERANCE);
                arguments.gy = lab.floats(gy);
                arguments.g_a = arguments.a;
                arguments.g_columns = shape.inputs;
                arguments.g_x = lab.unset(shape.rows * shape.inputs);
                arguments.g_weight = lab.zeros(shape.outputs * shape.inputs);
                arguments.g_bias = lab.zeros(shape.outputs);
                if (skip) {
                    arguments.g_skip = lab.zeros(shape.outputs * shape.inputs);
                    arguments.g_skip_bias = lab.zeros(shape.outputs);
                }
                must(hydra_train_block_backward(lab.device(), &arguments));
                const hydra_train_buffer* results[] = {arguments.g_x, arguments.g_weight, arguments.g_bias,
                                                       arguments.g_skip, arguments.g_skip_bias};
                for (size_t i = 0; i < values.size(); ++i) {
                    EXPECT_LT(relative_error(lab.read(results[i]), expected[i]), GRADIENT_TOLERANCE) << i;
                }
            });
        }
    }
}

// How heads meet in the state that they share: the first columns alone, and added.
TEST(Block, TheGradientOfTheFirstColumnsAddsToWhatIsThere) {
    Random random(8);
    for (const bool skip : {false, true}) {
        const Shape shape = skip ? Shape{6, 33, 11} : Shape{6, 11, 11};
        const std::vector<Floats> values = block_operands(random, shape, skip);
        const Floats gy = random.normal(66), before = random.normal(6 * 5);
        const Doubles all = reference_gradient([&](const Operands& of) { return block(of, shape); }, values, 0, gy);
        Doubles expected;
        for (int64_t r = 0; r < 6; ++r) {
            for (int64_t c = 0; c < 5; ++c) {
                expected.push_back(before[static_cast<size_t>(r * 5 + c)] +
                                   all[static_cast<size_t>(r * shape.inputs + c)]);
            }
        }
        Lab lab;
        hydra_train_block arguments = forward(lab, values, shape);
        arguments.gy = lab.floats(gy);
        arguments.g_a = lab.unset(66);
        arguments.add = 1;
        arguments.g_columns = 5;
        arguments.g_x = lab.floats(before);
        must(hydra_train_block_backward(lab.device(), &arguments));
        EXPECT_LT(relative_error(lab.read(arguments.g_x), expected), GRADIENT_TOLERANCE);
    }
}

TEST(Block, TheGradientOfXMayTakeThePlaceOfThatOfY) {
    Random random(9);
    const Shape shape{5, 13, 13};
    const std::vector<Floats> values = block_operands(random, shape, false);
    const Floats gy = random.normal(65);
    Lab lab;
    hydra_train_block arguments = forward(lab, values, shape);
    arguments.gy = lab.floats(gy);
    arguments.g_a = lab.unset(65);
    arguments.g_columns = 13;
    arguments.g_x = lab.unset(65);
    must(hydra_train_block_backward(lab.device(), &arguments));
    const Floats expected = lab.read(arguments.g_x);
    hydra_train_buffer* both = lab.floats(gy);
    arguments.gy = arguments.g_x = both;
    must(hydra_train_block_backward(lab.device(), &arguments));
    EXPECT_TRUE(same_bits(lab.read(both), expected));
}

}  // namespace
}  // namespace hydra::test
