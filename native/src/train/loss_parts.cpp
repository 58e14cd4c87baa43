#include "train/loss_parts.h"

#include "program/error.h"

namespace hydra::train {

namespace {

void count_top(int64_t rank, double* sums) {
    for (int64_t k = std::max<int64_t>(rank, 0); k < 5; ++k) sums[k] += rank >= 0;
}

}  // namespace

void check_loss_ids(const Loss& loss, int32_t index) {
    const LossHead& head = loss.heads[index];
    const auto check = [&](const char* name, const int32_t* ids, int64_t row, int32_t least, int64_t below) {
        HYDRA_REQUIRE(ids[row] >= least && ids[row] < below, "head %d: %s[%lld] is %d, must be from %d to %lld", index,
                      name, static_cast<long long>(row), ids[row], least, static_cast<long long>(below - 1));
    };
    for (int64_t r = 0; r < head.rows; ++r) {
        check("targets", head.targets, r, -1, loss.vocabulary);
        if (head.teacher_best != nullptr) check("teacher_best", head.teacher_best, r, -1, loss.vocabulary);
        if (head.teacher_rows == nullptr) continue;
        check("teacher_rows", head.teacher_rows, r, r == 0 ? 0 : head.teacher_rows[r - 1], loss.teacher.rows);
    }
}

void add_loss_row(const LossRow& row, bool has_target, double* sums) {
    if (row.weight == 0) return;
    sums[HYDRA_TRAIN_SUM_ROWS] += 1;
    sums[HYDRA_TRAIN_SUM_WEIGHTS] += row.weight;
    sums[HYDRA_TRAIN_SUM_TARGET_WEIGHTS] += has_target ? row.weight : 0;
    sums[HYDRA_TRAIN_SUM_DATA_LOSS] += row.weight * row.data;
    sums[HYDRA_TRAIN_SUM_TEACHER_LOSS] += row.weight * row.teacher;
    sums[HYDRA_TRAIN_SUM_TEACHER_ENTROPY] += row.weight * row.entropy;
    count_top(row.target_rank, sums + HYDRA_TRAIN_SUM_TARGET_TOP);
    count_top(row.best_rank, sums + HYDRA_TRAIN_SUM_BEST_TOP);
}

}  // namespace hydra::train
