// Times of products and of whole training steps of draft heads, with the share of the processor's peak that products
// reach.
//
//   train_benchmark products [float32|bf16 [isa]]
//   train_benchmark step hidden vocabulary rows heads blocks prefix(0|1) own_lm_heads(0|1) [threads [float32|bf16
//   [isa]]]
//
// A step: forward and backward of heads with soft targets from the base's LM head, and AdamW with the gradients' norm,
// over texts of at most 512 rows. The base itself is not run: its hidden states are given.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "heads_model.h"

namespace hydra::test {
namespace {

double seconds(int repeats, const std::function<void()>& body) {
    double best = INFINITY;
    for (int i = 0; i < repeats; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        body();
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return best;
}

void products(hydra_train_products of, const char* isa) {
    struct Shape {
        int64_t rows, inputs, outputs;
    };
    // Blocks and LM heads of javalm-19m (384, 8192) and SmolLM2-135M (576, 49152).
    const Shape shapes[] = {{512, 384, 384},  {2048, 384, 384},  {1024, 1152, 384}, {576, 384, 8192},
                            {2048, 576, 576}, {1024, 1728, 576}, {504, 576, 49152}};
    for (const int threads : {1, 2}) {
        Lab lab(open_device(threads, isa, of));
        std::printf("%s; GFLOP/s of forward, gradient of x, gradient of the weight\n",
                    hydra_train_device_description(lab.device()));
        for (const Shape& shape : shapes) {
            Random random(1);
            hydra_train_buffer* x = lab.floats(random.normal(shape.rows * shape.inputs));
            hydra_train_buffer* weight = lab.floats(random.normal(shape.outputs * shape.inputs));
            hydra_train_buffer* y = lab.zeros(shape.rows * shape.outputs);
            hydra_train_buffer* g_x = lab.zeros(shape.rows * shape.inputs);
            hydra_train_buffer* g_weight = lab.zeros(shape.outputs * shape.inputs);
            const double work = 2e-9 * static_cast<double>(shape.rows * shape.inputs * shape.outputs);
            const int repeats = std::max(3, static_cast<int>(10 / work));
            const double forward = seconds(repeats, [&] {
                must(hydra_train_linear_forward(lab.device(), shape.rows, shape.inputs, shape.outputs, x, weight,
                                                nullptr, 0, y));
            });
            const auto backward = [&](hydra_train_buffer* of_x, hydra_train_buffer* of_weight) {
                return seconds(repeats, [&] {
                    must(hydra_train_linear_backward(lab.device(), shape.rows, shape.inputs, shape.outputs, x, weight,
                                                     y, 0, shape.inputs, of_x, of_weight, nullptr));
                });
            };
            std::printf("%5lld x %5lld x %5lld  %7.1f %7.1f %7.1f\n", static_cast<long long>(shape.rows),
                        static_cast<long long>(shape.inputs), static_cast<long long>(shape.outputs), work / forward,
                        work / backward(g_x, nullptr), work / backward(nullptr, g_weight));
        }
    }
}

void step(const HeadsShape& shape, int64_t rows, int threads, hydra_train_products of, const char* isa) {
    Lab lab(open_device(threads, isa, of));
    Random random(1);
    HeadsModel model(lab, shape, random.normal(shape.vocabulary * shape.hidden, 0.05f),
                     random.normal(shape.vocabulary * shape.hidden, 0.05f));
    const Floats start = random.normal(model.count(), 0.02f);
    must(hydra_train_upload(model.parameters(), 0, start.data(), model.count()));
    HeadsBatch batch{{0}, random.normal(rows * shape.hidden), {}};
    while (batch.rows() < rows) batch.starts.push_back(std::min(rows, batch.rows() + 512));
    for (int64_t i = 0; i < rows; ++i) batch.tokens.push_back(random.below(static_cast<int>(shape.vocabulary)));
    const Objective objective{0, 1.0f / static_cast<float>(rows * shape.heads)};
    std::vector<double> times;
    double total = 0;
    for (int64_t i = 1; total < 7; ++i) {
        times.push_back(seconds(1, [&] {
            model.accumulate(batch, objective);
            model.update(i, 1e-4, 1);
        }));
        total += times.back();
        if (i <= 2) times.pop_back();  // memory is taken in these
    }
    std::sort(times.begin(), times.end());
    const double median = times[times.size() / 2];
    std::printf("%s: %.0f ms best, %.0f ms median of %zu, %.0f tokens/s\n",
                hydra_train_device_description(lab.device()), times[0] * 1e3, median * 1e3, times.size(),
                static_cast<double>(rows) / median);
}

}  // namespace
}  // namespace hydra::test

int main(int count, char** arguments) {
    // Kind of products and instruction set, from argument i on.
    const auto kind = [&](int i) {
        return count > i && std::strcmp(arguments[i], "bf16") == 0 ? HYDRA_TRAIN_BF16 : HYDRA_TRAIN_FLOAT32;
    };
    const auto isa = [&](int i) { return count > i + 1 ? arguments[i + 1] : "auto"; };
    if (count >= 2 && std::strcmp(arguments[1], "products") == 0) {
        hydra::test::products(kind(2), isa(2));
        return 0;
    }
    if (count >= 9 && std::strcmp(arguments[1], "step") == 0) {
        const auto number = [&](int i) { return std::atoll(arguments[i]); };
        const int64_t hidden = number(2), queries = hidden / 64;
        const hydra::test::HeadsShape shape{hidden,
                                            number(3),
                                            number(5),
                                            number(6),
                                            number(8) == 1,
                                            queries,
                                            number(7) == 1 ? std::max<int64_t>(1, queries / 3) : 0,
                                            64,
                                            hidden * 8 / 3,
                                            1e-5f,
                                            10000};
        hydra::test::step(shape, number(4), count > 9 ? static_cast<int>(number(9)) : 2, kind(10), isa(10));
        return 0;
    }
    std::fprintf(stderr,
                 "train_benchmark products [float32|bf16 [isa]]\n"
                 "train_benchmark step hidden vocabulary rows heads blocks prefix(0|1) own_lm_heads(0|1) [threads"
                 " [float32|bf16 [isa]]]\n");
    return 2;
}
