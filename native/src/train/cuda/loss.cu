// Rows of logits: the teacher's become powers, those of a head the gradients of its loss. A block takes a row.
#include "train/cuda/kernels.cuh"

namespace hydra::cuda::training {

namespace {

struct Shared {
    float floats[WARPS];
    double doubles[WARPS];
    int64_t counts[WARPS];
};

__device__ int64_t less(int64_t a, int64_t b) { return a < b ? a : b; }

struct First {
    __device__ int64_t operator()(int64_t a, int64_t b) const { return less(a, b); }
};

__global__ __launch_bounds__(THREADS) void teacher_kernel(TeacherPart part) {
    begin_in_turn();
    auto& shared = shared_memory<Shared>();
    const int64_t n = part.vocabulary, row = blockIdx.x;
    float* const z = part.logits + row * n;
    float most = -INFINITY;
    for (int64_t v = threadIdx.x; v < n; v += THREADS) {
        if (part.cap > 0) z[v] = soft_cap(z[v], part.cap);
        most = fmaxf(most, z[v]);
    }
    most = combined<Most>(most, shared.floats);
    int64_t best = n;
    double sum = 0, weighted = 0;
    for (int64_t v = threadIdx.x; v < n; v += THREADS) {
        const float distance = z[v] - most, power = expf(distance);
        if (distance == 0) best = less(best, v);
        sum += power;
        weighted += power * distance;
        z[v] = power;
    }
    best = combined<First>(best, shared.counts);
    sum = combined<Sum>(sum, shared.doubles);
    weighted = combined<Sum>(weighted, shared.doubles);
    if (threadIdx.x != 0) return;
    // None is best where there is a NaN.
    part.of[row] = {static_cast<float>(1 / sum), log(sum) - weighted / sum, best < n ? static_cast<int32_t>(best) : 0};
}

// Whether a logit comes before the one of `index`: among equals the first one is best.
__device__ __forceinline__ int64_t is_before(float z, int64_t v, float own, int64_t index) {
    return z > own || (z == own && v < index);
}

__global__ __launch_bounds__(THREADS) void loss_kernel(LossPart part) {
    begin_in_turn();
    auto& shared = shared_memory<Shared>();
    const int64_t n = part.vocabulary, row = blockIdx.x;
    float* const z = part.logits + row * n;
    const float weight = part.row_weights == nullptr ? 1 : part.row_weights[row];
    LossRow result{weight, 0, 0, 0, -1, -1};
    if (weight == 0) {
        for (int64_t v = threadIdx.x; v < n; v += THREADS) z[v] = 0;
    } else {
        const int64_t at = part.powers == nullptr ? 0 : part.teacher_rows[row] - part.teacher_first;
        const float* const powers = part.powers == nullptr ? nullptr : part.powers + at * n;
        const TeacherRow teacher = powers == nullptr ? TeacherRow{0, 0, -1} : part.teacher[at];
        const int32_t target = part.targets[row];
        const int32_t best = part.teacher_best != nullptr ? part.teacher_best[row] : teacher.best;
        const float of_target = target < 0 ? 0 : z[target], of_best = best < 0 ? 0 : z[best];
        float most = -INFINITY;
        int64_t before_target = 0, before_best = 0;
        for (int64_t v = threadIdx.x; v < n; v += THREADS) {
            const float value = z[v];
            most = fmaxf(most, value);
            before_target += is_before(value, v, of_target, target);
            before_best += is_before(value, v, of_best, best);
        }
        most = combined<Most>(most, shared.floats);
        before_target = combined<Sum>(before_target, shared.counts);
        before_best = combined<Sum>(before_best, shared.counts);
        double sum = 0, weighted = 0;
        for (int64_t v = threadIdx.x; v < n; v += THREADS) {
            const float distance = z[v] - most;
            sum += expf(distance);
            if (powers != nullptr) weighted += powers[v] * distance;
        }
        sum = combined<Sum>(sum, shared.doubles);
        weighted = combined<Sum>(weighted, shared.doubles);
        const double log_sum = log(sum);
        if (target >= 0) {
            result.target_rank = before_target;
            result.data = log_sum - (static_cast<double>(of_target) - most);
        }
        if (best >= 0) result.best_rank = before_best;
        if (powers != nullptr) {
            result.teacher = log_sum - weighted * teacher.inverse_sum;
            result.entropy = teacher.entropy;
        }
        const float data_factor = target >= 0 ? weight * part.data_scale : 0;
        const float teacher_factor = powers != nullptr ? weight * part.teacher_scale : 0;
        const auto own_factor = static_cast<float>((data_factor + teacher_factor) / sum);
        const float its_factor = -teacher_factor * teacher.inverse_sum;
        for (int64_t v = threadIdx.x; v < n; v += THREADS) {
            float gradient = own_factor * expf(z[v] - most);
            if (powers != nullptr) gradient = fmaf(its_factor, powers[v], gradient);
            z[v] = v == target ? gradient - data_factor : gradient;
        }
    }
    if (threadIdx.x != 0) return;
    part.of[row] = result;
    if (part.target_ranks != nullptr) part.target_ranks[row] = static_cast<int32_t>(result.target_rank);
    if (part.best_ranks != nullptr) part.best_ranks[row] = static_cast<int32_t>(result.best_rank);
}

}  // namespace

hydra_status teach(Stream* stream, TeacherPart part) {
    return launch(stream, "teacher_kernel", teacher_kernel, dim3(static_cast<unsigned>(part.rows)), THREADS,
                  sizeof(Shared), part);
}

hydra_status loss(Stream* stream, LossPart part) {
    return launch(stream, "loss_kernel", loss_kernel, dim3(static_cast<unsigned>(part.rows)), THREADS, sizeof(Shared),
                  part);
}

}  // namespace hydra::cuda::training
