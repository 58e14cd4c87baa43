// What works on elements and rows.
#include "training.h"

namespace hydra::test {
namespace {

const int64_t COUNTS[] = {1, 15, 16, 63, 1000};

TEST(Elements, FillAndAdd) {
    on_every_device([&](Lab& lab) {
        hydra_train_buffer* y = lab.unset(20000);
        must(hydra_train_fill(lab.device(), 19999, 2, y));
        must(hydra_train_add(lab.device(), 19999, 0.5f, lab.floats(Floats(19999, 3)), y));
        must(hydra_train_add(lab.device(), 19999, 1, y, y));
        const Floats result = lab.read(y);
        EXPECT_EQ(Floats(result.begin(), result.end() - 1), Floats(19999, 7));
        EXPECT_TRUE(std::isnan(result.back()));
    });
}

TEST(Elements, ColumnsAreCopiedBetweenMatricesOfOtherWidths) {
    Lab lab;
    hydra_train_buffer* target = lab.floats({0, 0, 0, 0, 0, 0});
    must(hydra_train_copy_columns(lab.device(), 2, 2, lab.floats({1, 2, 3, 4, 5, 6, 7, 8}), 4, 1, target, 3, 1));
    EXPECT_EQ(lab.read(target), (Floats{0, 2, 3, 0, 6, 7}));
}

TEST(Elements, RowsAreGatheredAndTheirGradientsScattered) {
    on_every_device([](Lab& lab) {
        hydra_train_buffer* ids = lab.ids({2, -1, 0, 2});
        hydra_train_buffer* target = lab.floats(Floats(12, 9));
        must(hydra_train_gather(lab.device(), 4, 2, lab.floats({1, 2, 3, 4, 5, 6}), 3, ids, target, 3, 1));
        EXPECT_EQ(lab.read(target), (Floats{9, 5, 6, 9, 0, 0, 9, 1, 2, 9, 5, 6}));
        hydra_train_buffer* table = lab.floats({10, 20, 30, 40, 50, 60});
        must(hydra_train_scatter_add(lab.device(), 4, 2, target, 3, 1, ids, table, 3));
        EXPECT_EQ(lab.read(table), (Floats{11, 22, 30, 40, 60, 72}));
    });
}

TEST(Elements, IdsAreThoseThatWereUploadedLast) {
    Lab lab;
    hydra_train_buffer* ids = lab.ids({2, 1, 0});
    hydra_train_buffer* table = lab.floats({10, 20, 30});
    const auto gathered = [&](const hydra_train_buffer* of) {
        hydra_train_buffer* target = lab.unset(hydra_train_buffer_count(of));
        must(hydra_train_gather(lab.device(), hydra_train_buffer_count(of), 1, table, 3, of, target, 1, 0));
        return lab.read(target);
    };
    hydra_train_buffer* out = nullptr;
    must(hydra_train_buffer_view(ids, 1, 2, &out));
    const Buffer view(out);
    EXPECT_EQ(gathered(ids), (Floats{30, 20, 10}));
    EXPECT_EQ(gathered(out), (Floats{20, 10}));
    const Ids other = {0, 2};
    must(hydra_train_upload(out, 0, other.data(), 2));
    EXPECT_EQ(gathered(out), (Floats{10, 30}));
    EXPECT_EQ(gathered(ids), (Floats{30, 10, 30}));
    const Ids wrong = {3};
    must(hydra_train_upload(out, 1, wrong.data(), 1));
    EXPECT_EQ(hydra_train_gather(lab.device(), 3, 1, table, 3, ids, lab.zeros(3), 1, 0), HYDRA_INVALID_ARGUMENT);
}

TEST(Elements, SiluAndItsGradient) {
    Random random(11);
    for (const int64_t count : COUNTS) {
        const std::vector<Floats> values = {random.normal(count, 3)};
        const Floats gy = random.normal(count);
        const Reference reference = [](const Operands& of) {
            Doubles y;
            for (const double x : of[0]) y.push_back(silu(x));
            return y;
        };
        const Doubles y = reference(operands(values)), expected = reference_gradient(reference, values, 0, gy);
        on_every_device([&](Lab& lab) {
            hydra_train_buffer* x = lab.floats(values[0]);
            hydra_train_buffer* out = lab.unset(count);
            must(hydra_train_silu_forward(lab.device(), count, x, out));
            EXPECT_LT(relative_error(lab.read(out), y), FORWARD_TOLERANCE);
            hydra_train_buffer* gradient = lab.floats(gy);
            must(hydra_train_silu_backward(lab.device(), count, x, gradient, gradient));
            EXPECT_LT(relative_error(lab.read(gradient), expected), GRADIENT_TOLERANCE);
        });
    }
}

TEST(Elements, SwigluAndItsGradients) {
    Random random(12);
    for (const int64_t count : COUNTS) {
        const std::vector<Floats> values = {random.normal(count, 3), random.normal(count)};
        const Floats gy = random.normal(count);
        const Reference reference = [](const Operands& of) {
            Doubles y;
            for (size_t i = 0; i < of[0].size(); ++i) y.push_back(silu(of[0][i]) * of[1][i]);
            return y;
        };
        const Doubles y = reference(operands(values));
        const Doubles of_gate = reference_gradient(reference, values, 0, gy);
        const Doubles of_up = reference_gradient(reference, values, 1, gy);
        on_every_device([&](Lab& lab) {
            hydra_train_buffer* gate = lab.floats(values[0]);
            hydra_train_buffer* up = lab.floats(values[1]);
            hydra_train_buffer* out = lab.unset(count);
            must(hydra_train_swiglu_forward(lab.device(), count, gate, up, out));
            EXPECT_LT(relative_error(lab.read(out), y), FORWARD_TOLERANCE);
            hydra_train_buffer* g_gate = lab.floats(gy);
            hydra_train_buffer* g_up = lab.unset(count);
            must(hydra_train_swiglu_backward(lab.device(), count, gate, up, g_gate, g_gate, g_up));
            EXPECT_LT(relative_error(lab.read(g_gate), of_gate), GRADIENT_TOLERANCE);
            EXPECT_LT(relative_error(lab.read(g_up), of_up), GRADIENT_TOLERANCE);
        });
    }
}

TEST(RmsNorm, GradientsEqualCentralDifferences) {
    Random random(13);
    for (const int64_t width : {1, 7, 16, 65, 130}) {
        const int64_t rows = 19;
        const float epsilon = 1e-3f;
        const std::vector<Floats> values = {random.normal(rows * width), random.normal(width)};
        const Floats gy = random.normal(rows * width);
        const Reference reference = [&](const Operands& of) {
            Doubles y;
            const Floats ones(static_cast<size_t>(width), 1);
            for (int64_t r = 0; r < rows; ++r) {
                const Doubles row = rms_norm(row_of(of[0], r, width), ones, epsilon);
                for (size_t i = 0; i < row.size(); ++i) y.push_back(row[i] * of[1][i]);
            }
            return y;
        };
        const Doubles y = reference(operands(values));
        const Doubles of_x = reference_gradient(reference, values, 0, gy);
        const Doubles of_weight = reference_gradient(reference, values, 1, gy);
        on_every_device([&](Lab& lab) {
            hydra_train_buffer* x = lab.floats(values[0]);
            hydra_train_buffer* weight = lab.floats(values[1]);
            hydra_train_buffer* out = lab.unset(rows * width);
            hydra_train_buffer* inverse = lab.unset(rows);
            must(hydra_train_rms_norm_forward(lab.device(), rows, width, epsilon, x, weight, out, inverse));
            EXPECT_LT(relative_error(lab.read(out), y), FORWARD_TOLERANCE);
            hydra_train_buffer* g_x = lab.floats(gy);
            hydra_train_buffer* g_weight = lab.zeros(width);
            must(hydra_train_rms_norm_backward(lab.device(), rows, width, x, weight, inverse, g_x, 0, g_x, g_weight));
            EXPECT_LT(relative_error(lab.read(g_x), of_x), GRADIENT_TOLERANCE);
            EXPECT_LT(relative_error(lab.read(g_weight), of_weight), GRADIENT_TOLERANCE);
            must(hydra_train_rms_norm_backward(lab.device(), rows, width, x, weight, inverse, lab.floats(gy), 1, g_x,
                                               nullptr));
            Doubles twice = of_x;
            for (double& value : twice) value *= 2;
            EXPECT_LT(relative_error(lab.read(g_x), twice), GRADIENT_TOLERANCE);
        });
    }
}

TEST(Elements, BitsDoNotDependOnThreadsNorInstructionSets) {
    Random random(14);
    const Floats a = random.normal(70 * 300), b = random.normal(70 * 300), weight = random.normal(300);
    expect_same_bits_everywhere([&](Lab& lab) {
        hydra_train_buffer* x = lab.floats(a);
        hydra_train_buffer* y = lab.unset(70 * 300);
        Floats all;
        must(hydra_train_silu_backward(lab.device(), 21000, x, lab.floats(b), y));
        append(all, lab.read(y));
        must(hydra_train_swiglu_forward(lab.device(), 21000, x, lab.floats(b), y));
        append(all, lab.read(y));
        hydra_train_buffer* inverse = lab.unset(70);
        hydra_train_buffer* weights = lab.floats(weight);
        must(hydra_train_rms_norm_forward(lab.device(), 70, 300, 1e-5f, x, weights, y, inverse));
        append(all, lab.read(y));
        hydra_train_buffer* g_weight = lab.zeros(300);
        must(hydra_train_rms_norm_backward(lab.device(), 70, 300, x, weights, inverse, lab.floats(b), 0, y, g_weight));
        append(all, lab.read(y));
        append(all, lab.read(g_weight));
        double sum;
        must(hydra_train_square_sum(lab.device(), 21000, x, &sum));
        all.push_back(static_cast<float>(sum));
        return all;
    });
}

// Of 100000 elements, as far from the expected number as happens once in a million times.
TEST(Dropout, KeepsItsShareAndTheExpectation) {
    const int64_t count = 100000;
    for (const float probability : {0.0f, 0.2f, 0.9f}) {
        Lab lab;
        hydra_train_buffer* y = lab.unset(count);
        must(hydra_train_dropout(lab.device(), count, probability, 1, 2, 3, lab.floats(Floats(count, 3)), y));
        int64_t kept = 0;
        for (const float value : lab.read(y)) {
            EXPECT_TRUE(value == 0 || std::abs(value - 3 / (1 - probability)) < 1e-5) << value;
            kept += value != 0;
        }
        const double expected = count * (1.0 - probability);
        EXPECT_NEAR(kept, expected, 5 * std::sqrt(expected * probability) + 1e-9);
    }
}

TEST(Dropout, IsAFunctionOfSeedStepSiteAndIndex) {
    const Floats ones(1000, 1);
    const auto draw = [&](uint64_t seed, uint32_t step, uint32_t site, int64_t count) {
        Lab lab;
        hydra_train_buffer* y = lab.zeros(1000);
        must(hydra_train_dropout(lab.device(), count, 0.5f, seed, step, site, lab.floats(ones), y));
        return lab.read(y);
    };
    const Floats first = draw(1, 2, 3, 1000);
    EXPECT_EQ(first, draw(1, 2, 3, 1000));
    for (const Floats& other :
         {draw(2, 2, 3, 1000), draw(uint64_t{1} << 32 | 1, 2, 3, 1000), draw(1, 3, 3, 1000), draw(1, 2, 4, 1000)}) {
        EXPECT_NE(first, other);
    }
    const Floats part = draw(1, 2, 3, 77);
    EXPECT_TRUE(std::equal(part.begin(), part.begin() + 77, first.begin()));
}

TEST(Noise, IsUniformAndHasTheSameBitsEverywhere) {
    const int64_t count = 40000;
    expect_same_bits_everywhere([&](Lab& lab) {
        hydra_train_buffer* x = lab.floats(Floats(count, 10));
        must(hydra_train_noise(lab.device(), count, 2, 7, 1, 0, x, x));
        const Floats noisy = lab.read(x);
        double sum = 0, squares = 0;
        for (const float value : noisy) {
            const double noise = value - 10;
            EXPECT_LE(std::abs(noise), 2);
            sum += noise;
            squares += noise * noise;
        }
        EXPECT_NEAR(sum / count, 0, 5 * 2 / std::sqrt(3.0 * count));
        EXPECT_NEAR(squares / count, 4.0 / 3, 0.05);
        return noisy;
    });
}

}  // namespace
}  // namespace hydra::test
