// The loss of LM heads, with logits of some rows at a time: the teacher's become powers exp(z - best), which all heads
// use with one factor per row, and those of a head become powers and then the gradients of the logits where they are.
#include <cmath>

#include "train/cpu/device.h"

namespace hydra::train {

namespace {

constexpr int64_t MOST_ROWS = 576;

int64_t rows_at_a_time(int64_t vocabulary) { return loss_rows_at_a_time(vocabulary, MOST_ROWS); }

}  // namespace

void CpuDevice::loss(const Loss& loss) {
    for (int32_t i = 0; i < loss.count; ++i) check_loss_ids(loss, i);
    each_loss_part(
        loss, rows_at_a_time(loss.vocabulary), [&](int64_t first, int64_t count) { teach(loss, first, count); },
        [&](int32_t head, int64_t first, int64_t count, int64_t teacher_first) {
            loss_rows(loss, loss.heads[head], first, count, teacher_first, loss.sums + head * HYDRA_TRAIN_SUMS);
        });
}

void CpuDevice::teach(const Loss& loss, int64_t first, int64_t count) {
    const Teacher& teacher = loss.teacher;
    const int64_t n = loss.vocabulary;
    float* powers = powers_.floats(rows_at_a_time(n) * n);
    teacher_rows_.resize(static_cast<size_t>(count));
    multiply(count, n, teacher.hidden, {teacher.states + first * teacher.hidden, teacher.hidden, false},
             {teacher.weight, teacher.hidden, false}, powers, n, false);
    each(count, 4 * count * n, [&](int64_t r, int) {
        float* z = powers + r * n;
        if (teacher.cap > 0) kernels_.cap(n, teacher.cap, z);
        const Best best = kernels_.best(n, z);
        const ExpSums sums = kernels_.exp_sums(n, best.value, z, nullptr, z);
        teacher_rows_[static_cast<size_t>(r)] = {static_cast<float>(1 / sums.sum),
                                                 std::log(sums.sum) - sums.weighted / sums.sum,
                                                 static_cast<int32_t>(best.index)};
    });
}

LossRow CpuDevice::loss_row(const Loss& loss, const LossHead& head, int64_t row, const TeacherRow* teacher,
                            const float* powers, float* z) const {
    const int64_t n = loss.vocabulary;
    const float weight = head.row_weights == nullptr ? 1 : head.row_weights[row];
    if (weight == 0) {
        std::fill(z, z + n, 0.0f);
        return {0, 0, 0, 0, -1, -1};
    }
    if (head.bias != nullptr) kernels_.add(n, 1, head.bias, z);
    const int32_t target = head.targets[row];
    const int32_t best = head.teacher_best != nullptr ? head.teacher_best[row]
                         : teacher != nullptr         ? teacher->best
                                                      : -1;
    LossRow result{static_cast<double>(weight), 0, 0, 0, -1, -1};
    if (target >= 0) result.target_rank = kernels_.before(n, z, target);
    if (best >= 0) result.best_rank = best == target ? result.target_rank : kernels_.before(n, z, best);
    const float most = kernels_.best(n, z).value;
    const double target_distance = target >= 0 ? static_cast<double>(z[target]) - static_cast<double>(most) : 0;
    const ExpSums sums = kernels_.exp_sums(n, most, z, powers, z);
    const double log_sum = std::log(sums.sum);
    if (target >= 0) result.data = log_sum - target_distance;
    if (teacher != nullptr) {
        result.teacher = log_sum - sums.weighted * static_cast<double>(teacher->inverse_sum);
        result.entropy = teacher->entropy;
    }
    const float data_factor = target >= 0 ? weight * head.data_scale : 0;
    const float teacher_factor = teacher != nullptr ? weight * head.teacher_scale : 0;
    kernels_.combine(n, static_cast<float>((data_factor + teacher_factor) / sums.sum), z,
                     teacher != nullptr ? -teacher_factor * teacher->inverse_sum : 0, powers, z);
    if (target >= 0) z[target] -= data_factor;
    return result;
}

void CpuDevice::loss_rows(const Loss& loss, const LossHead& head, int64_t first, int64_t count, int64_t teacher_first,
                          double* sums) {
    const int64_t n = loss.vocabulary, hidden = loss.hidden;
    const bool taught = head.teacher_rows != nullptr;
    float* z = logits_.floats(rows_at_a_time(n) * n);
    const Linear linear{count, hidden, n, head.states + first * hidden, head.weight};
    linear_forward(linear, nullptr, false, z);
    loss_rows_.resize(static_cast<size_t>(count));
    each(count, 4 * count * n, [&](int64_t r, int) {
        const int64_t at = taught ? head.teacher_rows[first + r] - teacher_first : 0;
        loss_rows_[static_cast<size_t>(r)] =
            loss_row(loss, head, first + r, taught ? &teacher_rows_[static_cast<size_t>(at)] : nullptr,
                     taught ? powers_.floats(0) + at * n : nullptr, z + r * n);
    });
    for (int64_t r = 0; r < count; ++r) {
        const LossRow& row = loss_rows_[static_cast<size_t>(r)];
        if (head.target_ranks != nullptr) head.target_ranks[first + r] = static_cast<int32_t>(row.target_rank);
        if (head.best_ranks != nullptr) head.best_ranks[first + r] = static_cast<int32_t>(row.best_rank);
        add_loss_row(row, head.targets[first + r] >= 0, sums);
    }
    linear_backward(linear, z,
                    {false, hidden, head.g_states == nullptr ? nullptr : head.g_states + first * hidden, head.g_weight,
                     head.g_bias});
}

}  // namespace hydra::train
