#include "train/cuda/device.h"

#include <algorithm>
#include <numeric>

#include "cuda/load.h"
#include "program/error.h"
#include "program/process.h"
#include "train/adamw.h"
#include "train/table_ids.h"

namespace hydra::train {

using cuda::training::Meetings;
using cuda::training::TextRows;

namespace {

// Tiles of a product that keep a large GPU busy, and the least depth of a part of one that has fewer.
constexpr int64_t ENOUGH_TILES = 256, TILE_ROWS = 128, TILE_COLUMNS = 64, LEAST_PART_DEPTH = 256;

int64_t parts_for(int64_t rows, int64_t columns, int64_t depth) {
    const int64_t tiles = cuda::training::pieces(rows, TILE_ROWS) * cuda::training::pieces(columns, TILE_COLUMNS);
    return std::clamp<int64_t>(std::min(ENOUGH_TILES / tiles, depth / LEAST_PART_DEPTH), 1, 64);
}

}  // namespace

void* DeviceScratch::bytes(int64_t count) {
    if (count > bytes_) {
        memory_.reset();
        bytes_ = 0;
        memory_ = owner_.allocate(count);
        bytes_ = count;
    }
    return memory_.get();
}

CudaDevice::Connection::~Connection() {
    if (!is_of_this_process()) return;
    if (stream != nullptr) api.stream_destroy(stream);
    if (device != nullptr) api.close(device);
}

bool CudaDevice::Connection::is_of_this_process() const { return forks() == opened_after; }

CudaDevice::CudaDevice(const char* library, int32_t ordinal, hydra_train_products precision)
    : connection_{cuda::table_of<cuda::DeviceApi>(cuda::load(library), library, "hydra_cuda_device_api",
                                                  cuda::DEVICE_API_VERSION),
                  forks()},
      api_(cuda::table_of<cuda::training::Api>(cuda::load(library), library, "hydra_cuda_train_api",
                                               cuda::training::API_VERSION)),
      precision_(precision) {
    int32_t devices = 0;
    must(connection_.api.count_devices(&devices));
    HYDRA_REQUIRE(ordinal >= 0 && ordinal < devices, "device is %d, must be from 0 to %d", ordinal, devices - 1);
    must(connection_.api.open(ordinal, &connection_.device));
    must(connection_.api.stream_create(connection_.device, &connection_.stream));
    stream_ = connection_.stream;
    cuda::DeviceFacts facts{};
    must(connection_.api.device_facts(ordinal, &facts));
    description = std::string("CUDA, ") + facts.name +
                  (precision == HYDRA_TRAIN_BF16 ? ", products of bf16" : ", products of float32");
}

void CudaDevice::require_usable() {
    if (!connection_.is_of_this_process()) {
        fail(HYDRA_UNAVAILABLE, "this process was forked after the device was opened: open one of its own");
    }
}

void CudaDevice::must(hydra_status status) const {
    if (status != HYDRA_OK) throw Failure(status, connection_.api.last_error());
}

Memory CudaDevice::allocate(int64_t bytes) {
    require_usable();
    void* data = nullptr;
    must(connection_.api.allocate(connection_.device, bytes, &data));
    return Memory(static_cast<uint8_t*>(data), [this, bytes](uint8_t* all) {
        known_ids_.overwritten(reinterpret_cast<const int32_t*>(all), bytes / static_cast<int64_t>(sizeof(int32_t)));
        if (connection_.is_of_this_process()) connection_.api.release(connection_.device, all);
    });
}

// From memory that is not pinned the call returns when the bytes have been read.
void CudaDevice::upload(void* target, const void* source, int64_t bytes) {
    require_usable();
    if (bytes > 0) must(connection_.api.enqueue_copy_in(stream_, target, source, bytes));
}

void CudaDevice::download(void* target, const void* source, int64_t bytes) {
    require_usable();
    must(connection_.api.stream_wait(stream_));
    if (bytes > 0) must(connection_.api.copy_out(connection_.device, target, source, bytes));
}

void CudaDevice::upload_ids(int32_t* target, const int32_t* ids, int64_t count) {
    known_ids_.overwritten(target, count);
    upload(target, ids, count * static_cast<int64_t>(sizeof(int32_t)));
    known_ids_.put(target, ids, count);
}

std::vector<int32_t> CudaDevice::ids_on_host(const int32_t* ids, int64_t count) {
    std::vector<int32_t> values;
    return known_ids_.find(ids, count, values) ? values : downloaded(ids, count);
}

void CudaDevice::copy_in(float* target, const float* source, int64_t count) {
    must(
        connection_.api.require_device_memory(connection_.device, source, count * static_cast<int64_t>(sizeof(float))));
    copy_columns(1, count, false, {source, count, 0}, {target, count, 0});
    must(connection_.api.stream_wait(stream_));
}

void CudaDevice::fill(int64_t count, float value, float* x) { must(api_.fill(stream_, count, value, x)); }

void CudaDevice::add(int64_t count, float scale, const float* x, float* y) {
    must(api_.add(stream_, count, scale, x, y));
}

void CudaDevice::copy_columns(int64_t rows, int64_t columns, bool add, Columns<const float> source,
                              Columns<float> target) {
    must(api_.copy_columns(stream_, rows, columns, add, source, target));
}

void CudaDevice::gather(int64_t rows, int64_t columns, const float* table, int64_t table_rows, const int32_t* ids,
                        Columns<float> target) {
    check_table_ids(rows, ids_on_host(ids, rows).data(), table_rows);
    must(api_.gather(stream_, rows, columns, table, ids, target));
}

// Rows that meet in one of the table are added in their order by one thread for each column.
void CudaDevice::scatter_add(int64_t rows, int64_t columns, Columns<const float> source, const int32_t* ids,
                             float* table, int64_t table_rows) {
    const std::vector<int32_t> targets = ids_on_host(ids, rows);
    check_table_ids(rows, targets.data(), table_rows);
    const auto target_of = [&](int32_t row) { return targets[static_cast<size_t>(row)]; };
    std::vector<int32_t> order(targets.size());
    std::iota(order.begin(), order.end(), 0);
    order.erase(std::remove_if(order.begin(), order.end(), [&](int32_t row) { return target_of(row) < 0; }),
                order.end());
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return target_of(a) < target_of(b); });
    if (order.empty()) return;
    // Targets, starts and order, one after another.
    std::vector<int32_t> distinct, starts;
    for (size_t i = 0; i < order.size(); ++i) {
        if (i > 0 && target_of(order[i]) == target_of(order[i - 1])) continue;
        distinct.push_back(target_of(order[i]));
        starts.push_back(static_cast<int32_t>(i));
    }
    const auto count = static_cast<int64_t>(distinct.size());
    starts.push_back(static_cast<int32_t>(order.size()));
    distinct.insert(distinct.end(), starts.begin(), starts.end());
    distinct.insert(distinct.end(), order.begin(), order.end());
    const int32_t* const all = uploaded(ids_, distinct);
    must(api_.scatter_add(stream_, columns, source, Meetings{count, all, all + count, all + 2 * count + 1}, table));
}

