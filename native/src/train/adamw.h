// What a step of AdamW multiplies by, from its options.
#pragma once

#include <cmath>

#include "train/device.h"
#include "train/kernels.h"

namespace hydra::train {

inline AdamWFactors factors_of(const AdamW& step) {
    const auto exponent = static_cast<double>(step.step);
    const double bias1 = 1 - std::pow(step.beta1, exponent), bias2 = 1 - std::pow(step.beta2, exponent);
    return {static_cast<float>(step.gradient_scale), static_cast<float>(step.beta1),
            static_cast<float>(1 - step.beta1),      static_cast<float>(step.beta2),
            static_cast<float>(1 - step.beta2),      static_cast<float>(1 - step.rate * step.decay),
            static_cast<float>(step.rate / bias1),   static_cast<float>(1 / std::sqrt(bias2)),
            static_cast<float>(step.epsilon)};
}

}  // namespace hydra::train
