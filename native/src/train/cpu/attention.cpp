// Attention by products of blocks of rows. Backward computes the probabilities again from the kept sums: once for
// blocks of queries, whose gradients are sums over keys, and once for blocks of keys, whose gradients are sums over
// queries.
#include <cmath>

#include "train/cpu/device.h"

namespace hydra::train {

namespace {

constexpr int64_t BLOCK = 64;  // rows

// Rows [first, first + rows) of a text of `length` rows that begins at row `text`.
struct Rows {
    int64_t text, length, first, rows;
};

std::vector<Rows> blocks(const Texts& texts) {
    std::vector<Rows> result;
    for (int64_t s = 0; s < texts.count; ++s) {
        const int64_t length = texts.starts[s + 1] - texts.starts[s];
        for (int64_t first = 0; first < length; first += BLOCK) {
            result.push_back({texts.starts[s], length, first, std::min(BLOCK, length - first)});
        }
    }
    return result;
}

// In elements: what `width` values of every pair of rows of a text take.
int64_t work(const Texts& texts, int64_t width) {
    int64_t pairs = 0;
    for (int64_t s = 0; s < texts.count; ++s) {
        const int64_t length = texts.starts[s + 1] - texts.starts[s];
        pairs += length * length;
    }
    return pairs * width / 16;
}

}  // namespace

void CpuDevice::rope(const Texts& texts, int64_t heads, int64_t head_size, const float* frequencies, bool inverse,
                     float* x) {
    const int64_t half = head_size / 2;
    int64_t longest = 0;
    for (int64_t s = 0; s < texts.count; ++s) longest = std::max(longest, texts.starts[s + 1] - texts.starts[s]);
    float* cosines = rows_.floats(2 * longest * half);
    float* sines = cosines + longest * half;
    each(longest, 16 * longest * half, [&](int64_t position, int) {
        for (int64_t i = 0; i < half; ++i) {
            const float angle = static_cast<float>(position) * frequencies[i];
            cosines[position * half + i] = std::cos(angle);
            sines[position * half + i] = inverse ? -std::sin(angle) : std::sin(angle);
        }
    });
    const std::vector<Rows> all = blocks(texts);
    each(static_cast<int64_t>(all.size()), texts.rows() * heads * head_size, [&](int64_t b, int) {
        const Rows& of = all[static_cast<size_t>(b)];
        for (int64_t r = of.first; r < of.first + of.rows; ++r) {
            float* row = x + (of.text + r) * heads * head_size;
            for (int64_t h = 0; h < heads; ++h) {
                kernels_.rotate(half, cosines + r * half, sines + r * half, row + h * head_size);
            }
        }
    });
}

void CpuDevice::attention_forward(const Attention& attention) {
    const auto& [texts, heads, kv_heads, size, q, k, v, y, log_sum] = attention;
    const std::vector<Rows> all = blocks(texts);
    const int64_t q_width = heads * size, kv_width = kv_heads * size, group = heads / kv_heads;
    const float scale = 1 / std::sqrt(static_cast<float>(size));
    each(static_cast<int64_t>(all.size()) * heads, work(texts, heads * size), [&](int64_t task, int thread) {
        // Later blocks have more to do: they come first.
        const Rows& of = all[all.size() - 1 - static_cast<size_t>(task / heads)];
        const int64_t h = task % heads, keys = of.first + of.rows;
        const int64_t row = of.text + of.first, q_at = row * q_width + h * size;
        const int64_t kv_at = of.text * kv_width + h / group * size;
        ThreadScratch& own = threads_[static_cast<size_t>(thread)];
        float* scores = own.scores.floats(of.rows * keys);
        multiply_alone(of.rows, keys, size, {q + q_at, q_width, false}, {k + kv_at, kv_width, false}, scores, keys,
                       false, own.panels);
        for (int64_t r = 0; r < of.rows; ++r) {
            float* line = scores + r * keys;
            const int64_t seen = of.first + r + 1;
            kernels_.combine(seen, scale, line, 0, nullptr, line);
            const float best = kernels_.best(seen, line).value;
            const double sum = kernels_.exp_sums(seen, best, line, nullptr, line).sum;
            kernels_.combine(seen, static_cast<float>(1 / sum), line, 0, nullptr, line);
            std::fill(line + seen, line + keys, 0.0f);
            log_sum[(row + r) * heads + h] = best + static_cast<float>(std::log(sum));
        }
        multiply_alone(of.rows, size, keys, {scores, keys, false}, {v + kv_at, kv_width, true}, y + q_at, q_width,
                       false, own.panels);
    });
}

void CpuDevice::attention_backward(const Attention& attention, const AttentionGradients& gradients) {
    const auto& [texts, heads, kv_heads, size, q, k, v, y, log_sum] = attention;
    const std::vector<Rows> all = blocks(texts);
    const int64_t q_width = heads * size, kv_width = kv_heads * size, group = heads / kv_heads;
    const float scale = 1 / std::sqrt(static_cast<float>(size));
    float* dots = rows_.floats(texts.rows() * heads);
    each(texts.rows(), texts.rows() * q_width, [&](int64_t r, int) {
        for (int64_t h = 0; h < heads; ++h) {
            const int64_t at = r * q_width + h * size;
            dots[r * heads + h] = kernels_.dot(size, gradients.y + at, y + at);
        }
    });
    // Probabilities p and gradients of scores g, both [queries][keys], of queries [query, query + queries) and keys
    // [key, key + keys) of a text: p = exp(q k scale - log sum), g = p (gy v - dot) scale.
    const auto recompute = [&](int64_t text, int64_t h, int64_t query, int64_t queries, int64_t key, int64_t keys,
                               float* p, float* g, Scratch& panels) {
        const int64_t q_at = (text + query) * q_width + h * size;
        const int64_t kv_at = (text + key) * kv_width + h / group * size;
        multiply_alone(queries, keys, size, {q + q_at, q_width, false}, {k + kv_at, kv_width, false}, p, keys, false,
                       panels);
        multiply_alone(queries, keys, size, {gradients.y + q_at, q_width, false}, {v + kv_at, kv_width, false}, g, keys,
                       false, panels);
        for (int64_t r = 0; r < queries; ++r) {
            const int64_t row = (text + query + r) * heads + h;
            const int64_t seen = std::clamp<int64_t>(query + r + 1 - key, 0, keys);
            float *line = p + r * keys, *slope = g + r * keys;
            kernels_.probabilities(seen, scale, log_sum[row], dots[row], line, slope);
            std::fill(line + seen, line + keys, 0.0f);
            std::fill(slope + seen, slope + keys, 0.0f);
        }
    };
    each(static_cast<int64_t>(all.size()) * heads, work(texts, heads * size), [&](int64_t task, int thread) {
        const Rows& of = all[all.size() - 1 - static_cast<size_t>(task / heads)];
        const int64_t h = task % heads, keys = of.first + of.rows;
        ThreadScratch& own = threads_[static_cast<size_t>(thread)];
        float* p = own.scores.floats(2 * of.rows * keys);
        float* g = p + of.rows * keys;
        recompute(of.text, h, of.first, of.rows, 0, keys, p, g, own.panels);
        multiply_alone(of.rows, size, keys, {g, keys, false},
                       {k + of.text * kv_width + h / group * size, kv_width, true},
                       gradients.q + (of.text + of.first) * q_width + h * size, q_width, false, own.panels);
    });
    each(static_cast<int64_t>(all.size()) * kv_heads, work(texts, heads * size), [&](int64_t task, int thread) {
        const Rows& of = all[static_cast<size_t>(task / kv_heads)];
        const int64_t kv_head = task % kv_heads, queries = of.length - of.first;
        const int64_t kv_at = (of.text + of.first) * kv_width + kv_head * size;
        ThreadScratch& own = threads_[static_cast<size_t>(thread)];
        float* p = own.scores.floats(2 * of.rows * queries);
        float* g = p + of.rows * queries;
        for (int64_t i = 0; i < group; ++i) {
            const int64_t h = kv_head * group + i, q_at = (of.text + of.first) * q_width + h * size;
            recompute(of.text, h, of.first, queries, of.first, of.rows, p, g, own.panels);
            multiply_alone(of.rows, size, queries, {p, of.rows, true}, {gradients.y + q_at, q_width, true},
                           gradients.v + kv_at, kv_width, i > 0, own.panels);
            multiply_alone(of.rows, size, queries, {g, of.rows, true}, {q + q_at, q_width, true}, gradients.k + kv_at,
                           kv_width, i > 0, own.panels);
        }
    });
}

}  // namespace hydra::train
