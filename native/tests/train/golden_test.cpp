// Whole heads against PyTorch: golden/heads.py makes the file, and describes it.
#include <fstream>

#include "heads_model.h"

namespace hydra::test {
namespace {

constexpr int STEPS = 10;
constexpr HeadsShape SHAPE{12, 30, 3, 2, true, 3, 1, 4, 20, 1e-5f, 10000};
const std::vector<int64_t> STARTS = {0, 9, 15};

uint32_t word(int64_t seed, int64_t i) {
    return static_cast<uint32_t>((static_cast<uint64_t>(seed) * 7919 + static_cast<uint64_t>(i) + 1) * 2654435761 >>
                                 8) %
           65536;
}

Floats numbers(int64_t seed, int64_t count, double scale) {
    Floats values;
    for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(scale * (word(seed, i) / 65536.0 - 0.5)));
    return values;
}

Floats golden() {
    const char* const folder = std::getenv("HYDRA4J_TRAIN_GOLDEN");
    std::ifstream file(std::string(folder == nullptr ? HYDRA_GOLDEN : folder) + "/heads.golden", std::ios::binary);
    if (!file) throw std::runtime_error("heads.golden is not there: name its folder by HYDRA4J_TRAIN_GOLDEN");
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    Floats values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
    return values;
}

HeadsBatch batch(int step) {
    HeadsBatch result{STARTS, {}, {}};
    for (int text = 0; text < 2; ++text) {
        const int64_t length = STARTS[static_cast<size_t>(text + 1)] - STARTS[static_cast<size_t>(text)];
        append(result.states, numbers(2000 + 10 * step + text, length * SHAPE.hidden, 3));
        for (int64_t i = 0; i < length; ++i) {
            result.tokens.push_back(
                static_cast<int32_t>(word(3000 + 10 * step + text, i) % static_cast<uint32_t>(SHAPE.vocabulary)));
        }
    }
    return result;
}

// Names of the parameters whose part of `all` is further from the golden one than the tolerance.
void expect_near(const HeadsModel& model, const Floats& all, const float* expected, double tolerance) {
    int64_t at = 0;
    for (const auto& [name, count] : model.names()) {
        const Floats part(all.begin() + at, all.begin() + at + count);
        EXPECT_LT(relative_error(part, Doubles(expected + at, expected + at + count)), tolerance) << name;
        at += count;
    }
}

TEST(Golden, GradientsAndTenStepsAreThoseOfPyTorch) {
    const Floats expected = golden();
    on_every_device([&](Lab& lab) {
        HeadsModel model(lab, SHAPE, numbers(1000, SHAPE.vocabulary * SHAPE.hidden, 0.8),
                         numbers(1001, SHAPE.vocabulary * SHAPE.hidden, 2));
        ASSERT_EQ(static_cast<int64_t>(expected.size()), 2 * STEPS + 2 * model.count());
        for (size_t seed = 0; seed < model.names().size(); ++seed) {
            const auto& [name, count] = model.names()[seed];
            Floats values = numbers(static_cast<int64_t>(seed), count, 0.8);
            if (name.find("norm") != std::string::npos) {
                for (float& value : values) value += 1;
            }
            must(hydra_train_upload(model.parameter(name), 0, values.data(), count));
        }
        const float* const gradients = expected.data() + 2 * STEPS;
        for (int step = 0; step < STEPS; ++step) {
            const double loss = model.accumulate(batch(step), {0.02f, 0.03f});
            EXPECT_NEAR(loss / expected[static_cast<size_t>(step)], 1, 1e-5) << step;
            if (step == 0) expect_near(model, Lab::read(model.gradients()), gradients, 1e-5);
            const double norm = model.update(step + 1, 1e-2, 0.5);
            EXPECT_NEAR(norm / expected[static_cast<size_t>(STEPS + step)], 1, 1e-4) << step;
        }
        expect_near(model, Lab::read(model.parameters()), gradients + model.count(), 1e-4);
    });
}

}  // namespace
}  // namespace hydra::test
