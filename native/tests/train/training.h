// Devices and buffers that own themselves, and how gradients are judged: against central differences of a plain
// reference in double precision.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "hydra4j/train.h"
#include "reference.h"

namespace hydra::test {

using Ids = std::vector<int32_t>;

constexpr double GRADIENT_TOLERANCE = 1e-4;  // relative, by norms
constexpr double FORWARD_TOLERANCE = 1e-5;

// Fails the test with the library's message.
inline void must(hydra_status status) {
    if (status != HYDRA_OK) throw std::runtime_error(hydra_train_error_message());
}

struct CloseDevice {
    void operator()(hydra_train_device* device) const { hydra_train_device_close(device); }
};
struct DestroyBuffer {
    void operator()(hydra_train_buffer* buffer) const { hydra_train_buffer_destroy(buffer); }
};
using Device = std::unique_ptr<hydra_train_device, CloseDevice>;
using Buffer = std::unique_ptr<hydra_train_buffer, DestroyBuffer>;

// The library of a GPU on which tests are to run, or null: the processor.
inline const char* cuda_library() { return std::getenv("HYDRA4J_CUDA_LIBRARY"); }

// A processor's, or the GPU, whatever the number of threads and the instruction set.
inline Device open_device(int threads, const char* isa = "auto", hydra_train_products products = HYDRA_TRAIN_FLOAT32) {
    hydra_train_device* out = nullptr;
    must(cuda_library() != nullptr ? hydra_train_device_open_cuda(cuda_library(), 0, products, &out)
                                   : hydra_train_device_open_cpu(threads, isa, products, &out));
    return Device(out);
}

inline std::vector<std::string> instruction_sets(hydra_train_products products = HYDRA_TRAIN_FLOAT32) {
    if (cuda_library() != nullptr) return {"cuda"};
    std::vector<std::string> found;
    for (const char* isa : {"portable", "avx2", "avx512", "avx512_bf16", "amx_bf16"}) {
        if (products == HYDRA_TRAIN_FLOAT32 && std::string(isa).ends_with("_bf16")) continue;  // avx512's
        hydra_train_device* out = nullptr;
        if (hydra_train_device_open_cpu(1, isa, products, &out) == HYDRA_OK) found.push_back(isa);
        hydra_train_device_close(out);
    }
    return found;
}

// A device with the short ways in which tests fill and read its memory.
class Lab {
  public:
    explicit Lab(int threads = 2, const char* isa = "auto") : Lab(open_device(threads, isa)) {}
    explicit Lab(Device device) : device_(std::move(device)) {}

    hydra_train_device* device() const { return device_.get(); }

    hydra_train_buffer* floats(const Floats& values) { return filled(HYDRA_TRAIN_F32, values.data(), values.size()); }
    hydra_train_buffer* ids(const Ids& values) { return filled(HYDRA_TRAIN_I32, values.data(), values.size()); }
    // NaN, for what is to be set.
    hydra_train_buffer* unset(int64_t count) { return floats(Floats(static_cast<size_t>(count), NAN)); }
    hydra_train_buffer* zeros(int64_t count) { return floats(Floats(static_cast<size_t>(count))); }

    static Floats read(const hydra_train_buffer* buffer) {
        Floats values(static_cast<size_t>(hydra_train_buffer_count(buffer)));
        must(hydra_train_download(buffer, 0, values.data(), hydra_train_buffer_count(buffer)));
        return values;
    }
    static Ids read_ids(const hydra_train_buffer* buffer) {
        Ids values(static_cast<size_t>(hydra_train_buffer_count(buffer)));
        must(hydra_train_download(buffer, 0, values.data(), hydra_train_buffer_count(buffer)));
        return values;
    }

  private:
    hydra_train_buffer* filled(hydra_train_type type, const void* values, size_t count) {
        hydra_train_buffer* out = nullptr;
        must(hydra_train_buffer_create(device_.get(), type, std::max<int64_t>(static_cast<int64_t>(count), 1), &out));
        buffers_.emplace_back(out);
        must(hydra_train_upload(out, 0, values == nullptr ? out : values, static_cast<int64_t>(count)));
        return out;
    }

    Device device_;
    std::vector<Buffer> buffers_;  // destroyed first
};

inline Doubles doubles(const Floats& values) { return Doubles(values.begin(), values.end()); }

inline double dot(const Doubles& a, const Floats& b) {
    double total = 0;
    for (size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
    return total;
}

// The gradient of a function of one operand by central differences.
inline Doubles central_differences(const std::function<double(const Doubles&)>& of, const Floats& at) {
    constexpr double STEP = 1e-4;
    Doubles x = doubles(at), gradient(at.size());
    for (size_t i = 0; i < x.size(); ++i) {
        const double before = x[i];
        x[i] = before + STEP;
        const double above = of(x);
        x[i] = before - STEP;
        gradient[i] = (above - of(x)) / (2 * STEP);
        x[i] = before;
    }
    return gradient;
}

// The operands of an operation by place; a reference computes its results from them.
using Operands = std::vector<Doubles>;
using Reference = std::function<Doubles(const Operands&)>;

inline Operands operands(const std::vector<Floats>& values) {
    Operands result;
    for (const Floats& value : values) result.push_back(doubles(value));
    return result;
}

// The gradient with respect to operand `which` of the sum of the results times `cotangents`.
inline Doubles reference_gradient(const Reference& reference, const std::vector<Floats>& values, size_t which,
                                  const Floats& cotangents) {
    Operands at = operands(values);
    return central_differences(
        [&](const Doubles& x) {
            at[which] = x;
            return dot(reference(at), cotangents);
        },
        values[which]);
}

// Calls body(lab) for every instruction set and several numbers of threads.
template <class Body>
void on_every_device(const Body& body) {
    for (const std::string& isa : instruction_sets()) {
        for (const int threads : {1, 3}) {
            SCOPED_TRACE(isa + ", threads: " + std::to_string(threads));
            Lab lab(threads, isa.c_str());
            body(lab);
        }
    }
}

// Whether compute(lab), which returns floats, gives the same bits for every number of threads and instruction set.
template <class Compute>
void expect_same_bits_everywhere(const Compute& compute) {
    Floats first;
    on_every_device([&](Lab& lab) {
        const Floats result = compute(lab);
        if (first.empty()) first = result;
        EXPECT_TRUE(same_bits(result, first));
    });
}

}  // namespace hydra::test
