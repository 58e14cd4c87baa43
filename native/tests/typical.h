// Typical acceptance in double precision.
#pragma once

#include "reference.h"

namespace hydra::test {

// What a row of logits says of the next token.
struct TypicalRow {
    Doubles log_p;
    double entropy = 0;  // as typical acceptance has it

    TypicalRow(const Floats& logits, double temperature) {
        const double best = *std::max_element(logits.begin(), logits.end());
        double sum = 0;
        for (float value : logits) sum += std::exp((value - best) / temperature);
        for (float value : logits) {
            log_p.push_back((value - best) / temperature - std::log(sum));
            entropy -= std::exp(log_p.back()) * std::log(std::exp(log_p.back()) + 1e-5);
        }
    }

    double threshold(double epsilon, double alpha) const { return std::min(epsilon, alpha * std::exp(-entropy)); }
};

}  // namespace hydra::test
