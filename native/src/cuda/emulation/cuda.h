// The part of CUDA that our device code uses, for an ordinary C++ compiler: so that every kernel's index arithmetic,
// its barriers and the programs above it can be tested on a machine without a GPU. For tests only; never packed.
//
// Blocks run one after another, those of a cluster and of a cooperative launch side by side, each as far ahead of the
// others as it need not wait for them. The threads of a block are fibers that run until they meet at a barrier or a
// warp collective, or wait for what others are to count. What hardware would not forgive is not forgiven here: shared
// memory starts as NaN, every allocation ends at a page that cannot be touched, and a barrier that not all living
// threads reach is an error that names the kernel, as is reading another block's shared memory when it may not have
// begun or may have ended, as is a count that nobody can reach any more, a phase of copies that cannot end, and a copy
// whose source changes while it is under way. With HYDRA4J_EMULATION_REVERSED set, blocks and threads run in the
// opposite order: a missing barrier that one order hides, the other shows. A thread that ends without waiting for the
// kernels before is an error; with HYDRA4J_EMULATION_EARLY set, the begin of each kernel of a graph, until it waits,
// also runs before the kernel before it, and what it copies must be the same then; and bulk copies write at once,
// otherwise when somebody waits for them. HYDRA4J_EMULATION_CAPABILITY, HYDRA4J_EMULATION_MULTIPROCESSORS: of the
// device that is emulated, 9.0 (below that it has no clusters, no bulk copies) and 2 where they are not set.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <source_location>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned nx = 1, unsigned ny = 1, unsigned nz = 1) : x(nx), y(ny), z(nz) {}
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) uint2 {
    uint32_t x, y;
};
struct alignas(16) uint4 {
    uint32_t x, y, z, w;
};

// Those of the fiber that runs.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

namespace hydra::emulation {

using Site = std::source_location;

// What each thread of a kernel copies before it waits for the kernels before it: [block][thread], a sum over where and
// what.
using EarlyCopies = std::vector<uint64_t>;

// A launch: blocks in clusters of so many along x; or all blocks at once.
struct Launch {
    const char* name;
    dim3 grid, block;
    size_t shared_bytes;
    unsigned cluster = 1;
    bool cooperative = false;
};
constexpr unsigned MOST_CLUSTER = 8, MOST_COOPERATING = 32;

// Runs `thread` once for every thread of every block. False: the kernel broke a rule; failure() says which. early: what
// was found when the kernel's begin ran ahead (begin_kernel), or null.
bool run_kernel(const Launch& launch, const std::function<void()>& thread, const EarlyCopies* early = nullptr);
const char* failure();

// Runs every thread as far as it waits for the kernels before, and no further. False as above.
bool begin_kernel(const Launch& launch, const std::function<void()>& thread, EarlyCopies& early);

// Each thread of each kernel comes here once.
void wait_for_kernels_before(Site site);

// [shared_bytes] of the block that runs.
void* shared_memory();

void block_barrier(Site site);

// The block's first `threads` threads meet.
void barrier_of_first(unsigned threads, Site site);

// Waits until a counter is at `count` or more, in a cooperative launch: by one thread, for other blocks.
void wait_for_count(const int32_t* counter, int32_t count, Site site);

// All threads of all blocks of the cluster meet.
void cluster_barrier(Site site);

// Where block `rank` of the cluster has what this block has at `own`, `bytes` bytes of shared memory: after a barrier
// of the cluster, and while none of that block's threads has ended.
const void* shared_of_block(const void* own, size_t bytes, unsigned rank, Site site);

// Meets the other lanes of the warp. Each gives `bytes` <= 64 bytes; the result, valid until the next call, holds what
// lane l gave at l * 64, or what `combine`, once all have given, has made of it.
const unsigned char* meet_warp(const void* mine, size_t bytes, Site site,
                               void (*combine)(unsigned char* all) = nullptr);

// The matrix instructions of mma.cuh, which all lanes of the warp come to, and its arithmetic of 16 bits.
void multiply_halves(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, Site site);
void multiply_bfloats(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, Site site);
void load_matrices(uint32_t (&out)[4], const uint16_t* row, Site site);
void load_transposed_matrices(uint32_t (&out)[4], const uint16_t* row, Site site);
uint32_t transposed(uint32_t pair, Site site);
uint32_t halves_of(float lower, float upper);
uint32_t subtract_halves(uint32_t a, uint32_t b);
uint32_t subtract_bfloats(uint32_t a, uint32_t b);

// Asynchronous copies of a thread: 16 bytes to shared memory, which are NaN until the thread waits for the copy's
// group, and are read no sooner than then.
void begin_copy(void* shared, const void* source);
void end_copies();
void wait_for_copies(unsigned pending_groups, Site site = Site::current());

// Ten times the compute capability of the device.
int capability();

// Bulk copies, and barriers in shared memory with phases that end when threads have arrived and copies have written
// (bulk_copies.cuh), if the device has them. What is copied to is NaN until a thread waits for the phase and it can
// end.
bool has_bulk_copies();
void begin_phases(void* barrier, unsigned arrivals, Site site);
void order_before_copies();
void expect_bytes(void* barrier, int bytes, Site site);
void arrive(void* barrier, Site site);
void wait_for_phase(void* barrier, uint32_t parity, Site site);
void copy_bulk(void* shared, const void* source, int bytes, void* barrier, Site site);
void bring_to_cache(const void* source, size_t bytes, Site site);

// What the lanes of a warp gave, until the running one gives again.
template <class T>
class Given {
  public:
    Given(const T& mine, Site site, void (*combine)(unsigned char* all) = nullptr)
        : all_(meet_warp(&mine, sizeof mine, site, combine)) {}
    T operator[](int lane) const {
        T value;
        std::memcpy(&value, all_ + (lane & 31) * 64, sizeof value);
        return value;
    }