void CudaDevice::dropout(int64_t count, float probability, Draw draw, const float* x, float* y) {
    must(api_.dropout(stream_, count, probability, draw, x, y));
}

void CudaDevice::noise(int64_t count, float scale, Draw draw, const float* x, float* y) {
    must(api_.noise(stream_, count, scale, draw, x, y));
}

void CudaDevice::silu_forward(int64_t count, const float* x, float* y) {
    must(api_.silu_forward(stream_, count, x, y));
}

void CudaDevice::silu_backward(int64_t count, const float* x, const float* gy, float* gx) {
    must(api_.silu_backward(stream_, count, x, gy, gx));
}

void CudaDevice::swiglu_forward(int64_t count, const float* gate, const float* up, float* y) {
    must(api_.swiglu_forward(stream_, count, gate, up, y));
}

void CudaDevice::swiglu_backward(int64_t count, const float* gate, const float* up, const float* gy, float* g_gate,
                                 float* g_up) {
    must(api_.swiglu_backward(stream_, count, gate, up, gy, g_gate, g_up));
}

void CudaDevice::residual(int64_t count, const float* x, const float* a, float* y) {
    must(api_.residual(stream_, count, x, a, y));
}

void CudaDevice::rms_norm_forward(int64_t rows, int64_t width, float epsilon, const float* x, const float* weight,
                                  float* y, float* inverse) {
    must(api_.rms_norm_forward(stream_, rows, width, epsilon, x, weight, y, inverse));
}

void CudaDevice::rms_norm_backward(int64_t rows, int64_t width, const float* x, const float* weight,
                                   const float* inverse, const float* gy, bool add, float* g_x, float* g_weight) {
    if (g_weight != nullptr) add_column_sums(rows, width, x, gy, inverse, g_weight);
    if (g_x != nullptr) must(api_.rms_norm_backward(stream_, rows, width, x, weight, inverse, gy, add, g_x));
}

void CudaDevice::add_column_sums(int64_t rows, int64_t columns, const float* x, const float* y, const float* scale,
                                 float* out) {
    float* const sums = sums_.of<float>(cuda::training::column_sum_parts(rows) * columns);
    must(api_.column_sums(stream_, {rows, columns, x, y, scale, sums, out}));
}

void CudaDevice::multiply(int64_t rows, int64_t columns, int64_t depth, Operand left, Operand right, const float* bias,
                          bool add, float* c) {
    must(api_.product(stream_, {rows, columns, depth, left, right, c, columns, bias, add, precision_, 1, nullptr}));
}

void CudaDevice::add_product(int64_t rows, int64_t columns, int64_t depth, Operand left, Operand right, float* c) {
    const int64_t parts = parts_for(rows, columns, depth);
    float* const sums = parts == 1 ? nullptr : sums_.of<float>(parts * rows * columns);
    must(api_.product(stream_, {rows, columns, depth, left, right, c, columns, nullptr, true, precision_,
                                static_cast<int32_t>(parts), sums}));
}

