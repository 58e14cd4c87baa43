// The C ABI of what works on elements and rows.
#include <cmath>

#include "train/operands.h"

using hydra::train::Columns;
using hydra::train::Operands;
using hydra::train::operate;
using hydra::train::size;

namespace {

int64_t elements(int64_t count) { return size("count", count, 0, hydra::train::MOST_ELEMENTS); }

struct Shape {
    int64_t rows, columns;
};

Shape shape(int64_t rows, int64_t columns) { return {size("rows", rows), size("columns", columns, 1)}; }

// Elements of `rows` rows of `width` values, of which [column, column + columns) are used.
int64_t checked_width(const char* name, Shape shape, int64_t width, int64_t column) {
    HYDRA_REQUIRE(width >= 1 && width <= hydra::train::MOST_IN_ROW && column >= 0 && column <= width - shape.columns,
                  "%s has rows of %lld values: %lld columns from %lld on are not among them", name,
                  static_cast<long long>(width), static_cast<long long>(shape.columns), static_cast<long long>(column));
    return shape.rows * width;
}

void check_probability(float probability) {
    HYDRA_REQUIRE(probability >= 0 && probability < 1, "probability is %g, must be from 0 to below 1",
                  static_cast<double>(probability));
}

void check_finite(const char* name, float value) {
    HYDRA_REQUIRE(std::isfinite(value), "%s is %g, must be finite", name, static_cast<double>(value));
}

}  // namespace

hydra_status hydra_train_fill(hydra_train_device* device, int64_t count, float value, hydra_train_buffer* x) {
    return operate("hydra_train_fill", device,
                   [&] { device->fill(count, value, Operands(device).out("x", x, elements(count))); });
}

hydra_status hydra_train_add(hydra_train_device* device, int64_t count, float scale, const hydra_train_buffer* x,
                             hydra_train_buffer* y) {
    return operate("hydra_train_add", device, [&] {
        Operands operands(device);
        const float* from = operands.in("x", x, elements(count));
        device->add(count, scale, from, operands.out("y", y, count, {from}));
    });
}

hydra_status hydra_train_copy_columns(hydra_train_device* device, int64_t rows, int64_t columns,
                                      const hydra_train_buffer* source, int64_t source_width, int64_t source_column,
                                      hydra_train_buffer* target, int64_t target_width, int64_t target_column) {
    return operate("hydra_train_copy_columns", device, [&] {
        const Shape of = shape(rows, columns);
        Operands operands(device);
        const float* from = operands.in("source", source, checked_width("source", of, source_width, source_column));
        float* to = operands.out("target", target, checked_width("target", of, target_width, target_column));
        device->copy_columns(rows, columns, false, {from, source_width, source_column},
                             {to, target_width, target_column});
    });
}

hydra_status hydra_train_gather(hydra_train_device* device, int64_t rows, int64_t columns,
                                const hydra_train_buffer* table, int64_t table_rows, const hydra_train_buffer* ids,
                                hydra_train_buffer* target, int64_t target_width, int64_t target_column) {
    return operate("hydra_train_gather", device, [&] {
        const Shape of = shape(rows, columns);
        Operands operands(device);
        const float* from = operands.in("table", table, size("table_rows", table_rows, 1) * columns);
        const int32_t* which = operands.in_ids("ids", ids, rows);
        float* to = operands.out("target", target, checked_width("target", of, target_width, target_column));
        device->gather(rows, columns, from, table_rows, which, {to, target_width, target_column});
    });
}

hydra_status hydra_train_scatter_add(hydra_train_device* device, int64_t rows, int64_t columns,
                                     const hydra_train_buffer* source, int64_t source_width, int64_t source_column,
                                     const hydra_train_buffer* ids, hydra_train_buffer* table, int64_t table_rows) {
    return operate("hydra_train_scatter_add", device, [&] {
        const Shape of = shape(rows, columns);
        Operands operands(device);
        const float* from = operands.in("source", source, checked_width("source", of, source_width, source_column));
        const int32_t* which = operands.in_ids("ids", ids, rows);
        float* to = operands.out("table", table, size("table_rows", table_rows, 1) * columns);
        device->scatter_add(rows, columns, {from, source_width, source_column}, which, to, table_rows);
    });
}

hydra_status hydra_train_dropout(hydra_train_device* device, int64_t count, float probability, uint64_t seed,
                                 uint32_t step, uint32_t site, const hydra_train_buffer* x, hydra_train_buffer* y) {
    return operate("hydra_train_dropout", device, [&] {
        check_probability(probability);
        Operands operands(device);
        const float* from = operands.in("x", x, elements(count));
        device->dropout(count, probability, {seed, step, site}, from, operands.out("y", y, count, {from}));
    });
}

