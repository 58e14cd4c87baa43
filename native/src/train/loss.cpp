// The C ABI of the loss.
#include <algorithm>
#include <cmath>

#include "train/operands.h"

using hydra::train::LossHead;
using hydra::train::Operands;
using hydra::train::operate;
using hydra::train::size;

namespace {

constexpr int32_t MOST_HEADS = 64;

LossHead loss_head(Operands operands, const hydra_train_loss& of, const hydra_train_loss_head& head) {
    LossHead result{};
    const int64_t rows = result.rows = size("rows", head.rows);
    result.states = operands.in("states", head.states, rows * of.hidden);
    result.weight = operands.in("weight", head.weight, of.vocabulary * of.hidden);
    result.bias = operands.in("bias", head.bias, of.vocabulary, true);
    result.targets = operands.in_ids("targets", head.targets, rows);
    const bool taught = of.teacher_states != nullptr;
    HYDRA_REQUIRE(taught || head.teacher_rows == nullptr, "teacher_rows is given, and there is no teacher");
    result.teacher_rows = operands.in_ids("teacher_rows", head.teacher_rows, rows, !taught);
    result.teacher_best = operands.in_ids("teacher_best", head.teacher_best, rows, true);
    result.row_weights = operands.in("row_weights", head.row_weights, rows, true);
    HYDRA_REQUIRE(std::isfinite(head.data_scale), "data_scale is %g, must be finite",
                  static_cast<double>(head.data_scale));
    HYDRA_REQUIRE(!taught || std::isfinite(head.teacher_scale), "teacher_scale is %g, must be finite",
                  static_cast<double>(head.teacher_scale));
    result.data_scale = head.data_scale;
    result.teacher_scale = taught ? head.teacher_scale : 0;
    result.g_states = operands.out("g_states", head.g_states, rows * of.hidden, {}, true);
    result.g_weight = operands.out("g_weight", head.g_weight, of.vocabulary * of.hidden, {}, true);
    result.g_bias = operands.out("g_bias", head.g_bias, of.vocabulary, {}, true);
    result.target_ranks = operands.out_ids("target_ranks", head.target_ranks, rows, true);
    HYDRA_REQUIRE(head.best_ranks == nullptr || taught || head.teacher_best != nullptr,
                  "best_ranks is given, and there is neither a teacher nor teacher_best");
    result.best_ranks = operands.out_ids("best_ranks", head.best_ranks, rows, true);
    return result;
}

}  // namespace

hydra_status hydra_train_loss_compute(hydra_train_device* device, const hydra_train_loss* arguments,
                                      const hydra_train_loss_head* heads, int32_t count, double* sums) {
    return operate("hydra_train_loss_compute", device, [&] {
        HYDRA_REQUIRE(arguments != nullptr && heads != nullptr && sums != nullptr, "arguments, heads or sums is null");
        size("count", count, 1, MOST_HEADS);
        const hydra_train_loss& of = *arguments;
        size("hidden", of.hidden, 1);
        size("vocabulary", of.vocabulary, 1);
        const bool taught = of.teacher_states != nullptr;
        HYDRA_REQUIRE(taught == (of.teacher_weight != nullptr),
                      "teacher_states and teacher_weight: one of them is null");
        Operands operands(device);
        hydra::train::Teacher teacher{};
        if (taught) {
            HYDRA_REQUIRE(std::isfinite(of.teacher_cap) && of.teacher_cap >= 0,
                          "teacher_cap is %g, must be 0 (none) or a positive number",
                          static_cast<double>(of.teacher_cap));
            teacher.hidden = size("teacher_hidden", of.teacher_hidden, 1);
            teacher.rows = size("teacher_rows", of.teacher_rows);
            teacher.states = operands.in("teacher_states", of.teacher_states, teacher.rows * teacher.hidden);
            teacher.weight = operands.in("teacher_weight", of.teacher_weight, of.vocabulary * teacher.hidden);
            teacher.cap = of.teacher_cap;
        }
        std::vector<LossHead> checked;
        for (int32_t i = 0; i < count; ++i) {
            try {
                checked.push_back(loss_head(operands, of, heads[i]));
            } catch (const hydra::Failure& failure) {
                hydra::fail(failure.status(), "head %d: %s", i, failure.what());
            }
        }
        std::vector<double> totals(static_cast<size_t>(count) * HYDRA_TRAIN_SUMS);
        device->loss({of.hidden, of.vocabulary, teacher, checked.data(), count, totals.data()});
        std::copy(totals.begin(), totals.end(), sums);
    });
}
