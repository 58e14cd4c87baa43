// Products of bf16: what they sum, to the bit, on every instruction set; and training with them.
//
// The instructions of AVX-512 BF16 are taken where the processor has them, those of AMX are emulated elsewhere.
#include <xmmintrin.h>

#include "heads_model.h"
#include "program/half.h"
#include "train/cpu/device.h"

namespace hydra::portable {
extern const train::Kernels train_kernels;
extern const train::Products train_float32;
}  // namespace hydra::portable
namespace hydra::emulated {
extern const train::Products train_bf16;
}

namespace hydra::test {
namespace {

const train::InstructionSet EMULATED_TILES{"emulated tiles", nullptr, portable::train_kernels, portable::train_float32,
                                           emulated::train_bf16};

// Calls body(lab) for every way in which bf16 numbers can be multiplied here.
template <class Body>
void on_every_device_of_bf16(const Body& body, std::initializer_list<int> numbers = {1, 3}) {
    for (const int threads : numbers) {
        for (const std::string& isa : instruction_sets(HYDRA_TRAIN_BF16)) {
            SCOPED_TRACE(isa + ", threads: " + std::to_string(threads));
            Lab lab(open_device(threads, isa.c_str(), HYDRA_TRAIN_BF16));
            body(lab);
        }
        if (cuda_library() != nullptr) continue;
        SCOPED_TRACE("emulated tiles, threads: " + std::to_string(threads));
        Lab lab(Device(new train::CpuDevice(threads, EMULATED_TILES, HYDRA_TRAIN_BF16)));
        body(lab);
    }
}

struct Shape {
    int64_t rows, inputs, outputs;
};

struct LinearOperands {
    Floats x, weight, gy;

    LinearOperands(Random& random, Shape shape)
        : x(random.normal(shape.rows * shape.inputs)),
          weight(random.normal(shape.outputs * shape.inputs)),
          gy(random.normal(shape.rows * shape.outputs)) {}
};

// All three products: y, the gradient of x and that of the weight.
struct LinearResults {
    Floats y, g_x, g_weight;
};

LinearResults linear(Lab& lab, Shape shape, const LinearOperands& of) {
    hydra_train_buffer *x = lab.floats(of.x), *weight = lab.floats(of.weight), *gy = lab.floats(of.gy);
    hydra_train_buffer *y = lab.unset(shape.rows * shape.outputs), *g_x = lab.unset(shape.rows * shape.inputs);
    hydra_train_buffer* g_weight = lab.zeros(shape.outputs * shape.inputs);
    must(hydra_train_linear_forward(lab.device(), shape.rows, shape.inputs, shape.outputs, x, weight, nullptr, 0, y));
    must(hydra_train_linear_backward(lab.device(), shape.rows, shape.inputs, shape.outputs, x, weight, gy, 0,
                                     shape.inputs, g_x, g_weight, nullptr));
    return {lab.read(y), lab.read(g_x), lab.read(g_weight)};
}

// A matrix as a side of a product takes it: value k of row i.
struct Side {
    const Floats& values;
    int64_t stride;
    bool transposed;

    float at(int64_t i, int64_t k) const {
        const float value = values[static_cast<size_t>(transposed ? k * stride + i : i * stride + k)];
        return bfloat_to_float(float_to_bfloat(value));
    }
};

// Of rows [rows] and [columns] over the depth, as Intel's manual has it of TDPBF16PS with the first half of 32 values
// as the even ones, and of VDPBF16PS with neighbours as its pairs.
Floats sums(int64_t rows, int64_t columns, int64_t depth, Side a, Side b) {
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);  // denormals are zeros, as operands and as results
    Floats result;
    for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
            volatile float total = 0;
            for (int64_t group = 0; group < depth; group += 32) {
                volatile float parts[2] = {};
                for (int64_t k = group; k < std::min(depth, group + 32); ++k) {
                    volatile float& part = parts[(k - group) / 16];
                    part = std::fma(a.at(i, k), b.at(j, k), part);
                }
                const volatile float both = parts[0] + parts[1];
                total = total + both;
            }
            result.push_back(float{total});
        }
    }
    _mm_setcsr(before);
    return result;
}

// Below, at and beyond groups and tiles of every instruction set.
const Shape SHAPES[] = {{1, 1, 1},    {3, 5, 7},    {16, 32, 16},  {17, 33, 31},  {32, 48, 32},
                        {33, 64, 49}, {5, 97, 130}, {100, 130, 9}, {65, 160, 96}, {2, 31, 47}};