void CudaDevice::linear_forward(const Linear& linear, const float* bias, bool add, float* y) {
    const auto& [rows, inputs, outputs, x, weight] = linear;
    multiply(rows, outputs, inputs, {x, inputs, false}, {weight, inputs, false}, bias, add, y);
}

void CudaDevice::linear_backward(const Linear& linear, const float* gy, const LinearGradients& gradients) {
    const auto& [rows, inputs, outputs, x, weight] = linear;
    if (rows == 0) return;
    if (gradients.x != nullptr) {
        multiply(rows, gradients.columns, outputs, {gy, outputs, false}, {weight, inputs, true}, nullptr, gradients.add,
                 gradients.x);
    }
    if (gradients.weight != nullptr) {
        add_product(outputs, inputs, rows, {gy, outputs, true}, {x, inputs, true}, gradients.weight);
    }
    if (gradients.bias != nullptr) add_column_sums(rows, outputs, gy, nullptr, nullptr, gradients.bias);
}

void CudaDevice::rope(const Texts& texts, int64_t heads, int64_t head_size, const float* frequencies, bool inverse,
                      float* x) {
    std::vector<int32_t> positions(static_cast<size_t>(texts.rows()));
    for (int64_t s = 0; s < texts.count; ++s) {
        std::iota(positions.begin() + texts.starts[s], positions.begin() + texts.starts[s + 1], 0);
    }
    if (positions.empty()) return;
    const int32_t* const at = uploaded(ids_, positions);
    const float* const turns = uploaded(floats_, std::vector<float>(frequencies, frequencies + head_size / 2));
    must(api_.rope(stream_, texts.rows(), heads, head_size, at, turns, inverse, x));
}

cuda::training::Attention CudaDevice::attention_of(const Attention& attention) {
    using cuda::training::ATTENTION_ROWS;
    using cuda::training::MOST_HEAD_SIZE;
    HYDRA_REQUIRE(attention.head_size <= MOST_HEAD_SIZE, "head_size is %lld, must be at most %lld on CUDA",
                  static_cast<long long>(attention.head_size), static_cast<long long>(MOST_HEAD_SIZE));
    std::vector<TextRows> blocks;
    const Texts& texts = attention.texts;
    for (int64_t s = 0; s < texts.count; ++s) {
        const auto text = static_cast<int32_t>(texts.starts[s]);
        const auto length = static_cast<int32_t>(texts.starts[s + 1] - texts.starts[s]);
        for (int32_t first = 0; first < length; first += ATTENTION_ROWS) blocks.push_back({text, length, first});
    }
    cuda::training::Attention result{};
    result.blocks = static_cast<int64_t>(blocks.size());
    result.of = uploaded(ids_, blocks);
    result.rows = texts.rows();
    result.heads = static_cast<int32_t>(attention.heads);
    result.kv_heads = static_cast<int32_t>(attention.kv_heads);
    result.head_size = static_cast<int32_t>(attention.head_size);
    result.q = attention.q;
    result.k = attention.k;
    result.v = attention.v;
    result.y = attention.y;
    result.log_sum = attention.log_sum;
    return result;
}

void CudaDevice::attention_forward(const Attention& attention) {
    const cuda::training::Attention of = attention_of(attention);
    if (of.blocks > 0) must(api_.attention_forward(stream_, of));
}

void CudaDevice::attention_backward(const Attention& attention, const AttentionGradients& gradients) {
    cuda::training::Attention of = attention_of(attention);
    if (of.blocks == 0) return;
    of.g_y = gradients.y;
    of.dots = floats_.of<float>(of.rows * of.heads);
    of.g_q = gradients.q;
    of.g_k = gradients.k;
    of.g_v = gradients.v;
    must(api_.attention_backward(stream_, of));
}

double CudaDevice::square_sum(int64_t count, const float* x) {
    if (count == 0) return 0;
    const int64_t parts = cuda::training::reduced_parts(count);
    double* const sums = sums_.of<double>(parts);
    must(api_.square_sums(stream_, count, x, sums));
    const std::vector<double> all = downloaded(sums, parts);
    return std::accumulate(all.begin(), all.end(), 0.0);
}

int64_t CudaDevice::count_nonfinite(int64_t count, const float* x) {
    if (count == 0) return 0;
    const int64_t parts = cuda::training::reduced_parts(count);
    int64_t* const counts = sums_.of<int64_t>(parts);
    must(api_.nonfinite_counts(stream_, count, x, counts));
    const std::vector<int64_t> all = downloaded(counts, parts);
    return std::accumulate(all.begin(), all.end(), int64_t{0});
}

void CudaDevice::adamw(const AdamW& step) {
    must(api_.adamw(stream_, step.count, factors_of(step), step.gradients, step.parameters, step.first, step.second));
}

}  // namespace hydra::train
