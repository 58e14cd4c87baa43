// Norm, finite check and AdamW.
#include "train/adamw.h"
#include "train/cpu/device.h"

namespace hydra::train {

namespace {

constexpr int64_t PART = 1 << 16;  // elements whose sum is one number

int64_t parts(int64_t count) { return (count + PART - 1) / PART; }

}  // namespace

double CpuDevice::square_sum(int64_t count, const float* x) {
    std::vector<double> sums(static_cast<size_t>(parts(count)));
    each(parts(count), count, [&](int64_t i, int) {
        sums[static_cast<size_t>(i)] = kernels_.square_sum_double(std::min(PART, count - i * PART), x + i * PART);
    });
    double total = 0;
    for (const double sum : sums) total += sum;
    return total;
}

int64_t CpuDevice::count_nonfinite(int64_t count, const float* x) {
    std::atomic<int64_t> total{0};
    each(parts(count), count,
         [&](int64_t i, int) { total += kernels_.count_nonfinite(std::min(PART, count - i * PART), x + i * PART); });
    return total;
}

void CpuDevice::adamw(const AdamW& step) {
    const AdamWFactors factors = factors_of(step);
    each_run(step.count, [&](int64_t first, int64_t n) {
        kernels_.adamw(n, factors, step.gradients + first, step.parameters + first, step.first + first,
                       step.second + first);
    });
}

}  // namespace hydra::train
