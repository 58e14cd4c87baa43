// Plain double-precision references of the operations, random data, and how results are compared.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace hydra::test {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

class Random {
  public:
    explicit Random(uint32_t seed) : engine_(seed) {}

    // `count` values of a normal distribution of mean 0.
    Floats normal(int64_t count, float deviation = 1.0f) {
        std::normal_distribution<float> distribution(0.0f, deviation);
        Floats values(static_cast<size_t>(count));
        for (float& value : values) value = distribution(engine_);
        return values;
    }

    // A whole number from 0 to below - 1.
    int below(int below) { return std::uniform_int_distribution<int>(0, below - 1)(engine_); }

    template <class T>
    void shuffle(std::vector<T>& values) {
        std::shuffle(values.begin(), values.end(), engine_);
    }

  private:
    std::mt19937 engine_;
};

// ||out - ref|| / ||ref||; NaN, which fails every comparison, where out has a NaN.
inline double relative_error(const Floats& out, const Doubles& reference) {
    if (out.size() != reference.size()) return NAN;
    double difference = 0, norm = 0;
    for (size_t i = 0; i < out.size(); ++i) {
        difference += (out[i] - reference[i]) * (out[i] - reference[i]);
        norm += reference[i] * reference[i];
    }
    return std::sqrt(difference / norm);
}

inline bool same_bits(const Floats& a, const Floats& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// Row `row` of a row-major matrix.
template <class T>
std::vector<T> row_of(const std::vector<T>& values, int64_t row, int64_t columns) {
    return std::vector<T>(values.begin() + row * columns, values.begin() + (row + 1) * columns);
}

template <class T>
void append(std::vector<T>& values, const std::vector<T>& more) {
    values.insert(values.end(), more.begin(), more.end());
}

inline Doubles rms_norm(const Doubles& x, const Floats& weight, float epsilon) {
    double squares = 0;
    for (double value : x) squares += value * value;
    const double scale = 1 / std::sqrt(squares / static_cast<double>(x.size()) + epsilon);
    Doubles out(x.size());
    for (size_t i = 0; i < x.size(); ++i) out[i] = x[i] * scale * weight[i];
    return out;
}

// weight [rows][x.size()] x + bias; bias may be empty.
inline Doubles product(const Floats& weight, const Doubles& x, const Floats& bias = {}) {
    const size_t rows = weight.size() / x.size();
    Doubles out(rows);
    for (size_t n = 0; n < rows; ++n) {
        for (size_t c = 0; c < x.size(); ++c) out[n] += weight[n * x.size() + c] * x[c];
        if (!bias.empty()) out[n] += bias[n];
    }
    return out;
}

inline double silu(double x) { return x / (1 + std::exp(-x)); }
inline double gelu(double x) { return x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) / 2; }

// Turns each pair of neighbouring values of every head by position * frequencies[pair].
inline void rotate(Doubles& values, int head_size, const Floats& frequencies, int position) {
    for (size_t i = 0; i < values.size(); i += 2) {
        const double angle = static_cast<float>(position) * frequencies[i % head_size / 2];
        const double a = values[i], b = values[i + 1];
        values[i] = a * std::cos(angle) - b * std::sin(angle);
        values[i + 1] = b * std::cos(angle) + a * std::sin(angle);
    }
}

// One query against the keys and values that it sees.
// scale: 0 for 1 / sqrt(d); cap: 0 for none.
inline Doubles attention(const Floats& query, const std::vector<Floats>& keys, const std::vector<Floats>& values,
                         double scale = 0, double cap = 0) {
    Doubles scores(keys.size());
    for (size_t j = 0; j < keys.size(); ++j) {
        for (size_t d = 0; d < query.size(); ++d) scores[j] += static_cast<double>(query[d]) * keys[j][d];
        scores[j] *= scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(query.size()));
        if (cap != 0) scores[j] = cap * std::tanh(scores[j] / cap);
    }
    const double best = *std::max_element(scores.begin(), scores.end());
    double total = 0;
    for (double& score : scores) total += score = std::exp(score - best);
    Doubles out(query.size());
    for (size_t j = 0; j < keys.size(); ++j) {
        for (size_t d = 0; d < query.size(); ++d) out[d] += scores[j] / total * values[j][d];
    }
    return out;
}

}  // namespace hydra::test
