// The host's side of the library: devices, streams, the kept message, and how a kernel is launched. All of it runs in
// the context of the device (context.cuh).
#pragma once

#include <vector>

#include "cuda/device.h"
#include "cuda/platform.cuh"

namespace hydra::cuda {

struct Device {
    int ordinal;
    CUcontext context;       // its primary one
    bool has_clusters;       // whose blocks may have CLUSTER_BLOCK_BYTES of shared memory each (cluster.cuh)
    int cooperating_blocks;  // multiprocessors; 0: no cooperative launches
};

// Shared memory of a block of a cluster: two fit a multiprocessor, of 228 KB with one that the system takes of each.
constexpr int CLUSTER_BLOCK_BYTES = 113 * 1024;

struct TaskQueue;

struct Stream {
    Device* device;
    cudaStream_t handle;
    bool owned;
    int32_t kernels = 0, copies = 0;  // enqueued since a capture began
    TaskQueue* tasks = nullptr;       // of the capture (tasks.cuh)
    cudaEvent_t noted = nullptr;      // made when it is noted first
};

struct Graph {
    Device* device;
    cudaGraphExec_t handle;
    std::vector<void*> tasks;  // memory of its lists of tasks
};

// Keeps the message for last_error and returns the status.
hydra_status refuse(hydra_status status, const char* format, ...) __attribute__((format(printf, 2, 3)));

// HYDRA_OK, or the status that stands for the error, with "what: CUDA's words" kept.
hydra_status check(cudaError_t error, const char* what);

// Lets a kernel have so many bytes of shared memory.
template <class... Parameters>
cudaError_t allow_shared_bytes(void (*kernel)(Parameters...), size_t shared_bytes) {
    if (shared_bytes <= 48 * 1024) return cudaSuccess;
    return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
}

// How blocks run together: in clusters of so many along x, or all at once.
struct Together {
    int cluster = 1;
    bool cooperative = false;
};

// Enqueues kernel<<<grid, threads, shared_bytes>>>(arguments...), which may begin before the kernel before it has ended
// where its code is for devices that know how to wait (platform.cuh); not a cooperative one.
template <class... Parameters, class... Arguments>
hydra_status enqueue(Stream* stream, const char* name, void (*kernel)(Parameters...), Together together, dim3 grid,
                     int threads, size_t shared_bytes, Arguments... arguments) {
    cudaError_t error = allow_shared_bytes(kernel, shared_bytes);
    if (error != cudaSuccess) return check(error, name);
    ++stream->kernels;
#ifdef __CUDACC__
    // What the code was compiled for, not the device: code for an older one does not wait.
    cudaFuncAttributes facts{};
    error = cudaFuncGetAttributes(&facts, kernel);
    if (error == cudaSuccess) {
        cudaLaunchAttribute attributes[2]{};
        unsigned count = 0;
        if (together.cooperative) {
            cudaLaunchAttribute& at_once = attributes[count++];
            at_once.id = cudaLaunchAttributeCooperative;
            at_once.val.cooperative = 1;
        } else if (facts.ptxVersion >= 90) {
            cudaLaunchAttribute& begins_early = attributes[count++];
            begins_early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
            begins_early.val.programmaticStreamSerializationAllowed = 1;
        }
        if (together.cluster > 1) {
            cudaLaunchAttribute& blocks = attributes[count++];
            blocks.id = cudaLaunchAttributeClusterDimension;
            blocks.val.clusterDim = {static_cast<unsigned>(together.cluster), 1, 1};
        }
        cudaLaunchConfig_t config{};
        config.gridDim = grid;
        config.blockDim = dim3(static_cast<unsigned>(threads));
        config.dynamicSmemBytes = shared_bytes;
        config.stream = stream->handle;
        config.attrs = attributes;
        config.numAttrs = count;
        error = cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
    }
    if (error != cudaSuccess) cudaGetLastError();  // so that no later call reports it
#else
    error = emulation::enqueue_kernel(
        stream->handle,
        {name, grid, dim3(threads), shared_bytes, static_cast<unsigned>(together.cluster), together.cooperative},
        [=] { kernel(static_cast<Parameters>(arguments)...); });
#endif
    return check(error, name);
}

// Enqueues the tasks that have waited for more (tasks.cu).
hydra_status launch_tasks(Stream* stream);

// The same behind what waits.
template <class... Parameters, class... Arguments>
hydra_status launch_clusters(Stream* stream, const char* name, void (*kernel)(Parameters...), int cluster, dim3 grid,
                             int threads, size_t shared_bytes, Arguments... arguments) {
    const hydra_status status = launch_tasks(stream);
    if (status != HYDRA_OK) return status;
    return enqueue(stream, name, kernel, Together{cluster}, grid, threads, shared_bytes, arguments...);
}

template <class... Parameters, class... Arguments>
hydra_status launch(Stream* stream, const char* name, void (*kernel)(Parameters...), dim3 grid, int threads,
                    size_t shared_bytes, Arguments... arguments) {
    return launch_clusters(stream, name, kernel, 1, grid, threads, shared_bytes, arguments...);
}

// The launchers of the operations.
#define OPERATION(name, Name, FIELDS) hydra_status name(Stream* stream, const Name* arguments);
#include "program/operations.def"
hydra_status mark(Stream* stream, const Mark* arguments);
hydra_status qkv_and_append(Stream* stream, const Qkv* arguments, const AppendKv* append);
hydra_status lm_head_and_select(Stream* stream, const LmHead* arguments, const Select* select);
hydra_status judge_and_commit(Stream* stream, const Commit* arguments);
hydra_status lm_head_and_draft_tokens(Stream* stream, const LmHead* arguments, const DraftTokens* tokens,
                                      int32_t levels);
hydra_status rank_and_draft_tokens(Stream* stream, const Rank* arguments, const DraftTokens* tokens, int32_t levels);

// matrix.cu and kv.cu
int64_t matrix_bytes(hydra_type type, int64_t rows, int64_t columns);
hydra_status matrix_write(Device* device, const MatrixView* matrix, int64_t first_row, int64_t count,
                          const int32_t* target_rows, const void* source);
hydra_status matrix_fill(Device* device, const MatrixView* matrix, const RandomWeights* weights);
hydra_status matrix_read(Device* device, const MatrixView* matrix, int64_t row, float* values);
hydra_status matrix_gather(Device* device, const MatrixView* target, const MatrixView* source, const int32_t* ids);
int64_t kv_page_bytes(hydra_type type, int32_t layers, int32_t kv_heads, int32_t head_size);
hydra_status kv_read(Device* device, const KvView* kv, int32_t page, int32_t slot, float* values);
hydra_status kv_write(Device* device, const KvView* kv, int32_t page, int32_t slot, const float* values);

// What each kind of operation needs of the workspace. max_rows: of a pass.
int64_t product_workspace_bytes(const Device& device, int32_t max_rows, int64_t max_columns);
int64_t handover_bytes(int32_t max_rows, int64_t max_columns);
int64_t top_workspace_bytes(int32_t max_rows, int64_t max_rows_of_a_matrix);
int64_t attention_workspace_bytes(int32_t max_rows, int32_t heads, int32_t head_size, int32_t max_positions);
int64_t typical_workspace_bytes(int32_t max_rows);

// device.cu
hydra_status allocate(Device* device, int64_t bytes, void** out);
void release(Device* device, void* memory);
hydra_status copy_in(Device* device, void* target, const void* source, int64_t bytes);
hydra_status copy_out(Device* device, void* target, const void* source, int64_t bytes);
hydra_status stream_create(Device* device, Stream** out);
void stream_destroy(Stream* stream);
hydra_status stream_wait(Stream* stream);

}  // namespace hydra::cuda
