// Products of matrices: both sides are copied into panels, a part of the depth at a time, and tiles of the result are
// computed from them. Every value is summed in the order of the depth, in parts of nearly the same size, whoever
// computes it.
#include "train/cpu/device.h"

namespace hydra::train {

namespace {

// With i outermost in a task, a panel of the left side stays in the first cache and those of the right side in the
// second: 150 GFLOP/s of a core that could do 189 (AVX-512, 2.95 GHz), 170 where all is in the first caches.
constexpr int64_t MOST_DEPTH = 640;    // of panels
constexpr int64_t TASK_ROWS = 192;     // at most; multiples of every tile's rows, as all numbers of rows here
constexpr int64_t TASK_COLUMNS = 192;  // and of columns
constexpr int64_t LEAST_TASK_ROWS = 24;
constexpr int64_t PACKED_ROWS = 48, PACKED_COLUMNS = 96;   // at a time
constexpr int64_t MOST_ROWS = 9216, MOST_COLUMNS = 12288;  // of which panels exist at a time

// The depth is cut into parts of nearly the same size.
int64_t part_of(int64_t depth, const Products& products) {
    const int64_t parts = (depth + MOST_DEPTH - 1) / MOST_DEPTH, step = std::max(products.depth_step, 16);
    return ((depth + parts - 1) / parts + step - 1) / step * step;
}

int64_t padded(int64_t count, int width) { return (count + width - 1) / width * width; }

// Rows [first, ...) of an operand and columns [depth, ...).
Operand part(Operand of, int64_t first, int64_t depth) {
    of.data += of.transposed ? depth * of.stride + first : first * of.stride + depth;
    return of;
}

// The calling thread multiplies while this exists.
class Multiplying {
  public:
    explicit Multiplying(const Products& products) : products_(products), before_(products.begin()) {}
    ~Multiplying() { products_.end(before_); }
    Multiplying(const Multiplying&) = delete;
    Multiplying& operator=(const Multiplying&) = delete;

  private:
    const Products& products_;
    const uint32_t before_;
};

struct Tiles {
    const float *left, *right;  // panels
    int64_t depth;
    int64_t rows, columns;
    float* c;
    int64_t stride;
    bool add;
};

// Those that begin in rows [row, row_end) and columns [column, column_end).
void multiply_tiles(const Products& products, const Tiles& of, int64_t row, int64_t row_end, int64_t column,
                    int64_t column_end) {
    const int64_t words = products.words(of.depth);
    for (int64_t i = row; i < row_end; i += products.tile_rows) {
        const int rows = static_cast<int>(std::min<int64_t>(products.tile_rows, of.rows - i));
        for (int64_t j = column; j < column_end; j += products.tile_columns) {
            const int columns = static_cast<int>(std::min<int64_t>(products.tile_columns, of.columns - j));
            products.multiply(of.depth, of.left + i * words, of.right + j * words, of.c + i * of.stride + j, of.stride,
                              rows, columns, of.add);
        }
    }
}

}  // namespace

void CpuDevice::multiply(int64_t rows, int64_t columns, int64_t depth, Operand a, Operand b, float* c, int64_t stride,
                         bool add) {
    const int64_t part_depth = part_of(depth, products_), part_words = products_.words(part_depth);
    float* left = left_.floats(padded(std::min(rows, MOST_ROWS), products_.tile_rows) * part_words);
    float* right = right_.floats(padded(std::min(columns, MOST_COLUMNS), products_.tile_columns) * part_words);
    std::atomic<int64_t> next[2] = {0, 0};
    const int64_t packed_rows = padded(PACKED_ROWS, products_.tile_rows);
    const int threads = threads_for(rows * columns * depth / 16);
    team_.run(threads, [&](int thread) {
        const Multiplying multiplying(products_);
        int64_t phase = 0;
        // One part of the depth of as many rows and columns as there are panels for.
        const auto multiply_part = [&](int64_t row, int64_t column, int64_t k) {
            const int64_t n_rows = std::min(MOST_ROWS, rows - row),
                          n_columns = std::min(MOST_COLUMNS, columns - column);
            const int64_t n = std::min(part_depth, depth - k), words = products_.words(n);
            for (int64_t i = thread * packed_rows; i < n_rows; i += threads * packed_rows) {
                products_.pack_left(std::min(packed_rows, n_rows - i), n, part(a, row + i, k), left + i * words);
            }
            for (int64_t j = thread * PACKED_COLUMNS; j < n_columns; j += threads * PACKED_COLUMNS) {
                products_.pack_right(std::min(PACKED_COLUMNS, n_columns - j), n, part(b, column + j, k),
                                     right + j * words);
            }
            team_.barrier(thread);
            // Nobody takes tasks of the part before or the next one now.
            if (thread == 0) next[(phase + 1) % 2].store(0, std::memory_order_relaxed);
            const Tiles of{left, right, n, n_rows, n_columns, c + row * stride + column, stride, add || k > 0};
            const int64_t across = (n_columns + TASK_COLUMNS - 1) / TASK_COLUMNS;
            int64_t height = TASK_ROWS;
            while (height > LEAST_TASK_ROWS && height / 2 % products_.tile_rows == 0 &&
                   (n_rows + height - 1) / height * across < 4 * threads) {
                height /= 2;
            }
            const int64_t tasks = (n_rows + height - 1) / height * across;
            for (int64_t t; (t = next[phase % 2].fetch_add(1, std::memory_order_relaxed)) < tasks;) {
                const int64_t i = t / across * height, j = t % across * TASK_COLUMNS;
                multiply_tiles(products_, of, i, std::min(i + height, n_rows), j,
                               std::min(j + TASK_COLUMNS, n_columns));
            }
            ++phase;
            team_.barrier(thread);
        };
        for (int64_t column = 0; column < columns; column += MOST_COLUMNS) {
            for (int64_t row = 0; row < rows; row += MOST_ROWS) {
                for (int64_t k = 0; k < depth; k += part_depth) multiply_part(row, column, k);
            }
        }
    });
}

void CpuDevice::multiply_alone(int64_t rows, int64_t columns, int64_t depth, Operand a, Operand b, float* c,
                               int64_t stride, bool add, Scratch& panels) const {
    const int64_t part_depth = part_of(depth, float32_), left_rows = padded(rows, float32_.tile_rows);
    float* left = panels.floats((left_rows + padded(columns, float32_.tile_columns)) * part_depth);
    float* right = left + left_rows * part_depth;
    for (int64_t k = 0; k < depth; k += part_depth) {
        const int64_t n = std::min(part_depth, depth - k);
        float32_.pack_left(rows, n, part(a, 0, k), left);
        float32_.pack_right(columns, n, part(b, 0, k), right);
        multiply_tiles(float32_, {left, right, n, rows, columns, c, stride, add || k > 0}, 0, rows, 0, columns);
    }
}

void CpuDevice::add_column_sums(int64_t rows, int64_t columns, const float* x, float* out) {
    constexpr int64_t WIDTH = 256;  // columns of a task
    each((columns + WIDTH - 1) / WIDTH, rows * columns, [&](int64_t i, int) {
        const int64_t first = i * WIDTH, n = std::min(WIDTH, columns - first);
        float sums[WIDTH] = {};
        for (int64_t r = 0; r < rows; ++r) kernels_.add(n, 1, x + r * columns + first, sums);
        kernels_.add(n, 1, sums, out + first);
    });
}

void CpuDevice::add_bias(int64_t rows, int64_t columns, const float* bias, float* y) {
    each(rows, rows * columns, [&](int64_t r, int) { kernels_.add(columns, 1, bias, y + r * columns); });
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

}  // namespace hydra::train
