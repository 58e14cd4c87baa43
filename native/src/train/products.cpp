// The C ABI of linear layers and residual blocks.
#include "train/operands.h"

using hydra::train::Linear;
using hydra::train::LinearGradients;
using hydra::train::Operands;
using hydra::train::operate;
using hydra::train::size;

namespace {

Linear linear(Operands& operands, int64_t rows, int64_t inputs, int64_t outputs, const hydra_train_buffer* x,
              const hydra_train_buffer* weight) {
    size("rows", rows);
    size("inputs", inputs, 1);
    size("outputs", outputs, 1);
    return {rows, inputs, outputs, operands.in("x", x, rows * inputs), operands.in("weight", weight, outputs * inputs)};
}

LinearGradients gradients(Operands& operands, const Linear& linear, bool add, int64_t columns, hydra_train_buffer* x,
                          hydra_train_buffer* weight, hydra_train_buffer* bias,
                          std::initializer_list<const void*> x_same) {
    if (x != nullptr) size("g_columns", columns, 1, linear.inputs);
    float* g_x = x == nullptr ? nullptr : operands.out("g_x", x, linear.rows * columns, x_same);
    float* g_weight = operands.out("g_weight", weight, linear.outputs * linear.inputs, {}, true);
    return {add, columns, g_x, g_weight, operands.out("g_bias", bias, linear.outputs, {}, true)};
}

hydra::train::Block block(Operands& operands, const hydra_train_block& of, bool forward) {
    hydra::train::Block block{};
    block.linear = linear(operands, of.rows, of.inputs, of.outputs, of.x, of.weight);
    block.bias = operands.in("bias", of.bias, of.outputs);
    const bool skips = of.skip != nullptr;
    HYDRA_REQUIRE(skips == (of.skip_bias != nullptr), "skip and skip_bias: one of them is null");
    HYDRA_REQUIRE(skips || of.inputs == of.outputs,
                  "inputs is %lld and outputs %lld: they differ, and there is no skip",
                  static_cast<long long>(of.inputs), static_cast<long long>(of.outputs));
    block.skip = operands.in("skip", of.skip, of.outputs * of.inputs, true);
    block.skip_bias = operands.in("skip_bias", of.skip_bias, of.outputs, true);
    if (forward) {
        block.a = operands.out("a", of.a, of.rows * of.outputs);
        block.y = operands.out("y", of.y, of.rows * of.outputs);
    }
    return block;
}

}  // namespace

hydra_status hydra_train_linear_forward(hydra_train_device* device, int64_t rows, int64_t inputs, int64_t outputs,
                                        const hydra_train_buffer* x, const hydra_train_buffer* weight,
                                        const hydra_train_buffer* bias, int32_t add, hydra_train_buffer* y) {
    return operate("hydra_train_linear_forward", device, [&] {
        const bool adds = hydra::train::flag("add", add);
        Operands operands(device);
        const Linear of = linear(operands, rows, inputs, outputs, x, weight);
        const float* biases = operands.in("bias", bias, outputs, true);
        device->linear_forward(of, biases, adds, operands.out("y", y, rows * outputs));
    });
}

hydra_status hydra_train_linear_backward(hydra_train_device* device, int64_t rows, int64_t inputs, int64_t outputs,
                                         const hydra_train_buffer* x, const hydra_train_buffer* weight,
                                         const hydra_train_buffer* gy, int32_t add, int64_t g_columns,
                                         hydra_train_buffer* g_x, hydra_train_buffer* g_weight,
                                         hydra_train_buffer* g_bias) {
    return operate("hydra_train_linear_backward", device, [&] {
        const bool adds = hydra::train::flag("add", add);
        Operands operands(device);
        const Linear of = linear(operands, rows, inputs, outputs, x, weight);
        const float* from = operands.in("gy", gy, rows * outputs);
        device->linear_backward(of, from, gradients(operands, of, adds, g_columns, g_x, g_weight, g_bias, {}));
    });
}

hydra_status hydra_train_block_forward(hydra_train_device* device, const hydra_train_block* arguments) {
    return operate("hydra_train_block_forward", device, [&] {
        HYDRA_REQUIRE(arguments != nullptr, "arguments is null");
        Operands operands(device);
        device->block_forward(block(operands, *arguments, true));
    });
}

hydra_status hydra_train_block_backward(hydra_train_device* device, const hydra_train_block* arguments) {
    return operate("hydra_train_block_backward", device, [&] {
        HYDRA_REQUIRE(arguments != nullptr, "arguments is null");
        const hydra_train_block& of = *arguments;
        const bool adds = hydra::train::flag("add", of.add);
        Operands operands(device);
        hydra::train::Block forward = block(operands, of, false);
        // Read, and written where the memory to work in is the same.
        float* a = const_cast<float*>(operands.in("a", of.a, of.rows * of.outputs));
        forward.a = a;
        hydra::train::BlockGradients backward{};
        backward.y = operands.in("gy", of.gy, of.rows * of.outputs);
        backward.a = operands.out("g_a", of.g_a, of.rows * of.outputs, {a});
        const bool in_place = !adds && of.skip == nullptr && of.g_columns == of.inputs;
        backward.of = gradients(operands, forward.linear, adds, of.g_columns, of.g_x, of.g_weight, of.g_bias,
                                {in_place ? backward.y : nullptr});
        HYDRA_REQUIRE(of.skip != nullptr || (of.g_skip == nullptr && of.g_skip_bias == nullptr),
                      "g_skip or g_skip_bias is given, and there is no skip");
        backward.skip = operands.out("g_skip", of.g_skip, of.outputs * of.inputs, {}, true);
        backward.skip_bias = operands.out("g_skip_bias", of.g_skip_bias, of.outputs, {}, true);
        device->block_backward(forward, backward);
    });
}