  private:
    const unsigned char* all_;
};

inline int lane() { return static_cast<int>(threadIdx.x & 31); }

}  // namespace hydra::emulation

inline void __syncthreads(hydra::emulation::Site site = hydra::emulation::Site::current()) {
    hydra::emulation::block_barrier(site);
}
inline void __syncwarp(hydra::emulation::Site site = hydra::emulation::Site::current()) {
    hydra::emulation::meet_warp(&site, 0, site);
}
template <class T>
T __shfl_sync(unsigned, T value, int lane, hydra::emulation::Site site = hydra::emulation::Site::current()) {
    return hydra::emulation::Given(value, site)[lane];
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask, hydra::emulation::Site site = hydra::emulation::Site::current()) {
    return hydra::emulation::Given(value, site)[hydra::emulation::lane() ^ mask];
}
// The first lanes keep their own value.
template <class T>
T __shfl_up_sync(unsigned, T value, int by, hydra::emulation::Site site = hydra::emulation::Site::current()) {
    const int lane = hydra::emulation::lane();
    return hydra::emulation::Given(value, site)[lane < by ? lane : lane - by];
}
inline unsigned __ballot_sync(unsigned, int predicate,
                              hydra::emulation::Site site = hydra::emulation::Site::current()) {
    const hydra::emulation::Given predicates(predicate, site);
    unsigned mask = 0;
    for (int lane = 0; lane < 32; ++lane) mask |= static_cast<unsigned>(predicates[lane] != 0) << lane;
    return mask;
}

// Byte i of the result is byte (selector >> 4 i & 7) of b:a.
inline uint32_t __byte_perm(uint32_t a, uint32_t b, uint32_t selector) {
    const uint64_t both = static_cast<uint64_t>(b) << 32 | a;
    uint32_t result = 0;
    for (int i = 0; i < 4; ++i) result |= static_cast<uint32_t>(both >> (selector >> i * 4 & 7) * 8 & 0xff) << i * 8;
    return result;
}

inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a < b ? b : a; }
inline void __threadfence() {}
inline int atomicAdd(int* target, int value) {
    *target += value;
    return *target - value;
}
inline unsigned long long atomicAdd(unsigned long long* target, unsigned long long value) {
    *target += value;
    return *target - value;
}
inline int atomicOr(int* target, int value) {
    const int before = *target;
    *target |= value;
    return before;
}
template <class T>
T __ldcg(const T* source) {
    return *source;
}
inline uint32_t __float_as_uint(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}
inline int __popc(unsigned value) { return __builtin_popcount(value); }
inline int __popcll(unsigned long long value) { return __builtin_popcountll(value); }
inline int __ffs(int value) { return __builtin_ffs(value); }
inline int __ffsll(long long value) { return __builtin_ffsll(value); }

