// Devices, memory, streams and graphs, and the table of everything.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>

#include "cuda/allocation.cuh"
#include "cuda/context.cuh"
#include "cuda/tasks.cuh"

namespace hydra::cuda {

namespace {

thread_local char kept_message[1024] = "";

const char* last_error() { return kept_message; }

bool failed(hydra_status status) { return status != HYDRA_OK; }

// Whatever hinders the driver, the backend is then unavailable, with the reason.
hydra_status count_devices(int32_t* count) {
    int found = 0, driver = 0, runtime = 0;
    const cudaError_t error = cudaGetDeviceCount(&found);
    if (error == cudaSuccess && found > 0) {
        *count = found;
        return HYDRA_OK;
    }
    cudaGetLastError();  // so that no later call reports it
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    if (driver == 0) return refuse(HYDRA_UNAVAILABLE, "no CUDA driver is installed");
    if (error == cudaErrorInsufficientDriver) {
        return refuse(HYDRA_UNAVAILABLE, "the CUDA driver supports CUDA %d.%d, %d.%d is needed", driver / 1000,
                      driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    }
    if (error == cudaSuccess) return refuse(HYDRA_UNAVAILABLE, "the CUDA driver knows no device");
    return refuse(HYDRA_UNAVAILABLE, "looking for CUDA devices: %s", cudaGetErrorString(error));
}

hydra_status device_facts(int32_t device, DeviceFacts* facts) {
    cudaDeviceProp properties;
    int64_t free_bytes = 0, total_bytes = 0;
    int driver = 0, runtime = 0;
    hydra_status status = device_memory(device, &free_bytes, &total_bytes);
    if (!failed(status))
        status = check(cudaGetDeviceProperties(&properties, device), "reading the device's properties");
    if (!failed(status)) status = check(cudaDriverGetVersion(&driver), "reading the driver's version");
    if (!failed(status)) status = check(cudaRuntimeGetVersion(&runtime), "reading the runtime's version");
    if (failed(status)) return status;
    *facts = {};
    snprintf(facts->name, sizeof facts->name, "%s", properties.name);
    facts->major = properties.major;
    facts->minor = properties.minor;
    facts->multiprocessors = properties.multiProcessorCount;
    facts->total_bytes = total_bytes;
    facts->free_bytes = free_bytes;
    facts->driver_version = driver;
    facts->runtime_version = runtime;
    return HYDRA_OK;
}

__global__ void mark_kernel(int64_t* time) {
    begin_in_turn();
    if (threadIdx.x == 0) *time = device_time();
}

// Whether the device and the code that was compiled for it have clusters, and the device enough shared memory.
hydra_status find_clusters(const cudaDeviceProp& properties, Device* device) {
    const CurrentContext current(device->context);
    cudaFuncAttributes code{};
    hydra_status status = current.status();
    if (!failed(status)) status = check(cudaFuncGetAttributes(&code, mark_kernel), "reading a kernel's attributes");
    if (failed(status)) return status;
    device->has_clusters = properties.major >= 9 && code.ptxVersion >= 90 &&
                           properties.sharedMemPerBlockOptin >= size_t{2} * CLUSTER_BLOCK_BYTES;
    return HYDRA_OK;
}

hydra_status open(int32_t device, Device** out) {
    int32_t count = 0;
    hydra_status status = count_devices(&count);
    if (failed(status)) return status;
    if (device < 0 || device >= count) {
        return refuse(HYDRA_INVALID_ARGUMENT, "device is %d, must be from 0 to %d", device, count - 1);
    }
    cudaDeviceProp properties;
    status = check(cudaGetDeviceProperties(&properties, device), "reading the device's properties");
    if (failed(status)) return status;
    if (properties.major < 8) {
        return refuse(HYDRA_UNAVAILABLE, "%s has compute capability %d.%d, must have 8.0 or more", properties.name,
                      properties.major, properties.minor);
    }
    Device opened{device, nullptr, false, properties.cooperativeLaunch != 0 ? properties.multiProcessorCount : 0};
    status = primary_context(device, &opened.context);
    if (!failed(status)) status = find_clusters(properties, &opened);
    return failed(status) ? status : create(opened, out);
}

void close(Device* device) { destroy(device); }

hydra_status allocate_pinned(Device*, int64_t bytes, void** out) {
    void* memory = nullptr;
    const hydra_status status =
        check(allocate_by([&] { return cudaHostAlloc(&memory, static_cast<size_t>(bytes), cudaHostAllocDefault); }),
              "allocating pinned memory");
    if (failed(status)) return status;
    memset(memory, 0, static_cast<size_t>(bytes));
    *out = memory;
    return HYDRA_OK;
}

void release_pinned(Device*, void* memory) {
    release_by([&] { cudaFreeHost(memory); });
}

const char* name_of(cudaMemoryType type) {
    switch (type) {
        case cudaMemoryTypeHost:
            return "host memory";
        case cudaMemoryTypeManaged:
            return "managed memory";
        default:
            return "memory that CUDA does not know";
    }
}

hydra_status require_device_memory(Device* device, const void* pointer, int64_t bytes) {
    const auto* first = static_cast<const uint8_t*>(pointer);
    for (const uint8_t* place : {first, first + bytes - 1}) {
        cudaPointerAttributes found{};
        const cudaError_t error = cudaPointerGetAttributes(&found, place);
        if (error != cudaSuccess) cudaGetLastError();  // a bad pointer is no fault of what follows
        if (error != cudaSuccess && error != cudaErrorInvalidValue) return check(error, "looking at a pointer");
        const auto offset = static_cast<long long>(place - first);
        if (found.type != cudaMemoryTypeDevice) {
            return refuse(HYDRA_INVALID_ARGUMENT, "byte %lld of pointer %p is %s, must be device memory", offset,
                          pointer, name_of(found.type));
        }
        if (found.device != device->ordinal) {
            return refuse(HYDRA_INVALID_ARGUMENT,
                          "byte %lld of pointer %p is memory of device %d, must be of device %d", offset, pointer,
                          found.device, device->ordinal);
        }
    }
    return HYDRA_OK;
}

hydra_status require_not_captured(Stream* stream) {
    cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
    const hydra_status status = check(cudaStreamIsCapturing(stream->handle, &capture), "looking at the stream");
    if (failed(status) || capture == cudaStreamCaptureStatusNone) return status;
    return refuse(HYDRA_INVALID_ARGUMENT,
                  "the stream is being captured: end the capture first, a program is a graph of its own");
}

hydra_status create_event(cudaEvent_t* out) {
    return check(allocate_by([&] { return cudaEventCreate(out); }), "making an event");
}

void destroy_event(cudaEvent_t event) {
    if (event != nullptr) release_by([&] { cudaEventDestroy(event); });
}

// An event can be recorded in streams of its own context alone.
hydra_status require_home(Stream* stream) {
    cudaEvent_t event = nullptr;
    const hydra_status status = create_event(&event);
    if (failed(status)) return status;
    const cudaError_t error = cudaEventRecord(event, stream->handle);
    destroy_event(event);
    if (error == cudaSuccess) return HYDRA_OK;
    cudaGetLastError();  // so that no later call reports it
    return refuse(HYDRA_INVALID_ARGUMENT, "stream %p is none of the primary context of device %d: %s",
                  static_cast<void*>(stream->handle), stream->device->ordinal, cudaGetErrorString(error));
}

hydra_status stream_wrap(Device* device, void* native, Stream** out) {
    Stream stream{device, static_cast<cudaStream_t>(native), false};
    hydra_status status = require_not_captured(&stream);
    if (!failed(status)) status = require_home(&stream);
    return failed(status) ? status : create(stream, out);
}

void* stream_native(const Stream* stream) { return stream->handle; }

hydra_status stream_note(Stream* stream) {
    const hydra_status status = stream->noted != nullptr ? HYDRA_OK : create_event(&stream->noted);
    return failed(status) ? status : check(cudaEventRecord(stream->noted, stream->handle), "noting what is enqueued");
}

hydra_status stream_wait_noted(Stream* stream) {
    return check(cudaEventSynchronize(stream->noted), "waiting for a program");
}

hydra_status enqueue_copy(Stream* stream, void* target, const void* source, int64_t bytes, cudaMemcpyKind kind) {
    ++stream->copies;
    return check(cudaMemcpyAsync(target, source, static_cast<size_t>(bytes), kind, stream->handle),
                 "enqueueing a copy");
}

hydra_status enqueue_copy_in(Stream* stream, void* target, const void* source, int64_t bytes) {
    return enqueue_copy(stream, target, source, bytes, cudaMemcpyHostToDevice);
}

hydra_status capture_begin(Stream* stream) {
    stream->kernels = stream->copies = 0;
    const hydra_status status = begin_tasks(stream);
    if (failed(status)) return status;
    // Relaxed: a kernel's code may be loaded when it is first enqueued, which other modes might take for a fault.
    const hydra_status begun =
        check(cudaStreamBeginCapture(stream->handle, cudaStreamCaptureModeRelaxed), "beginning a capture");
    if (failed(begun)) end_tasks(stream, nullptr);
    return begun;
}

void graph_destroy(Graph* graph) {
    release_by([&] { cudaGraphExecDestroy(graph->handle); });
    release_tasks(graph);
    destroy(graph);
}

hydra_status capture_end(Stream* stream, Graph** out, int32_t* kernels, int32_t* copies) {
    const hydra_status launched = launch_tasks(stream);
    *kernels = stream->kernels;
    *copies = stream->copies;
    cudaGraph_t captured = nullptr;
    cudaGraphExec_t executable = nullptr;
    Graph* graph = nullptr;
    hydra_status status = check(cudaStreamEndCapture(stream->handle, &captured), "ending a capture");
    if (!failed(status)) status = launched;
    if (!failed(status)) {
        status = check(allocate_by([&] { return cudaGraphInstantiate(&executable, captured, 0); }), "making a graph");
    }
    if (captured != nullptr) cudaGraphDestroy(captured);
    if (!failed(status)) {
        status = create(Graph{stream->device, executable, {}}, &graph);
        if (failed(status)) release_by([&] { cudaGraphExecDestroy(executable); });
    }
    const hydra_status filled = end_tasks(stream, graph);
    if (failed(status)) return status;
    if (failed(filled)) {
        graph_destroy(graph);
        return filled;
    }
    *out = graph;
    return HYDRA_OK;
}

hydra_status graph_launch(Graph* graph, Stream* stream) {
    return check(cudaGraphLaunch(graph->handle, stream->handle), "launching a graph");
}

WorkspaceParts workspace_parts(const Device* device, const hydra_limits* limits) {
    return {
        product_workspace_bytes(*device, limits->rows, limits->matrix_columns),
        top_workspace_bytes(limits->rows, limits->matrix_rows),
        WORKSPACE_ZEROS + attention_workspace_bytes(limits->rows, limits->heads, limits->head_size, limits->positions),
        WORKSPACE_ZEROS + typical_workspace_bytes(limits->rows), task_bytes(limits->head_size)};
}

hydra_status time_copies(Stream* stream, void* target, const void* source, int64_t bytes, int32_t repeats,
                         double* best) {
    cudaEvent_t begin = nullptr, end = nullptr;
    hydra_status status = create_event(&begin);
    if (!failed(status)) status = create_event(&end);
    *best = 0;
    for (int32_t i = 0; i < repeats && !failed(status); ++i) {
        float milliseconds = 0;
        cudaEventRecord(begin, stream->handle);
        status = enqueue_copy(stream, target, source, bytes, cudaMemcpyDeviceToDevice);
        cudaEventRecord(end, stream->handle);
        if (!failed(status)) status = check(cudaEventSynchronize(end), "waiting for a copy");
        if (!failed(status)) status = check(cudaEventElapsedTime(&milliseconds, begin, end), "timing a copy");
        if (milliseconds > 0) *best = std::max(*best, 2e3 * static_cast<double>(bytes) / milliseconds);
    }
    destroy_event(begin);
    destroy_event(end);
    return status;
}

hydra_status copy_rate(Device* device, int64_t bytes, int32_t repeats, double* out) {
    void *source = nullptr, *target = nullptr;
    Stream* stream = nullptr;
    hydra_status status = allocate(device, bytes, &source);
    if (!failed(status)) status = allocate(device, bytes, &target);
    if (!failed(status)) status = stream_create(device, &stream);
    double best = 0;
    if (!failed(status)) status = time_copies(stream, target, source, bytes, repeats, &best);
    stream_destroy(stream);
    release(device, source);
    release(device, target);
    if (!failed(status)) *out = best;
    return status;
}

constexpr DeviceApi API = {
    .version = DEVICE_API_VERSION,
    .set_allocation_hooks = [](AllocationHooks hooks) { allocation_hooks = hooks; },
    .last_error = last_error,
    .count_devices = count_devices,
    .device_facts = device_facts,
    .open = open,
    .close = close,
    .allocate = in_context<allocate>,
    .release = in_context<release>,
    .allocate_pinned = in_context<allocate_pinned>,
    .release_pinned = in_context<release_pinned>,
    .require_device_memory = in_context<require_device_memory>,
    .copy_in = in_context<copy_in>,
    .copy_out = in_context<copy_out>,
    .matrix_bytes = matrix_bytes,
    .matrix_write = in_context<matrix_write>,
    .matrix_fill = in_context<matrix_fill>,
    .matrix_read = in_context<matrix_read>,
    .matrix_gather = in_context<matrix_gather>,
    .kv_page_bytes = kv_page_bytes,
    .kv_read = in_context<kv_read>,
    .kv_write = in_context<kv_write>,
    .stream_create = in_context<stream_create>,
    .stream_wrap = in_context<stream_wrap>,
    .stream_destroy = in_context<stream_destroy>,
    .stream_native = stream_native,
    .require_not_captured = in_context<require_not_captured>,
    .stream_wait = in_context<stream_wait>,
    .stream_note = in_context<stream_note>,
    .stream_wait_noted = in_context<stream_wait_noted>,
    .enqueue_copy_in = in_context<enqueue_copy_in>,
    .capture_begin = in_context<capture_begin>,
    .capture_end = in_context<capture_end>,
    .graph_launch = in_context<graph_launch>,
    .graph_destroy = in_context<graph_destroy>,
    .workspace_parts = workspace_parts,
    .handover_bytes = handover_bytes,
#define OPERATION(name, Name, FIELDS) .name = in_context<name>,
#include "program/operations.def"
    .mark = in_context<mark>,
    .qkv_and_append = in_context<qkv_and_append>,
    .lm_head_and_select = in_context<lm_head_and_select>,
    .judge_and_commit = in_context<judge_and_commit>,
    .lm_head_and_draft_tokens = in_context<lm_head_and_draft_tokens>,
    .rank_and_draft_tokens = in_context<rank_and_draft_tokens>,
    .copy_rate = in_context<copy_rate>,
};

}  // namespace

hydra_status refuse(hydra_status status, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(kept_message, sizeof kept_message, format, arguments);
    va_end(arguments);
    return status;
}

hydra_status check(cudaError_t error, const char* what) {
    switch (error) {
        case cudaSuccess:
            return HYDRA_OK;
        case cudaErrorMemoryAllocation:
            return refuse(HYDRA_OUT_OF_MEMORY, "%s: %s", what, cudaGetErrorString(error));
        case cudaErrorInsufficientDriver:
        case cudaErrorNoDevice:
            return refuse(HYDRA_UNAVAILABLE, "%s: %s", what, cudaGetErrorString(error));
        default:
            return refuse(HYDRA_INTERNAL, "%s: %s", what, cudaGetErrorString(error));
    }
}

hydra_status allocate(Device*, int64_t bytes, void** out) {
    void* memory = nullptr;
    hydra_status status =
        check(allocate_by([&] { return cudaMalloc(&memory, static_cast<size_t>(bytes)); }), "allocating device memory");
    if (failed(status)) {
        cudaGetLastError();  // a refused allocation is no fault of what follows
        return status;
    }
    status = check(cudaMemset(memory, 0, static_cast<size_t>(bytes)), "clearing device memory");
    // The fill runs in a stream of its own; whoever gets the memory may use any other.
    if (!failed(status)) status = check(cudaStreamSynchronize(nullptr), "clearing device memory");
    if (failed(status)) {
        release_by([&] { cudaFree(memory); });
        return status;
    }
    *out = memory;
    return HYDRA_OK;
}

void release(Device*, void* memory) {
    if (memory != nullptr) release_by([&] { cudaFree(memory); });
}

hydra_status copy_in(Device*, void* target, const void* source, int64_t bytes) {
    const hydra_status status =
        check(cudaMemcpy(target, source, static_cast<size_t>(bytes), cudaMemcpyHostToDevice), "copying to the device");
    // From pageable memory the call may return before the last piece has arrived.
    return failed(status) ? status : check(cudaStreamSynchronize(nullptr), "copying to the device");
}

hydra_status copy_out(Device*, void* target, const void* source, int64_t bytes) {
    return check(cudaMemcpy(target, source, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost),
                 "copying from the device");
}

hydra_status stream_create(Device* device, Stream** out) {
    cudaStream_t handle = nullptr;
    hydra_status status = check(allocate_by([&] { return cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking); }),
                                "making a stream");
    if (failed(status)) return status;
    status = create(Stream{device, handle, true}, out);
    if (failed(status)) release_by([&] { cudaStreamDestroy(handle); });
    return status;
}

void stream_destroy(Stream* stream) {
    if (stream != nullptr) destroy_event(stream->noted);
    if (stream != nullptr && stream->owned) release_by([&] { cudaStreamDestroy(stream->handle); });
    destroy(stream);
}

hydra_status stream_wait(Stream* stream) {
    return check(cudaStreamSynchronize(stream->handle), "waiting for the stream");
}

hydra_status mark(Stream* stream, const Mark* arguments) {
    return launch(stream, "mark_kernel", mark_kernel, 1, WARP, 0, arguments->time);
}

}  // namespace hydra::cuda

const hydra::cuda::DeviceApi* hydra_cuda_device_api() { return &hydra::cuda::API; }
