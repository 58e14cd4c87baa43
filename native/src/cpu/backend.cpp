#include "cpu/backend.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "cpu/attention.h"
#include "cpu/kv_pool.h"
#include "cpu/matrix.h"
#include "cpu/program.h"
#include "cpu/system_memory.h"
#include "program/error.h"
#include "program/stream.h"

namespace hydra {

namespace {

// Blocks that hold so many activation rows of so many columns.
struct RowBlocks {
    int64_t blocks, planes;  // of values and quantised ones; of planes
    int64_t tiles, signed_blocks, signed_planes;

    RowBlocks(int count, int64_t columns, Scratch::Also also) {
        const auto groups = [&](int size) { return (count + size - 1) / size; };
        const int64_t of_row = (columns + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
        blocks = groups(ROW_GROUP) * of_row;
        planes = groups(PLANE_GROUP) * plane_blocks(columns);
        tiles = also.tiles ? groups(TILE_GROUP) * of_row : 0;
        signed_blocks = also.signs ? blocks : 0;
        signed_planes = also.signs ? planes : 0;
    }
    int64_t bytes() const {
        return blocks * static_cast<int64_t>(sizeof(ValueBlock) + sizeof(QuantisedBlock)) +
               planes * static_cast<int64_t>(sizeof(PlaneBlock)) + tiles * static_cast<int64_t>(sizeof(TileBlock)) +
               signed_blocks * static_cast<int64_t>(sizeof(SignedBlock)) +
               signed_planes * static_cast<int64_t>(sizeof(SignedPlaneBlock));
    }
};

void reserve_rows(Scratch::Rows& rows, int count, int64_t columns, Scratch::Also also) {
    const RowBlocks needed(count, columns, also);
    Aligned<ValueBlock> values = allocate<ValueBlock>(needed.blocks);
    Aligned<QuantisedBlock> quantised = allocate<QuantisedBlock>(needed.blocks);
    Aligned<TileBlock> tiles;
    if (also.tiles) tiles = allocate<TileBlock>(needed.tiles);
    Aligned<SignedBlock> signed_blocks;
    Aligned<SignedPlaneBlock> signed_planes;
    if (also.signs) {
        signed_blocks = allocate<SignedBlock>(needed.signed_blocks);
        signed_planes = allocate<SignedPlaneBlock>(needed.signed_planes);
    }
    // Only when all are there: programs recorded before go on with what they have.
    rows.planes = allocate<PlaneBlock>(needed.planes);
    rows.values = std::move(values);
    rows.quantised = std::move(quantised);
    rows.tiles = std::move(tiles);
    rows.signed_blocks = std::move(signed_blocks);
    rows.signed_planes = std::move(signed_planes);
    rows.activations = {(columns + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS * BLOCK_COLUMNS,
                        rows.values.get(),
                        rows.quantised.get(),
                        rows.planes.get(),
                        rows.tiles.get(),
                        rows.signed_blocks.get(),
                        rows.signed_planes.get()};
}

constexpr int SHARED_ROWS = 2 * SLICE_ROWS, OWN_ROWS = 2 * ROW_GROUP;
constexpr int64_t PRODUCT_FLOATS = 2 * MAX_TILES * SLICE_ROWS * TILE_ROWS;

}  // namespace

int64_t Scratch::bytes_of_rows(int count, int64_t columns, Also also) {
    const int64_t own = RowBlocks(OWN_ROWS, columns, {false, also.signs}).bytes() + 4 * (columns + PRODUCT_FLOATS);
    return RowBlocks(SHARED_ROWS, columns, also).bytes() + count * own;
}

int64_t Scratch::bytes_of_attention(int count, int64_t positions) {
    const auto pointers = static_cast<int64_t>(2 * sizeof(float*)) * (positions / KEY_BLOCK + 1);
    return count * (4 * ATTENTION_VECTORS * positions + pointers);
}

Activations Scratch::apart(int thread, int threads) const {
    Activations own = rows.activations;
    const RowBlocks before(2 * apart_rows(threads) * thread, columns, {false, false});
    // Planes have groups of twice as many rows, and no remainders.
    const int64_t planes_before = SHARED_ROWS / PLANE_GROUP / threads * thread * plane_blocks(columns);
    own.values += before.blocks;
    own.quantised += before.blocks;
    own.planes += planes_before;
    if (own.signed_blocks != nullptr) {
        own.signed_blocks += before.blocks;
        own.signed_planes += planes_before;
    }
    return own;
}

void Scratch::reserve(int count, int64_t new_columns, int64_t new_positions, Also also) {
    if (new_columns > columns) {
        reserve_rows(rows, SHARED_ROWS, new_columns, also);
        for (int i = 0; i < count; ++i) {
            reserve_rows(threads[i].rows, OWN_ROWS, new_columns, {false, also.signs});
            threads[i].normed = allocate<float>(new_columns);
            if (!threads[i].product) {
                threads[i].product = allocate<float>(PRODUCT_FLOATS);
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
    const Kernels* kernels;
    const uint8_t* data;
    int64_t bytes;  // of each thread, a multiple of 64
    std::atomic<uint64_t> sum{0};
};

void stream(void* context, int thread) {
    auto* task = static_cast<StreamTask*>(context);
    task->sum += task->kernels->read(task->data + thread * task->bytes, task->bytes);
}

}  // namespace

CpuBackend::CpuBackend(int count, const Kernels* table)
    : kernels(table),
      team(count),
      team_size(count),
      shares(count),
      description_(std::string(table->name) + ", " + std::to_string(count) + " threads") {
    scratch.threads.reset(new Scratch::PerThread[count]);
}

bool CpuBackend::has_kernel(hydra_type type) const { return product_index(type) >= 0; }

void CpuBackend::memory(int64_t* free_bytes, int64_t* total_bytes) {
    const SystemMemory found = system_memory("");
    *free_bytes = found.available;
    *total_bytes = found.total;
}

hydra_workspace CpuBackend::workspace(const hydra_limits& limits) const {
    hydra_workspace out{};
    out.products = Scratch::bytes_of_rows(team.threads(), limits.matrix_columns, Scratch::also(*kernels));
    out.attention = Scratch::bytes_of_attention(team.threads(), limits.positions + 2 * KEY_BLOCK);
    out.bytes = out.products + out.attention;
    return out;
}

double CpuBackend::stream_rate(int64_t bytes, int repeats) {
    std::lock_guard<std::mutex> lock(mutex);
    const int count = team.threads();
    StreamTask task{kernels, nullptr, bytes / count / 64 * 64};
    Aligned<uint8_t> data = hydra::allocate<uint8_t>(bytes);
    task.data = data.get();
    // Pages that were never written are one page of zeros to the system, which every cache holds.
    std::memset(data.get(), 0, static_cast<size_t>(bytes));
    double best = 0;
    for (int i = 0; i <= repeats; ++i) {
        auto begin = std::chrono::steady_clock::now();
        team.run(stream, &task);
        std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
        if (i > 0) best = std::max(best, static_cast<double>(task.bytes * count) / seconds.count());
    }
    // The sum of zeros is zero: reading it here keeps the loops from being removed.
    return best + static_cast<double>(task.sum.load());
}

Memory CpuBackend::allocate(int64_t bytes) {
    Aligned<uint8_t> owned = hydra::allocate<uint8_t>(bytes);
    uint8_t* data = owned.get();
    return Memory(std::shared_ptr<uint8_t[]>(std::move(owned)), data);
}

Memory CpuBackend::wrap_memory(void*, int64_t) {
    fail(HYDRA_INVALID_ARGUMENT, "the CPU backend takes no memory of the caller's: create a buffer");
}

std::unique_ptr<hydra_stream> CpuBackend::wrap_stream(void*) {
    fail(HYDRA_INVALID_ARGUMENT, "the CPU backend takes no stream of the caller's: create one, or use none");
}

std::unique_ptr<hydra_stream> CpuBackend::create_stream() { return std::make_unique<hydra_stream>(this); }

void CpuBackend::copy_in(void* target, const void* source, int64_t bytes) {
    std::memcpy(target, source, static_cast<size_t>(bytes));
}

void CpuBackend::copy_out(void* target, const void* source, int64_t bytes) {
    std::memcpy(target, source, static_cast<size_t>(bytes));
}

Mirror CpuBackend::mirror(int64_t bytes) {
    const Memory memory = allocate(bytes);
    return {memory, memory, bytes};
}

std::unique_ptr<hydra_matrix> CpuBackend::matrix(hydra_type type, int64_t rows, int64_t columns) {
    return std::make_unique<CpuMatrix>(this, type, rows, columns);
}

std::unique_ptr<hydra_kv_pool> CpuBackend::kv_pool(hydra_type type, int32_t layers, int32_t kv_heads, int32_t head_size,
                                                   int32_t pages) {
    HYDRA_REQUIRE(type == HYDRA_F32, "type is %d; the CPU keeps keys and values as F32 (%d) only",
                  static_cast<int>(type), static_cast<int>(HYDRA_F32));
    return std::make_unique<CpuKvPool>(this, layers, kv_heads, head_size, pages);
}

std::unique_ptr<hydra_program> CpuBackend::program(hydra_stream*) { return std::make_unique<CpuProgram>(this); }

}  // namespace hydra

hydra_status hydra_backend_open_cpu(int32_t threads, const char* isa, hydra_backend** out) {
    return hydra::guarded("hydra_backend_open_cpu", [&] {
        HYDRA_REQUIRE(out != nullptr && isa != nullptr, "out or isa is null");
        HYDRA_REQUIRE(threads >= 1 && threads <= 256, "threads is %d, must be from 1 to 256", threads);
        const std::string name = isa;
        HYDRA_REQUIRE(name == "auto" || name == "amx" || name == "avx512" || name == "avx2" || name == "portable",
                      "isa is '%s', must be auto, amx, avx512, avx2 or portable", isa);
        const hydra::Kernels* kernels = name == "auto" ? hydra::best_kernels() : hydra::find_kernels(isa);
        if (kernels == nullptr) {
            hydra::fail(HYDRA_UNAVAILABLE, "this processor does not have the instruction set %s", isa);
        }
        *out = new hydra::CpuBackend(threads, kernels);
    });
}
