// Residual blocks, of what every device has.
#include "train/device.h"

using hydra::train::Block;
using hydra::train::BlockGradients;
using hydra::train::Linear;
using hydra::train::LinearGradients;

namespace {

Linear skip_of(const Block& block) {
    const Linear& linear = block.linear;
    return {linear.rows, linear.inputs, linear.outputs, linear.x, block.skip};
}

}  // namespace

void hydra_train_device::block_forward(const Block& block) {
    const Linear& linear = block.linear;
    linear_forward(linear, block.bias, false, block.a);
    const float* through = linear.x;
    if (block.skip != nullptr) {
        linear_forward(skip_of(block), block.skip_bias, false, block.y);
        through = block.y;
    }
    residual(linear.rows * linear.outputs, through, block.a, block.y);
}

void hydra_train_device::block_backward(const Block& block, const BlockGradients& gradients) {
    const Linear& linear = block.linear;
    if (linear.rows == 0) return;
    LinearGradients of = gradients.of;
    silu_backward(linear.rows * linear.outputs, block.a, gradients.y, gradients.a);
    if (block.skip != nullptr) {
        linear_backward(skip_of(block), gradients.y, {of.add, of.columns, of.x, gradients.skip, gradients.skip_bias});
    } else if (of.x != nullptr && of.x != gradients.y) {
        copy_columns(linear.rows, of.columns, of.add, {gradients.y, linear.outputs, 0}, {of.x, of.columns, 0});
    }
    // What goes around the linear layer is there already.
    of.add = true;
    linear_backward(linear, gradients.a, of);
}