hydra_status hydra_train_noise(hydra_train_device* device, int64_t count, float scale, uint64_t seed, uint32_t step,
                               uint32_t site, const hydra_train_buffer* x, hydra_train_buffer* y) {
    return operate("hydra_train_noise", device, [&] {
        check_finite("scale", scale);
        Operands operands(device);
        const float* from = operands.in("x", x, elements(count));
        device->noise(count, scale, {seed, step, site}, from, operands.out("y", y, count, {from}));
    });
}

hydra_status hydra_train_silu_forward(hydra_train_device* device, int64_t count, const hydra_train_buffer* x,
                                      hydra_train_buffer* y) {
    return operate("hydra_train_silu_forward", device, [&] {
        Operands operands(device);
        const float* from = operands.in("x", x, elements(count));
        device->silu_forward(count, from, operands.out("y", y, count, {from}));
    });
}

hydra_status hydra_train_silu_backward(hydra_train_device* device, int64_t count, const hydra_train_buffer* x,
                                       const hydra_train_buffer* gy, hydra_train_buffer* gx) {
    return operate("hydra_train_silu_backward", device, [&] {
        Operands operands(device);
        const float* of = operands.in("x", x, elements(count));
        const float* from = operands.in("gy", gy, count);
        device->silu_backward(count, of, from, operands.out("gx", gx, count, {from}));
    });
}

hydra_status hydra_train_swiglu_forward(hydra_train_device* device, int64_t count, const hydra_train_buffer* gate,
                                        const hydra_train_buffer* up, hydra_train_buffer* y) {
    return operate("hydra_train_swiglu_forward", device, [&] {
        Operands operands(device);
        const float* gates = operands.in("gate", gate, elements(count));
        const float* ups = operands.in("up", up, count);
        device->swiglu_forward(count, gates, ups, operands.out("y", y, count, {gates, ups}));
    });
}

hydra_status hydra_train_swiglu_backward(hydra_train_device* device, int64_t count, const hydra_train_buffer* gate,
                                         const hydra_train_buffer* up, const hydra_train_buffer* gy,
                                         hydra_train_buffer* g_gate, hydra_train_buffer* g_up) {
    return operate("hydra_train_swiglu_backward", device, [&] {
        Operands operands(device);
        const float* gates = operands.in("gate", gate, elements(count));
        const float* ups = operands.in("up", up, count);
        const float* from = operands.in("gy", gy, count);
        float* to_gate = operands.out("g_gate", g_gate, count, {from});
        float* to_up = operands.out("g_up", g_up, count, {from});
        device->swiglu_backward(count, gates, ups, from, to_gate, to_up);
    });
}

hydra_status hydra_train_rms_norm_forward(hydra_train_device* device, int64_t rows, int64_t width, float epsilon,
                                          const hydra_train_buffer* x, const hydra_train_buffer* weight,
                                          hydra_train_buffer* y, hydra_train_buffer* inverse) {
    return operate("hydra_train_rms_norm_forward", device, [&] {
        HYDRA_REQUIRE(std::isfinite(epsilon) && epsilon >= 0, "epsilon is %g, must be 0 or a positive number",
                      static_cast<double>(epsilon));
        const Shape of = shape(rows, width);
        Operands operands(device);
        const float* from = operands.in("x", x, of.rows * width);
        const float* weights = operands.in("weight", weight, width);
        float* to = operands.out("y", y, rows * width);
        device->rms_norm_forward(rows, width, epsilon, from, weights, to, operands.out("inverse", inverse, rows));
    });
}

hydra_status hydra_train_rms_norm_backward(hydra_train_device* device, int64_t rows, int64_t width,
                                           const hydra_train_buffer* x, const hydra_train_buffer* weight,
                                           const hydra_train_buffer* inverse, const hydra_train_buffer* gy, int32_t add,
                                           hydra_train_buffer* g_x, hydra_train_buffer* g_weight) {
    return operate("hydra_train_rms_norm_backward", device, [&] {
        const Shape of = shape(rows, width);
        const bool adds = hydra::train::flag("add", add);
        Operands operands(device);
        const float* from = operands.in("x", x, of.rows * width);
        const float* weights = operands.in("weight", weight, width);
        const float* inverses = operands.in("inverse", inverse, rows);
        const float* gradients = operands.in("gy", gy, rows * width);
        float* to = operands.out("g_x", g_x, rows * width, {adds ? nullptr : gradients}, true);
        float* to_weight = operands.out("g_weight", g_weight, width, {}, true);
        device->rms_norm_backward(rows, width, from, weights, inverses, gradients, adds, to, to_weight);
    });
}
