// The interface between libhydra4j and libhydra4j_cuda: one table of plain functions, found by hydra_cuda_device_api.
//
// libhydra4j owns everything that the C ABI names (handles, checks, programs); libhydra4j_cuda owns the device: memory,
// streams, graphs, the packed layout of weights, and one launcher for each operation. No function throws, prints or
// exits; each returns a status and keeps a message for the calling thread (last_error). Pointers are device pointers
// unless said otherwise. Launchers only enqueue: they can be captured into a graph, never wait and never allocate. Each
// call leaves the thread's current context and device as they were.
#pragma once

#include <type_traits>

#include "hydra4j/program.h"
#include "program/sampling_state.h"

namespace hydra {
struct RandomWeights;
}

namespace hydra::cuda {

constexpr int32_t DEVICE_API_VERSION = 12;

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
    int32_t max_rows;
};

// What a handle or number of an operation is to a kernel. Optional handles that are null become null pointers, or
// views of them.
template <class Number>
struct ViewOf {
    using type = Number;
};
template <class To>
struct ViewIs {
    using type = To;
};
template <>
struct ViewOf<const hydra_rows*> : ViewIs<RowsView> {};
template <>
struct ViewOf<hydra_rows*> : ViewIs<RowsView> {};
template <>
struct ViewOf<const hydra_matrix*> : ViewIs<MatrixView> {};
template <>
struct ViewOf<const hydra_kv_pool*> : ViewIs<KvView> {};
template <>
struct ViewOf<hydra_kv_pool*> : ViewIs<KvView> {};
template <>
struct ViewOf<const hydra_tree*> : ViewIs<const TreeData*> {};
template <>
struct ViewOf<hydra_tree*> : ViewIs<TreesView> {};
template <>
struct ViewOf<const hydra_top*> : ViewIs<TopView> {};
template <>
struct ViewOf<hydra_top*> : ViewIs<TopView> {};
template <>
struct ViewOf<const hydra_sampling*> : ViewIs<SamplingView> {};
template <>
struct ViewOf<hydra_sampling*> : ViewIs<SamplingView> {};
template <>
struct ViewOf<const hydra_rope*> : ViewIs<const float*> {};  // [positions][head_size]: cosine, sine of each pair

// And a buffer of such elements.
template <class Buffer, class Element>
using ElementsOf = std::conditional_t<std::is_same_v<Buffer, const hydra_buffer*>, const Element*, Element*>;

// Rows that an operation leaves for the next one as the products of that read them, beside where it stores them, so
// that nothing has to make them ready in between. Passes of up to HANDOVER_ROWS rows, of whole blocks of
// HANDOVER_COLUMNS columns.
constexpr int32_t HANDOVER_ROWS = 256, HANDOVER_COLUMNS = 32;
struct Handover {
    void* memory;           // of handover_bytes bytes, 256-byte aligned; no product may be reading it
    hydra_type type;        // of the weights that will read the rows
    const float* norm;      // by which they will be normalised, or null
    bool is_there = false;  // whether they were left: an operation that cannot does not
    int32_t run = 0;        // for the launcher that reads them
};

// Whether weights of two types read rows in the same form, so that one handover serves both.
constexpr bool read_alike(hydra_type a, hydra_type b) {
    const auto form = [](hydra_type type) { return type == HYDRA_F32 || type == HYDRA_F16 ? type : HYDRA_BF16; };
    return form(a) == form(b);
}

// The first bytes of a workspace are zero at first, and after every operation.
constexpr int64_t WORKSPACE_ZEROS = 4352;

// Bytes that kinds of operations need of a workspace, from its beginning: products and, after what these need, the best
// entries of LM heads; attention; typical acceptance.
struct WorkspaceParts {
    int64_t products, tops, attention, judging;
    int64_t task;  // of a graph, beside them: an entry of a list of tasks, if there are such with so large heads

    int64_t bytes() const {
        const int64_t heads = products + tops, others = attention > judging ? attention : judging;
        return heads > others ? heads : others;
    }
};

// What an operation tells the host, in memory of the host's that the device writes to, or null.
struct Notes {
    int64_t *begin = nullptr, *end = nullptr;  // nanoseconds of the device's clock: of those that tell_begin, tell_end
    // [TOLD_RUNS][batch_size]: of a commit all results, and on the device the number of those that were told before.
    hydra_step_result* results = nullptr;
    int64_t* told = nullptr;
};

// Arguments of the launchers: the structs of hydra4j/program.h with views in place of handles, the workspace that the
// operations of a program share, what the operation before has left for this one, and this one is to leave for the
// next, or null, and what it tells.
#define OPERATION(name, Name, FIELDS)    \
    struct Name {                        \
        using Handles = hydra_##name;    \
        FIELDS                           \
        void* workspace = nullptr;       \
        const Handover* given = nullptr; \
        Handover* left = nullptr;        \
        Notes notes{};                   \
    };
