// The interface between libhydra4j and libhydra4j_cuda: one table of plain functions, found by hydra_cuda_device_api.
//
// libhydra4j owns everything that the C ABI names (handles, checks, programs); libhydra4j_cuda owns the device: memory,
// streams, graphs, the packed layout of weights, and one launcher for each operation. No function throws, prints or
// exits; each returns a status and keeps a message for the calling thread (last_error). Pointers are device pointers
// unless said otherwise. Launchers only enqueue: they can be captured into a graph, never wait and never allocate.
#pragma once

#include "hydra4j/matrix.h"
#include "program/state.h"

namespace hydra {
struct RandomWeights;
}

namespace hydra::cuda {

constexpr int32_t DEVICE_API_VERSION = 4;

struct Device;  // a device with its context
struct Stream;
struct Graph;

struct DeviceFacts {
    char name[256];
    int32_t major, minor;  // compute capability
    int32_t multiprocessors;
    int64_t total_bytes, free_bytes;
    int32_t driver_version, runtime_version;  // as CUDA writes them: 12040 is 12.4
};

// A weight matrix [rows][columns] on the device, in a layout of libhydra4j_cuda's own.
struct MatrixView {
    hydra_type type;
    int64_t rows, columns;
    uint8_t* data;
};

// Keys and values of all pages, F32 or F16. Layout is libhydra4j_cuda's own.
struct KvView {
    hydra_type type;
    int32_t layers, kv_heads, head_size, pages;
    uint8_t* data;
};

struct TopView {
    int32_t k;
    int32_t* ids;   // [max_rows][k]
    float* values;  // [max_rows][k]
};

// Arguments of the launchers, named and shaped as those of hydra4j/program.h. Null where optional.
struct Embed {
    RowsView rows;
    MatrixView embedding;
    float* out;
};

struct Qkv {
    RowsView rows;
    const float* x;
    const float* norm;
    float epsilon;
    MatrixView query, key, value;
    const float *query_bias, *key_bias, *value_bias;
    const float* rope;  // [positions][head_size]: cosine and sine of each pair in turn
    KvView kv;
    int32_t layer;
    float* out;
    void* workspace;
};

struct Attention {
    RowsView rows;
    const float* query;
    int32_t heads;
    KvView kv;
    int32_t layer;
    int32_t max_positions;  // capacity of a sequence: bounds the number of splits
    float* out;
    void* workspace;
};

struct Project {
    RowsView rows;
    const float* x;
    MatrixView weight;
    const float* bias;
    float* residual;
    void* workspace;
};

struct Linear {
    RowsView rows;
    const float* x;
    MatrixView weight;
    const float* bias;
    float* out;
    void* workspace;
};

struct GateUp {
    RowsView rows;
    const float* x;
    const float* norm;
    float epsilon;
    MatrixView gate, up;
    float* out;
    void* workspace;
};

struct Norm {
    RowsView rows;
    const float* x;
    const float* norm;
    float epsilon;
    int64_t columns;
    float* out;
};

struct LmHead {
    RowsView rows;
    bool last_rows_only;
    const float* x;
    MatrixView weight;
    const float* bias;
    const int32_t* ids;
    TopView top;
    float* logits;
    void* workspace;
};

struct Block {
    RowsView rows;
    const float* x;
    MatrixView linear, skip;  // skip.data null: the residual is x
    const float *linear_bias, *skip_bias;
    int32_t group;
    float* out;
    void* workspace;
};

struct Expand {
    const TreeData* tree;
    RowsView rows;
};

struct DraftStates {
    RowsView rows;
    const float* x;
    const float* norm;
    float epsilon;
    int64_t columns;
    float* states;
};

struct DraftInputs {
    const TreeData* tree;
    int32_t level;
    RowsView nodes;
    const float* states;
    int64_t width;
    MatrixView embedding;  // data null: heads that are not grounded
    RowsView level_rows;
    float* out;
};

struct TableBlock {
    const TreeData* tree;
    int32_t level;
    RowsView nodes;
    const float* parts;
    int64_t width, first;
    const uint16_t* tables;
    int64_t vocabulary, n;
    RowsView level_rows;
    float* out;
};

struct DraftLevels {
    const TreeData* tree;
    RowsView nodes, rows;
};

struct DraftTokens {
    const TreeData* tree;
    int32_t level;
    TopView top;
    int32_t group;
    RowsView nodes;
};

struct Accept {
    const TreeData* tree;
    RowsView nodes;
    TopView best;
    KvView kv;
    const float* hidden;
    int64_t width;
    RowsView uncommitted_rows;  // state null: none
    float* uncommitted;
    bool append;
};

struct Advance {
    RowsView rows;
    TopView best;  // ids null: more of the prompts follows
    const float* hidden;
    int64_t width;
    RowsView uncommitted_rows;
    float* uncommitted;
};

struct Mark {
    int64_t* time;  // nanoseconds of the device's clock
};

struct DeviceApi {
    int32_t version;  // DEVICE_API_VERSION

    // The last failure of this thread; valid until the next one.
    const char* (*last_error)();

    // Devices that the driver knows. HYDRA_UNAVAILABLE with the reason where there is no driver or no device.
    hydra_status (*count_devices)(int32_t* count);
    hydra_status (*device_facts)(int32_t device, DeviceFacts* facts);

    // Refuses a device whose compute capability is below 8.0.
    hydra_status (*open)(int32_t device, Device** out);
    void (*close)(Device* device);

