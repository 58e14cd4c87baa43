// Norm, finite check and AdamW.
#include <limits>

#include "training.h"

namespace hydra::test {
namespace {

TEST(SquareSum, IsThatOfDoubles) {
    Random random(31);
    const Floats x = random.normal(200001, 100);
    double expected = 0;
    for (const float value : x) expected += static_cast<double>(value) * value;
    on_every_device([&](Lab& lab) {
        double sum = 0;
        must(hydra_train_square_sum(lab.device(), 200001, lab.floats(x), &sum));
        EXPECT_NEAR(sum / expected, 1, 1e-12);
        must(hydra_train_square_sum(lab.device(), 0, lab.floats(x), &sum));
        EXPECT_EQ(sum, 0);
    });
}

TEST(SquareSum, ShowsWhatIsNoNumberAndDoesNotOverflow) {
    Lab lab;
    double sum = 0;
    must(hydra_train_square_sum(lab.device(), 2, lab.floats({1, NAN}), &sum));
    EXPECT_TRUE(std::isnan(sum));
    must(hydra_train_square_sum(lab.device(), 2, lab.floats({3e38f, 3e38f}), &sum));
    EXPECT_NEAR(sum / 1.8e77, 1, 1e-6);
}

TEST(CountNonfinite, CountsInfinitiesAndNaN) {
    on_every_device([](Lab& lab) {
        Floats x(70000, std::numeric_limits<float>::max());
        x[3] = NAN;
        x[65536] = INFINITY;
        x[69999] = -INFINITY;
        int64_t count = -1;
        must(hydra_train_count_nonfinite(lab.device(), 70000, lab.floats(x), &count));
        EXPECT_EQ(count, 3);
        must(hydra_train_count_nonfinite(lab.device(), 3, lab.floats(x), &count));
        EXPECT_EQ(count, 0);
    });
}

struct Reference {
    double w, m = 0, v = 0;

    void step(double gradient, int64_t t, const hydra_train_adamw& options) {
        const double g = gradient * options.gradient_scale;
        m = options.beta1 * m + (1 - options.beta1) * g;
        v = options.beta2 * v + (1 - options.beta2) * g * g;
        const double first = m / (1 - std::pow(options.beta1, t)), second = v / (1 - std::pow(options.beta2, t));
        w = w * (1 - options.rate * options.decay) - options.rate * first / (std::sqrt(second) + options.epsilon);
    }
};

TEST(AdamW, ManyStepsEqualTheReference) {
    const int64_t count = 16411;  // more than a task, and no whole number of vectors
    Random random(32);
    const Floats start = random.normal(count);
    std::vector<Floats> gradients;
    for (int i = 0; i < 20; ++i) gradients.push_back(random.normal(count, 0.1f));
    hydra_train_adamw options{};
    options.count = count;
    options.rate = 1e-2;
    options.beta1 = 0.9;
    options.beta2 = 0.95;
    options.epsilon = 1e-8;
    options.decay = 0.1;
    options.gradient_scale = 0.3;
    std::vector<Reference> references;
    for (const float w : start) references.push_back({w});
    for (size_t t = 0; t < gradients.size(); ++t) {
        for (size_t i = 0; i < references.size(); ++i) {
            references[i].step(gradients[t][i], static_cast<int64_t>(t) + 1, options);
        }
    }
    Doubles expected;
    for (const Reference& reference : references) expected.push_back(reference.w);
    on_every_device([&](Lab& lab) {
        hydra_train_adamw of = options;
        of.parameters = lab.floats(start);
        of.first = lab.zeros(count);
        of.second = lab.zeros(count);
        for (const Floats& gradient : gradients) {
            ++of.step;
            of.gradients = lab.floats(gradient);
            must(hydra_train_adamw_step(lab.device(), &of));
        }
        EXPECT_LT(relative_error(lab.read(of.parameters), expected), 1e-6);
    });
}

// Decay is by the rate alone, whatever the gradient.
TEST(AdamW, DecaysWithoutAGradient) {
    Lab lab;
    hydra_train_adamw of{};
    of.count = 1;
    of.parameters = lab.floats({8});
    of.gradients = lab.zeros(1);
    of.first = lab.zeros(1);
    of.second = lab.zeros(1);
    of.step = 1;
    of.rate = 0.5;
    of.beta1 = of.beta2 = 0.9;
    of.epsilon = 1e-8;
    of.decay = 0.25;
    of.gradient_scale = 1;
    must(hydra_train_adamw_step(lab.device(), &of));
    EXPECT_EQ(lab.read(of.parameters), Floats{7});
}

}  // namespace
}  // namespace hydra::test
