// Operations that treat every element, or every row, by itself.
#include <cmath>
#include <cstring>

#include "train/cpu/device.h"
#include "train/table_ids.h"

namespace hydra::train {

namespace {

constexpr int64_t ROWS = 16;  // of a task

int64_t row_tasks(int64_t rows) { return (rows + ROWS - 1) / ROWS; }

}  // namespace

void CpuDevice::fill(int64_t count, float value, float* x) {
    each_run(count, [&](int64_t first, int64_t n) { std::fill(x + first, x + first + n, value); });
}

void CpuDevice::add(int64_t count, float scale, const float* x, float* y) {
    each_run(count, [&](int64_t first, int64_t n) { kernels_.add(n, scale, x + first, y + first); });
}

void CpuDevice::copy_columns(int64_t rows, int64_t columns, bool add, Columns<const float> source,
                             Columns<float> target) {
    each(row_tasks(rows), rows * columns, [&](int64_t i, int) {
        for (int64_t r = i * ROWS; r < std::min(rows, (i + 1) * ROWS); ++r) {
            if (add) {
                kernels_.add(columns, 1, source.row(r), target.row(r));
                continue;
            }
            std::memcpy(target.row(r), source.row(r), static_cast<size_t>(columns) * sizeof(float));
        }
    });
}

void CpuDevice::gather(int64_t rows, int64_t columns, const float* table, int64_t table_rows, const int32_t* ids,
                       Columns<float> target) {
    check_table_ids(rows, ids, table_rows);
    each(row_tasks(rows), rows * columns, [&](int64_t i, int) {
        for (int64_t r = i * ROWS; r < std::min(rows, (i + 1) * ROWS); ++r) {
            const size_t bytes = static_cast<size_t>(columns) * sizeof(float);
            if (ids[r] < 0) {
                std::memset(target.row(r), 0, bytes);
            } else {
                std::memcpy(target.row(r), table + ids[r] * columns, bytes);
            }
        }
    });
}

void CpuDevice::scatter_add(int64_t rows, int64_t columns, Columns<const float> source, const int32_t* ids,
                            float* table, int64_t table_rows) {
    check_table_ids(rows, ids, table_rows);
    constexpr int64_t WIDTH = 64;  // columns of a task: rows may meet in one row of the table
    each((columns + WIDTH - 1) / WIDTH, rows * columns, [&](int64_t i, int) {
        const int64_t first = i * WIDTH, n = std::min(WIDTH, columns - first);
        for (int64_t r = 0; r < rows; ++r) {
            if (ids[r] >= 0) kernels_.add(n, 1, source.row(r) + first, table + ids[r] * columns + first);
        }
    });
}

void CpuDevice::dropout(int64_t count, float probability, Draw draw, const float* x, float* y) {
    each_run(count, [&](int64_t first, int64_t n) {
        kernels_.dropout(n, probability, draw.seed, draw.step, draw.site, first, x + first, y + first);
    });
}

void CpuDevice::noise(int64_t count, float scale, Draw draw, const float* x, float* y) {
    each_run(count, [&](int64_t first, int64_t n) {
        kernels_.noise(n, scale, draw.seed, draw.step, draw.site, first, x + first, y + first);
    });
}

void CpuDevice::silu_forward(int64_t count, const float* x, float* y) {
    each_run(count, [&](int64_t first, int64_t n) { kernels_.silu(n, x + first, y + first); });
}

void CpuDevice::silu_backward(int64_t count, const float* x, const float* gy, float* gx) {
    each_run(count, [&](int64_t first, int64_t n) { kernels_.silu_gradient(n, x + first, gy + first, gx + first); });
}

void CpuDevice::swiglu_forward(int64_t count, const float* gate, const float* up, float* y) {
    each_run(count, [&](int64_t first, int64_t n) { kernels_.swiglu(n, gate + first, up + first, y + first); });
}

void CpuDevice::swiglu_backward(int64_t count, const float* gate, const float* up, const float* gy, float* g_gate,
                                float* g_up) {
    each_run(count, [&](int64_t first, int64_t n) {
        kernels_.swiglu_gradient(n, gate + first, up + first, gy + first, g_gate + first, g_up + first);
    });
}

void CpuDevice::residual(int64_t count, const float* x, const float* a, float* y) {
    each_run(count, [&](int64_t first, int64_t n) { kernels_.residual(n, x + first, a + first, y + first); });
}

void CpuDevice::rms_norm_forward(int64_t rows, int64_t width, float epsilon, const float* x, const float* weight,
                                 float* y, float* inverse) {
    each(row_tasks(rows), rows * width, [&](int64_t i, int) {
        for (int64_t r = i * ROWS; r < std::min(rows, (i + 1) * ROWS); ++r) {
            const float mean = kernels_.square_sum(width, x + r * width) / static_cast<float>(width);
            inverse[r] = 1 / std::sqrt(mean + epsilon);
            kernels_.scaled(width, inverse[r], x + r * width, weight, y + r * width);
        }
    });
}

void CpuDevice::rms_norm_backward(int64_t rows, int64_t width, const float* x, const float* weight,
                                  const float* inverse, const float* gy, bool add, float* g_x, float* g_weight) {
    if (g_weight != nullptr) {
        constexpr int64_t WIDTH = 64;  // columns of a task
        each((width + WIDTH - 1) / WIDTH, rows * width, [&](int64_t i, int) {
            float sums[WIDTH] = {}, one[WIDTH];
            const int64_t first = i * WIDTH, n = std::min(WIDTH, width - first);
            for (int64_t r = 0; r < rows; ++r) {
                kernels_.scaled(n, inverse[r], x + r * width + first, gy + r * width + first, one);
                kernels_.add(n, 1, one, sums);
            }
            kernels_.add(n, 1, sums, g_weight + first);
        });
    }
    if (g_x == nullptr) return;
    each(row_tasks(rows), rows * width, [&](int64_t i, int) {
        for (int64_t r = i * ROWS; r < std::min(rows, (i + 1) * ROWS); ++r) {
            const int64_t at = r * width;
            const float dot = kernels_.weighted_dot(width, x + at, gy + at, weight);
            const float factor = dot * inverse[r] * inverse[r] * inverse[r] / static_cast<float>(width);
            kernels_.norm_gradient(width, x + at, weight, gy + at, inverse[r], factor, add, g_x + at);
        }
    });
}

}  // namespace hydra::train
