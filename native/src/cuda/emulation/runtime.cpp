// The runtime of the emulation: memory, streams that run at once, graphs as lists of what was enqueued.
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "cuda/emulation/cuda.h"
#include "cuda/emulation/memory.h"

namespace {

struct Operation {
    std::function<cudaError_t()> run;
    std::function<cudaError_t()> begin{};  // of a kernel whose begin is to run ahead
};
using Clock = std::chrono::steady_clock;

constexpr size_t PAGE = 4096, TOTAL_BYTES = size_t{8} << 30;

std::mutex running;  // one kernel or copy at a time
std::mutex regions_mutex;
struct Region {
    void* base;
    size_t mapped;
    cudaMemoryType type;
};
std::map<const void*, Region> regions;  // by address given out

std::mutex streams_mutex;
std::set<cudaStream_t> streams;  // that live

// The last one is current. A plain array: memory of static tests is given back after a thread's objects have ended.
struct Contexts {
    CUcontext all[8];
    int count;

    bool empty() const { return count == 0; }
    CUcontext back() const { return all[count - 1]; }
};
thread_local Contexts contexts;

std::atomic<int> retained = 0;  // how often the primary context is

// Sticks, as on a device: what follows a broken kernel is not to be believed.
std::atomic<cudaError_t> broken = cudaSuccess;

int multiprocessors() {
    const char* set = getenv("HYDRA4J_EMULATION_MULTIPROCESSORS");
    return set != nullptr ? atoi(set) : 2;
}

size_t most_shared_bytes() { return (hydra::emulation::capability() >= 90 ? 227 : 163) * 1024; }

// What a call that works on a device says: nothing, or why it cannot.
cudaError_t state() { return contexts.empty() ? cudaErrorDeviceUninitialized : broken.load(); }

}  // namespace

struct CUctx_st {};
struct CUstream_st {
    bool capturing = false;
    std::vector<Operation> recorded;
};
struct CUgraph_st {
    std::vector<Operation> operations;
};
struct CUgraphExec_st {
    std::vector<Operation> operations;
};
struct CUevent_st {
    Clock::time_point time;
};

namespace hydra::emulation {

int capability() {
    const char* set = getenv("HYDRA4J_EMULATION_CAPABILITY");
    return set != nullptr ? static_cast<int>(10 * strtod(set, nullptr) + 0.5) : 90;
}

void* guarded_memory(size_t bytes, size_t alignment) {
    const size_t space = (bytes + alignment - 1) / alignment * alignment;
    const size_t mapped = (space + PAGE - 1) / PAGE * PAGE + PAGE;
    void* base = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return nullptr;
    auto* end = static_cast<unsigned char*>(base) + mapped - PAGE;
    mprotect(end, PAGE, PROT_NONE);
    void* memory = end - space;
    std::memset(memory, 0xff, space);
    std::lock_guard<std::mutex> lock(regions_mutex);
    regions[memory] = {base, mapped, cudaMemoryTypeUnregistered};
    return memory;
}

void release_guarded(void* memory) {
    if (memory == nullptr) return;
    std::lock_guard<std::mutex> lock(regions_mutex);
    const auto region = regions.find(memory);
    munmap(region->second.base, region->second.mapped);
    regions.erase(region);
}

// A kilobyte of each block is the system's.
int resident_blocks(unsigned threads, size_t shared_bytes) {
    constexpr unsigned MOST_THREADS = 2048, MOST_BLOCKS = 32;
    if (shared_bytes > most_shared_bytes()) return 0;
    const auto by_memory = static_cast<unsigned>((most_shared_bytes() + 1024) / (shared_bytes + 1024));
    return static_cast<int>(std::min({MOST_BLOCKS, MOST_THREADS / threads, by_memory}));
}

}  // namespace hydra::emulation

static cudaError_t enqueue(cudaStream_t stream, Operation operation) {
    if (stream->capturing) {
        stream->recorded.push_back(std::move(operation));
        return cudaSuccess;
    }
    std::lock_guard<std::mutex> lock(running);
    return state() != cudaSuccess ? state() : operation.run();
}

cudaError_t hydra::emulation::enqueue_kernel(cudaStream_t stream, const Launch& launch, std::function<void()> thread) {
    static const bool begins_early = getenv("HYDRA4J_EMULATION_EARLY") != nullptr;
    const int64_t blocks = int64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
    const unsigned threads = launch.block.x * launch.block.y * launch.block.z;
    if (launch.cooperative && blocks > int64_t{multiprocessors()} * resident_blocks(threads, launch.shared_bytes)) {
        return cudaErrorCooperativeLaunchTooLarge;
    }
    const auto early = begins_early ? std::make_shared<EarlyCopies>() : nullptr;
    const auto result = [](bool done) {
        if (!done) broken = cudaErrorLaunchFailure;
        return broken.load();
    };
    const auto run = [=] {
        const bool has_begun = early != nullptr && !early->empty();
        const bool done = run_kernel(launch, thread, has_begun ? early.get() : nullptr);
        if (has_begun) early->clear();
        return result(done);
    };
    if (!begins_early) return enqueue(stream, {run});
    return enqueue(stream, {run, [=] { return result(begin_kernel(launch, thread, *early)); }});
}

const char* cudaGetErrorString(cudaError_t error) {
    switch (error) {
        case cudaErrorMemoryAllocation:
            return "out of memory";
        case cudaErrorLaunchFailure:
            return hydra::emulation::failure();
        case cudaErrorStreamCaptureInvalidated:
            return "the stream is not captured, or is captured and cannot be waited for";
        case cudaErrorInvalidResourceHandle:
            return "invalid resource handle";
        case cudaErrorDeviceUninitialized:
            return "no context is current to the thread";
        case cudaErrorCooperativeLaunchTooLarge:
            return "more blocks in a cooperative launch than run at once";
        default:
            return "invalid value";
    }
}

