// Rotary embeddings and attention over packed texts.
#include "training.h"

namespace hydra::test {
namespace {

using Starts = std::vector<int64_t>;

struct Shape {
    Starts starts;
    int64_t heads, kv_heads, head_size;

    int64_t rows() const { return starts.back(); }
    int64_t sequences() const { return static_cast<int64_t>(starts.size()) - 1; }
};

Doubles attention_of(const Operands& of, const Shape& shape) {
    const auto [starts, heads, kv_heads, size] = shape;
    Doubles y(of[0].size());
    const double scale = 1 / std::sqrt(static_cast<double>(size));
    for (int64_t s = 0; s < shape.sequences(); ++s) {
        const int64_t first = starts[static_cast<size_t>(s)], end = starts[static_cast<size_t>(s + 1)];
        for (int64_t r = first; r < end; ++r) {
            for (int64_t h = 0; h < heads; ++h) {
                const auto q = [&](int64_t d) { return of[0][static_cast<size_t>((r * heads + h) * size + d)]; };
                const auto kv = [&](size_t which, int64_t j, int64_t d) {
                    return of[which][static_cast<size_t>((j * kv_heads + h / (heads / kv_heads)) * size + d)];
                };
                double total = 0;
                Doubles sums(static_cast<size_t>(size));
                for (int64_t j = first; j <= r; ++j) {
                    double score = 0;
                    for (int64_t d = 0; d < size; ++d) score += q(d) * kv(1, j, d);
                    const double weight = std::exp(score * scale);
                    total += weight;
                    for (int64_t d = 0; d < size; ++d) sums[static_cast<size_t>(d)] += weight * kv(2, j, d);
                }
                for (int64_t d = 0; d < size; ++d) {
                    y[static_cast<size_t>((r * heads + h) * size + d)] = sums[static_cast<size_t>(d)] / total;
                }
            }
        }
    }
    return y;
}

struct Results {
    Floats y;
    std::vector<Floats> gradients;  // of q, k, v
};

Results attend(Lab& lab, const std::vector<Floats>& values, const Floats& gy, const Shape& shape) {
    hydra_train_attention of{};
    of.sequences = shape.sequences();
    of.starts = shape.starts.data();
    of.heads = shape.heads;
    of.kv_heads = shape.kv_heads;
    of.head_size = shape.head_size;
    of.q = lab.floats(values[0]);
    of.k = lab.floats(values[1]);
    of.v = lab.floats(values[2]);
    of.y = lab.unset(static_cast<int64_t>(values[0].size()));
    of.log_sum = lab.unset(shape.rows() * shape.heads);
    must(hydra_train_attention_forward(lab.device(), &of));
    of.gy = lab.floats(gy);
    of.g_q = lab.unset(static_cast<int64_t>(values[0].size()));
    of.g_k = lab.unset(static_cast<int64_t>(values[1].size()));
    of.g_v = lab.unset(static_cast<int64_t>(values[2].size()));
    must(hydra_train_attention_backward(lab.device(), &of));
    return {lab.read(of.y), {lab.read(of.g_q), lab.read(of.g_k), lab.read(of.g_v)}};
}

std::vector<Floats> random_operands(Random& random, const Shape& shape) {
    const int64_t queries = shape.rows() * shape.heads * shape.head_size;
    const int64_t keys = shape.rows() * shape.kv_heads * shape.head_size;
    return {random.normal(queries), random.normal(keys), random.normal(keys)};
}

TEST(Attention, GradientsEqualCentralDifferences) {
    Random random(21);
    // A text of one row, an empty one, grouped heads, sizes beside the vectors', and more rows than a block.
    const Shape shapes[] = {{{0, 1}, 1, 1, 2}, {{0, 5, 5, 12}, 4, 2, 6}, {{0, 3, 20}, 3, 1, 17}, {{0, 70}, 2, 1, 3}};
    for (const Shape& shape : shapes) {
        const std::vector<Floats> values = random_operands(random, shape);
        const Floats gy = random.normal(static_cast<int64_t>(values[0].size()));
        const Reference reference = [&](const Operands& of) { return attention_of(of, shape); };
        const Doubles y = reference(operands(values));
        std::vector<Doubles> expected;
        for (size_t i = 0; i < 3; ++i) expected.push_back(reference_gradient(reference, values, i, gy));
        on_every_device([&](Lab& lab) {
            const Results results = attend(lab, values, gy, shape);
            EXPECT_LT(relative_error(results.y, y), FORWARD_TOLERANCE);
            for (size_t i = 0; i < 3; ++i) {
                // Of one key there is nothing to choose: the gradients of q and k are zero.
                if (shape.rows() == 1 && i < 2) {
                    for (const float value : results.gradients[i]) EXPECT_NEAR(value, 0, 1e-6);
                } else {
                    EXPECT_LT(relative_error(results.gradients[i], expected[i]), GRADIENT_TOLERANCE) << i;
                }
            }
        });
    }
}

TEST(Attention, BitsDoNotDependOnThreadsNorInstructionSets) {
    Random random(22);
    const Shape shape{{0, 131, 150}, 4, 2, 32};
    const std::vector<Floats> values = random_operands(random, shape);
    const Floats gy = random.normal(static_cast<int64_t>(values[0].size()));
    expect_same_bits_everywhere([&](Lab& lab) {
        Results results = attend(lab, values, gy, shape);
        for (const Floats& gradient : results.gradients) append(results.y, gradient);
        return results.y;
    });
}

TEST(Attention, OfATextDoesNotDependOnThoseBesideIt) {
    Random random(23);
    const Shape both{{0, 80, 100}, 2, 2, 16}, second{{0, 20}, 2, 2, 16};
    std::vector<Floats> values = random_operands(random, both);
    Floats gy = random.normal(static_cast<int64_t>(values[0].size()));
    Lab lab;
    const Results all = attend(lab, values, gy, both);
    const auto tail = [](const Floats& of) { return Floats(of.end() - 20 * 2 * 16, of.end()); };
    for (Floats& value : values) value = tail(value);
    const Results alone = attend(lab, values, tail(gy), second);
    EXPECT_TRUE(same_bits(tail(all.y), alone.y));
    for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(same_bits(tail(all.gradients[i]), alone.gradients[i])) << i;
}

TEST(Rope, RotatesHalvesByPositionsWithinATextAndBack) {
    Random random(24);
    const Starts starts = {0, 3, 3, 70};
    const int64_t heads = 2, size = 10;
    const Floats x = random.normal(70 * heads * size), frequencies = random.normal(size / 2);
    Doubles expected = doubles(x);
    for (int64_t r = 0; r < 70; ++r) {
        const auto position = static_cast<float>(r < 3 ? r : r - 3);
        for (int64_t h = 0; h < heads; ++h) {
            double* head = expected.data() + (r * heads + h) * size;
            for (int64_t i = 0; i < size / 2; ++i) {
                const double angle = position * frequencies[static_cast<size_t>(i)], a = head[i],
                             b = head[i + size / 2];
                head[i] = a * std::cos(angle) - b * std::sin(angle);
                head[i + size / 2] = b * std::cos(angle) + a * std::sin(angle);
            }
        }
    }
    on_every_device([&](Lab& lab) {
        hydra_train_buffer* rotated = lab.floats(x);
        must(hydra_train_rope(lab.device(), 3, starts.data(), heads, size, frequencies.data(), 0, rotated));
        EXPECT_LT(relative_error(lab.read(rotated), expected), FORWARD_TOLERANCE);
        must(hydra_train_rope(lab.device(), 3, starts.data(), heads, size, frequencies.data(), 1, rotated));
        EXPECT_LT(relative_error(lab.read(rotated), doubles(x)), FORWARD_TOLERANCE);
    });
}

}  // namespace
}  // namespace hydra::test