    hydra_status (*allocate)(Device* device, int64_t bytes, void** out);  // zeroed, 256-byte aligned
    void (*release)(Device* device, void* memory);
    hydra_status (*allocate_pinned)(Device* device, int64_t bytes, void** out);  // host memory, zeroed
    void (*release_pinned)(Device* device, void* memory);

    // Refuses a pointer that is not of this device's memory, at the first or the last of so many bytes.
    hydra_status (*require_device_memory)(Device* device, const void* pointer, int64_t bytes);

    // Between host and device; they return when the bytes have arrived.
    hydra_status (*copy_in)(Device* device, void* target, const void* source, int64_t bytes);
    hydra_status (*copy_out)(Device* device, void* target, const void* source, int64_t bytes);

    // Weights. source holds whole rows in the matrix's own type, row-major as in a GGUF file, on the host; row i
    // becomes row first_row + i, or target_rows[i] (host, or null). Where the columns are not a multiple of a block
    // type's 32, each row of source ends with a whole block, padded with zeros. Columns of Q4_K are a multiple of 256.
    int64_t (*matrix_bytes)(hydra_type type, int64_t rows, int64_t columns);
    hydra_status (*matrix_write)(Device* device, const MatrixView* matrix, int64_t first_row, int64_t count,
                                 const int32_t* target_rows, const void* source);
    hydra_status (*matrix_fill)(Device* device, const MatrixView* matrix, const RandomWeights* weights);
    // values (host) receives the columns of one row as float32.
    hydra_status (*matrix_read)(Device* device, const MatrixView* matrix, int64_t row, float* values);
    // target's row i becomes source's row ids[i] (host), bit by bit.
    hydra_status (*matrix_gather)(Device* device, const MatrixView* target, const MatrixView* source,
                                  const int32_t* ids);

    int64_t (*kv_page_bytes)(hydra_type type, int32_t layers, int32_t kv_heads, int32_t head_size);
    // One slot of a page, on the host: values [layers][kv_heads][2][head_size], keys before values; what is
    // written is rounded as qkv rounds it. Not fast: for tests and for looking into a cache.
    hydra_status (*kv_read)(Device* device, const KvView* kv, int32_t page, int32_t slot, float* values);
    hydra_status (*kv_write)(Device* device, const KvView* kv, int32_t page, int32_t slot, const float* values);

    hydra_status (*stream_create)(Device* device, Stream** out);
    // The caller's cudaStream_t, which stays the caller's. Refuses one of another context or that is being captured.
    hydra_status (*stream_wrap)(Device* device, void* native, Stream** out);
    void (*stream_destroy)(Stream* stream);
    void* (*stream_native)(const Stream* stream);  // the cudaStream_t
    // Refuses a stream that is being captured.
    hydra_status (*require_not_captured)(Stream* stream);
    hydra_status (*stream_wait)(Stream* stream);  // until all that was enqueued is done
    hydra_status (*enqueue_copy_in)(Stream* stream, void* target, const void* pinned_source, int64_t bytes);
    hydra_status (*enqueue_copy_out)(Stream* stream, void* pinned_target, const void* source, int64_t bytes);

    // What is enqueued between begin and end becomes a graph instead of running.
    hydra_status (*capture_begin)(Stream* stream);
    hydra_status (*capture_end)(Stream* stream, Graph** out);
    hydra_status (*graph_launch)(Graph* graph, Stream* stream);
    void (*graph_destroy)(Graph* graph);

    // Bytes of workspace that operations over at most `max_rows` rows of a pass need; one workspace serves all
    // operations of a program, as they run one after the other.
    int64_t (*workspace_bytes)(int32_t max_rows, int64_t max_rows_of_a_matrix, int64_t max_columns, int32_t heads,
                               int32_t head_size, int32_t max_positions);

    hydra_status (*embed)(Stream* stream, const Embed* arguments);
    hydra_status (*qkv)(Stream* stream, const Qkv* arguments);
    hydra_status (*attention)(Stream* stream, const Attention* arguments);
    hydra_status (*project)(Stream* stream, const Project* arguments);
    hydra_status (*linear)(Stream* stream, const Linear* arguments);
    hydra_status (*gate_up)(Stream* stream, const GateUp* arguments);
    hydra_status (*norm)(Stream* stream, const Norm* arguments);
    hydra_status (*lm_head)(Stream* stream, const LmHead* arguments);
    hydra_status (*block)(Stream* stream, const Block* arguments);
    hydra_status (*expand)(Stream* stream, const Expand* arguments);
    hydra_status (*draft_states)(Stream* stream, const DraftStates* arguments);
    hydra_status (*draft_inputs)(Stream* stream, const DraftInputs* arguments);
    hydra_status (*table_block)(Stream* stream, const TableBlock* arguments);
    hydra_status (*draft_levels)(Stream* stream, const DraftLevels* arguments);
    hydra_status (*draft_tokens)(Stream* stream, const DraftTokens* arguments);
    hydra_status (*accept)(Stream* stream, const Accept* arguments);
    hydra_status (*advance)(Stream* stream, const Advance* arguments);
    hydra_status (*mark)(Stream* stream, const Mark* arguments);

    // Best of `repeats` timings of a device-to-device copy of `bytes` bytes, in bytes (read and written) per second.
    hydra_status (*copy_rate)(Device* device, int64_t bytes, int32_t repeats, double* out);
};

}  // namespace hydra::cuda

// Exported by libhydra4j_cuda.
extern "C" __attribute__((visibility("default"))) const hydra::cuda::DeviceApi* hydra_cuda_device_api();