cudaError_t cudaGetLastError() { return broken; }

CUresult cuDeviceGet(CUdevice* out, int ordinal) {
    *out = ordinal;
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext* out, CUdevice) {
    static CUctx_st primary;
    *out = &primary;
    ++retained;
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease(CUdevice) {
    --retained;
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxGetState(CUdevice, unsigned* flags, int* active) {
    *flags = 0;
    *active = retained > 0 ? 1 : 0;
    return CUDA_SUCCESS;
}

CUresult cuMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
    return static_cast<CUresult>(cudaMemGetInfo(free_bytes, total_bytes));
}

CUresult cuCtxPushCurrent(CUcontext context) {
    if (contexts.count == static_cast<int>(std::size(contexts.all))) return CUDA_ERROR_INVALID_CONTEXT;
    contexts.all[contexts.count++] = context;
    return CUDA_SUCCESS;
}

CUresult cuCtxPopCurrent(CUcontext* out) {
    if (contexts.empty()) return CUDA_ERROR_INVALID_CONTEXT;
    *out = contexts.back();
    --contexts.count;
    return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext* out) {
    *out = contexts.empty() ? nullptr : contexts.back();
    return CUDA_SUCCESS;
}

cudaError_t cudaGetDeviceCount(int* count) {
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
    const int all = hydra::emulation::capability();
    *properties = {"Hydra4J emulation", all / 10, all % 10, multiprocessors(), 1, TOTAL_BYTES, most_shared_bytes()};
    return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* out, const void*) {
    *out = {hydra::emulation::capability()};
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
    *free_bytes = *total_bytes = TOTAL_BYTES;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) { return cudaDriverGetVersion(version); }

static cudaError_t allocate(void** out, size_t bytes, cudaMemoryType type) {
    if (contexts.empty()) return cudaErrorDeviceUninitialized;
    *out = bytes <= TOTAL_BYTES ? hydra::emulation::guarded_memory(bytes, 256) : nullptr;
    if (*out == nullptr) return cudaErrorMemoryAllocation;
    std::lock_guard<std::mutex> lock(regions_mutex);
    regions[*out].type = type;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void** out, size_t bytes) { return allocate(out, bytes, cudaMemoryTypeDevice); }

cudaError_t cudaFree(void* memory) {
    hydra::emulation::release_guarded(memory);
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** out, size_t bytes, unsigned) { return allocate(out, bytes, cudaMemoryTypeHost); }
cudaError_t cudaFreeHost(void* memory) { return cudaFree(memory); }

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* out, const void* pointer) {
    *out = {cudaMemoryTypeUnregistered, 0};
    std::lock_guard<std::mutex> lock(regions_mutex);
    auto region = regions.upper_bound(pointer);
    if (region == regions.begin()) return cudaSuccess;
    --region;
    const auto* end = static_cast<const unsigned char*>(region->second.base) + region->second.mapped - PAGE;
    if (pointer < end) out->type = region->second.type;
    return cudaSuccess;
}

cudaError_t cudaMemset(void* memory, int value, size_t bytes) {
    std::lock_guard<std::mutex> lock(running);
    if (state() == cudaSuccess) std::memset(memory, value, bytes);
    return state();
}

cudaError_t cudaMemcpy(void* target, const void* source, size_t bytes, cudaMemcpyKind) {
    std::lock_guard<std::mutex> lock(running);
    if (bytes > 0 && state() == cudaSuccess) std::memcpy(target, source, bytes);
    return state();
}

cudaError_t cudaMemcpyAsync(void* target, const void* source, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
    return enqueue(stream, {[=] {
                       std::memcpy(target, source, bytes);
                       return cudaSuccess;
                   }});
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* out, unsigned) {
    if (contexts.empty()) return cudaErrorDeviceUninitialized;
    *out = new CUstream_st;
    std::lock_guard<std::mutex> lock(streams_mutex);
    streams.insert(*out);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    std::lock_guard<std::mutex> lock(streams_mutex);
    streams.erase(stream);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    return stream != nullptr && stream->capturing ? cudaErrorStreamCaptureInvalidated : state();
}

static bool lives(cudaStream_t stream) {
    std::lock_guard<std::mutex> lock(streams_mutex);
    return streams.count(stream) > 0;
}

// A device does not look whether the stream lives.
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* out) {
    *out = lives(stream) && stream->capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
    if (stream->capturing) return cudaErrorStreamCaptureInvalidated;
    stream->capturing = true;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* out) {
    if (!stream->capturing) return cudaErrorStreamCaptureInvalidated;
    stream->capturing = false;
    *out = new CUgraph_st{std::move(stream->recorded)};
    stream->recorded.clear();
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* out, cudaGraph_t graph, unsigned long long) {
    if (contexts.empty()) return cudaErrorDeviceUninitialized;
    *out = new CUgraphExec_st{graph->operations};
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
    return enqueue(stream, {[graph] {
                       const std::vector<Operation>& all = graph->operations;
                       for (size_t i = 0; i < all.size(); ++i) {
                           cudaError_t error = cudaSuccess;
                           if (i + 1 < all.size() && all[i + 1].begin) error = all[i + 1].begin();
                           if (error == cudaSuccess) error = all[i].run();
                           if (error != cudaSuccess) return error;
                       }
                       return cudaSuccess;
                   }});
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* out) {
    if (contexts.empty()) return cudaErrorDeviceUninitialized;
    *out = new CUevent_st{};
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    if (!lives(stream)) return cudaErrorInvalidResourceHandle;
    event->time = Clock::now();
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
    *milliseconds = std::chrono::duration<float, std::milli>(end->time - begin->time).count();
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cudaSuccess;
}
