// The fused LM head and loss of several heads.
#include <numeric>

#include "training.h"

namespace hydra::test {
namespace {

struct Head {
    Floats states, weight, bias, row_weights;
    Ids targets, teacher_rows, teacher_best;
    float data_scale, teacher_scale;

    int64_t rows() const { return static_cast<int64_t>(targets.size()); }
};

struct Task {
    int64_t hidden, vocabulary, teacher_hidden;
    Floats teacher_states, teacher_weight;  // empty: no teacher
    float cap;
    std::vector<Head> heads;
};

Doubles softmax(Doubles z) {
    const double best = *std::max_element(z.begin(), z.end());
    double total = 0;
    for (double& value : z) total += value = std::exp(value - best);
    for (double& value : z) value /= total;
    return z;
}

Doubles logits(const Doubles& states, const Doubles& weight, const Doubles& bias, int64_t row, int64_t hidden,
               int64_t vocabulary) {
    Doubles z(static_cast<size_t>(vocabulary));
    for (int64_t v = 0; v < vocabulary; ++v) {
        double total = bias.empty() ? 0 : bias[static_cast<size_t>(v)];
        for (int64_t i = 0; i < hidden; ++i) {
            total += states[static_cast<size_t>(row * hidden + i)] * weight[static_cast<size_t>(v * hidden + i)];
        }
        z[static_cast<size_t>(v)] = total;
    }
    return z;
}

Doubles teacher_logits(const Task& task, int64_t row) {
    Doubles z = logits(doubles(task.teacher_states), doubles(task.teacher_weight), {}, row, task.teacher_hidden,
                       task.vocabulary);
    if (task.cap > 0) {
        for (double& value : z) value = task.cap * std::tanh(value / task.cap);
    }
    return z;
}

int64_t rank_of(const Doubles& z, int32_t index) {
    int64_t rank = 0;
    for (size_t v = 0; v < z.size(); ++v) {
        const double own = z[static_cast<size_t>(index)];
        rank += z[v] > own || (z[v] == own && v < static_cast<size_t>(index));
    }
    return rank;
}

struct Expected {
    std::vector<double> sums = std::vector<double>(HYDRA_TRAIN_SUMS);
    double loss = 0;
    Ids target_ranks, best_ranks;
};

// Operands: states, weight, bias (may be empty).
Expected expected_of(const Task& task, const Head& head, const Operands& of) {
    Expected result;
    for (int64_t r = 0; r < head.rows(); ++r) {
        const auto row = static_cast<size_t>(r);
        const double weight = head.row_weights.empty() ? 1 : head.row_weights[row];
        result.target_ranks.push_back(-1);
        result.best_ranks.push_back(-1);
        if (weight == 0) continue;
        const Doubles z = logits(of[0], of[1], of[2], r, task.hidden, task.vocabulary);
        Doubles log_p = softmax(z);
        for (double& value : log_p) value = std::log(value);
        result.sums[HYDRA_TRAIN_SUM_ROWS] += 1;
        result.sums[HYDRA_TRAIN_SUM_WEIGHTS] += weight;
        const auto count_top = [&](int64_t rank, int first) {
            for (int k = 0; k < 5; ++k) result.sums[static_cast<size_t>(first + k)] += rank <= k;
        };
        const int32_t target = head.targets[row];
        if (target >= 0) {
            const double loss = -weight * log_p[static_cast<size_t>(target)];
            result.sums[HYDRA_TRAIN_SUM_TARGET_WEIGHTS] += weight;
            result.sums[HYDRA_TRAIN_SUM_DATA_LOSS] += loss;
            result.loss += head.data_scale * loss;
            result.target_ranks.back() = static_cast<int32_t>(rank_of(z, target));
            count_top(result.target_ranks.back(), HYDRA_TRAIN_SUM_TARGET_TOP);
        }
        int32_t best = head.teacher_best.empty() ? -1 : head.teacher_best[row];
        if (!task.teacher_states.empty()) {
            const Doubles logits_of_teacher = teacher_logits(task, head.teacher_rows[row]);
            const Doubles q = softmax(logits_of_teacher);
            double loss = 0, entropy = 0;
            for (size_t v = 0; v < q.size(); ++v) {
                loss -= q[v] * log_p[v];
                entropy -= q[v] * std::log(q[v]);
            }
            result.sums[HYDRA_TRAIN_SUM_TEACHER_LOSS] += weight * loss;
            result.sums[HYDRA_TRAIN_SUM_TEACHER_ENTROPY] += weight * entropy;
            result.loss += head.teacher_scale * weight * loss;
            if (head.teacher_best.empty()) {
                best = static_cast<int32_t>(std::max_element(logits_of_teacher.begin(), logits_of_teacher.end()) -
                                            logits_of_teacher.begin());
            }
        }
        if (best >= 0) {
            result.best_ranks.back() = static_cast<int32_t>(rank_of(z, best));
            count_top(result.best_ranks.back(), HYDRA_TRAIN_SUM_BEST_TOP);
        }
    }
    return result;
}

struct Results {
    std::vector<double> sums;
    struct Of {
        Floats g_states, g_weight, g_bias;
        Ids target_ranks, best_ranks;
    };
    std::vector<Of> heads;
};

Results compute(Lab& lab, const Task& task) {
    hydra_train_loss arguments{};
    arguments.hidden = task.hidden;
    arguments.vocabulary = task.vocabulary;
    const bool taught = !task.teacher_states.empty();
    if (taught) {
        arguments.teacher_hidden = task.teacher_hidden;
        arguments.teacher_rows = static_cast<int64_t>(task.teacher_states.size()) / task.teacher_hidden;
        arguments.teacher_states = lab.floats(task.teacher_states);
        arguments.teacher_weight = lab.floats(task.teacher_weight);
        arguments.teacher_cap = task.cap;
    }
    std::vector<hydra_train_loss_head> heads;
    for (const Head& head : task.heads) {
        hydra_train_loss_head of{};
        of.rows = head.rows();
        of.states = lab.floats(head.states);
        of.weight = lab.floats(head.weight);
        of.bias = head.bias.empty() ? nullptr : lab.floats(head.bias);
        of.targets = lab.ids(head.targets);
        of.teacher_rows = taught ? lab.ids(head.teacher_rows) : nullptr;
        of.teacher_best = head.teacher_best.empty() ? nullptr : lab.ids(head.teacher_best);
        of.row_weights = head.row_weights.empty() ? nullptr : lab.floats(head.row_weights);
        of.data_scale = head.data_scale;
        of.teacher_scale = head.teacher_scale;
        of.g_states = lab.unset(static_cast<int64_t>(head.states.size()));
        of.g_weight = lab.zeros(static_cast<int64_t>(head.weight.size()));
        of.g_bias = head.bias.empty() ? nullptr : lab.zeros(task.vocabulary);
        of.target_ranks = lab.ids(Ids(head.targets.size(), -9));
        of.best_ranks = taught || !head.teacher_best.empty() ? lab.ids(Ids(head.targets.size(), -9)) : nullptr;
        heads.push_back(of);
    }
    Results results;
    results.sums.resize(heads.size() * HYDRA_TRAIN_SUMS);
    must(hydra_train_loss_compute(lab.device(), &arguments, heads.data(), static_cast<int32_t>(heads.size()),
                                  results.sums.data()));
    for (size_t i = 0; i < heads.size(); ++i) {
        const auto floats = [](const hydra_train_buffer* buffer) {
            return buffer == nullptr ? Floats{} : Lab::read(buffer);
        };
        Results::Of of{floats(heads[i].g_states),
                       floats(heads[i].g_weight),
                       floats(heads[i].g_bias),
                       Lab::read_ids(heads[i].target_ranks),
                       {}};
        if (heads[i].best_ranks != nullptr) of.best_ranks = Lab::read_ids(heads[i].best_ranks);
        of.target_ranks.resize(task.heads[i].targets.size());
        of.best_ranks.resize(task.heads[i].targets.size(), -1);
        results.heads.push_back(std::move(of));
    }
    return results;
}

Head random_head(Random& random, const Task& task, int64_t rows, bool bias, int64_t teacher_rows) {
    Head head{};
    head.states = random.normal(rows * task.hidden);
    head.weight = random.normal(task.vocabulary * task.hidden, 0.5f);
    if (bias) head.bias = random.normal(task.vocabulary);
    head.row_weights = random.normal(rows);
    for (int64_t r = 0; r < rows; ++r) {
        head.row_weights[static_cast<size_t>(r)] = std::abs(head.row_weights[static_cast<size_t>(r)]);
        if (r % 4 == 1) head.row_weights[static_cast<size_t>(r)] = 0;
        head.targets.push_back(r % 5 == 2 ? -1 : random.below(static_cast<int>(task.vocabulary)));
        // Some rows of the teacher twice, some never.
        if (teacher_rows > 0) head.teacher_rows.push_back(random.below(static_cast<int>(teacher_rows)));
    }
    std::sort(head.teacher_rows.begin(), head.teacher_rows.end());
    head.data_scale = 0.7f;
    head.teacher_scale = teacher_rows > 0 ? 0.4f : 0;
    return head;
}

Task random_task(Random& random, int64_t hidden, int64_t vocabulary, bool taught, float cap = 0) {
    Task task{hidden, vocabulary, 0, {}, {}, cap, {}};
    const int64_t rows = 9, teacher_rows = taught ? 11 : 0;
    if (taught) {
        task.teacher_hidden = hidden + 3;
        task.teacher_states = random.normal(teacher_rows * task.teacher_hidden);
        task.teacher_weight = random.normal(vocabulary * task.teacher_hidden, 0.5f);
    }
    task.heads = {random_head(random, task, rows, true, teacher_rows),
                  random_head(random, task, rows - 2, false, teacher_rows)};
    task.heads[1].row_weights.clear();
    return task;
}

void expect_equal(const Task& task) {
    std::vector<Expected> expected;
    std::vector<std::vector<Doubles>> gradients;
    for (const Head& head : task.heads) {
        const std::vector<Floats> values = {head.states, head.weight, head.bias};
        expected.push_back(expected_of(task, head, operands(values)));
        std::vector<Doubles> of;
        for (size_t i = 0; i < 3; ++i) {
            of.push_back(reference_gradient(
                [&](const Operands& at) { return Doubles{expected_of(task, head, at).loss}; }, values, i, {1}));
        }
        gradients.push_back(of);
    }
    on_every_device([&](Lab& lab) {
        const Results results = compute(lab, task);
        for (size_t i = 0; i < task.heads.size(); ++i) {
            SCOPED_TRACE("head " + std::to_string(i));
            for (size_t s = 0; s < HYDRA_TRAIN_SUMS; ++s) {
                const double sum = expected[i].sums[s];
                EXPECT_NEAR(results.sums[i * HYDRA_TRAIN_SUMS + s], sum, 1e-5 * std::abs(sum)) << s;
            }
            EXPECT_EQ(results.heads[i].target_ranks, expected[i].target_ranks);
            EXPECT_EQ(results.heads[i].best_ranks, expected[i].best_ranks);
            EXPECT_LT(relative_error(results.heads[i].g_states, gradients[i][0]), GRADIENT_TOLERANCE);
            EXPECT_LT(relative_error(results.heads[i].g_weight, gradients[i][1]), GRADIENT_TOLERANCE);
            if (task.heads[i].bias.empty()) continue;
            EXPECT_LT(relative_error(results.heads[i].g_bias, gradients[i][2]), GRADIENT_TOLERANCE);
        }
    });
}

TEST(Loss, OfTargetsEqualsTheReference) {
    Random random(41);
    for (const int64_t vocabulary : {2, 17, 50}) expect_equal(random_task(random, 6, vocabulary, false));
}

TEST(Loss, OfTargetsAndTheTeacherEqualsTheReference) {
    Random random(42);
    for (const int64_t vocabulary : {2, 17, 50}) expect_equal(random_task(random, 6, vocabulary, true));
}

TEST(Loss, OfATeacherWhoseLogitsAreCappedEqualsTheReference) {
    Random random(43);
    expect_equal(random_task(random, 5, 33, true, 1.5f));
}

TEST(Loss, TakesTheTeachersBestTokenFromWhereItIsGiven) {
    Random random(44);
    Task task = random_task(random, 5, 33, true);
    for (Head& head : task.heads) {
        for (int64_t r = 0; r < head.rows(); ++r) head.teacher_best.push_back(static_cast<int32_t>(r % 3) - 1);
    }
    expect_equal(task);
    task.teacher_states.clear();
    task.teacher_weight.clear();
    for (Head& head : task.heads) head.teacher_scale = 0;
    expect_equal(task);
}

// So many that logits exist of some rows at a time, of teacher and heads, and threads share rows.
TEST(Loss, OfManyRowsIsThatOfItsParts) {
    Random random(45);
    Task task{24, 700, 24, random.normal(1203 * 24), random.normal(700 * 24, 0.3f), 0, {}};
    for (int64_t rows : {1000, 1203}) {
        Head head = random_head(random, task, rows, rows == 1000, 1203);
        head.targets.back() = 3;
        task.heads.push_back(head);
    }
    {
        Lab lab(2);
        const Results all = compute(lab, task);
        for (size_t i = 0; i < task.heads.size(); ++i) {
            const Head& head = task.heads[i];
            const Expected expected = expected_of(task, head, operands({head.states, head.weight, head.bias}));
            for (size_t s = 0; s < HYDRA_TRAIN_SUMS; ++s) {
                EXPECT_NEAR(all.sums[i * HYDRA_TRAIN_SUMS + s], expected.sums[s], 1e-5 * std::abs(expected.sums[s]))
                    << s;
            }
            // One row's gradient is what it is alone.
            Task one{24, 700, 24, row_of(task.teacher_states, head.teacher_rows[777], 24), task.teacher_weight, 0, {}};
            Head single = head;
            single.states = row_of(head.states, 777, 24);
            single.row_weights = {1};
            single.targets = {head.targets[777]};
            single.teacher_rows = {0};
            one.heads = {single};
            const double weight = head.row_weights[777];
            Doubles scaled;
            const Results alone = compute(lab, one);
            for (const float value : alone.heads[0].g_states) scaled.push_back(weight * value);
            const Floats own = row_of(all.heads[i].g_states, 777, 24);
            if (weight == 0) {
                EXPECT_EQ(own, Floats(24));
            } else {
                EXPECT_LT(relative_error(own, scaled), 1e-5);
            }
        }
    }
}

TEST(Loss, BitsDoNotDependOnThreadsNorInstructionSets) {
    Random random(46);
    Task task{20, 150, 20, random.normal(90 * 20), random.normal(150 * 20), 0, {}};
    task.heads = {random_head(random, task, 90, true, 90)};
    expect_same_bits_everywhere([&](Lab& lab) {
        const Results results = compute(lab, task);
        Floats all = results.heads[0].g_states;
        append(all, results.heads[0].g_weight);
        append(all, results.heads[0].g_bias);
        for (const double sum : results.sums) all.push_back(static_cast<float>(sum));
        return all;
    });
}

// Logits far apart, beyond what exp can take.
TEST(Loss, StaysFiniteForExtremeLogits) {
    Task task{1, 3, 1, {500}, {1, -1, 0}, 0, {}};
    Head head{};
    head.states = {1000};
    head.weight = {1, -1, 0};
    head.targets = {1};
    head.teacher_rows = {0};
    head.data_scale = head.teacher_scale = 1;
    task.heads = {head};
    Lab lab;
    const Results results = compute(lab, task);
    EXPECT_NEAR(results.sums[HYDRA_TRAIN_SUM_DATA_LOSS], 2000, 1e-3);
    EXPECT_NEAR(results.sums[HYDRA_TRAIN_SUM_TEACHER_LOSS], 0, 1e-3);
    EXPECT_NEAR(results.heads[0].g_states[0], 2, 1e-5);
}

TEST(Loss, WithoutGradientsIsEvaluationAlone) {
    Lab lab;
    hydra_train_loss arguments{};
    arguments.hidden = 1;
    arguments.vocabulary = 2;
    hydra_train_loss_head head{};
    head.rows = 1;
    head.states = lab.floats({0});
    head.weight = lab.floats({1, 2});
    head.targets = lab.ids({0});
    head.data_scale = 1;
    double sums[HYDRA_TRAIN_SUMS];
    must(hydra_train_loss_compute(lab.device(), &arguments, &head, 1, sums));
    EXPECT_NEAR(sums[HYDRA_TRAIN_SUM_DATA_LOSS], std::log(2), 1e-6);
    head.rows = 0;
    must(hydra_train_loss_compute(lab.device(), &arguments, &head, 1, sums));
    EXPECT_EQ(std::accumulate(sums, sums + HYDRA_TRAIN_SUMS, 0.0), 0);
}

}  // namespace
}  // namespace hydra::test