// The runtime calls of device.cu, with memory of the host as memory of the device and streams that run at once.
enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorDeviceUninitialized = 201,
    cudaErrorInvalidResourceHandle = 400,
    cudaErrorLaunchFailure = 719,
    cudaErrorCooperativeLaunchTooLarge = 720,
    cudaErrorStreamCaptureInvalidated = 901
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaMemoryType {
    cudaMemoryTypeUnregistered = 0,
    cudaMemoryTypeHost = 1,
    cudaMemoryTypeDevice = 2,
    cudaMemoryTypeManaged = 3
};
struct cudaPointerAttributes {
    cudaMemoryType type;
    int device;
};
enum cudaStreamCaptureStatus { cudaStreamCaptureStatusNone = 0, cudaStreamCaptureStatusActive = 1 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeRelaxed = 2 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
constexpr unsigned cudaStreamNonBlocking = 1, cudaHostAllocDefault = 0;

// Of the driver: the contexts that are current to a thread, one above the other. The runtime would use the first device
// where there is none; here such a call is an error.
enum CUresult { CUDA_SUCCESS = 0, CUDA_ERROR_INVALID_CONTEXT = 201 };
struct CUctx_st;
using CUcontext = CUctx_st*;
using CUdevice = int;
CUresult cuDeviceGet(CUdevice* out, int ordinal);
CUresult cuDevicePrimaryCtxRetain(CUcontext* out, CUdevice device);
CUresult cuDevicePrimaryCtxRelease(CUdevice device);
CUresult cuMemGetInfo(size_t* free_bytes, size_t* total_bytes);
// Tests find these in the library.
extern "C" {
__attribute__((visibility("default"))) CUresult cuCtxPushCurrent(CUcontext context);
__attribute__((visibility("default"))) CUresult cuCtxPopCurrent(CUcontext* out);
__attribute__((visibility("default"))) CUresult cuCtxGetCurrent(CUcontext* out);
__attribute__((visibility("default"))) CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned* flags,
                                                                           int* active);
}

struct cudaDeviceProp {
    char name[256];
    int major, minor, multiProcessorCount, cooperativeLaunch;
    size_t totalGlobalMem, sharedMemPerBlockOptin;
};
struct cudaFuncAttributes {
    int ptxVersion;
};
struct CUstream_st;
struct CUgraph_st;
struct CUgraphExec_st;
struct CUevent_st;
using cudaStream_t = CUstream_st*;
using cudaGraph_t = CUgraph_st*;
using cudaGraphExec_t = CUgraphExec_st*;
using cudaEvent_t = CUevent_st*;

const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaMalloc(void** out, size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaHostAlloc(void** out, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* out, const void* pointer);
cudaError_t cudaMemset(void* memory, int value, size_t bytes);
cudaError_t cudaMemcpy(void* target, const void* source, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void* target, const void* source, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* out, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* out);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* out);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* out, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaEventCreate(cudaEvent_t* out);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* out, const void* kernel);
template <class... Parameters>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* out, void (*kernel)(Parameters...)) {
    return cudaFuncGetAttributes(out, reinterpret_cast<const void*>(kernel));
}
template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel*, cudaFuncAttribute, int) {
    return cudaSuccess;
}

namespace hydra::emulation {

// Blocks of so many threads and bytes of shared memory that run on a multiprocessor at once.
int resident_blocks(unsigned threads, size_t shared_bytes);

// Enqueues a launch: runs it, or keeps it where the stream is captured.
cudaError_t enqueue_kernel(cudaStream_t stream, const Launch& launch, std::function<void()> thread);

}  // namespace hydra::emulation

template <class Kernel>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* out, Kernel*, int threads, size_t shared_bytes) {
    *out = hydra::emulation::resident_blocks(static_cast<unsigned>(threads), shared_bytes);
    return cudaSuccess;
}
