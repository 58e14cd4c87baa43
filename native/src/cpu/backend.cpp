#include "cpu/backend.h"

#include <algorithm>
#include <chrono>

#include "cpu/attention.h"
#include "program/error.h"

namespace hydra {

namespace {

void reserve_rows(Scratch::Rows& rows, int count, int64_t columns) {
    const int64_t blocks = (columns + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
    const int64_t groups = (count + ROW_GROUP - 1) / ROW_GROUP;
    rows.values = allocate<ValueBlock>(groups * blocks);
    rows.quantised = allocate<QuantisedBlock>(groups * blocks);
    rows.activations = {blocks * BLOCK_COLUMNS, rows.values.get(), rows.quantised.get()};
}

}  // namespace

void Scratch::reserve(int count, int64_t new_columns, int64_t new_positions) {
    if (new_columns > columns) {
        reserve_rows(rows, HYDRA_MAX_ROWS, new_columns);
        for (int i = 0; i < count; ++i) {
            reserve_rows(threads[i].rows, ROW_GROUP, new_columns);
            threads[i].normed = allocate<float>(new_columns);
            if (!threads[i].product) {
                threads[i].product = allocate<float>(2 * MAX_TILES * HYDRA_MAX_ROWS * TILE_ROWS);
            }
        }
        columns = new_columns;
    }
    if (new_positions > positions) {
        for (int i = 0; i < count; ++i) {
            threads[i].scores = allocate<float>(ATTENTION_VECTORS * new_positions);
            threads[i].keys = allocate<const float*>(new_positions / KEY_BLOCK + 1);
            threads[i].values = allocate<const float*>(new_positions / KEY_BLOCK + 1);
        }
        positions = new_positions;
    }
}

namespace {

struct StreamTask {
    hydra_backend* backend;
    const uint8_t* data;
    int64_t bytes;  // of each thread, a multiple of 64
    std::atomic<uint64_t> sum{0};
};

void stream(void* context, int thread) {
    auto* task = static_cast<StreamTask*>(context);
    task->sum += task->backend->kernels->read(task->data + thread * task->bytes, task->bytes);
}

}  // namespace

}  // namespace hydra

hydra_status hydra_backend_open_cpu(int32_t threads, const char* isa, hydra_backend** out) {
    return hydra::guarded("hydra_backend_open_cpu", [&] {
        HYDRA_REQUIRE(out != nullptr && isa != nullptr, "out or isa is null");
        HYDRA_REQUIRE(threads >= 1 && threads <= 256, "threads is %d, must be from 1 to 256", threads);
        const std::string name = isa;
        HYDRA_REQUIRE(name == "auto" || name == "avx512" || name == "avx2" || name == "portable",
                      "isa is '%s', must be auto, avx512, avx2 or portable", isa);
        const hydra::Kernels* kernels = name == "auto" ? hydra::best_kernels() : hydra::find_kernels(isa);
        if (kernels == nullptr)
            hydra::fail(HYDRA_UNAVAILABLE, "this processor does not have the instruction set %s", isa);
        *out = new hydra_backend(threads, kernels);
    });
}

void hydra_backend_close(hydra_backend* backend) { delete backend; }

const char* hydra_backend_isa(const hydra_backend* backend) { return backend == nullptr ? "" : backend->kernels->name; }

int32_t hydra_backend_threads(const hydra_backend* backend) { return backend == nullptr ? 0 : backend->team.threads(); }

hydra_status hydra_backend_stream_rate(hydra_backend* backend, int64_t bytes, int32_t repeats, double* out) {
    return hydra::guarded("hydra_backend_stream_rate", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        HYDRA_REQUIRE(bytes >= 65536 && bytes <= (int64_t{1} << 40), "bytes is %lld, must be from 65536 to 2^40",
                      static_cast<long long>(bytes));
        HYDRA_REQUIRE(repeats >= 1, "repeats is %d, must be positive", repeats);
        std::lock_guard<std::mutex> lock(backend->mutex);
        const int threads = backend->team.threads();
        hydra::StreamTask task{backend, nullptr, bytes / threads / 64 * 64};
        hydra::Aligned<uint8_t> data = hydra::allocate<uint8_t>(bytes);
        task.data = data.get();
        double best = 0;
        for (int i = 0; i <= repeats; ++i) {
            auto begin = std::chrono::steady_clock::now();
            backend->team.run(hydra::stream, &task);
            std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
            if (i > 0) best = std::max(best, static_cast<double>(task.bytes * threads) / seconds.count());
        }
        // The sum of zeros is zero: reading it here keeps the loops from being removed.
        *out = best + static_cast<double>(task.sum.load());
    });
}
