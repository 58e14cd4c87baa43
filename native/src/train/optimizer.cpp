// The C ABI of the optimiser.
#include <cmath>

#include "train/operands.h"

using hydra::train::Operands;
using hydra::train::operate;
using hydra::train::size;

namespace {

void check(const char* name, double value, double least, double below) {
    HYDRA_REQUIRE(value >= least && value < below, "%s is %g, must be at least %g and below %g", name, value, least,
                  below);
}

}  // namespace

hydra_status hydra_train_square_sum(hydra_train_device* device, int64_t count, const hydra_train_buffer* x,
                                    double* sum) {
    return operate("hydra_train_square_sum", device, [&] {
        HYDRA_REQUIRE(sum != nullptr, "sum is null");
        size("count", count, 0, hydra::train::MOST_ELEMENTS);
        *sum = device->square_sum(count, Operands(device).in("x", x, count));
    });
}

hydra_status hydra_train_count_nonfinite(hydra_train_device* device, int64_t count, const hydra_train_buffer* x,
                                         int64_t* out) {
    return operate("hydra_train_count_nonfinite", device, [&] {
        HYDRA_REQUIRE(out != nullptr, "out is null");
        size("count", count, 0, hydra::train::MOST_ELEMENTS);
        *out = device->count_nonfinite(count, Operands(device).in("x", x, count));
    });
}

hydra_status hydra_train_adamw_step(hydra_train_device* device, const hydra_train_adamw* arguments) {
    return operate("hydra_train_adamw_step", device, [&] {
        HYDRA_REQUIRE(arguments != nullptr, "arguments is null");
        const hydra_train_adamw& of = *arguments;
        size("count", of.count, 0, hydra::train::MOST_ELEMENTS);
        size("step", of.step, 1, INT32_MAX);
        check("rate", of.rate, 0, INFINITY);
        check("beta1", of.beta1, 0, 1);
        check("beta2", of.beta2, 0, 1);
        check("decay", of.decay, 0, INFINITY);
        HYDRA_REQUIRE(std::isfinite(of.epsilon) && of.epsilon > 0, "epsilon is %g, must be a positive number",
                      of.epsilon);
        HYDRA_REQUIRE(std::isfinite(of.gradient_scale), "gradient_scale is %g, must be finite", of.gradient_scale);
        Operands operands(device);
        const float* gradients = operands.in("gradients", of.gradients, of.count);
        float* parameters = operands.out("parameters", of.parameters, of.count);
        float* first = operands.out("first", of.first, of.count);
        device->adamw({of.count, parameters, gradients, first, operands.out("second", of.second, of.count), of.step,
                       of.rate, of.beta1, of.beta2, of.epsilon, of.decay, of.gradient_scale});
    });
}
