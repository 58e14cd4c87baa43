// The CPU backend: instruction set, thread team, and the scratch memory that operations share.
#pragma once

#include "cpu/kernels.h"
#include "cpu/shares.h"
#include "cpu/team.h"
#include "cpu/team_size.h"
#include "cpu/weight_memory.h"
#include "program/backend.h"

namespace hydra {

constexpr int SLICE_ROWS = 64;  // rows that operations take through the weights at a time
constexpr int MOST_APART = 8;   // threads that may compute rows apart: of more there is no group of rows for each

// Memory that operations use while they run. Programs of a backend run one at a time, so one set serves all.
struct Scratch {
    // What kernels take of rows besides: tiles, of shared rows alone as only many rows go by them, and their signs
    // apart.
    struct Also {
        bool tiles, signs;
    };
    static Also also(const Kernels& kernels) { return {kernels.release_tiles != nullptr, kernels.signs_apart}; }

    // Makes room for activation rows of `columns` columns and attention over `positions` positions.
    void reserve(int threads, int64_t columns, int64_t positions, Also also);
    // Bytes that it takes for such rows, and for attention over so many positions.
    static int64_t bytes_of_rows(int threads, int64_t columns, Also also);
    static int64_t bytes_of_attention(int threads, int64_t positions);

    struct Rows {
        Activations activations{};
        Aligned<ValueBlock> values;
        Aligned<QuantisedBlock> quantised;
        Aligned<PlaneBlock> planes;
        Aligned<TileBlock> tiles;
        Aligned<SignedBlock> signed_blocks;
        Aligned<SignedPlaneBlock> signed_planes;
        bool uneven[SLICE_ROWS]{};  // rows that 8 bits do not serve
    };
    struct PerThread {
        Rows rows;  // twice ROW_GROUP activation rows, which the thread prepares for itself
        int32_t remainder_of[SLICE_ROWS];
        uint64_t shared = 0;                 // operations whose parts the run has shared out so far
        Aligned<float> normed;               // [columns]
        Aligned<float> product;              // [2][MAX_TILES][SLICE_ROWS][TILE_ROWS]
        Aligned<float> scores;               // [ATTENTION_VECTORS][positions]
        Aligned<const float*> keys, values;  // [positions / 16]
    };
    // The part of `rows` that is a thread's where each of `threads` prepares its own: twice apart_rows(threads) rows.
    static int apart_rows(int threads) { return SLICE_ROWS / ROW_GROUP * 2 / threads * ROW_GROUP / 2; }
    Activations apart(int thread, int threads) const;

    Rows rows;  // twice SLICE_ROWS activation rows, prepared by all threads together
    std::unique_ptr<PerThread[]> threads;
    int64_t columns = 0, positions = 0;
};

struct CpuBackend : hydra_backend {
    CpuBackend(int count, const Kernels* table);

    const char* kind() const override { return "cpu"; }
    const std::string& description() const override { return description_; }
    const char* isa() const override { return kernels->name; }
    int threads() const override { return team.threads(); }
    bool has_kernel(hydra_type type) const override;
    void memory(int64_t* free_bytes, int64_t* total_bytes) override;
    hydra_workspace workspace(const hydra_limits& limits) const override;
    double stream_rate(int64_t bytes, int repeats) override;

    Memory allocate(int64_t bytes) override;
    Memory wrap_memory(void* pointer, int64_t bytes) override;
    std::unique_ptr<hydra_stream> wrap_stream(void* native) override;
    std::unique_ptr<hydra_stream> create_stream() override;
    void copy_in(void* target, const void* source, int64_t bytes) override;
    void copy_out(void* target, const void* source, int64_t bytes) override;
    Mirror mirror(int64_t bytes) override;
    std::unique_ptr<hydra_matrix> matrix(hydra_type type, int64_t rows, int64_t columns) override;
    std::unique_ptr<hydra_kv_pool> kv_pool(hydra_type type, int32_t layers, int32_t kv_heads, int32_t head_size,
                                           int32_t pages) override;
    std::unique_ptr<hydra_program> program(hydra_stream* stream) override;

    const Kernels* kernels;
    Team team;
    TeamSize team_size;  // of programs' runs
    Shares shares;       // of the run
    Scratch scratch;
    WeightMemory weights;

  private:
    std::string description_;
};

}  // namespace hydra