TEST(Bf16, SumsAreThoseOfTheInstructionsOnEveryInstructionSet) {
    if (cuda_library() != nullptr) GTEST_SKIP() << "a GPU adds in another order";
    Random random(1);
    for (const Shape& shape : SHAPES) {
        const LinearOperands of(random, shape);
        const Side x{of.x, shape.inputs, false}, columns_of_x{of.x, shape.inputs, true};
        const Side weight{of.weight, shape.inputs, false}, columns_of_weight{of.weight, shape.inputs, true};
        const Side gy{of.gy, shape.outputs, false}, columns_of_gy{of.gy, shape.outputs, true};
        const Floats y = sums(shape.rows, shape.outputs, shape.inputs, x, weight);
        const Floats g_x = sums(shape.rows, shape.inputs, shape.outputs, gy, columns_of_weight);
        const Floats g_weight = sums(shape.outputs, shape.inputs, shape.rows, columns_of_gy, columns_of_x);
        on_every_device_of_bf16([&](Lab& lab) {
            const LinearResults results = linear(lab, shape, of);
            SCOPED_TRACE(std::to_string(shape.rows) + " x " + std::to_string(shape.inputs) + " x " +
                         std::to_string(shape.outputs));
            EXPECT_TRUE(same_bits(results.y, y));
            EXPECT_TRUE(same_bits(results.g_x, g_x));
            EXPECT_TRUE(same_bits(results.g_weight, g_weight));
        });
    }
}

// Deeper than a part of a product.
TEST(Bf16, DeepProductsHaveTheSameBitsEverywhereAndEqualTheReference) {
    const Shape shape{50, 687, 70};
    Random random(2);
    const LinearOperands of(random, shape);
    Doubles expected;
    for (int64_t r = 0; r < shape.rows; ++r) {
        for (int64_t o = 0; o < shape.outputs; ++o) {
            double total = 0;
            for (int64_t i = 0; i < shape.inputs; ++i) {
                total += static_cast<double>(Side{of.x, shape.inputs, false}.at(r, i)) *
                         static_cast<double>(Side{of.weight, shape.inputs, false}.at(o, i));
            }
            expected.push_back(total);
        }
    }
    LinearResults first;
    on_every_device_of_bf16([&](Lab& lab) {
        const LinearResults results = linear(lab, shape, of);
        if (first.y.empty()) first = results;
        EXPECT_LT(relative_error(results.y, expected), FORWARD_TOLERANCE);
        EXPECT_TRUE(same_bits(results.y, first.y));
        EXPECT_TRUE(same_bits(results.g_x, first.g_x));
        EXPECT_TRUE(same_bits(results.g_weight, first.g_weight));
    });
}

// x in the first column, y = x times 1.
Floats copies(Lab& lab, const Floats& x) {
    const auto rows = static_cast<int64_t>(x.size());
    hydra_train_buffer* y = lab.unset(rows);
    must(hydra_train_linear_forward(lab.device(), rows, 1, 1, lab.floats(x), lab.floats({1}), nullptr, 0, y));
    return lab.read(y);
}

TEST(Bf16, OperandsAreRoundedToTheNearestOfEightBits) {
    const float ulp = 0x1p-7f, most = 0x1.fep127f;
    on_every_device_of_bf16([&](Lab& lab) {
        // A half goes to the even one; beyond the range lies infinity.
        const Floats x = {1, 1 + ulp, 1 + ulp / 2, 1 + 1.5f * ulp, 1 + ulp / 2 + 0x1p-23f, -1 - 0.75f * ulp, most};
        EXPECT_EQ(copies(lab, x), (Floats{1, 1 + ulp, 1, 1 + 2 * ulp, 1 + ulp, -1 - ulp, most}));
        if (cuda_library() != nullptr) return;
        const Floats extremes = copies(lab, {0x1.ffp127f, INFINITY, -INFINITY, NAN, __builtin_nansf("1")});
        EXPECT_EQ(extremes[0], INFINITY);
        EXPECT_EQ(extremes[1], INFINITY);
        EXPECT_EQ(extremes[2], -INFINITY);
        EXPECT_TRUE(std::isnan(extremes[3]) && std::isnan(extremes[4]));
    });
}

