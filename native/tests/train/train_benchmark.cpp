// Times of products and of whole training steps of draft heads, with the share of the processor's peak that products
// reach.
//
//   train_benchmark products [isa]
//   train_benchmark step hidden vocabulary rows heads layers prefix(0|1) [threads] [isa]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "training.h"

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

void products(const char* isa) {
    struct Shape {
        int64_t rows, inputs, outputs;
    };
    // Blocks and LM heads of javalm-19m (384, 8192) and SmolLM2-135M (576, 49152).
    const Shape shapes[] = {{512, 384, 384},  {2048, 384, 384},  {1024, 1152, 384}, {576, 384, 8192},
                            {2048, 576, 576}, {1024, 1728, 576}, {504, 576, 49152}};
    for (const int threads : {1, 2}) {
        Lab lab(threads, isa);
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

}  // namespace
}  // namespace hydra::test

int main(int count, char** arguments) {
    if (count >= 2 && std::strcmp(arguments[1], "products") == 0) {
        hydra::test::products(count > 2 ? arguments[2] : "auto");
        return 0;
    }
    std::fprintf(stderr, "train_benchmark products [isa]\n");
    return 2;
}
