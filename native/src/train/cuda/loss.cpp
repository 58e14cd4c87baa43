// The loss of LM heads on a GPU: logits of some rows at a time, as on the processor (train/loss_parts.h). What rows
// come to is read back once, and summed on the host.
#include "train/cuda/device.h"

namespace hydra::train {

namespace {

constexpr int64_t MOST_ROWS = 4096;

}  // namespace

void CudaDevice::loss(const Loss& loss) {
    // The heads with ids that the host can read.
    struct Ids {
        std::vector<int32_t> targets, teacher_rows, teacher_best;
    };
    std::vector<Ids> ids(static_cast<size_t>(loss.count));
    std::vector<LossHead> heads(loss.heads, loss.heads + loss.count);
    int64_t all_rows = 0;
    for (size_t i = 0; i < heads.size(); ++i) {
        LossHead& head = heads[i];
        const auto read = [&](std::vector<int32_t>& values, const int32_t*& of) {
            if (of == nullptr) return;
            values = ids_on_host(of, head.rows);
            of = values.data();
        };
        read(ids[i].targets, head.targets);
        read(ids[i].teacher_rows, head.teacher_rows);
        read(ids[i].teacher_best, head.teacher_best);
        all_rows += head.rows;
    }
    Loss on_host = loss;
    on_host.heads = heads.data();
    for (int32_t i = 0; i < loss.count; ++i) check_loss_ids(on_host, i);
    if (all_rows == 0) return;
    for (const LossHead& head : heads) {
        for (const int32_t* ranks : {head.target_ranks, head.best_ranks}) {
            if (ranks != nullptr) known_ids_.overwritten(ranks, head.rows);
        }
    }

    const int64_t n = loss.vocabulary, hidden = loss.hidden, chunk = loss_rows_at_a_time(n, MOST_ROWS);
    int64_t most_rows = 0;
    for (const LossHead& head : heads) most_rows = std::max(most_rows, std::min(head.rows, chunk));
    const int64_t most_taught = std::min(loss.teacher.rows, chunk);
    float* const z = logits_.of<float>(most_rows * n);
    float* const powers = powers_.of<float>(most_taught * n);
    auto* const teacher_rows = teacher_rows_.of<TeacherRow>(most_taught);
    auto* const rows = loss_rows_.of<LossRow>(all_rows);
    std::vector<int64_t> begin(heads.size());  // of each head's rows
    for (size_t i = 1; i < heads.size(); ++i) begin[i] = begin[i - 1] + heads[i - 1].rows;

    const auto teach = [&](int64_t first, int64_t count) {
        const Teacher& teacher = loss.teacher;
        multiply(count, n, teacher.hidden, {teacher.states + first * teacher.hidden, teacher.hidden, false},
                 {teacher.weight, teacher.hidden, false}, nullptr, false, powers);
        must(api_.teach(stream_, {count, n, teacher.cap, powers, teacher_rows}));
    };
    each_loss_part(on_host, chunk, teach, [&](int32_t i, int64_t first, int64_t count, int64_t teacher_first) {
        const LossHead& head = loss.heads[i];
        const Linear linear{count, hidden, n, head.states + first * hidden, head.weight};
        linear_forward(linear, head.bias, false, z);
        const auto from = [&](auto* pointer) { return pointer == nullptr ? nullptr : pointer + first; };
        const bool taught = head.teacher_rows != nullptr;
        must(api_.loss(
            stream_, {count, n, z, from(head.targets), from(head.teacher_rows), from(head.teacher_best),
                      from(head.row_weights), teacher_first, taught ? powers : nullptr, taught ? teacher_rows : nullptr,
                      head.data_scale, head.teacher_scale, from(head.target_ranks), from(head.best_ranks),
                      rows + begin[static_cast<size_t>(i)] + first}));
        linear_backward(linear, z,
                        {false, hidden, head.g_states == nullptr ? nullptr : head.g_states + first * hidden,
                         head.g_weight, head.g_bias});
    });

    const std::vector<LossRow> read = downloaded<LossRow>(rows, all_rows);
    for (size_t i = 0; i < heads.size(); ++i) {
        for (int64_t r = 0; r < heads[i].rows; ++r) {
            add_loss_row(read[static_cast<size_t>(begin[i] + r)], heads[i].targets[r] >= 0,
                         loss.sums + i * HYDRA_TRAIN_SUMS);
        }
    }
}

}  // namespace hydra::train
