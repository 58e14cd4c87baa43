// The device's primary context: current to a thread while it is in an entry of the table, and then no more.
#pragma once

#include "cuda/runtime.cuh"

namespace hydra::cuda {

// Takes the primary context of a device, for good, as the runtime does, without making it current.
hydra_status primary_context(int32_t device, CUcontext* out);

// Bytes of a device's memory. Needs its primary context, and leaves none where there was none: contexts take memory and
// time, and who looks at all devices will use one.
hydra_status device_memory(int32_t device, int64_t* free_bytes, int64_t* total_bytes);

// Makes a context current to the thread; its end brings back what was before, even nothing. cudaSetDevice could not: it
// would make a context where there was none.
class CurrentContext {
  public:
    explicit CurrentContext(CUcontext context);
    ~CurrentContext();
    CurrentContext(const CurrentContext&) = delete;
    CurrentContext& operator=(const CurrentContext&) = delete;

    hydra_status status() const { return status_; }

  private:
    hydra_status status_;
};

inline Device* device_of(Device* device) { return device; }
inline Device* device_of(const Stream* stream) { return stream->device; }
inline Device* device_of(const Graph* graph) { return graph->device; }

template <auto function>
struct InContext;

template <class Result, class Owner, class... Rest, Result (*function)(Owner*, Rest...)>
struct InContext<function> {
    static Result call(Owner* owner, Rest... rest) {
        const CurrentContext current(device_of(owner)->context);
        if constexpr (std::is_void_v<Result>) {
            if (current.status() == HYDRA_OK) function(owner, rest...);
        } else {
            return current.status() == HYDRA_OK ? function(owner, rest...) : current.status();
        }
    }
};

// The function, called in the context of the device that its first argument is or belongs to.
template <auto function>
constexpr auto in_context = InContext<function>::call;

}  // namespace hydra::cuda
