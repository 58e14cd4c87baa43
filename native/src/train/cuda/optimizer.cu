// Norm, finite check and AdamW.
#include "train/cuda/kernels.cuh"

namespace hydra::cuda::training {

namespace {

template <class T>
struct SharedParts {
    T of[WARPS];
};

// A block takes REDUCED elements and leaves the sum of of(x).
template <class T, class Of>
__global__ __launch_bounds__(THREADS) void reduce_kernel(int64_t count, const float* x, T* parts, Of of) {
    begin_in_turn();
    auto& shared = shared_memory<SharedParts<T>>();
    const int64_t first = blockIdx.x * REDUCED, end = first + REDUCED < count ? first + REDUCED : count;
    T sum = 0;
    for (int64_t i = first + threadIdx.x; i < end; i += THREADS) sum += of(x[i]);
    sum = combined<Sum>(sum, shared.of);
    if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

struct Square {
    __device__ double operator()(float x) const { return static_cast<double>(x) * static_cast<double>(x); }
};
struct Nonfinite {
    __device__ int64_t operator()(float x) const { return (__float_as_uint(x) & 0x7f800000) == 0x7f800000; }
};

struct AdamW {
    train::AdamWFactors factors;
    const float* gradients;
    float *parameters, *first, *second;
    __device__ void operator()(int64_t i) const {
        const float gradient = factors.gradient_scale * gradients[i];
        const float m = fmaf(factors.beta1, first[i], factors.rest1 * gradient);
        const float v = fmaf(factors.beta2, second[i], factors.rest2 * gradient * gradient);
        const float denominator = fmaf(sqrtf(v), factors.inverse_root2, factors.epsilon);
        parameters[i] = factors.keep * parameters[i] - factors.rate * m / denominator;
        first[i] = m;
        second[i] = v;
    }
};

template <class T, class Of>
hydra_status reduce(Stream* stream, const char* name, int64_t count, const float* x, T* parts, Of of) {
    if (count == 0) return HYDRA_OK;
    return launch(stream, name, reduce_kernel<T, Of>, dim3(static_cast<unsigned>(reduced_parts(count))), THREADS,
                  sizeof(SharedParts<T>), count, x, parts, of);
}

}  // namespace

hydra_status square_sums(Stream* stream, int64_t count, const float* x, double* sums) {
    return reduce(stream, "square_sums_kernel", count, x, sums, Square{});
}

hydra_status nonfinite_counts(Stream* stream, int64_t count, const float* x, int64_t* counts) {
    return reduce(stream, "nonfinite_counts_kernel", count, x, counts, Nonfinite{});
}

hydra_status adamw(Stream* stream, int64_t count, train::AdamWFactors factors, const float* gradients,
                   float* parameters, float* first, float* second) {
    return each(stream, "adamw_kernel", count, AdamW{factors, gradients, parameters, first, second});
}

}  // namespace hydra::cuda::training