TEST(Bf16, TinyNumbersAreZeros) {
    if (cuda_library() != nullptr) GTEST_SKIP() << "a GPU keeps them";
    const unsigned state = _mm_getcsr();
    on_every_device_of_bf16([&](Lab& lab) {
        EXPECT_EQ(copies(lab, {0x1p-126f, 0x1p-127f, -0x1.fp-130f}), (Floats{0x1p-126f, 0, 0}));
        // A product that is tiny is one, and what is left of a sum: 2^-125 - 1.5 2^-126.
        hydra_train_buffer* y = lab.unset(2);
        const Floats x = {0x1p-70f, 0, 0x1p-70f, -0x1.8p-71f}, weight = {0x1p-60f, 0}, large = {0x1p-55f, 0x1p-55f};
        must(hydra_train_linear_forward(lab.device(), 2, 2, 1, lab.floats(x), lab.floats(weight), nullptr, 0, y));
        EXPECT_EQ(lab.read(y), (Floats{0, 0}));
        must(hydra_train_linear_forward(lab.device(), 2, 2, 1, lab.floats(x), lab.floats(large), nullptr, 0, y));
        EXPECT_EQ(lab.read(y), (Floats{0x1p-125f, 0}));
        // The caller's own numbers go on as before.
        volatile float least = 0x1p-126f;
        least = least / 2;
        EXPECT_EQ(least, 0x1p-127f);
    });
    EXPECT_EQ(_mm_getcsr() & ~0x3fU, state & ~0x3fU);
}

// Each operation that has products, forward and backward: blocks, linear layers, attention's projections, LM heads.
// Of random numbers, rounding to eight bits is off by 2^-9 / sqrt(3) of a value.
TEST(Bf16, GradientsAndLossesOfWholeHeadsAreNearThoseOfFloat32) {
    const HeadsShape shape{40, 70, 2, 2, true, 2, 1, 16, 48, 1e-5f, 10000};
    Random random(3);
    const Floats embedding = random.normal(shape.vocabulary * shape.hidden);
    const Floats base_head = random.normal(shape.vocabulary * shape.hidden, 0.3f);
    HeadsBatch batch{{0, 9, 33}, random.normal(33 * shape.hidden), {}};
    for (int i = 0; i < 33; ++i) batch.tokens.push_back(random.below(static_cast<int>(shape.vocabulary)));
    struct Run {
        std::vector<double> losses;
        std::map<std::string, Floats> gradients;
    };
    Floats start;
    const auto train = [&](Lab& lab) {
        HeadsModel model(lab, shape, embedding, base_head);
        if (start.empty()) start = random.normal(model.count(), 0.1f);
        must(hydra_train_upload(model.parameters(), 0, start.data(), model.count()));
        Run run;
        for (int step = 1; step <= 8; ++step) {
            run.losses.push_back(model.accumulate(batch, {0.01f, 0.02f}));
            if (step == 1) {
                const Floats all = lab.read(model.gradients());
                auto at = all.begin();
                for (const auto& [name, count] : model.names()) {
                    run.gradients[name] = Floats(at, at + count);
                    at += count;
                }
            }
            model.update(step, 1e-2, 1);
        }
        return run;
    };
    Lab plain(1);
    const Run expected = train(plain);
    ASSERT_LT(expected.losses.back(), 0.7 * expected.losses.front());
    std::vector<double> first;
    const auto expect_near = [&](Lab& lab) {
        const Run run = train(lab);
        for (const auto& [name, gradient] : run.gradients) {
            const double error = relative_error(gradient, doubles(expected.gradients.at(name)));
            EXPECT_LT(error, 0.02) << name;
            EXPECT_GT(error, 1e-5) << name;
        }
        for (size_t step = 0; step < run.losses.size(); ++step) {
            EXPECT_NEAR(run.losses[step] / expected.losses[step], 1, 0.02) << step;
        }
        if (first.empty()) first = run.losses;
        EXPECT_EQ(run.losses, first);
    };
    on_every_device_of_bf16(expect_near, {3});
}

TEST(Bf16, InstructionSetsAreRefusedWhereTheProcessorLacksThem) {
    if (cuda_library() != nullptr) GTEST_SKIP() << "this is of the processor";
    const std::vector<std::string> found = instruction_sets(HYDRA_TRAIN_BF16);
    for (const char* isa : {"avx2", "avx512", "avx512_bf16", "amx_bf16"}) {
        hydra_train_device* out = nullptr;
        const hydra_status status = hydra_train_device_open_cpu(2, isa, HYDRA_TRAIN_BF16, &out);
        const Device device(out);
        if (std::find(found.begin(), found.end(), isa) != found.end()) {
            EXPECT_EQ(std::string(hydra_train_device_description(device.get())),
                      std::string("CPU, 2 threads, ") + isa + ", products of bf16");
        } else {
            EXPECT_EQ(status, HYDRA_UNAVAILABLE);
            EXPECT_NE(std::string(hydra_train_error_message()).find(isa), std::string::npos);
        }
    }
    hydra_train_device* out = nullptr;
    EXPECT_EQ(hydra_train_device_open_cpu(1, "auto", 2, &out), HYDRA_INVALID_ARGUMENT);
    EXPECT_NE(std::string(hydra_train_error_message()).find("products is 2"), std::string::npos);
}

}  // namespace
}  // namespace hydra::test
