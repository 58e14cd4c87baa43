// Products of matrices: both sides are copied into panels, a part of the depth at a time, and tiles of the result are
// computed from them in registers. Every value is summed in the order of the depth, in parts of DEPTH, whoever computes
// it.
#include "train/cpu/device.h"

namespace hydra::train {

namespace {

constexpr int64_t DEPTH = 384;       // of panels
constexpr int64_t ROWS = 192;        // of a task, a multiple of every tile's rows
constexpr int64_t COLUMNS = 192;     // of a task, a multiple of every tile's columns
constexpr int64_t MOST_ROWS = 9216;  // of which panels are made at a time, multiples as well
constexpr int64_t MOST_COLUMNS = 12288;

int64_t tiles(int64_t count, int width) { return (count + width - 1) / width; }

// Rows [first, ...) of an operand and columns [depth, ...).
Operand part(Operand of, int64_t first, int64_t depth) {
    of.data += of.transposed ? depth * of.stride + first : first * of.stride + depth;
    return of;
}

void pack(const Kernels& kernels, int width, int64_t tile, int64_t count, int64_t depth, Operand from, float* panels) {
    const int64_t first = tile * width;
    kernels.pack(width, static_cast<int>(std::min<int64_t>(width, count - first)), depth, part(from, first, 0),
                 panels + tile * width * depth);
}

struct Tiles {
    const float *left, *right;  // panels
    int64_t depth;
    int64_t rows, columns;
    float* c;
    int64_t stride;
    bool add;
};

// Those that begin in rows [row, row_end) and columns [column, column_end).
void multiply_tiles(const Kernels& kernels, const Tiles& of, int64_t row, int64_t row_end, int64_t column,
                    int64_t column_end) {
    for (int64_t j = column; j < column_end; j += kernels.tile_columns) {
        const int columns = static_cast<int>(std::min<int64_t>(kernels.tile_columns, of.columns - j));
        for (int64_t i = row; i < row_end; i += kernels.tile_rows) {
            const int rows = static_cast<int>(std::min<int64_t>(kernels.tile_rows, of.rows - i));
            kernels.multiply(of.depth, of.left + i * of.depth, of.right + j * of.depth, of.c + i * of.stride + j,
                             of.stride, rows, columns, of.add);
        }
    }
}

}  // namespace

void CpuDevice::multiply(int64_t rows, int64_t columns, int64_t depth, Operand a, Operand b, float* c, int64_t stride,
                         bool add) {
    const int height = kernels_.tile_rows, width = kernels_.tile_columns;
    const int64_t most = std::min(depth, DEPTH);
    float* left = left_.floats(tiles(std::min(rows, MOST_ROWS), height) * height * most);
    float* right = right_.floats(tiles(std::min(columns, MOST_COLUMNS), width) * width * most);
    std::atomic<int64_t> next[2] = {0, 0};
    run([&](int thread) {
        int64_t phase = 0;
        for (int64_t row = 0; row < rows; row += MOST_ROWS) {
            const int64_t n_rows = std::min(MOST_ROWS, rows - row);
            for (int64_t column = 0; column < columns; column += MOST_COLUMNS) {
                const int64_t n_columns = std::min(MOST_COLUMNS, columns - column);
                for (int64_t k = 0; k < depth; k += DEPTH, ++phase) {
                    const int64_t n = std::min(DEPTH, depth - k);
                    const int64_t left_tiles = tiles(n_rows, height), right_tiles = tiles(n_columns, width);
                    for (int64_t t = thread; t < left_tiles; t += team_.running()) {
                        pack(kernels_, height, t, n_rows, n, part(a, row, k), left);
                    }
                    for (int64_t t = thread; t < right_tiles; t += team_.running()) {
                        pack(kernels_, width, t, n_columns, n, part(b, column, k), right);
                    }
                    team_.barrier(thread);
                    // Nobody takes tasks of the phase before or the next one now.
                    if (thread == 0) next[(phase + 1) % 2].store(0, std::memory_order_relaxed);
                    const Tiles of{left, right, n, n_rows, n_columns, c + row * stride + column, stride, add || k > 0};
                    const int64_t down = (n_rows + ROWS - 1) / ROWS, across = (n_columns + COLUMNS - 1) / COLUMNS;
                    for (int64_t t; (t = next[phase % 2].fetch_add(1, std::memory_order_relaxed)) < down * across;) {
                        const int64_t i = t % down * ROWS, j = t / down * COLUMNS;
                        multiply_tiles(kernels_, of, i, std::min(i + ROWS, n_rows), j,
                                       std::min(j + COLUMNS, n_columns));
                    }
                    team_.barrier(thread);
                }
            }
        }
    });
}

void CpuDevice::multiply_alone(int64_t rows, int64_t columns, int64_t depth, Operand a, Operand b, float* c,
                               int64_t stride, bool add, Scratch& panels) const {
    const int height = kernels_.tile_rows, width = kernels_.tile_columns;
    const int64_t most = std::min(depth, DEPTH), left_tiles = tiles(rows, height), right_tiles = tiles(columns, width);
    float* left = panels.floats((left_tiles * height + right_tiles * width) * most);
    float* right = left + left_tiles * height * most;
    for (int64_t k = 0; k < depth; k += DEPTH) {
        const int64_t n = std::min(DEPTH, depth - k);
        for (int64_t t = 0; t < left_tiles; ++t) pack(kernels_, height, t, rows, n, part(a, 0, k), left);
        for (int64_t t = 0; t < right_tiles; ++t) pack(kernels_, width, t, columns, n, part(b, 0, k), right);
        multiply_tiles(kernels_, {left, right, n, rows, columns, c, stride, add || k > 0}, 0, rows, 0, columns);
    }
}

void CpuDevice::add_column_sums(int64_t rows, int64_t columns, const float* x, float* out) {
    constexpr int64_t WIDTH = 256;  // columns of a task
    each((columns + WIDTH - 1) / WIDTH, [&](int64_t i, int) {
        const int64_t first = i * WIDTH, n = std::min(WIDTH, columns - first);
        float sums[WIDTH] = {};
        for (int64_t r = 0; r < rows; ++r) kernels_.add(n, 1, x + r * columns + first, sums);
        kernels_.add(n, 1, sums, out + first);
    });
}

void CpuDevice::add_bias(int64_t rows, int64_t columns, const float* bias, float* y) {
    each(rows, [&](int64_t r, int) { kernels_.add(columns, 1, bias, y + r * columns); });
}

void CpuDevice::linear_forward(const Linear& linear, const float* bias, bool add, float* y) {
    const auto& [rows, inputs, outputs, x, weight] = linear;
    if (rows == 0) return;
    multiply(rows, outputs, inputs, {x, inputs, false}, {weight, inputs, false}, y, outputs, add);
    if (bias != nullptr) add_bias(rows, outputs, bias, y);
}

void CpuDevice::linear_backward(const Linear& linear, const float* gy, const LinearGradients& gradients) {
    const auto& [rows, inputs, outputs, x, weight] = linear;
    if (rows == 0) return;
    if (gradients.x != nullptr) {
        multiply(rows, gradients.columns, outputs, {gy, outputs, false}, {weight, inputs, true}, gradients.x,
                 gradients.columns, gradients.add);
    }
    if (gradients.weight != nullptr) {
        multiply(outputs, inputs, rows, {gy, outputs, true}, {x, inputs, true}, gradients.weight, inputs, true);
    }
    if (gradients.bias != nullptr) add_column_sums(rows, outputs, gy, gradients.bias);
}

void CpuDevice::block_forward(const Block& block) {
    const Linear& linear = block.linear;
    linear_forward(linear, block.bias, false, block.a);
    const float* through = linear.x;
    if (block.skip != nullptr) {
        linear_forward({linear.rows, linear.inputs, linear.outputs, linear.x, block.skip}, block.skip_bias, false,
                       block.y);
        through = block.y;
    }
    each_run(linear.rows * linear.outputs, [&](int64_t first, int64_t n) {
        kernels_.residual(n, through + first, block.a + first, block.y + first);
    });
}

void CpuDevice::block_backward(const Block& block, const BlockGradients& gradients) {
    const Linear& linear = block.linear;
    if (linear.rows == 0) return;
    LinearGradients of = gradients.of;
    silu_backward(linear.rows * linear.outputs, block.a, gradients.y, gradients.a);
    if (block.skip != nullptr) {
        linear_backward({linear.rows, linear.inputs, linear.outputs, linear.x, block.skip}, gradients.y,
                        {of.add, of.columns, of.x, gradients.skip, gradients.skip_bias});
    } else if (of.x != nullptr && of.x != gradients.y) {
        const Columns<const float> from{gradients.y, linear.outputs, 0};
        const Columns<float> to{of.x, of.columns, 0};
        each(linear.rows, [&](int64_t r, int) {
            if (!of.add) std::fill(to.row(r), to.row(r) + of.columns, 0.0f);
            kernels_.add(of.columns, 1, from.row(r), to.row(r));
        });
    }
    // What goes around the linear layer is there already.
    of.add = true;
    linear_backward(linear, gradients.a, of);
}

}  // namespace hydra::train
