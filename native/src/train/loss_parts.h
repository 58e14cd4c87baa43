// What devices share of the loss: the checks of its ids, the order in which parts of rows are computed, and the sums.
#pragma once

#include <algorithm>
#include <vector>

#include "train/device.h"

namespace hydra::train {

// What is known of a row of the teacher's logits when its softmax has been taken.
struct TeacherRow {
    float inverse_sum;  // of the powers that stand where the logits were
    double entropy;
    int32_t best;
};

struct LossRow {
    double weight, data, teacher, entropy;  // data and teacher losses, not weighted
    int64_t target_rank, best_rank;         // -1: none
};

// Rows whose logits exist at a time: of a head and of the teacher each, LOSS_LOGITS at most for vocabularies that allow
// it. More rows at a time pass the weights and their gradients through memory less often.
constexpr int64_t LOSS_LOGITS = int64_t{24} << 20, LEAST_LOSS_ROWS = 24;

inline int64_t loss_rows_at_a_time(int64_t vocabulary, int64_t most) {
    return std::clamp(LOSS_LOGITS / vocabulary / LEAST_LOSS_ROWS * LEAST_LOSS_ROWS, LEAST_LOSS_ROWS, most);
}

// Throws unless a head's targets and rows of the teacher, which are on the host, are in range and order.
void check_loss_ids(const Loss& loss, int32_t head);

// Adds what a row comes to to its head's sums.
void add_loss_row(const LossRow& row, bool has_target, double* sums);

// Calls rows(head, first, count, teacher_first) for parts of all heads' rows, of at most `chunk`; their rows of the
// teacher are among the `chunk` from teacher_first on, for which teach(teacher_first, count) has been called. Ids are
// on the host.
template <class Teach, class Rows>
void each_loss_part(const Loss& loss, int64_t chunk, const Teach& teach, const Rows& rows) {
    if (loss.teacher.states == nullptr) {
        for (int32_t i = 0; i < loss.count; ++i) {
            const int64_t all = loss.heads[i].rows;
            for (int64_t r = 0; r < all; r += chunk) rows(i, r, std::min(chunk, all - r), 0);
        }
        return;
    }
    std::vector<int64_t> done(static_cast<size_t>(loss.count));  // rows of each head
    for (int64_t first = 0; first < loss.teacher.rows; first += chunk) {
        const int64_t end = std::min(first + chunk, loss.teacher.rows);
        bool taught = false;
        for (int32_t i = 0; i < loss.count; ++i) {
            const LossHead& head = loss.heads[i];
            int64_t& r = done[static_cast<size_t>(i)];
            while (r < head.rows && head.teacher_rows[r] < end) {
                int64_t next = r + 1;
                while (next < std::min(head.rows, r + chunk) && head.teacher_rows[next] < end) ++next;
                if (!taught) teach(first, end - first);
                taught = true;
                rows(i, r, next - r, first);
                r = next;
            }
        }
    }
}

}  // namespace hydra::train