#define FIELD(field) ViewOf<decltype(Handles::field)>::type field;
#define BUFFER(field, element, rows, columns) ElementsOf<decltype(Handles::field), element> field;
#define OPTIONAL_BUFFER(field, element, rows, columns) BUFFER(field, element, rows, columns)
#include "program/operations.def"

// Operations whose kernels tell when they begin and end.
template <class Operation>
constexpr bool tells_end = std::is_same_v<Operation, Commit> || std::is_same_v<Operation, DraftStates>;
template <class Operation>
constexpr bool tells_begin =
    tells_end<Operation> || std::is_same_v<Operation, Expand> || std::is_same_v<Operation, Embed>;

struct Mark {
    int64_t* time;  // nanoseconds of the device's clock, as in Notes
};

// What the library calls around each allocation, of memory, streams, events, graphs and its own objects, from any
// thread.
struct AllocationHooks {
    bool (*begin)();    // before it; false: it is to fail
    void (*end)();      // it has come to be
    void (*release)();  // it is no more
};

struct DeviceApi {
    int32_t version;  // DEVICE_API_VERSION

    // Once, before all else that allocates.
    void (*set_allocation_hooks)(AllocationHooks hooks);

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
    // Memory of the host's, zeroed, which kernels reach at the same address.
    hydra_status (*allocate_pinned)(Device* device, int64_t bytes, void** out);
    void (*release_pinned)(Device* device, void* memory);

    // Refuses a pointer that is not of this device's memory, at the first or the last of so many bytes.
    hydra_status (*require_device_memory)(Device* device, const void* pointer, int64_t bytes);

    // Between host and device; they return when the bytes have arrived.
    hydra_status (*copy_in)(Device* device, void* target, const void* source, int64_t bytes);
    hydra_status (*copy_out)(Device* device, void* target, const void* source, int64_t bytes);

    // Weights. source holds whole rows in the matrix's own type, row-major as in a GGUF file, on the host; row i
    // becomes row first_row + i, or target_rows[i] (host, or null). Where the columns are not a multiple of a block
    // type's 32, each row of source ends with a whole block, padded with zeros. Super-blocks divide the columns.
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
    // written is rounded as append_kv rounds it. Not fast: for tests and for looking into a cache.
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
    // The same until what was enqueued when it was noted the last time is done, at least.
    hydra_status (*stream_note)(Stream* stream);
    hydra_status (*stream_wait_noted)(Stream* stream);
    hydra_status (*enqueue_copy_in)(Stream* stream, void* target, const void* pinned_source, int64_t bytes);

    // What is enqueued between begin and end becomes a graph instead of running. kernels, copies: those in it.
    hydra_status (*capture_begin)(Stream* stream);
    hydra_status (*capture_end)(Stream* stream, Graph** out, int32_t* kernels, int32_t* copies);
    hydra_status (*graph_launch)(Graph* graph, Stream* stream);
    void (*graph_destroy)(Graph* graph);

    // What operations need of a workspace; one serves all operations of a program, as they run one after the other.
    WorkspaceParts (*workspace_parts)(const Device* device, const hydra_limits* limits);
    // Of rows of up to so many columns that are handed over.
    int64_t (*handover_bytes)(int32_t max_rows, int64_t max_columns);

#define OPERATION(name, Name, FIELDS) hydra_status (*name)(Stream * stream, const Name* arguments);
#include "program/operations.def"
    hydra_status (*mark)(Stream* stream, const Mark* arguments);

    // Two operations that follow each other in one launch fewer: products of queries, keys and values and the appending
    // of these buffers, without norms; the selection of a head's best entries, of the same rows and top; and a commit
    // of trees that are judged by the same selection, of the same rows.
    hydra_status (*qkv_and_append)(Stream* stream, const Qkv* arguments, const AppendKv* append);
    hydra_status (*lm_head_and_select)(Stream* stream, const LmHead* arguments, const Select* select);
    hydra_status (*judge_and_commit)(Stream* stream, const Commit* arguments);
    // Candidates of draft heads, and what gives them to nodes: of so many levels, whose heads' groups are in one top.
    hydra_status (*lm_head_and_draft_tokens)(Stream* stream, const LmHead* arguments, const DraftTokens* tokens,
                                             int32_t levels);
    hydra_status (*rank_and_draft_tokens)(Stream* stream, const Rank* arguments, const DraftTokens* tokens,
                                          int32_t levels);

    // Best of `repeats` timings of a device-to-device copy of `bytes` bytes, in bytes (read and written) per second.
    hydra_status (*copy_rate)(Device* device, int64_t bytes, int32_t repeats, double* out);
};

}  // namespace hydra::cuda

// Exported by libhydra4j_cuda.
extern "C" __attribute__((visibility("default"))) const hydra::cuda::DeviceApi* hydra_cuda_device_api();
